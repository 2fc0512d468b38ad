"""Items that wait for an account's next invoice: found, fixed to a period, invoiced, removed. Of locked accounts."""

import datetime
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from django.db import connection
from django.db.models import QuerySet

from accounts.array_literals import plain_array, uuid_array
from accounts.currencies import display
from accounts.locked_accounts import LockedAccount
from accounts.sql_files import query
from invoices.models import PENDING, Item

_FIELDS = (
    *("id", "account_id", "description", "quantity", "unit_amount_minor", "amount_minor", "invoiced_minor"),
    *("discount_minor", "tax_rate_id", "proration_id", "prorated_id", "period_start", "period_end"),
)


class PendingItem(NamedTuple):
    """An item of which something waits to be invoiced. Fields are those of `invoices.models.Item`; in minor units."""

    id: uuid.UUID
    account_id: uuid.UUID
    description: str
    quantity: int
    unit_amount_minor: int
    amount_minor: int
    invoiced_minor: int = 0
    discount_minor: int = 0
    tax_rate_id: uuid.UUID | None = None
    proration_id: uuid.UUID | None = None
    prorated_id: uuid.UUID | None = None
    period_start: datetime.date | None = None
    period_end: datetime.date | None = None

    @property
    def is_of_a_change(self) -> bool:
        """Whether it is what a change of terms within a period credits or charges."""
        return self.proration_id is not None

    @property
    def left_minor(self) -> int:
        """What of it isn't invoiced yet; below zero of a deduction."""
        return self.amount_minor - self.invoiced_minor

    def in_words(self, currency: str) -> str:
        """What waits, as people read it: "Setup: 50.00 USD"."""
        return item_in_words(self.description, self.left_minor, currency=currency)


def item_in_words(description: str, amount_minor: int, *, currency: str) -> str:
    """An item as the history has it."""
    return f"{description}: {display(amount_minor=amount_minor, currency=currency)}"


def pending_item(item_id: uuid.UUID) -> PendingItem:
    """One that waits, by its id."""
    return PendingItem(*Item.objects.values_list(*_FIELDS).get(PENDING, id=item_id))


def pending_items(account_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, list[PendingItem]]:
    """What waits for the next invoice of each account, oldest first; in one statement."""
    return _by_account(Item.objects.filter(PENDING, account_id__in=account_ids))


def free_items(account_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, list[PendingItem]]:
    """Those of the pending items that are fixed to no period; in one statement."""
    return _by_account(Item.objects.filter(PENDING, account_id__in=account_ids, rebilling_id__isnull=True))


def _by_account(items: QuerySet[Item]) -> dict[uuid.UUID, list[PendingItem]]:
    found: dict[uuid.UUID, list[PendingItem]] = defaultdict(list)
    for row in items.order_by("account_id", "id").values_list(*_FIELDS):
        item = PendingItem(*row)
        found[item.account_id].append(item)
    return found


def items_of_periods(rebilling_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, list[PendingItem]]:
    """What is to be invoiced with each of the periods, oldest first; in one statement, and in none for no ids."""
    found: dict[uuid.UUID, list[PendingItem]] = defaultdict(list)
    if rebilling_ids:
        items = Item.objects.filter(rebilling_id__in=rebilling_ids).order_by("rebilling_id", "id")
        for rebilling_id, *row in items.values_list("rebilling_id", *_FIELDS):
            found[rebilling_id].append(PendingItem(*row))
    return found


def items_of_changes(proration_ids: Collection[uuid.UUID]) -> list[PendingItem]:
    """What waits of these changes within a period, oldest first; no statement for no ids."""
    if not proration_ids:
        return []
    items = Item.objects.filter(PENDING, proration_id__in=proration_ids).order_by("id")
    return [PendingItem(*row) for row in items.values_list(*_FIELDS)]


def items_of_prorated(rebilling_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, list[PendingItem]]:
    """What waits of changes within these periods, by account; no statement for no ids."""
    return _by_account(Item.objects.filter(PENDING, prorated_id__in=rebilling_ids)) if rebilling_ids else {}


def fix_items(periods: Mapping[uuid.UUID, uuid.UUID]) -> None:
    """Each of these items is to be invoiced with its period: the ids of periods by those of items."""
    if not periods:
        return
    with connection.cursor() as cursor:
        parameters = {"ids": uuid_array(periods), "rebillings": uuid_array(periods.values())}
        cursor.execute(query(__file__, "fix_items"), parameters)


def mark_items_invoiced(amounts: Mapping[uuid.UUID, int]) -> None:
    """So much more of each of these items is on an invoice, in minor units; what is left waits for the next one."""
    if not amounts:
        return
    with connection.cursor() as cursor:
        parameters = {"ids": uuid_array(amounts), "amounts": plain_array(amounts.values())}
        cursor.execute(query(__file__, "mark_items_invoiced"), parameters)


def remove_items(
    removed: Iterable[tuple[LockedAccount, Collection[PendingItem]]],
    *,
    reason: str,
    author: str,
    now: datetime.datetime,
) -> None:
    """What waits of these items of accounts is never invoiced; noted for the accounts' history, unsaved."""
    ids = []
    for account, items in removed:
        if items:
            ids += [item.id for item in items]
            words = "; ".join(item.in_words(account.currency) for item in items)
            account.note(reason=reason, before={"item": words}, after={"item": None})
    if ids:
        Item.objects.filter(id__in=ids).update(
            rebilling_id=None, removed_at=now, removed_by=author, removal_reason=reason
        )
