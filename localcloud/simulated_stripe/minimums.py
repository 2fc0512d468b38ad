"""The smallest amounts that Stripe charges (https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts).

Stripe goes by the currency that an account is paid out in. This provider pays out each currency as it is charged; those
without a minimum of their own are charged from the smallest unit on.
"""

from decimal import Decimal

from localcloud.simulated_stripe.wire import ErrorAnswer, invalid

MIN_AMOUNTS = {
    **dict.fromkeys(("aud", "brl", "cad", "chf", "eur", "inr", "nzd", "sgd", "usd"), 50),
    **dict.fromkeys(("aed", "myr", "pln", "ron"), 200),
    **dict.fromkeys(("nok", "sek"), 300),
    **dict.fromkeys(("mxn", "thb"), 1000),
    "bgn": 100,
    "czk": 1500,
    "dkk": 250,
    "gbp": 30,
    "hkd": 400,
    "huf": 17_500,
    "jpy": 50,
}
"""In Stripe's units: hundredths, and whole yen."""
_WHOLE = {"jpy"}


def ensure_large_enough(*, amount: int, currency: str) -> None:
    """Raises ErrorAnswer, as Stripe words it, for an amount below the currency's minimum."""
    minimum = MIN_AMOUNTS.get(currency, 1)
    if amount < minimum:
        raise _too_small(minimum=minimum, currency=currency)


def _too_small(*, minimum: int, currency: str) -> ErrorAnswer:
    shown = Decimal(minimum).scaleb(0 if currency in _WHOLE else -2)
    return invalid(f"Amount must be at least {shown} {currency}", code="amount_too_small", param="amount")
