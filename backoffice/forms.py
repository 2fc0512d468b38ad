"""The forms that confirm what staff are about to do."""

import re
import uuid
from typing import Any

from django import forms

from accounts.currencies import EXPONENTS, display
from accounts.ids import new_id
from accounts.models import Account
from payments.models import Payment
from rebilling.models import Rebilling
from rebilling.reasons import LONGEST
from rebilling.receiving import LONGEST_REFERENCE
from rebilling.refunding import left_to_refund


class ReasonForm(forms.Form):
    """Every action needs a reason. `subject` is what it is about."""

    reason = forms.CharField(
        max_length=LONGEST, widget=forms.Textarea(attrs={"rows": 3, "cols": 60}), help_text="Kept with what is done."
    )

    def __init__(self, *args: Any, subject: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.subject = subject


class AmountForm(ReasonForm):
    """`amount` is what the person writes, in major units; cleaned, it is minor units of the subject's currency.

    `submission` is made with the form, so that the same form sent twice moves the amount once.
    """

    amount = forms.CharField(max_length=30)
    submission = forms.UUIDField(widget=forms.HiddenInput, initial=new_id)
    field_order: tuple[str, ...] = ("amount", "reason", "submission")
    subject: Account | Payment

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["amount"].help_text = f"In {self.subject.currency}, like {_example(self.subject.currency)}."

    def clean_amount(self) -> int:
        return minor_from(text=self.cleaned_data["amount"], currency=self.subject.currency)


class PaymentForm(AmountForm):
    """Money received outside the gateway."""

    reference = forms.CharField(max_length=LONGEST_REFERENCE, help_text="What the bank statement or the cheque says.")
    field_order = ("amount", "reference", "reason", "submission")


class RefundForm(AmountForm):
    """What to send back of a payment."""

    subject: Payment

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        left = display(amount_minor=left_to_refund(self.subject), currency=self.subject.currency)
        self.fields["amount"].help_text += f" {left} is left to refund."


class SentForm(ReasonForm):
    """Money that the gateway sent back, as its own records show."""

    reference = forms.CharField(max_length=LONGEST_REFERENCE, help_text="The gateway's name for the refund.")
    field_order = ("reference", "reason")


class TakenForm(ReasonForm):
    """Money that the gateway took, as its own records show."""

    reference = forms.CharField(max_length=LONGEST_REFERENCE, help_text="The gateway's name for the payment.")
    field_order = ("reference", "reason")


class WriteOffForm(ReasonForm):
    """The account's unpaid charges, all ticked. What wasn't unpaid yet when the person looked isn't written off."""

    subject: Account

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        unpaid = self.subject.rebillings.filter(status=Rebilling.Status.UNPAID).order_by("period_start", "id")
        choices = [(str(row.charge_id), _unpaid_charge(row)) for row in unpaid]
        self.fields["charges"] = forms.TypedMultipleChoiceField(
            choices=choices,
            initial=[charge for charge, _ in choices],
            coerce=uuid.UUID,
            widget=forms.CheckboxSelectMultiple,
            help_text="" if choices else "The account has no unpaid charge.",
        )
        self.order_fields(["charges", "reason"])


def _unpaid_charge(rebilling: Rebilling) -> str:
    outstanding = display(amount_minor=rebilling.outstanding_minor, currency=rebilling.currency)
    return f"{rebilling.period_start} to {rebilling.period_end}: {outstanding}"


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
