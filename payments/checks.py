"""Settings that must fit each other, checked before anything starts."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register("payments")
def retries_follow_one_another(**_: Any) -> list[CheckMessage]:
    """Retries on days that don't ascend would be skipped silently."""
    days = settings.PAYMENT_RETRY_DAYS
    if all(day >= 1 for day in days) and days == sorted(set(days)):
        return []
    return [Error(f"PAYMENT_RETRY_DAYS ({days}) must ascend, and begin at 1 or later.", id="payments.E002")]


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
