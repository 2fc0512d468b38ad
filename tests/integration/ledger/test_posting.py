"""Posting: what a posting becomes, in one statement, all of it or nothing."""

import datetime

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.errors import violated_constraint
from accounts.models import Account
from ledger.balances import balance, book_totals
from ledger.models import Book, Entry, EntryType
from ledger.posting import Posting, post, reversal_of
from tests.builders import TODAY, an_account, billed
from tests.support.databases import rolled_back

HOSTILE = 'January; "quoted", {braced} \\ NULL'


def a_posting(
    account: Account, key: str, entry_type: EntryType = EntryType.CREDIT, amount_minor: int = 1999
) -> Posting:
    return Posting(
        type=entry_type,
        account_id=account.id,
        amount_minor=amount_minor,
        currency="USD",
        description="by hand",
        idempotency_key=key,
    )


@rolled_back
class TestPost:
    def test_writes_what_the_posting_says_and_the_books_of_its_type(self) -> None:
        account = an_account()
        billed(as_of=TODAY)
        charge = Entry.objects.get(type="charge")
        posting = Posting(
            type=EntryType.TAX,
            account_id=account.id,
            amount_minor=333,
            currency="USD",
            description=HOSTILE,
            idempotency_key="a tax",
            period_start=TODAY,
            period_end=datetime.date(2026, 2, 1),
            invoice_id=charge.invoice_id,
            line_id=charge.line_id,
        )
        (entry_id,) = post(postings=[posting], effective_on=TODAY, author="ann")
        with connection.cursor() as cursor:
            cursor.execute("SELECT now()")
            (now,) = cursor.fetchone()
        assert Entry.objects.values().get(id=entry_id) == {
            "id": entry_id,
            "account_id": account.id,
            "type": "tax",
            "debit": "receivable",
            "credit": "tax_payable",
            "amount_minor": 333,
            "currency": "USD",
            "effective_on": TODAY,
            "period_start": datetime.date(2026, 1, 1),
            "period_end": datetime.date(2026, 2, 1),
            "invoice_id": charge.invoice_id,
            "line_id": charge.line_id,
            "payment_id": None,
            "refund_id": None,
            "description": HOSTILE,
            "idempotency_key": "a tax",
            "reverses_id": None,
            "created_at": now,
            "created_by": "ann",
        }

    def test_gives_an_opening_balance_the_books_that_it_names(self) -> None:
        account = an_account()
        opening = a_posting(account, "opening", EntryType.OPENING_BALANCE, 700)
        owed = opening._replace(books=(Book.RECEIVABLE, Book.OPENING))
        credit = opening._replace(books=(Book.OPENING, Book.RECEIVABLE), amount_minor=200, idempotency_key="credit")
        post(postings=[owed, credit], effective_on=TODAY, author="ann")
        assert balance(account_id=account.id) == 500
        assert book_totals()["USD"]["opening"] == -500

    def test_swaps_the_books_of_what_a_reversal_takes_back(self) -> None:
        account = an_account()
        (credit_id,) = post(
            postings=[a_posting(account, "credit", EntryType.CREDIT, 500)], effective_on=TODAY, author="ann"
        )
        credit = Entry.objects.get(id=credit_id)
        (reversal_id,) = post(postings=[reversal_of(credit, description="a slip")], effective_on=TODAY, author="bo")
        reversal = Entry.objects.get(id=reversal_id)
        assert (reversal.type, reversal.debit, reversal.credit) == ("reversal", "receivable", "credits")
        assert (reversal.amount_minor, reversal.reverses_id, reversal.created_by) == (500, credit_id, "bo")
        assert (reversal.description, reversal.idempotency_key) == ("a slip", f"reversal:{credit_id}")
        assert balance(account_id=account.id) == 0

    def test_writes_one_statement_whatever_the_number_of_entries(self) -> None:
        account = an_account()
        postings = [a_posting(account, f"credit {n}") for n in range(500)]
        with CaptureQueriesContext(connection) as queries:
            ids = post(postings=postings, effective_on=TODAY, author="ann")
        assert len(queries) == 1
        assert list(Entry.objects.order_by("id").values_list("id", flat=True)) == ids
        assert balance(account_id=account.id) == -500 * 1999

    def test_writes_nothing_for_no_posting(self) -> None:
        with CaptureQueriesContext(connection) as queries:
            assert post(postings=[], effective_on=TODAY, author="ann") == []
        assert (len(queries), Entry.objects.count()) == (0, 0)

    def test_refuses_all_when_one_was_posted_before(self) -> None:
        account = an_account()
        first, second = a_posting(account, "first"), a_posting(account, "second")
        post(postings=[first], effective_on=TODAY, author="ann")
        with pytest.raises(IntegrityError) as caught, transaction.atomic():
            post(postings=[second, first], effective_on=TODAY, author="ann")
        assert violated_constraint(caught.value) == "entry_idempotency_key_once"
        assert list(Entry.objects.values_list("idempotency_key", flat=True)) == ["first"]
        assert balance(account_id=account.id) == -1999

    def test_is_the_only_writer_of_entries_when_an_account_is_billed(self) -> None:
        account = an_account()
        billed(as_of=TODAY)
        written = Entry.objects.order_by("id").values_list("type", "idempotency_key", "created_by")
        payment, rebilling = account.payments.get(), account.rebillings.get()
        assert list(written) == [
            ("charge", f"charge:{rebilling.id}", "system:billing"),
            ("payment", f"payment:{payment.id}", "system:billing"),
        ]
        assert book_totals() == {
            "USD": dict.fromkeys(Book.values, 0) | {"revenue": -1999, "cash": 1999},
        }
