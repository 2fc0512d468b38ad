"""How rows name themselves to people."""

import uuid

from invoices.models import BalanceUse, CreditNote, CreditNoteLine, Invoice, InvoiceLine, Item, NumberSeries
from ledger.models import Entry

ID = uuid.UUID(int=7)


def test_invoices_and_credit_notes_by_their_numbers() -> None:
    assert str(Invoice(number="7K3M9Q2XAB-0001")) == "7K3M9Q2XAB-0001"
    assert str(CreditNote(number="7K3M9Q2XAB-CN-0001")) == "7K3M9Q2XAB-CN-0001"


def test_lines_by_what_they_are_for() -> None:
    assert str(InvoiceLine(description="Basic, 1 Jan to 31 Jan 2026")) == "Basic, 1 Jan to 31 Jan 2026"
    assert str(Item(description="Setup")) == "Setup"
    assert str(CreditNoteLine(amount_minor=500, line_id=ID)) == f"500 of {ID}"


def test_uses_of_the_credit_balance_by_kind_and_amount() -> None:
    assert str(BalanceUse(kind="credit", amount_minor=500)) == "credit 500"


def test_series_of_numbers_by_the_last_one_taken() -> None:
    assert str(NumberSeries(kind="invoice", year=2026, last=17)) == "invoice 2026: 17"


def test_entries_by_their_type() -> None:
    assert str(Entry(id=ID, type="charge")) == f"charge {ID}"
