"""The form of a credit note: for all that is left of an invoice, for an amount, or for amounts of its lines."""

import uuid
from typing import Any

from django import forms

from accounts.currencies import display
from backoffice.amounts import example_of, minor_from
from backoffice.forms import SubmissionForm
from backoffice.invoice_page import MAX_LINES
from invoices.amounts import amounts_of
from invoices.credit_note_shares import left_of
from invoices.models import Invoice, InvoiceLine

ALL, AMOUNT, LINES = "all", "amount", "lines"


class CreditNoteForm(SubmissionForm):
    """Each line that has something left has a field of its own."""

    amount = forms.CharField(max_length=30, required=False)
    subject: Invoice

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        invoice = self.subject
        left = display(amount_minor=max(0, amounts_of(invoice).left_to_credit), currency=invoice.currency)
        choices = [
            (ALL, f"All that is left: {left}"),
            (AMOUNT, "An amount, spread over the lines"),
            (LINES, "Amounts of lines"),
        ]
        self.fields["what"] = forms.ChoiceField(label="Credit", widget=forms.RadioSelect, choices=choices)
        self.fields["amount"].help_text = f"In {invoice.currency}, like {example_of(invoice.currency)}. Tax included."
        self.lines = {f"line_{line.position}": line for line in invoice.lines.order_by("position")[:MAX_LINES]}
        for name, line in self.lines.items():
            self.fields[name] = forms.CharField(
                max_length=30, required=False, label=f"Line {line.position}", help_text=_described(line, invoice)
            )
        self.order_fields(["what", "amount", *self.lines, "reason", "submission"])

    def clean(self) -> dict[str, Any]:
        """Adds `amount_minor` and `lines`, as the operation takes them."""
        data = super().clean() or self.cleaned_data
        chosen = data.get("what")
        # An error about the amount belongs to the choice where none was entered.
        self.operations_names = {"amount_minor": "amount" if chosen == AMOUNT else "what", "lines": "what"}
        data["amount_minor"] = self._minor("amount") if chosen == AMOUNT else None
        data["lines"] = self._amounts_of_lines() if chosen == LINES else None
        wanted = {AMOUNT: {"amount"}, LINES: set(self.lines)}.get(chosen or "", set())
        for name in {"amount", *self.lines} - wanted:
            if chosen and data.get(name):
                self.add_error(name, "Leave it empty, or choose above what it belongs to.")
        return data

    def _amounts_of_lines(self) -> dict[uuid.UUID, int]:
        named = {name: line for name, line in self.lines.items() if self.cleaned_data.get(name)}
        if not named and not self.errors:
            self.add_error("what", "Enter an amount at one line at least.")
        amounts = {line.id: self._amount_of(name, line) for name, line in named.items()}
        return {line_id: amount for line_id, amount in amounts.items() if amount is not None}

    def _amount_of(self, name: str, line: InvoiceLine) -> int | None:
        """The operation knows a line by its id, people by its number."""
        amount, left = self._minor(name), left_of(line)
        if amount is not None and amount > left:
            minimum, maximum = (display(amount_minor=each, currency=self.subject.currency) for each in (1, left))
            bounds = f"from {minimum} to {maximum}." if left else "nothing is left."
            self.add_error(name, f"Line {line.position}: {bounds}")
        return amount

    def _minor(self, name: str) -> int | None:
        if name not in self.cleaned_data:
            return None
        try:
            if not self.cleaned_data[name]:
                raise forms.ValidationError("Enter the amount.")
            return minor_from(text=self.cleaned_data[name], currency=self.subject.currency)
        except forms.ValidationError as error:
            self.add_error(name, error)
            return None


def _described(line: InvoiceLine, invoice: Invoice) -> str:
    return f"{line.description}: {display(amount_minor=left_of(line), currency=invoice.currency)} is left."
