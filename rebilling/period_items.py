"""Which of an account's one-off items are invoiced with its due periods: those that wait when a period is found due are
fixed to it, so that what was weighed and approved is what is charged.
"""

import datetime
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from django.db.models import Exists, OuterRef, QuerySet

from invoices.issuance import NewLine
from invoices.item_lines import deduction_rates, invoiced_of, with_items
from invoices.items import PendingItem, fix_items, free_items, items_of_periods
from invoices.models import PENDING, Item
from invoices.taxes import Rate
from rebilling.models import Rebilling
from rebilling.waiting_periods import WaitingPeriod


class HavingItems(Protocol):
    """An account, as a row or locked."""

    @property
    def id(self) -> uuid.UUID: ...
    @property
    def rebilling_date(self) -> datetime.date: ...


@dataclass(slots=True)
class AccountItems:
    """An account's items that wait for its next invoice, and the first days of all its periods that are found ahead."""

    items: Sequence[PendingItem]
    found: Collection[datetime.date]
    rebilling_id: uuid.UUID | None = field(default=None, init=False)

    def fix_to(self, rows: Sequence[Rebilling]) -> None:
        """They are to be invoiced with the first of the account's due rows that is new; it isn't saved yet. They weigh
        what they come to, and with deductions never less than nothing with the rows that are due.
        """
        new = [row for row in rows if row.period_start not in self.found]
        if new and self.items:
            due = [row for row in new if row.status == Rebilling.Status.DUE]
            room = sum(row.amount_minor for row in due or new[:1])
            new[0].items_minor = max(sum(item.left_minor for item in self.items), -room)
            self.rebilling_id = new[0].id


def has_free_items() -> Exists:
    """Whether an account, of a query of accounts, has items that no due period has yet."""
    return Exists(Item.objects.filter(PENDING, account_id=OuterRef("pk"), rebilling_id__isnull=True))


def items_of(accounts: Collection[HavingItems]) -> dict[uuid.UUID, AccountItems]:
    """What waits of these accounts, by account, in two statements; in none for no accounts."""
    if not accounts:
        return {}
    items = free_items([account.id for account in accounts])
    ahead: dict[uuid.UUID, set[datetime.date]] = {account.id: set() for account in accounts}
    rows = Rebilling.objects.filter(account_id__in=ahead).exclude(
        status__in=[Rebilling.Status.SKIPPED, Rebilling.Status.VOIDED]
    )
    since = min(account.rebilling_date for account in accounts)
    for account_id, start in rows.filter(period_start__gte=since).values_list("account_id", "period_start"):
        ahead[account_id].add(start)
    return {account_id: AccountItems(items[account_id], found) for account_id, found in ahead.items()}


def save_fixed(accounts_items: Collection[AccountItems]) -> None:
    """Write which items are fixed to which period, once the periods' rows are written."""
    fix_items({item.id: each.rebilling_id for each in accounts_items if each.rebilling_id for item in each.items})


class InvoicedItems:
    """What is invoiced with periods that are charged now: their items, and how much of each."""

    def __init__(self, by_period: Mapping[uuid.UUID, Sequence[PendingItem]], rates: Mapping[uuid.UUID, Rate]) -> None:
        self._by_period, self._rates = by_period, rates
        self.invoiced: dict[uuid.UUID, int] = {}
        """By item, in minor units; 0 of a deduction that has no room."""

    def added_to(self, lines: list[NewLine], periods: Sequence[WaitingPeriod]) -> list[NewLine]:
        """The lines of an account's periods, and those of the items that are fixed to them."""
        if not self._by_period:
            return lines
        items = [(item, period.tax_rate_id) for period in periods for item in self._by_period.get(period.id, ())]
        both = with_items(lines, items, rates=self._rates)
        self.invoiced |= invoiced_of([item for item, _ in items], both)
        return both


def items_with(periods: Collection[WaitingPeriod]) -> InvoicedItems:
    """The items that are fixed to these periods; no statement where none has any."""
    by_period = items_of_periods([period.id for period in periods if period.has_items])
    items = [item for of_period in by_period.values() for item in of_period]
    return InvoicedItems(by_period, deduction_rates(items, [period.tax_rate_id for period in periods]))


def free(periods: QuerySet[Rebilling]) -> None:
    """These periods are never charged: what was to be invoiced with them waits for the next invoice again."""
    Item.objects.filter(rebilling_id__in=periods.values("id")).update(rebilling_id=None)
