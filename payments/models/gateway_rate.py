"""How often the gateway may be called, by all workers together."""

from django.db import models


class GatewayRate(models.Model):
    """When the next call of this gateway may begin. One row, which all workers move on before they call.

    The table isn't logged: after a crash it is empty, and calls begin at once.
    """

    gateway = models.CharField(max_length=50, primary_key=True)
    free_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.gateway}, from {self.free_at}"
