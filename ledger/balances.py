"""Balances are queries over entries; none is stored."""

import datetime
import uuid
from collections.abc import Iterable

from django.db.models import Case, F, Sum, When

from accounts.amounts import MAX_BALANCE_MINOR
from accounts.currencies import display
from accounts.errors import Conflict
from accounts.locked_accounts import LockedAccount
from ledger.models import Book, Entry


class BalanceOutOfBounds(Conflict):
    """The account would owe, or have as credit, more than the largest balance."""

    code = "balance-out-of-bounds"


# What an entry adds to what its account owes: receivable debits less credits.
OWED = Case(
    When(debit=Book.RECEIVABLE, then=F("amount_minor")),
    When(credit=Book.RECEIVABLE, then=-F("amount_minor")),
    default=0,
)


def balances(*, account_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, int]:
    """What each account owes now, in minor units of its currency (below zero: it has credit), in one statement."""
    ids = list(account_ids)
    rows = Entry.objects.filter(account_id__in=ids).values("account_id").annotate(owed=Sum(OWED)).order_by()
    return dict.fromkeys(ids, 0) | {row["account_id"]: int(row["owed"]) for row in rows}


def balance(*, account_id: uuid.UUID, as_of: datetime.date | None = None) -> int:
    """What the account owes, in minor units: now, or at the end of the day `as_of` by effective dates."""
    entries = Entry.objects.filter(account_id=account_id)
    if as_of is not None:
        entries = entries.filter(effective_on__lte=as_of)
    return int(entries.aggregate(owed=Sum(OWED, default=0))["owed"])


def check_balance(account: LockedAccount) -> None:
    """Raises `BalanceOutOfBounds` where the entries just posted took the balance too far.

    For what people post; charges are bounded one by one.
    """
    if abs(balance(account_id=account.id)) > MAX_BALANCE_MINOR:
        maximum = display(amount_minor=MAX_BALANCE_MINOR, currency=account.currency)
        raise BalanceOutOfBounds(f"The account's balance would be more than {maximum}, the most that it may be.")


def book_totals() -> dict[str, dict[str, int]]:
    """Debits less credits of each book, by currency. The books of a currency sum to zero, by construction."""
    totals: dict[str, dict[str, int]] = {}
    for side, sign in (("debit", 1), ("credit", -1)):
        for book, currency, amount in (
            Entry.objects.values_list(side, "currency").annotate(total=Sum("amount_minor")).order_by()
        ):
            of_currency = totals.setdefault(currency, dict.fromkeys(Book.values, 0))
            of_currency[book] += sign * int(amount)
    return totals
