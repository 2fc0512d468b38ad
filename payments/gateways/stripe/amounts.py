"""Amounts in Stripe's units and in ours.

Ours are in minor units by ISO 4217's exponents. Stripe's are in its own, which differ for a few currencies
(https://docs.stripe.com/currencies: "Zero-decimal currencies", "Three-decimal currencies", "Special cases").
"""

from decimal import Decimal

from accounts.currencies import EXPONENTS

ZERO_DECIMAL = frozenset(
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"]
)
"""UGX is in Stripe's list too, but its special case for UGX contradicts that, and is more explicit."""
WHOLE_BUT_TWO_DECIMAL = frozenset({"ISK", "UGX"})
"""Without decimals, and still sent with two, both zero: 5 ISK are 500."""
THREE_DECIMAL = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
"""The last digit must be zero."""
_TWO = 2


class UnableToExpress(Exception):
    """The amount can't be written in the other's units; the text says why."""


def stripe_exponent(currency: str) -> int:
    """Digits after the decimal point in Stripe's amounts of an ISO code. Raises UnableToExpress."""
    if currency not in EXPONENTS:
        raise UnableToExpress(f"{currency} is not a currency that we know")
    if currency in ZERO_DECIMAL:
        return 0
    if currency in THREE_DECIMAL:
        return 3
    if EXPONENTS[currency] == _TWO or currency in WHOLE_BUT_TWO_DECIMAL:
        return _TWO
    raise UnableToExpress(f"Stripe doesn't say in which units it takes {currency}")


def to_stripe(*, amount_minor: int, currency: str) -> int:
    """`1999, "USD"` is 1999; `5, "ISK"` is 500; `5120, "KWD"` is 5120. Raises UnableToExpress."""
    amount = _moved(amount_minor, EXPONENTS.get(currency, 0), stripe_exponent(currency), currency)
    if currency in THREE_DECIMAL and amount % 10:
        raise UnableToExpress(
            f"Stripe takes no {currency} amount whose third decimal isn't 0: {_shown(amount, 3)} {currency}"
        )
    return amount


def from_stripe(*, amount: int, currency: str) -> int:
    """Minor units of what Stripe calls `amount`. Raises UnableToExpress."""
    return _moved(amount, stripe_exponent(currency), EXPONENTS.get(currency, 0), currency)


def _moved(amount: int, from_exponent: int, to_exponent: int, currency: str) -> int:
    factor: int = 10 ** abs(to_exponent - from_exponent)
    if to_exponent >= from_exponent:
        return amount * factor
    whole, rest = divmod(amount, factor)
    if rest:
        raise UnableToExpress(f"{_shown(amount, from_exponent)} {currency} has more decimals than the other side takes")
    return whole


def _shown(amount: int, exponent: int) -> str:
    return f"{Decimal(amount).scaleb(-exponent):,f}"
