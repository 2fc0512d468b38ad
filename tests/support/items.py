"""Items of accounts, and what became of them."""

import datetime
from typing import Any

from accounts.models import Account
from invoices.models import InvoiceLine, Item
from subscriptions.item_removals import remove_item
from subscriptions.items import AddedItem, NewItem, add_item
from tests.builders import TODAY, at


def added(account: Account, amount_minor: int, *, on: datetime.date = TODAY, **given: Any) -> Item:
    """An item of this amount, which waits for the next invoice unless `billing` says otherwise."""
    return adding(account, amount_minor, on=on, **given).item


def adding(account: Account, amount_minor: int, *, on: datetime.date = TODAY, **given: Any) -> AddedItem:
    new = NewItem(
        description=given.pop("description", "Setup"),
        unit_amount_minor=amount_minor,
        quantity=given.pop("quantity", 1),
    )
    signed: dict[str, Any] = {"reason": "agreed", "author": "staff:bo", "today": on, "now": at(on)}
    return add_item(account_id=account.id, new=new, **signed | given)


def removed(item: Item, *, on: datetime.date = TODAY) -> Item:
    signed: dict[str, Any] = {"reason": "a mistake", "author": "staff:bo", "today": on, "now": at(on)}
    return remove_item(account_id=item.account_id, item_id=item.id, **signed)


def items_of(account: Account) -> list[tuple[int, int, str]]:
    """Amount, what of it is invoiced, and status, in the order in which they were added."""
    return [(item.amount_minor, item.invoiced_minor, item.status) for item in account.items.order_by("id")]


def fixed_items(account: Account) -> int:
    """How many are to be invoiced with a period that is due."""
    return account.items.filter(rebilling_id__isnull=False).count()


def amounts_of(account: Account) -> list[list[int]]:
    """The amounts of the lines of each of the account's invoices, the oldest first."""
    lines = InvoiceLine.objects.filter(invoice__account=account).order_by("invoice_id", "position")
    found: dict[Any, list[int]] = {}
    for line in lines:
        found.setdefault(line.invoice_id, []).append(line.amount_minor)
    return list(found.values())
