"""Amounts as people type them, in major units with a point or a comma before the fraction, and as they read them."""

import re

from django import forms

from accounts.amounts import amount_error
from accounts.currencies import EXPONENTS, display


def minor_from(*, text: str, currency: str, minimum: int = 1) -> int:
    """The minor units of `text` ("19.99" or "19,99"), without rounding, and no fewer than `minimum`.

    Raises `forms.ValidationError`, also past the limits.
    """
    exponent = EXPONENTS[currency]
    fraction_pattern = rf"(?:[.,]([0-9]{{1,{exponent}}}))?" if exponent else "()"
    written = re.fullmatch(rf"([0-9]{{1,19}}){fraction_pattern}", text)
    # A comma before three digits may as well be one between thousands.
    if written is None or re.search(",[0-9]{3}$", text):
        raise forms.ValidationError(
            f"Enter an amount in {currency} with digits and a decimal point, like {example_of(currency)}."
        )
    whole, fraction = written.groups(default="")
    amount_minor = int(whole + fraction.ljust(exponent, "0"))
    if error := amount_error(amount_minor=amount_minor, currency=currency, minimum=minimum):
        raise forms.ValidationError(error)
    return amount_minor


def example_of(currency: str) -> str:
    """An amount in that currency, as it may be typed."""
    exponent = EXPONENTS[currency]
    return f"20.{'5'.ljust(exponent, '0')}" if exponent else "20"


def line_in_words(description: str, *, total_minor: int, tax_minor: int, currency: str, discount_minor: int = 0) -> str:
    """A line of an invoice, as people read it: "Pro, 1 Feb to 28 Feb 2026: 12.10 USD, with 2.10 USD of tax."."""

    def shown(amount_minor: int) -> str:
        return display(amount_minor=amount_minor, currency=currency)

    discounted = f", after a discount of {shown(discount_minor)}" if discount_minor else ""
    with_tax = f", with {shown(tax_minor)} of tax" if tax_minor else ""
    return f"{description}: {shown(total_minor)}{discounted}{with_tax}."
