"""The forms for money received offline: for an account and one of its invoices, or for the invoice of a page."""

import uuid
from typing import Any, ClassVar

from django import forms

from accounts.currencies import display
from accounts.errors import OperationError
from accounts.models import Account
from backoffice.forms import AmountForm
from invoices.models import Invoice
from payments.gateways.texts import MAX_REFERENCE_LENGTH
from payments.offline_payments import PossibleDuplicate

MAX_INVOICES = 200
"""Invoices that a form offers, the oldest first."""


class OfflinePaymentForm(AmountForm):
    """What was received. Where it looks like a payment that was recorded before, a box to check appears."""

    reference = forms.CharField(max_length=MAX_REFERENCE_LENGTH, help_text="What the bank statement or the check says.")
    is_another = forms.BooleanField(
        label="This is another payment", required=False, widget=forms.HiddenInput, help_text="Check it to confirm."
    )
    field_order: tuple[str, ...] = ("amount", "reference", "is_another", "reason", "submission")

    def add_operation_error(self, error: OperationError) -> str:
        if isinstance(error, PossibleDuplicate):
            self.fields["is_another"].widget = forms.CheckboxInput()
        return super().add_operation_error(error)


class AccountPaymentForm(OfflinePaymentForm):
    """Money that an account paid, for one of its invoices or for none."""

    field_order = ("amount", "invoice", "reference", "is_another", "reason", "submission")
    subject: Account
    error_messages: ClassVar = {"invalid_choice": "Choose an open or written-off invoice of this account."}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        owed = self.subject.invoices.filter(status__in=[Invoice.Status.OPEN, Invoice.Status.UNCOLLECTIBLE])
        self.fields["invoice"] = forms.TypedChoiceField(
            choices=[
                ("", "No invoice: it becomes credit, which pays open invoices, oldest first"),
                *((str(invoice.id), _described(invoice)) for invoice in owed.order_by("id")[:MAX_INVOICES]),
            ],
            coerce=uuid.UUID,
            empty_value=None,
            required=False,
            error_messages=self.error_messages,
        )
        self.order_fields(self.field_order)


def _described(invoice: Invoice) -> str:
    if invoice.status == Invoice.Status.OPEN:
        left, what = invoice.outstanding_minor, "outstanding"
    else:
        left, what = invoice.written_off_minor, "written off"
    return f"{invoice.number} of {invoice.issued_on}: {display(amount_minor=left, currency=invoice.currency)} {what}"
