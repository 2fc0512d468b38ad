"""Statements: what happened to an account, in order, with what it owed after each entry."""

import datetime
import uuid
from dataclasses import dataclass

from django.db.models import F, Sum, Window

from ledger.balances import OWED
from ledger.models import Entry


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One entry; `owed_minor` is what it added to the balance, `balance_minor` what the account owed after it."""

    entry: Entry
    owed_minor: int
    balance_minor: int


@dataclass(frozen=True, slots=True)
class Statement:
    """The entries effective from `since` to `until`, both included. Amounts in minor units."""

    opening_minor: int
    lines: list[StatementLine]
    closing_minor: int


def statement(*, account_id: uuid.UUID, since: datetime.date, until: datetime.date) -> Statement:
    """An account's statement, by effective date and then in the order of writing."""
    running = Window(Sum(OWED), order_by=[F("effective_on").asc(), F("id").asc()])
    entries = (
        Entry.objects.filter(account_id=account_id, effective_on__lte=until)
        .annotate(owed=OWED, running=running)
        .order_by("effective_on", "id")
    )
    opening = 0
    lines = []
    for entry in entries.iterator():
        if entry.effective_on < since:
            opening = int(entry.running)
        else:
            lines.append(StatementLine(entry=entry, owed_minor=int(entry.owed), balance_minor=int(entry.running)))
    closing = lines[-1].balance_minor if lines else opening
    return Statement(opening_minor=opening, lines=lines, closing_minor=closing)
