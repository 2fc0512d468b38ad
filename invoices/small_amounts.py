"""Amounts too small to collect: they are carried forward to the next invoice instead of being declined each time."""

from django.conf import settings


def is_too_small(*, amount_minor: int, currency: str) -> bool:
    """Whether the gateway would refuse to collect this amount for its size, by the setting `MIN_COLLECTED_MINOR`."""
    minimum: int = settings.MIN_COLLECTED_MINOR.get(currency, 1)
    return 0 < amount_minor < minimum
