"""Invoices, credit notes and ledger entries as lines of text, for tests that are to be read like a statement."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any


def money(minor: int) -> str:
    """Of a currency with two decimals."""
    return f"{'-' if minor < 0 else ''}{abs(minor) // 100}.{abs(minor) % 100:02}"


def written(block: str) -> list[str]:
    """The lines of a block in a test: columns are set apart by any number of spaces."""
    return [re.sub(" +", " ", line.strip()) for line in block.strip().splitlines()]


def invoice_lines(invoice: Any) -> Iterator[str]:
    """The invoice's number, day and status; its lines; its total, and what became of it; its credit notes."""
    yield f"{_counter(invoice)} {invoice['issued_on']} {invoice['status']}"
    yield from _lines(invoice)
    parts = [f"total {money(invoice['total_minor'])}", f"tax {money(invoice['tax_minor'])}"]
    names = ("balance_applied", "paid", "refunded", "credited", "credited_to_balance", "credited_to_refund")
    for name in (*names, "written_off", "outstanding"):
        if invoice[f"{name}_minor"]:
            parts.append(f"{name.replace('_', ' ')} {money(invoice[f'{name}_minor'])}")
    yield ", ".join(parts)
    for note in invoice["credit_notes"]:
        taken = f"{money(note['amount_minor'])}, tax {money(note['tax_minor'])}"
        yield f"{_counter(note)} {note['issued_on']} {taken}: {note['reason']}"


def upcoming_lines(invoice: Any) -> Iterator[str]:
    """An invoice to come: its day, its lines, its total, what is applied from the balance, and what is to be paid."""
    yield str(invoice["issued_on"])
    yield from _lines(invoice)
    total, tax = money(invoice["total_minor"]), money(invoice["tax_minor"])
    applied, left = money(invoice["balance_applied_minor"]), money(invoice["outstanding_minor"])
    yield f"total {total}, tax {tax}, balance applied {applied}, outstanding {left}"


def books_of(entries: Iterable[Any]) -> dict[str, int]:
    """Debits less credits of each book."""
    books: Counter[str] = Counter()
    for entry in entries:
        books[entry["debit"]] += entry["amount_minor"]
        books[entry["credit"]] -= entry["amount_minor"]
    return dict(books)


def month_lines(entries: Sequence[Any]) -> Iterator[str]:
    """Each month that has entries: its revenue, its tax, its cash, and what is owed at its end."""
    owed = 0
    for month, of_month in itertools.groupby(entries, key=lambda entry: entry["effective_on"][:7]):
        books = Counter(books_of(of_month))
        owed += books["receivable"]
        amounts = (-books["revenue"], -books["tax_payable"], books["cash"], owed)
        yield " ".join([month, *map(money, amounts)])


def entry_lines(entries: Iterable[Any], *, owed_minor: int) -> Iterator[str]:
    """Each entry: its day, type, debit and credit, amount; and what the account owes after it. `owed_minor` is what it
    owed before.
    """
    for entry in entries:
        sign = (entry["debit"] == "receivable") - (entry["credit"] == "receivable")
        owed_minor += sign * entry["amount_minor"]
        yield (
            f"{entry['effective_on']} {entry['type']} {entry['debit']} {entry['credit']} "
            f"{money(entry['amount_minor'])} {money(owed_minor)}"
        )


def payment_lines(payments: Iterable[Any]) -> Iterator[str]:
    """Each attempt to collect: its day, amount, cause and status, and why it was declined."""
    for payment in payments:
        day, amount = payment["submitted_at"][:10], money(payment["amount_minor"])
        yield f"{day} {amount} {payment['cause']} {payment['status']} {payment['decline_code'] or ''}".rstrip()


def _lines(invoice: Any) -> Iterator[str]:
    for line in invoice["lines"]:
        less = f" less {money(line['discount_minor'])}" if line["discount_minor"] else ""
        yield (
            f"{line['description']} | {line['quantity']} at {money(line['unit_amount_minor'])}{less}"
            f" | {money(line['amount_minor'])} tax {money(line['tax_minor'])} = {money(line['total_minor'])}"
        )


def _counter(document: Any) -> str:
    """The number without the account's own prefix."""
    return str(document["number"]).split("-", 1)[1]
