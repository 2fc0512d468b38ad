"""The rules of an entry are the database's: each is tried past the posting function, and nothing is written."""

import datetime
import itertools
from typing import Any

import pytest

from accounts.currencies import MAX_MINOR
from accounts.ids import new_id
from accounts.models import Account
from ledger.models import BOOKS_BY_TYPE, Book, Entry, EntryType
from tests.builders import TODAY, a_plan, an_account, billed
from tests.integration.ledger.rows import a_row, assert_does_not_fit, refusal_of, write
from tests.support.databases import rolled_back

DAY = datetime.timedelta(days=1)


@pytest.fixture
def account() -> Account:
    """An account with one charge of 1999, paid."""
    account = an_account(today=TODAY)
    billed(as_of=TODAY)
    return account


def the(entry_type: EntryType) -> Entry:
    return Entry.objects.get(type=entry_type)


def a_reversal(original: Entry, **changes: Any) -> Entry:
    mirror = {
        "type": "reversal",
        "debit": original.credit,
        "credit": original.debit,
        "amount_minor": original.amount_minor,
        "currency": original.currency,
        "reverses_id": original.id,
    }
    return a_row(account=original.account, **(mirror | changes))


@rolled_back
class TestBooks:
    def test_are_those_of_the_type_and_no_others(self, account: Account) -> None:
        payment = account.payments.get()
        written = []
        for entry_type, debit, credit in itertools.product(BOOKS_BY_TYPE, Book, Book):
            of_a_payment = entry_type in {EntryType.PAYMENT, EntryType.REFUND}
            entry = a_row(
                account=account,
                type=entry_type,
                debit=debit,
                credit=credit,
                payment_id=payment.id if of_a_payment else None,
            )
            if BOOKS_BY_TYPE[entry_type] == (debit, credit):
                written.append(str(write(entry).type))
            else:
                assert refusal_of(entry) == "entry_books_match_type"
        assert written == ["charge", "payment", "refund", "credit", "write_off"]

    def test_are_of_a_known_type(self, account: Account) -> None:
        assert refusal_of(a_row(account=account, type="fee")) == "entry_books_match_type"
        assert refusal_of(a_row(account=account, type="")) == "entry_books_match_type"

    def test_are_known(self, account: Account) -> None:
        assert refusal_of(a_row(account=account, credit="suspense")) == "entry_books_match_type"


@rolled_back
class TestAmount:
    @pytest.mark.parametrize("amount_minor", [0, -1, -1999, -(2**63)])
    def test_is_above_zero(self, account: Account, amount_minor: int) -> None:
        assert refusal_of(a_row(account=account, amount_minor=amount_minor)) == "entry_amount_positive"

    def test_fits_64_bits(self, account: Account) -> None:
        write(a_row(account=account, amount_minor=MAX_MINOR))
        assert_does_not_fit(a_row(account=account, amount_minor=MAX_MINOR + 1))


@rolled_back
class TestAccountAndCurrency:
    def test_are_those_of_one_account(self, account: Account) -> None:
        assert refusal_of(a_row(account=account, currency="EUR")) == "entry_in_its_accounts_currency"
        assert refusal_of(a_row(account=account, account_id=new_id())) == "entry_in_its_accounts_currency"


@rolled_back
class TestPeriod:
    def test_has_both_ends_or_none(self, account: Account) -> None:
        assert refusal_of(a_row(account=account, period_start=TODAY)) == "entry_period_has_both_ends"
        assert refusal_of(a_row(account=account, period_end=TODAY)) == "entry_period_has_both_ends"

    def test_ends_after_it_starts(self, account: Account) -> None:
        write(a_row(account=account, period_start=TODAY, period_end=TODAY + DAY))
        for end in (TODAY, TODAY - DAY):
            entry = a_row(account=account, period_start=TODAY, period_end=end)
            assert refusal_of(entry) == "entry_period_has_both_ends"


@rolled_back
class TestPayment:
    @pytest.mark.parametrize("entry_type", [EntryType.PAYMENT, EntryType.REFUND])
    def test_is_named_by_entries_of_money(self, account: Account, entry_type: EntryType) -> None:
        debit, credit = BOOKS_BY_TYPE[entry_type]
        entry = a_row(account=account, type=entry_type, debit=debit, credit=credit)
        assert refusal_of(entry) == "entry_payment_named"

    @pytest.mark.parametrize("entry_type", [EntryType.CHARGE, EntryType.CREDIT, EntryType.WRITE_OFF])
    def test_is_named_by_no_other_entry(self, account: Account, entry_type: EntryType) -> None:
        debit, credit = BOOKS_BY_TYPE[entry_type]
        payment = account.payments.get()
        entry = a_row(account=account, type=entry_type, debit=debit, credit=credit, payment_id=payment.id)
        assert refusal_of(entry) == "entry_payment_named"

    def test_exists(self, account: Account) -> None:
        entry = a_row(account=account, type="payment", debit="cash", credit="receivable", payment_id=new_id())
        assert refusal_of(entry) == "entry_names_a_payment"


@rolled_back
class TestIdempotencyKey:
    def test_is_used_once_by_any_account_and_type(self, account: Account) -> None:
        used = the(EntryType.CHARGE).idempotency_key
        assert used == f"rebill:{account.id}:{TODAY}"
        assert refusal_of(a_row(account=account, idempotency_key=used)) == "entry_idempotency_key_once"
        other = a_row(account=an_account(), type="credit", debit="credits", credit="receivable", idempotency_key=used)
        assert refusal_of(other) == "entry_idempotency_key_once"


@rolled_back
class TestReversal:
    def test_mirrors_its_entry(self, account: Account) -> None:
        reversal = write(a_reversal(the(EntryType.CHARGE)))
        assert (reversal.debit, reversal.credit, reversal.amount_minor) == ("revenue", "receivable", 1999)

    @pytest.mark.parametrize("amount_minor", [1998, 2000, 1])
    def test_is_of_the_whole_amount(self, account: Account, amount_minor: int) -> None:
        reversal = a_reversal(the(EntryType.CHARGE), amount_minor=amount_minor)
        assert refusal_of(reversal) == "entry_reverses_its_mirror"

    def test_is_of_the_same_account(self, account: Account) -> None:
        reversal = a_reversal(the(EntryType.CHARGE), account_id=an_account().id)
        assert refusal_of(reversal) == "entry_reverses_its_mirror"

    def test_is_of_the_same_currency(self, account: Account) -> None:
        other = an_account(plan=a_plan(currency="EUR"))
        reversal = a_reversal(the(EntryType.CHARGE), account_id=other.id, currency="EUR")
        assert refusal_of(reversal) == "entry_reverses_its_mirror"
        assert refusal_of(a_reversal(the(EntryType.CHARGE), currency="EUR")) == "entry_in_its_accounts_currency"

    @pytest.mark.parametrize(
        ("debit", "credit"),
        [("receivable", "revenue"), ("credits", "receivable"), ("revenue", "bad_debt")],
    )
    def test_swaps_debit_and_credit(self, account: Account, debit: str, credit: str) -> None:
        reversal = a_reversal(the(EntryType.CHARGE), debit=debit, credit=credit)
        assert refusal_of(reversal) == "entry_reverses_its_mirror"

    def test_names_an_entry_that_exists(self, account: Account) -> None:
        missing = a_reversal(the(EntryType.CHARGE), reverses_id=new_id())
        assert refusal_of(missing) == "entry_reverses_its_mirror"
        assert refusal_of(a_reversal(the(EntryType.CHARGE), reverses_id=None)) == "entry_books_match_type"

    def test_of_itself_is_refused(self, account: Account) -> None:
        """It would mirror itself if both its books were one: what the account owes would move, and no book with it."""
        itself = new_id()
        before = Entry.objects.count()
        row = a_row(account=account, id=itself, type="reversal", credit="receivable", reverses_id=itself)
        assert refusal_of(row) == "entry_books_match_type"
        assert Entry.objects.count() == before

    def test_of_an_entry_happens_once(self, account: Account) -> None:
        charge = the(EntryType.CHARGE)
        write(a_reversal(charge))
        assert refusal_of(a_reversal(charge)) == "ledger_entry_reverses_id_key"

    def test_of_a_reversal_happens_once(self, account: Account) -> None:
        reversal = write(a_reversal(the(EntryType.CHARGE)))
        restored = write(a_reversal(reversal))
        assert (restored.debit, restored.credit) == ("receivable", "revenue")
        assert refusal_of(a_reversal(reversal)) == "ledger_entry_reverses_id_key"

    def test_of_a_payment_is_refused(self, account: Account) -> None:
        payment = the(EntryType.PAYMENT)
        assert refusal_of(a_reversal(payment)) == "entry_books_match_type"
        assert refusal_of(a_reversal(payment, payment_id=payment.payment_id)) == "entry_books_match_type"

    def test_of_a_refund_is_refused(self, account: Account) -> None:
        payment_id = account.payments.get().id
        refund = write(a_row(account=account, type="refund", debit="receivable", credit="cash", payment_id=payment_id))
        assert refusal_of(a_reversal(refund)) == "entry_books_match_type"

    def test_is_named_by_no_entry_of_another_type(self, account: Account) -> None:
        charge = the(EntryType.CHARGE)
        credit = a_row(account=account, type="credit", debit="credits", credit="receivable", reverses_id=charge.id)
        assert refusal_of(credit) == "entry_books_match_type"
