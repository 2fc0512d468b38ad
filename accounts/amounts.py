"""How much one movement of money may be, and how far an account's balance may go.

One movement (a price, a charge, a credit, a payment received, a refund) is at most the setting `MAX_MOVEMENT_MINOR`,
in minor units of its currency. An amount with three zeros too many is more often a mistake than a sale.
"""

from django.conf import settings

from accounts.currencies import display

MAX_BALANCE_MINOR = 2**53 - 1
"""The largest integer that every JSON parser reads exactly. Credits, payments and reversals by people may not take a
balance past it. Charges aren't checked: each is at most 10^12, so thousands of the largest would have to be unpaid."""


def amount_error(*, amount_minor: int, currency: str, minimum: int = 1) -> str:
    """Why one movement can't be of this amount, in a sentence, or an empty string. Raises `KeyError`: no currency."""
    if minimum <= amount_minor <= settings.MAX_MOVEMENT_MINOR:
        return ""
    return f"Must be from {display(amount_minor=minimum, currency=currency)} to {_maximum(currency)}."


def charge_error(*, quantity: int, unit_amount_minor: int, currency: str) -> str:
    """Why a period can't cost this much, in a sentence, or an empty string. Raises `KeyError`: no currency."""
    charge_minor = quantity * unit_amount_minor
    if charge_minor <= settings.MAX_MOVEMENT_MINOR:
        return ""
    cost = display(amount_minor=charge_minor, currency=currency)
    return f"A period would cost {cost}, which is more than {_maximum(currency)}."


def _maximum(currency: str) -> str:
    maximum = display(amount_minor=settings.MAX_MOVEMENT_MINOR, currency=currency)
    return f"{maximum} (the setting MAX_MOVEMENT_MINOR)"
