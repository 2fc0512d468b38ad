"""The forms that confirm what staff are about to do."""

import re
from typing import Any

from django import forms

from accounts.currencies import EXPONENTS
from accounts.ids import new_id
from accounts.models import Account
from rebilling.reasons import LONGEST


class ReasonForm(forms.Form):
    """Every action needs a reason. `subject` is what it is about."""

    reason = forms.CharField(
        max_length=LONGEST, widget=forms.Textarea(attrs={"rows": 3, "cols": 60}), help_text="Kept with what is done."
    )

    def __init__(self, *args: Any, subject: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.subject = subject


class CreditForm(ReasonForm):
    """`amount` is what the person writes, in major units; cleaned, it is minor units of the account's currency.

    `submission` is made with the form, so that the same form sent twice credits once.
    """

    amount = forms.CharField(max_length=30)
    submission = forms.UUIDField(widget=forms.HiddenInput, initial=new_id)
    field_order = ("amount", "reason", "submission")
    subject: Account

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["amount"].help_text = f"In {self.subject.currency}, like {_example(self.subject.currency)}."

    def clean_amount(self) -> int:
        return minor_from(text=self.cleaned_data["amount"], currency=self.subject.currency)


def minor_from(*, text: str, currency: str) -> int:
    """The minor units that `text` ("19.99") says, without rounding. Raises `forms.ValidationError`."""
    exponent = EXPONENTS[currency]
    fraction_pattern = rf"(?:\.([0-9]{{1,{exponent}}}))?" if exponent else "()"
    written = re.fullmatch(rf"([0-9]{{1,19}}){fraction_pattern}", text)
    if written is None:
        raise forms.ValidationError(
            f"Write an amount in {currency} with digits and a point, like {_example(currency)}."
        )
    whole, fraction = written.groups(default="")
    return int(whole + fraction.ljust(exponent, "0"))


def _example(currency: str) -> str:
    exponent = EXPONENTS[currency]
    return f"20.{'5'.ljust(exponent, '0')}" if exponent else "20"
