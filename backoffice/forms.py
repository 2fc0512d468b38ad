"""The forms that confirm what staff are about to do."""

import re
import uuid
from typing import Any, ClassVar

from django import forms

from accounts.amounts import amount_error
from accounts.currencies import EXPONENTS, display
from accounts.ids import new_id
from accounts.models import Account
from accounts.refusals import Refusal
from payments.models import Payment
from rebilling.models import Rebilling
from rebilling.reasons import LONGEST
from rebilling.receiving import LONGEST_REFERENCE
from rebilling.refunding import left_to_refund

OPEN_AGAIN = "This form was not sent as it was shown. Open it again."


class OneLineField(forms.CharField):
    """A text that may be written over several lines, and is kept as one: line breaks and runs of spaces are a space."""

    def to_python(self, value: Any) -> str:
        return " ".join((super().to_python(value) or "").split())


class ReasonForm(forms.Form):
    """Every action needs a reason. `subject` is what it is about."""

    reason = OneLineField(
        max_length=LONGEST, widget=forms.Textarea(attrs={"rows": 3, "cols": 60}), help_text="Kept with what is done."
    )
    operations_names: ClassVar[dict[str, str]] = {}
    """Our fields by what the operation calls them, where that is something else."""

    def __init__(self, *args: Any, subject: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.subject = subject

    def refuse(self, refusal: Refusal) -> str:
        """Show what the operation refused at the fields that it is about; returns what is about none of them."""
        left = [refusal.detail]
        for name, message in refusal.errors.items():
            field = self.operations_names.get(name, name)
            if field in self.fields:
                self.add_error(field, message)
            else:
                left.append(message)
        return " ".join(left)


class AmountForm(ReasonForm):
    """`amount` is what the person writes, in major units; cleaned, it is minor units of the subject's currency.

    `submission` is made with the form, so that the same form sent twice moves the amount once.
    """

    amount = forms.CharField(max_length=30)
    submission = forms.UUIDField(
        widget=forms.HiddenInput, initial=new_id, error_messages=dict.fromkeys(("required", "invalid"), OPEN_AGAIN)
    )
    operations_names: ClassVar[dict[str, str]] = {"amount_minor": "amount"}
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

    operations_names: ClassVar[dict[str, str]] = {"charge": "charges"}
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
            error_messages={
                "required": "Tick the charges to write off.",
                "invalid_choice": "A charge that was ticked isn't unpaid any more. Look again at what is.",
            },
        )
        self.order_fields(["charges", "reason"])


def _unpaid_charge(rebilling: Rebilling) -> str:
    outstanding = display(amount_minor=rebilling.outstanding_minor, currency=rebilling.currency)
    return f"{rebilling.period_start} to {rebilling.period_end}: {outstanding}"


def minor_from(*, text: str, currency: str) -> int:
    """The minor units that `text` ("19.99") says, not rounded, and no more than one movement may be.

    Raises `forms.ValidationError`.
    """
    exponent = EXPONENTS[currency]
    fraction_pattern = rf"(?:\.([0-9]{{1,{exponent}}}))?" if exponent else "()"
    written = re.fullmatch(rf"([0-9]{{1,19}}){fraction_pattern}", text)
    if written is None:
        raise forms.ValidationError(
            f"Write an amount in {currency} with digits and a point, like {_example(currency)}."
        )
    whole, fraction = written.groups(default="")
    amount_minor = int(whole + fraction.ljust(exponent, "0"))
    if error := amount_error(amount_minor=amount_minor, currency=currency):
        raise forms.ValidationError(error)
    return amount_minor


def _example(currency: str) -> str:
    exponent = EXPONENTS[currency]
    return f"20.{'5'.ljust(exponent, '0')}" if exponent else "20"
