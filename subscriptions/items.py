"""One-off items of an account: a fee, a service, a deduction; added, and removed until they are invoiced."""

import datetime
import uuid
from dataclasses import dataclass, replace

from django.db import models

from accounts.account_opening import MAX_QUANTITY
from accounts.amounts import amount_error
from accounts.errors import Conflict, Invalid, Missing, refined
from accounts.ids import new_id
from accounts.locked_accounts import LockedAccount, lock_account, save_accounts
from accounts.phrases import one_of
from accounts.previews import kept_unless
from accounts.reasons import checked_reason
from accounts.tax_rates import default_tax_rate_id, tax_rates_by_id
from accounts.text import text_error
from invoices.item_lines import item_line
from invoices.items import item_in_words, mark_items_invoiced, pending_item
from invoices.models import Item
from invoices.taxes import rate_of, tax_rate_of, taxed_lines
from invoices.whole_invoices import WholeInvoice, whole_invoice
from subscriptions.immediate_invoices import invoice_at_once
from subscriptions.item_limits import check_items_can_wait
from subscriptions.upcoming_invoice import NoUpcomingInvoice, upcoming_invoice

MAX_DESCRIPTION_LENGTH = 500

_NOT_ADDED = "The item was not added."


class UnableToAddItem(Invalid):
    """A value of the item can't be accepted."""

    code = "unable-to-add-item"


class NoNextInvoice(Conflict):
    """The account is INACTIVE, and has no next invoice."""

    code = "no-next-invoice"


class SignUpUnpaid(Conflict):
    """The account's sign-up must be paid, and wasn't yet: an invoice that is paid before would count as that."""

    code = "sign-up-unpaid"
    passing = True


class ItemAdded(Conflict):
    """The client's id was used before."""

    code = "item-already-added"


class UnknownItem(Missing):
    code = "unknown-item"


class ItemBilling(models.TextChoices):
    """When an item is invoiced."""

    NOW = "now"
    NEXT_INVOICE = "next_invoice"


@dataclass(frozen=True, slots=True)
class NewItem:
    """An item to add: `quantity` times an amount in minor units of the account's currency, below zero for a
    deduction. Its tax is added to it, or is in it, as the account's rate says.
    """

    description: str
    unit_amount_minor: int
    quantity: int = 1

    @property
    def amount_minor(self) -> int:
        return self.quantity * self.unit_amount_minor


@dataclass(frozen=True, slots=True)
class AddedItem:
    """An item that was added; what it comes to with the tax of today, in minor units; its invoice, where it was billed
    at once; and, of a dry run where it waits, the next invoice with it, or why none is to come.
    """

    item: Item
    currency: str
    tax_minor: int
    total_minor: int
    invoice: WholeInvoice | None = None
    upcoming: WholeInvoice | NoUpcomingInvoice | None = None


def add_item(
    *,
    account_id: uuid.UUID,
    new: NewItem,
    reason: str,
    author: str,
    today: datetime.date,
    now: datetime.datetime,
    billing: str = ItemBilling.NEXT_INVOICE,
    item_id: uuid.UUID | None = None,
    dry_run: bool = False,
) -> AddedItem:
    """Add an item to the account's next invoice that a period makes, or bill it now, on an invoice of its own.

    A deduction can't be billed now, and an INACTIVE account has no next invoice. `item_id` is made by a client that may
    send the request twice. A `dry_run` does all that, answers, and is rolled back. Raises `UnknownAccount`,
    `UnableToAddItem` (errors by field), `NoNextInvoice`, `SignUpUnpaid`, `TooManyItems`, `ItemAdded` and
    `InvalidReason`.
    """
    reason = checked_reason(reason)
    with refined({"invoices_item_pkey": ItemAdded("This item was added before.")}), kept_unless(dry_run=dry_run):
        account = lock_account(account_id)
        if errors := _errors_of(new, billing, currency=account.currency):
            raise UnableToAddItem(_NOT_ADDED, **errors)
        if billing == ItemBilling.NEXT_INVOICE:
            _check_has_next_invoice(account)
            check_items_can_wait(account, 1)
        elif account.closes_on_decline:
            raise SignUpUnpaid("The sign-up must be paid first: wait for its outcome, or let the next invoice have it.")
        item = Item.objects.create(
            id=item_id or new_id(),
            account_id=account.id,
            description=new.description.strip(),
            quantity=new.quantity,
            unit_amount_minor=new.unit_amount_minor,
            amount_minor=new.amount_minor,
            reason=reason,
            author=author,
            created_at=now,
        )
        words = item_in_words(item.description, item.amount_minor, currency=account.currency)
        account.note(reason=reason, before={"item": None}, after={"item": words})
        added = _billed(account, item, ItemBilling(billing), author=author, today=today, now=now)
        save_accounts([account], author=author, now=now)
        if dry_run and added.invoice is None:
            upcoming = upcoming_invoice(account_id=account_id, today=today, now=now)
            added = replace(added, upcoming=upcoming)
        return added


def item_of(account_id: uuid.UUID, item_id: uuid.UUID) -> Item:
    """The account's item. Raises `UnknownItem`."""
    item = Item.objects.filter(account_id=account_id, id=item_id).first()
    if item is None:
        raise UnknownItem(f"The account has no item {item_id}.")
    return item


def _errors_of(new: NewItem, billing: str, *, currency: str) -> dict[str, str]:
    errors = {}
    description = new.description.strip()
    if not 1 <= len(description) <= MAX_DESCRIPTION_LENGTH:
        errors["description"] = f"Must have from 1 to {MAX_DESCRIPTION_LENGTH} characters."
    elif error := text_error(description):
        errors["description"] = error
    if not 1 <= new.quantity <= MAX_QUANTITY:
        errors["quantity"] = f"Must be from 1 to {MAX_QUANTITY}."
    elif error := amount_error(amount_minor=abs(new.amount_minor), currency=currency):
        errors["unit_amount_minor"] = f"What it comes to, above or below zero, {error[0].lower()}{error[1:]}"
    if billing not in ItemBilling:
        errors["billing"] = one_of(ItemBilling.values)
    elif billing == ItemBilling.NOW and new.unit_amount_minor < 0:
        errors["billing"] = "A deduction waits for the next invoice. To give money now, grant credit."
    return errors


def _check_has_next_invoice(account: LockedAccount) -> None:
    if account.is_inactive:
        raise NoNextInvoice("The account is INACTIVE and has no next invoice: bill the item now.")


def _billed(
    account: LockedAccount,
    item: Item,
    billing: ItemBilling,
    *,
    author: str,
    today: datetime.date,
    now: datetime.datetime,
) -> AddedItem:
    """Billed now, or to be; the account and its invoice are unsaved."""
    tax_rate_id = tax_rate_of(account, default_id=default_tax_rate_id(now=now))
    if billing == ItemBilling.NEXT_INVOICE:
        rates = tax_rates_by_id({tax_rate_id} if tax_rate_id else ())
        ((tax, total),) = taxed_lines(
            lines=[(item.amount_minor, tax_rate_id)], rates={id_: rate_of(rate) for id_, rate in rates.items()}
        )
        return AddedItem(item, account.currency, tax, total)
    line = item_line(pending_item(item.id), amount_minor=item.amount_minor, tax_rate_id=tax_rate_id)
    invoice = invoice_at_once(account, [line], today=today, author=author, now=now)
    mark_items_invoiced({item.id: item.amount_minor})
    item.invoiced_minor = item.amount_minor
    return AddedItem(item, account.currency, invoice.tax_minor, invoice.amounts.total, whole_invoice(invoice.id))
