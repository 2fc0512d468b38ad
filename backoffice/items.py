"""What people do about an account's one-off items: add one to its next invoice or bill it now, and remove it."""

import uuid
from functools import partial
from typing import Any

from django import forms

from accounts.account_opening import MAX_QUANTITY
from accounts.currencies import display
from accounts.models import Account
from backoffice.action_previews import action_preview
from backoffice.actions import Action, Caller
from backoffice.amounts import example_of, line_in_words, minor_from
from backoffice.forms import OneLineField, ReasonForm, SubmissionForm
from backoffice.money_sentences import next_in_words
from invoices.items import PendingItem, pending_items
from subscriptions.item_removals import remove_item
from subscriptions.items import MAX_DESCRIPTION_LENGTH, AddedItem, ItemBilling, NewItem, add_item

_CHARGE, _DEDUCT = "charge", "deduct"


class ItemForm(SubmissionForm):
    """What it is for, how much it is, and when it is invoiced."""

    description = OneLineField(max_length=MAX_DESCRIPTION_LENGTH, help_text="What the invoice's line says.")
    kind = forms.ChoiceField(
        label="To",
        widget=forms.RadioSelect,
        initial=_CHARGE,
        choices=[(_CHARGE, "Charge the customer more"), (_DEDUCT, "Deduct it from the next invoice")],
    )
    quantity = forms.IntegerField(min_value=1, max_value=MAX_QUANTITY, initial=1)
    unit_price = forms.CharField(max_length=30)
    billing = forms.ChoiceField(
        label="Bill it",
        widget=forms.RadioSelect,
        initial=ItemBilling.NEXT_INVOICE,
        choices=[
            (ItemBilling.NEXT_INVOICE.value, "With the next invoice"),
            (ItemBilling.NOW.value, "Now, on an invoice of its own, collected at once"),
        ],
    )
    operations_names: dict[str, str] = {"unit_amount_minor": "unit_price"}
    field_order = ("description", "kind", "quantity", "unit_price", "billing", "reason", "submission")
    subject: Account

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        currency = self.subject.currency
        self.fields["unit_price"].help_text = f"In {currency}, like {example_of(currency)}, without added tax."

    def clean_unit_price(self) -> int:
        return minor_from(text=self.cleaned_data["unit_price"], currency=self.subject.currency)


class RemoveItemForm(ReasonForm):
    """Which of the items that wait."""

    field_order = ("item", "reason")
    subject: Account

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(str(item.id), item.in_words(self.subject.currency)) for item in _pending(self.subject)]
        self.fields["item"] = forms.ChoiceField(widget=forms.RadioSelect, choices=choices)
        self.order_fields(self.field_order)


def _pending(account: Account) -> list[PendingItem]:
    """Those that can be removed: a change of terms is taken back by another one."""
    return [item for item in pending_items([account.id])[account.id] if not item.is_of_a_change]


def _add(account: Account, data: dict[str, Any], caller: Caller, *, dry_run: bool = False) -> AddedItem:
    price: int = data["unit_price"]
    new = NewItem(
        description=data["description"],
        quantity=data["quantity"],
        unit_amount_minor=-price if data["kind"] == _DEDUCT else price,
    )
    return add_item(
        account_id=account.id,
        new=new,
        billing=data["billing"],
        item_id=data["submission"],
        dry_run=dry_run,
        **caller.signed(data),
    )


def _preview(account: Account, data: dict[str, Any], caller: Caller) -> list[str]:
    added = _add(account, data, caller, dry_run=True)

    def shown(amount_minor: int) -> str:
        return display(amount_minor=amount_minor, currency=added.currency)

    comes_to = line_in_words(
        added.item.description, total_minor=added.total_minor, tax_minor=added.tax_minor, currency=added.currency
    )
    if added.invoice is None:
        waits = "It waits for the next invoice, and can be removed until then."
        return [comes_to, waits, *next_in_words(added.upcoming)]
    to_pay = added.invoice.invoice.outstanding_minor
    credit = added.total_minor - to_pay
    if credit > 0:
        comes_to += f" {shown(credit)} of it comes from the account's credit."
    return [comes_to, f"{shown(to_pay)} is to be paid now."]


def _remove(account: Account, data: dict[str, Any], caller: Caller) -> None:
    remove_item(account_id=account.id, item_id=uuid.UUID(data["item"]), **caller.signed(data))


ADD_ITEM = Action(
    name="item",
    label="Add an item",
    explanation="A fee, a service or a deduction beside the billing periods. It is a line of the next invoice, or of "
    "one of its own now. A deduction takes the next invoice down to zero; what it has left waits for the one after. "
    "You see what it comes to before anything is added.",
    done="The item was added.",
    permission="bill_item",
    offered=lambda account: True,
    perform=_add,
    form=ItemForm,
    preview=_preview,
)
REMOVE_ITEM = Action(
    name="remove-item",
    label="Remove an item",
    explanation="It isn't invoiced; of a deduction that was invoiced in part, the rest isn't. A deduction that a due "
    "period is to be charged less by can be removed once that is charged.",
    done="The item was removed.",
    permission="bill_item",
    offered=lambda account: bool(_pending(account)),
    perform=_remove,
    preview=partial(action_preview, _remove),
    form=RemoveItemForm,
)
