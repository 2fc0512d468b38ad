"""What a discount takes off a price. It comes first, and tax is of what is left. Pure."""

from decimal import Decimal

from accounts.percents import WHOLE, thousandths
from invoices.rounding import half_up


def discount_of(*, price_minor: int, percent: Decimal | None, amount_minor: int | None) -> int:
    """The minor units that a percentage, or else an amount, takes off a price: rounded half up, never more than it.

    Raises `ValueError` for neither.
    """
    if percent is not None:
        return half_up(price_minor * thousandths(percent), WHOLE)
    if amount_minor is None:
        raise ValueError("a discount is a percentage or an amount")
    return min(price_minor, amount_minor)
