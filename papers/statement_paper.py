"""The paper of an account's statement: what was owed, what happened, and what is owed then, from the ledger."""

import datetime
import uuid
from collections.abc import Iterator
from itertools import groupby

from django.conf import settings

from accounts.currencies import display
from accounts.errors import Invalid
from accounts.locked_accounts import UnknownAccount
from accounts.models import Account
from accounts.phrases import day_in_words
from invoices.models import Invoice
from ledger.models import Entry, EntryType
from ledger.statements import StatementLine, statement
from papers.company import company
from papers.paper import Column, Paper, Section

MAX_ENTRIES = 5000
_COLUMNS = (
    Column(title="Day", parts=14),
    Column(title="What", parts=46),
    Column(title="Amount", parts=20, is_number=True),
    Column(title="Balance", parts=20, is_number=True),
)
_INVOICE, _CREDIT_NOTE = "Invoice", "Credit note"
_WORDS: dict[str, str] = {
    EntryType.CHARGE: _INVOICE,
    EntryType.TAX: _INVOICE,
    EntryType.DEDUCTION: _INVOICE,
    EntryType.TAX_DEDUCTION: _INVOICE,
    EntryType.CREDIT_NOTE: _CREDIT_NOTE,
    EntryType.TAX_CREDIT: _CREDIT_NOTE,
    EntryType.DEDUCTION_REVERSED: _CREDIT_NOTE,
    EntryType.TAX_DEDUCTION_REVERSED: _CREDIT_NOTE,
    EntryType.PAYMENT: "Payment",
    EntryType.REFUND: "Refund",
    EntryType.CREDIT: "Credit",
    EntryType.WRITE_OFF: "Written off",
    EntryType.RECOVERY: "Recovered of what was written off",
    EntryType.PAYMENT_REVERSED: "Payment taken back",
    EntryType.REFUND_REVERSED: "Refund came back",
    EntryType.OPENING_BALANCE: "Balance brought over",
    EntryType.REVERSAL: "Reversed",
}


class UnableToState(Invalid):
    """The days of a statement end before they begin, or hold too many entries."""

    code = "invalid-statement"


def statement_paper(*, account_id: uuid.UUID, since: datetime.date, until: datetime.date) -> Paper:
    """The entries effective from `since` to `until`, both included, in a constant number of statements.

    Those of one invoice, or of one credit to it, on a day are one row. Raises `UnknownAccount` and `UnableToState`.
    """
    if until < since:
        raise UnableToState("The statement ends before it begins.", until="Must be the first day, or a later one.")
    account = Account.objects.filter(id=account_id).first()
    if account is None:
        raise UnknownAccount(f"There is no account {account_id}.")
    entries = Entry.objects.filter(account_id=account_id, effective_on__gte=since, effective_on__lte=until)
    if entries[MAX_ENTRIES:].exists():
        raise UnableToState(f"More than {MAX_ENTRIES:,} entries are of these days.", since="Choose fewer days.")
    found = statement(account_id=account_id, since=since, until=until)
    return Paper(
        title="Statement",
        number="",
        dated_on=until,
        company=company(name=settings.SELLER_NAME),
        customer=tuple(filter(None, (account.name, account.email))),
        language=account.language,
        facts=(
            ("From", day_in_words(since)),
            ("To", day_in_words(until)),
            ("Currency", account.currency),
        ),
        sections=tuple(
            section
            for section in (
                Section(title="", columns=_COLUMNS, rows=tuple(_rows(found.lines, currency=account.currency))),
            )
            if section.rows
        ),
        totals=tuple(_totals(found.opening_minor, found.lines, found.closing_minor, currency=account.currency)),
    )


def _rows(lines: list[StatementLine], *, currency: str) -> Iterator[tuple[str, str, str, str]]:
    ids = {line.entry.invoice_id for line in lines if line.entry.invoice_id}
    numbers = dict(Invoice.objects.filter(id__in=ids).values_list("id", "number"))
    of_one = groupby(lines, key=lambda line: (line.entry.effective_on, _WORDS[line.entry.type], _what(line, numbers)))
    for (day, _, what), group in of_one:
        parts = list(group)
        amount = sum(part.owed_minor for part in parts)
        yield (
            day_in_words(day),
            what,
            display(amount_minor=amount, currency=currency),
            display(amount_minor=parts[-1].balance_minor, currency=currency),
        )


def _what(line: StatementLine, numbers: dict[uuid.UUID, str]) -> str:
    entry, word = line.entry, _WORDS[line.entry.type]
    number = numbers.get(entry.invoice_id) if entry.invoice_id else None
    if word == _INVOICE:
        return f"{word} {number}"
    # Without its description, which may be the reason that somebody of the staff gave.
    return f"{word}, invoice {number}" if number else word


def _totals(
    opening_minor: int, lines: list[StatementLine], closing_minor: int, *, currency: str
) -> Iterator[tuple[str, str]]:
    """What was owed before, what each kind came to, and what is owed then; below zero, it is the customer's credit."""
    yield "Balance before", display(amount_minor=opening_minor, currency=currency)
    sums: dict[str, int] = {}
    for line in lines:
        word = _WORDS[line.entry.type]
        sums[word] = sums.get(word, 0) + line.owed_minor
    for word, amount in sums.items():
        yield word, display(amount_minor=amount, currency=currency)
    yield "Balance at the end", display(amount_minor=closing_minor, currency=currency)
