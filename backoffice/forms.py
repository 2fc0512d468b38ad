"""The forms of the staff's actions."""

import re
import uuid
from typing import Any, ClassVar

from django import forms

from accounts.amounts import amount_error
from accounts.currencies import EXPONENTS, display
from accounts.errors import OperationError
from accounts.ids import new_id
from accounts.models import Account
from accounts.reasons import MAX_REASON_LENGTH
from payments.models import Payment
from rebilling.models import Rebilling
from rebilling.offline_payments import MAX_REFERENCE_LENGTH
from rebilling.refund_requests import left_to_refund

OPEN_AGAIN = "This form is incomplete. Open it again."


class OneLineField(forms.CharField):
    """A text that may be typed on several lines and is stored as one: each run of white space becomes a space."""

    def to_python(self, value: Any) -> str:
        return " ".join((super().to_python(value) or "").split())


class ReasonForm(forms.Form):
    """Every action needs a reason. `subject` is what it is about."""

    reason = OneLineField(
        max_length=MAX_REASON_LENGTH,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60}),
        help_text="Recorded with the action.",
    )
    operations_names: ClassVar[dict[str, str]] = {}
    """The operation's names of our fields, where they differ."""

    def __init__(self, *args: Any, subject: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.subject = subject

    def add_operation_error(self, error: OperationError) -> str:
        """Show the operation's error at the fields that it names; returns the rest of the message."""
        rest = [error.detail]
        for name, message in error.errors.items():
            field = self.operations_names.get(name, name)
            if field in self.fields:
                self.add_error(field, message)
            else:
                rest.append(message)
        return " ".join(rest)


class AmountForm(ReasonForm):
    """`amount` is typed in major units; cleaned, it is in minor units of the subject's currency.

    `submission` is generated with the form, so that the same form sent twice moves the amount once.
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


class OfflinePaymentForm(AmountForm):
    """Money received offline."""

    reference = forms.CharField(max_length=MAX_REFERENCE_LENGTH, help_text="What the bank statement or the check says.")
    field_order = ("amount", "reference", "reason", "submission")


class RefundForm(AmountForm):
    """How much of a payment to refund."""

    subject: Payment

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        left = display(amount_minor=left_to_refund(self.subject), currency=self.subject.currency)
        self.fields["amount"].help_text += f" {left} is left to refund."


class RefundReferenceForm(ReasonForm):
    """A refund that the gateway's own records show."""

    reference = forms.CharField(max_length=MAX_REFERENCE_LENGTH, help_text="The refund's id at the gateway.")
    field_order = ("reference", "reason")


class PaymentReferenceForm(ReasonForm):
    """A payment that the gateway's own records show."""

    reference = forms.CharField(max_length=MAX_REFERENCE_LENGTH, help_text="The payment's id at the gateway.")
    field_order = ("reference", "reason")


class WriteOffForm(ReasonForm):
    """The account's unpaid charges, all checked. One that became unpaid after the form opened isn't written off."""

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
                "required": "Check the charges to write off.",
                "invalid_choice": "A charge that you checked isn't unpaid any more. Open the form again.",
            },
        )
        self.order_fields(["charges", "reason"])


def _unpaid_charge(rebilling: Rebilling) -> str:
    outstanding = display(amount_minor=rebilling.outstanding_minor, currency=rebilling.currency)
    return f"{rebilling.period}: {outstanding}"


def minor_from(*, text: str, currency: str) -> int:
    """The minor units of `text` ("19.99"), without rounding. Raises `forms.ValidationError`, also past the limits."""
    exponent = EXPONENTS[currency]
    fraction_pattern = rf"(?:\.([0-9]{{1,{exponent}}}))?" if exponent else "()"
    written = re.fullmatch(rf"([0-9]{{1,19}}){fraction_pattern}", text)
    if written is None:
        raise forms.ValidationError(
            f"Enter an amount in {currency} with digits and a decimal point, like {_example(currency)}."
        )
    whole, fraction = written.groups(default="")
    amount_minor = int(whole + fraction.ljust(exponent, "0"))
    if error := amount_error(amount_minor=amount_minor, currency=currency):
        raise forms.ValidationError(error)
    return amount_minor


def _example(currency: str) -> str:
    exponent = EXPONENTS[currency]
    return f"20.{'5'.ljust(exponent, '0')}" if exponent else "20"
