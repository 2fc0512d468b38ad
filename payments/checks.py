"""Settings that must fit each other, checked before anything starts."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register
def lease_outlasts_the_gateway(**_: Any) -> list[CheckMessage]:
    """A lease that ends before the call it guards lets two deliveries call the gateway for one payment."""
    if settings.PAYMENT_LEASE_SECONDS >= settings.PAYMENT_GATEWAY_TIMEOUT_SECONDS:
        return []
    return [
        Error(
            f"PAYMENT_LEASE_SECONDS ({settings.PAYMENT_LEASE_SECONDS}) must not be shorter than "
            f"PAYMENT_GATEWAY_TIMEOUT_SECONDS ({settings.PAYMENT_GATEWAY_TIMEOUT_SECONDS}).",
            id="payments.E001",
        )
    ]
