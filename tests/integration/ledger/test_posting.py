import datetime

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.billing_calendar import Period
from accounts.errors import violated_constraint
from accounts.models import Account
from ledger.balances import balance, book_totals
from ledger.models import Entry, EntryType
from ledger.posting import Posting, post
from tests.builders import NOW, TODAY, an_account, billed
from tests.support.databases import rolled_back

MONTH = Period(start=TODAY, end=datetime.date(2026, 2, 1))


def a_posting(
    account: Account, key: str, entry_type: EntryType = EntryType.CHARGE, amount_minor: int = 1999
) -> Posting:
    return Posting(
        type=entry_type,
        account_id=account.id,
        amount_minor=amount_minor,
        currency="USD",
        effective_on=TODAY,
        description="by hand",
        idempotency_key=key,
    )


@rolled_back
class TestPost:
    def test_writes_what_the_posting_says_and_the_books_of_its_type(self) -> None:
        account = an_account()
        posting = Posting(
            type=EntryType.CHARGE,
            account_id=account.id,
            amount_minor=1999,
            currency="USD",
            effective_on=TODAY,
            description="January",
            idempotency_key="a charge",
            period=MONTH,
        )
        (entry,) = post(postings=[posting], author="ann", now=NOW)
        assert entry.id == posting.id
        assert Entry.objects.values().get() == {
            "id": posting.id,
            "account_id": account.id,
            "type": "charge",
            "debit": "receivable",
            "credit": "revenue",
            "amount_minor": 1999,
            "currency": "USD",
            "effective_on": TODAY,
            "period_start": datetime.date(2026, 1, 1),
            "period_end": datetime.date(2026, 2, 1),
            "payment_id": None,
            "description": "January",
            "idempotency_key": "a charge",
            "reverses_id": None,
            "created_at": NOW,
            "created_by": "ann",
        }

    def test_swaps_the_books_of_what_a_reversal_undoes(self) -> None:
        account = an_account()
        (credit,) = post(postings=[a_posting(account, "credit", EntryType.CREDIT, 500)], author="ann", now=NOW)
        reversal = Posting(
            type=EntryType.REVERSAL,
            account_id=account.id,
            amount_minor=500,
            currency="USD",
            effective_on=TODAY,
            description="a slip",
            idempotency_key="reversal",
            reverses=credit,
        )
        (undone,) = post(postings=[reversal], author="ann", now=NOW)
        assert (undone.debit, undone.credit, undone.reverses_id) == ("receivable", "credits", credit.id)
        assert balance(account_id=account.id) == 0

    def test_writes_one_statement_whatever_the_number_of_entries(self) -> None:
        account = an_account()
        with CaptureQueriesContext(connection) as queries:
            post(postings=[a_posting(account, f"charge {n}") for n in range(500)], author="ann", now=NOW)
        assert [query["sql"].split()[:3] for query in queries] == [["INSERT", "INTO", '"ledger_entry"']]
        assert Entry.objects.count() == 500
        assert balance(account_id=account.id) == 500 * 1999

    def test_writes_nothing_for_no_posting(self) -> None:
        assert post(postings=[], author="ann", now=NOW) == []
        assert Entry.objects.count() == 0

    def test_refuses_all_when_one_was_posted_before(self) -> None:
        account = an_account()
        post(postings=[a_posting(account, "first")], author="ann", now=NOW)
        with pytest.raises(IntegrityError) as caught, transaction.atomic():
            post(postings=[a_posting(account, "second"), a_posting(account, "first")], author="ann", now=NOW)
        assert violated_constraint(caught.value) == "entry_idempotency_key_once"
        assert list(Entry.objects.values_list("idempotency_key", flat=True)) == ["first"]
        assert balance(account_id=account.id) == 1999

    def test_is_the_only_writer_of_entries_when_an_account_is_billed(self) -> None:
        account = an_account()
        billed(as_of=TODAY)
        written = Entry.objects.order_by("id").values_list("type", "idempotency_key", "created_by")
        payment = account.payments.get()
        assert list(written) == [
            ("charge", f"rebill:{account.id}:2026-01-01", "system:rebilling"),
            ("payment", f"payment:{payment.id}", "system:rebilling"),
        ]
        assert book_totals() == {"USD": {"receivable": 0, "revenue": -1999, "cash": 1999, "credits": 0, "bad_debt": 0}}
