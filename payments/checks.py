"""Settings that must fit each other, checked before anything starts."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register("payments")
def dunning_days_ascend(**_: Any) -> list[CheckMessage]:
    """Steps of dunning on days that don't ascend would be skipped silently."""
    days = settings.DUNNING_DAYS
    if days and all(day >= 1 for day in days) and days == sorted(set(days)):
        return []
    return [
        Error(f"DUNNING_DAYS ({days}) must hold a day at least, ascend, and begin at 1 or later.", id="payments.E002")
    ]


@register("payments")
def lease_outlasts_the_gateway(**_: Any) -> list[CheckMessage]:
    """A lease that ends before the call it guards lets two deliveries call the gateway for one payment."""
    if settings.PAYMENT_LEASE_SECONDS > settings.PAYMENT_GATEWAY_TIMEOUT_SECONDS:
        return []
    return [
        Error(
            f"PAYMENT_LEASE_SECONDS ({settings.PAYMENT_LEASE_SECONDS}) must be longer than "
            f"PAYMENT_GATEWAY_TIMEOUT_SECONDS ({settings.PAYMENT_GATEWAY_TIMEOUT_SECONDS}).",
            id="payments.E001",
        )
    ]
