"""One table."""

from django.db import models


class Customer(models.Model):
    """A row to read."""

    name = models.CharField(max_length=200)
    email = models.EmailField()

    def __str__(self) -> str:
        return self.name
