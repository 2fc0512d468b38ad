"""The forms of the staff's actions: what every action needs, and what moves an amount."""

from typing import Any, Protocol

from django import forms

from accounts.currencies import display
from accounts.errors import OperationError
from accounts.ids import new_id
from accounts.reasons import MAX_REASON_LENGTH
from backoffice.amounts import example_of, minor_from
from payments.gateways.texts import MAX_REFERENCE_LENGTH
from payments.models import Payment, Refund
from payments.refund_requests import refundable

OPEN_AGAIN = "This form is incomplete. Open it again."


class OneLineField(forms.CharField):
    """A text that may be typed on several lines and is stored as one: each run of white space becomes a space."""

    def to_python(self, value: Any) -> str:
        return " ".join((super().to_python(value) or "").split())


def day_field(**given: Any) -> forms.DateField:
    """A day, chosen in the browser's calendar."""
    return forms.DateField(widget=forms.DateInput(attrs={"type": "date"}), **given)


def reason_field(*, rows: int = 3, **given: Any) -> OneLineField:
    """Why something is done: a text area of so many rows, kept as one line."""
    widget = forms.Textarea(attrs={"rows": rows, "cols": 60})
    return OneLineField(max_length=MAX_REASON_LENGTH, widget=widget, **given)


def submission_field() -> forms.UUIDField:
    """Generated with the form, it is the id of what the form makes: sent twice, that is made once."""
    return forms.UUIDField(
        widget=forms.HiddenInput, initial=new_id, error_messages=dict.fromkeys(("required", "invalid"), OPEN_AGAIN)
    )


class OperationForm(forms.Form):
    """What an operation is given, and what it refuses."""

    operations_names: dict[str, str] = {}
    """The operation's names of our fields, where they differ."""

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


class ReasonForm(OperationForm):
    """Every action needs a reason. `subject` is what it is about."""

    reason = reason_field(help_text="Recorded with the action.")

    def __init__(self, *args: Any, subject: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.subject = subject


class SubmissionForm(ReasonForm):
    """Makes something, once."""

    submission = submission_field()


class InCurrency(Protocol):
    """What an amount is about: an account, an invoice, a payment."""

    currency: str


class AmountForm(SubmissionForm):
    """`amount` is typed in major units; cleaned, it is in minor units of the subject's currency."""

    amount = forms.CharField(max_length=30)
    operations_names: dict[str, str] = {"amount_minor": "amount"}
    field_order: tuple[str, ...] = ("amount", "reason", "submission")
    subject: InCurrency

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["amount"].help_text = f"In {self.subject.currency}, like {example_of(self.subject.currency)}."

    def clean_amount(self) -> int:
        return minor_from(text=self.cleaned_data["amount"], currency=self.subject.currency)


class RefundForm(AmountForm):
    """How much of a payment to refund, and from what."""

    operations_names: dict[str, str] = {"amount_minor": "amount", "from": "source"}
    field_order = ("source", "amount", "reason", "submission")
    subject: Payment

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        left = {
            source: display(amount_minor=amount, currency=self.subject.currency)
            for source, amount in refundable(self.subject).items()
        }
        payment, balance = Refund.Source.PAYMENT, Refund.Source.BALANCE
        choices = [
            (payment.value, f"The payment: {left[payment]} is left to refund. Its invoice gets a credit note."),
            (balance.value, f"The account's credit: {left[balance]} can be paid out against this payment."),
        ]
        self.fields["source"] = forms.ChoiceField(
            label="From", widget=forms.RadioSelect, choices=choices, initial=payment.value
        )
        self.order_fields(self.field_order)


class RefundReferenceForm(ReasonForm):
    """A refund that the gateway's own records show."""

    reference = forms.CharField(max_length=MAX_REFERENCE_LENGTH, help_text="The refund's id at the gateway.")
    field_order = ("reference", "reason")


class PaymentReferenceForm(ReasonForm):
    """A payment that the gateway's own records show."""

    reference = forms.CharField(max_length=MAX_REFERENCE_LENGTH, help_text="The payment's id at the gateway.")
    field_order = ("reference", "reason")
