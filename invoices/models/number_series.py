"""The company's own series of numbers, where it has them."""

from typing import ClassVar

from django.db import models


class NumberSeries(models.Model):
    """The last number taken of the company's series of a year, where numbers aren't the accounts' own."""

    kind = models.CharField(max_length=11)
    year = models.PositiveSmallIntegerField()
    last = models.PositiveIntegerField()

    class Meta:
        verbose_name_plural = "number series"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["kind", "year"], name="number_series_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.year}: {self.last}"
