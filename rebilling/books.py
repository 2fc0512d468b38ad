"""The books: rows that must agree with one another, and do. A discrepancy sets off an alarm.

Each hour those accounts are looked at that have a new ledger entry since the check before, or money in flight; once a
day, all of them.
"""

import datetime
import logging
import uuid
from collections.abc import Collection
from typing import NamedTuple

from django.db import connection

from accounts.array_literals import uuid_array
from accounts.ids import new_id
from accounts.locked_accounts import get_account
from accounts.models import Account
from accounts.sql_files import query
from rebilling.models import BooksCheck
from rebilling.run_figures import changed_figures

logger = logging.getLogger(__name__)

MAX_LOGGED = 20
"""Discrepancies that are logged one by one; the others are counted."""
MARGIN = datetime.timedelta(hours=2)
"""Looked at twice, so that what was being written while a check ran is seen by the next."""


class Discrepancy(NamedTuple):
    """Rows that don't agree. `account_id` is None for one of a run."""

    name: str
    account_id: uuid.UUID | None
    detail: str

    def __str__(self) -> str:
        whose = f"account {self.account_id}: " if self.account_id else ""
        return f"{self.name}: {whose}{self.detail}"


class ComparedBooks(NamedTuple):
    """How many accounts were compared, and the discrepancies that were found."""

    accounts: int
    discrepancies: list[Discrepancy]


def check_books(*, now: datetime.datetime, whole: bool = False) -> ComparedBooks:
    """Look for discrepancies, log them as errors, and write down that it was done.

    `whole` looks at all accounts and runs; without it that is done when the last such check is a day old.
    """
    last = BooksCheck.objects.order_by("-started_at").first()
    whole = whole or not BooksCheck.objects.filter(whole=True, started_at__gt=now - datetime.timedelta(days=1)).exists()
    watermark = database_time()
    accounts = None if whole or last is None else _accounts_touched(since=last.watermark - MARGIN)
    found = discrepancies(accounts=accounts)
    if accounts is None:
        found += changed_runs()
    for discrepancy in found[:MAX_LOGGED]:
        logger.error(
            "the books don't agree: %s",
            discrepancy,
            extra={
                "event": "books.discrepancy",
                "discrepancy": discrepancy.name,
                "account": str(discrepancy.account_id or ""),
                "detail": discrepancy.detail,
            },
        )
    BooksCheck.objects.create(
        id=new_id(), started_at=now, watermark=watermark, whole=accounts is None, discrepancies=len(found)
    )
    return ComparedBooks(Account.objects.count() if accounts is None else len(accounts), found)


def compare_account(account_id: uuid.UUID) -> ComparedBooks:
    """Compare the books of one account, and write nothing down. Raises `UnknownAccount`."""
    get_account(account_id)
    return ComparedBooks(1, discrepancies(accounts=[account_id]))


def discrepancies(*, accounts: Collection[uuid.UUID] | None = None) -> list[Discrepancy]:
    """The discrepancies of these accounts, or of all; none while the books are right."""
    with connection.cursor() as cursor:
        parameters = {"accounts": None if accounts is None else uuid_array(accounts)}
        cursor.execute(query(__file__, "discrepancies"), parameters)
        return [Discrepancy(*row) for row in cursor.fetchall()]


def changed_runs() -> list[Discrepancy]:
    """The RECONCILED runs whose figures aren't what they were when they were reconciled."""
    return [Discrepancy("finished_run_changed", None, f"run {id_}: {detail}") for id_, detail in changed_figures()]


def database_time() -> datetime.datetime:
    with connection.cursor() as cursor:
        cursor.execute(query(__file__, "database_time"))
        time: datetime.datetime = cursor.fetchone()[0]
        return time


def _accounts_touched(*, since: datetime.datetime) -> list[uuid.UUID]:
    with connection.cursor() as cursor:
        cursor.execute(query(__file__, "accounts_touched"), {"since": since})
        return [account_id for (account_id,) in cursor.fetchall()]
