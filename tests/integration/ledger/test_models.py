"""The rules of an entry are the database's: each is tried past the posting function, and nothing is written."""

import datetime
import itertools
from typing import Any

import pytest
from django.db import ProgrammingError, connection

from accounts.currencies import MAX_MINOR
from accounts.ids import new_id
from accounts.models import Account
from ledger.models import BOOKS_BY_TYPE, Book, Entry, EntryType
from payments.models import Refund
from tests.builders import TODAY, a_plan, an_account, billed
from tests.integration.ledger.rows import Row, a_row, assert_does_not_fit, refusal_of, write
from tests.support.databases import rolled_back
from tests.support.refunds import refunded

DAY = datetime.timedelta(days=1)


@pytest.fixture
def account() -> Account:
    """An account with one charge of 1999, paid."""
    account = an_account(today=TODAY)
    billed(as_of=TODAY)
    return account


def the(entry_type: EntryType) -> Entry:
    return Entry.objects.filter(type=entry_type).earliest("id")


def a_reversal(original: Entry, **changes: Any) -> Row:
    mirror = {
        "type": "reversal",
        "debit": original.credit,
        "credit": original.debit,
        "amount_minor": original.amount_minor,
        "currency": original.currency,
        "reverses_id": original.id,
    }
    return a_row(account=original.account, **(mirror | changes))


OF_CREDIT_NOTES = (
    *(EntryType.CREDIT_NOTE, EntryType.TAX_CREDIT),
    *(EntryType.DEDUCTION_REVERSED, EntryType.TAX_DEDUCTION_REVERSED),
)


def named_by(entry_type: EntryType, account: Account) -> dict[str, Any]:
    """What an entry of this type must name besides its account. No other entry names the payment or the refund yet."""
    charge = the(EntryType.CHARGE)
    if entry_type == EntryType.PAYMENT_REVERSED:
        return {"payment_id": account.payments.get().id}
    if entry_type == EntryType.REFUND_REVERSED:
        return {"refund_id": Refund.objects.get().id}
    if entry_type in {EntryType.CHARGE, EntryType.TAX, EntryType.DEDUCTION, EntryType.TAX_DEDUCTION}:
        return {"invoice_id": charge.invoice_id, "line_id": charge.line_id}
    invoiced = entry_type in OF_CREDIT_NOTES
    return {"invoice_id": charge.invoice_id} if invoiced else {}


@rolled_back
class TestBooks:
    def test_are_those_of_the_type_and_no_others(self, account: Account) -> None:
        refunded(account.payments.get(), 100)
        # Entries of these two are exactly one a payment and one a refund (`tests/integration/payments/test_rules.py`).
        bound_to_one = {EntryType.PAYMENT: "entry_of_a_payment_once", EntryType.REFUND: "entry_of_a_refund_once"}
        written = []
        for entry_type, debit, credit in itertools.product(BOOKS_BY_TYPE, Book, Book):
            names = named_by(entry_type, account)
            if entry_type == EntryType.PAYMENT:
                names = {"payment_id": account.payments.get().id}
            if entry_type == EntryType.REFUND:
                names = {"refund_id": Refund.objects.get().id}
            row = a_row(account=account, type=entry_type, debit=debit, credit=credit, **names)
            if BOOKS_BY_TYPE[entry_type] != (debit, credit):
                assert refusal_of(row) == "entry_books_match_type"
            elif entry_type in bound_to_one:
                assert refusal_of(row) == bound_to_one[entry_type]
            else:
                written.append(write(row).type)
        assert written == [
            *("charge", "tax", "deduction", "tax_deduction", "credit_note", "tax_credit"),
            *("deduction_reversed", "tax_deduction_reversed", "credit", "write_off"),
            *("recovery", "payment_reversed", "refund_reversed"),
        ]

    def test_of_an_opening_balance_owe_or_are_credit(self, account: Account) -> None:
        for debit, credit in itertools.product(Book, Book):
            row = a_row(account=account, type="opening_balance", debit=debit, credit=credit)
            if {debit, credit} == {Book.OPENING, Book.RECEIVABLE}:
                assert (write(row).debit, row["credit"]) == (debit, credit)
            else:
                assert refusal_of(row) == "entry_books_match_type"

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
class TestWhatAnEntryNames:
    @pytest.mark.parametrize(
        "entry_type",
        [EntryType.CHARGE, EntryType.DEDUCTION, EntryType.TAX, *OF_CREDIT_NOTES],
    )
    def test_is_its_invoice_where_something_was_invoiced(self, account: Account, entry_type: EntryType) -> None:
        debit, credit = BOOKS_BY_TYPE[entry_type]
        names = named_by(entry_type, account) | {"invoice_id": None}
        row = a_row(account=account, type=entry_type, debit=debit, credit=credit, **names)
        assert refusal_of(row) == "entry_names_its_invoice"

    def test_is_its_line_where_it_is_of_one_and_nowhere_else(self, account: Account) -> None:
        charge = the(EntryType.CHARGE)
        for entry_type in (EntryType.CHARGE, EntryType.TAX, EntryType.DEDUCTION, EntryType.TAX_DEDUCTION):
            debit, credit = BOOKS_BY_TYPE[entry_type]
            names = {"type": entry_type, "debit": debit, "credit": credit, "invoice_id": charge.invoice_id}
            assert refusal_of(a_row(account=account, **names)) == "entry_names_its_line"
        assert refusal_of(a_row(account=account, line_id=charge.line_id)) == "entry_names_its_line"

    def test_is_its_payment_where_money_came_or_was_taken_back(self, account: Account) -> None:
        for entry_type in (EntryType.PAYMENT, EntryType.PAYMENT_REVERSED):
            debit, credit = BOOKS_BY_TYPE[entry_type]
            row = a_row(account=account, type=entry_type, debit=debit, credit=credit)
            assert refusal_of(row) == "entry_names_its_payment"

    def test_is_its_refund_where_money_was_sent_or_came_back(self, account: Account) -> None:
        for entry_type in (EntryType.REFUND, EntryType.REFUND_REVERSED):
            debit, credit = BOOKS_BY_TYPE[entry_type]
            row = a_row(account=account, type=entry_type, debit=debit, credit=credit)
            assert refusal_of(row) == "entry_names_its_refund"

    @pytest.mark.parametrize("entry_type", [EntryType.CREDIT, EntryType.WRITE_OFF, EntryType.RECOVERY])
    def test_is_no_payment_and_no_refund_anywhere_else(self, account: Account, entry_type: EntryType) -> None:
        refund = refunded(account.payments.get(), 100)
        debit, credit = BOOKS_BY_TYPE[entry_type]
        row = a_row(account=account, type=entry_type, debit=debit, credit=credit)
        assert refusal_of(Row(row | {"payment_id": refund.payment_id})) == "entry_names_its_payment"
        assert refusal_of(Row(row | {"refund_id": refund.id})) == "entry_names_its_refund"

    def test_exists(self, account: Account) -> None:
        charge = the(EntryType.CHARGE)
        reversed_ = {"type": "payment_reversed", "debit": "receivable", "credit": "cash"}
        came_back = {"type": "refund_reversed", "debit": "cash", "credit": "receivable"}
        charged = {"type": "charge", "debit": "receivable", "credit": "revenue"}
        assert refusal_of(a_row(account=account, payment_id=new_id(), **reversed_)) == "entry_names_a_payment"
        assert refusal_of(a_row(account=account, refund_id=new_id(), **came_back)) == "entry_names_a_refund"
        assert refusal_of(a_row(account=account, invoice_id=new_id())) == "entry_names_its_accounts_invoice"
        row = a_row(account=account, invoice_id=charge.invoice_id, line_id=new_id(), **charged)
        assert refusal_of(row) == "entry_names_a_line"

    def test_is_no_invoice_of_another_account(self, account: Account) -> None:
        other = an_account()
        assert refusal_of(a_row(account=other, invoice_id=the(EntryType.CHARGE).invoice_id)) == (
            "entry_names_its_accounts_invoice"
        )


@rolled_back
class TestIdempotencyKey:
    def test_is_used_once_by_any_account_and_type(self, account: Account) -> None:
        used = the(EntryType.CHARGE).idempotency_key
        assert used == f"charge:{account.rebillings.get().id}"
        assert refusal_of(a_row(account=account, idempotency_key=used)) == "entry_idempotency_key_once"
        assert refusal_of(a_row(account=an_account(), idempotency_key=used)) == "entry_idempotency_key_once"


@rolled_back
class TestCreatedAt:
    def test_is_the_databases_own(self, account: Account) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT now()")
            (now,) = cursor.fetchone()
        assert write(a_row(account=account)).created_at == now

    def test_can_not_be_given_by_the_application(self, account: Account) -> None:
        before = Entry.objects.count()
        with pytest.raises(ProgrammingError, match="permission denied for table ledger_entry"):
            write(Row(a_row(account=account) | {"created_at": "2020-01-01"}))
        assert Entry.objects.count() == before


@rolled_back
class TestReversal:
    @pytest.fixture
    def credit(self, account: Account) -> Entry:
        return write(a_row(account=account))

    def test_mirrors_a_credit(self, credit: Entry) -> None:
        reversal = write(a_reversal(credit))
        assert (reversal.debit, reversal.credit, reversal.amount_minor) == ("receivable", "credits", 1999)

    def test_mirrors_a_write_off(self, account: Account) -> None:
        write_off = write(a_row(account=account, type="write_off", debit="bad_debt"))
        reversal = write(a_reversal(write_off))
        assert (reversal.debit, reversal.credit, reversal.amount_minor) == ("receivable", "bad_debt", 1999)

    @pytest.mark.parametrize("amount_minor", [1998, 2000, 1])
    def test_is_of_the_whole_amount(self, credit: Entry, amount_minor: int) -> None:
        assert refusal_of(a_reversal(credit, amount_minor=amount_minor)) == "entry_reverses_its_mirror"

    def test_is_of_the_same_account(self, credit: Entry) -> None:
        assert refusal_of(a_reversal(credit, account_id=an_account().id)) == "entry_reverses_its_mirror"

    def test_is_of_the_same_currency(self, credit: Entry) -> None:
        other = an_account(plan=a_plan(currency="EUR"))
        reversal = a_reversal(credit, account_id=other.id, currency="EUR")
        assert refusal_of(reversal) == "entry_reverses_its_mirror"
        assert refusal_of(a_reversal(credit, currency="EUR")) == "entry_reverses_its_mirror"

    @pytest.mark.parametrize(
        ("debit", "credited"),
        [("credits", "receivable"), ("receivable", "bad_debt"), ("revenue", "credits")],
    )
    def test_swaps_debit_and_credit(self, credit: Entry, debit: str, credited: str) -> None:
        assert refusal_of(a_reversal(credit, debit=debit, credit=credited)) == "entry_reverses_its_mirror"

    def test_names_an_entry_that_exists(self, credit: Entry) -> None:
        assert refusal_of(a_reversal(credit, reverses_id=new_id())) == "entry_reverses_its_mirror"
        assert refusal_of(a_reversal(credit, reverses_id=None)) == "entry_books_match_type"

    def test_of_itself_is_refused(self, account: Account) -> None:
        """It would mirror itself if both its books were one: what the account owes would move, and no book with it."""
        itself = new_id()
        row = a_row(account=account, id=itself, type="reversal", debit="receivable", reverses_id=itself)
        assert refusal_of(row) == "entry_reverses_its_mirror"

    def test_of_an_entry_happens_once(self, credit: Entry) -> None:
        write(a_reversal(credit))
        assert refusal_of(a_reversal(credit)) == "entry_reversed_once"

    def test_of_a_reversal_is_refused(self, credit: Entry) -> None:
        reversal = write(a_reversal(credit))
        assert refusal_of(a_reversal(reversal)) == "entry_reverses_its_mirror"

    @pytest.mark.parametrize("entry_type", [EntryType.CHARGE, EntryType.PAYMENT, EntryType.REFUND])
    def test_of_anything_else_is_refused(self, account: Account, entry_type: EntryType) -> None:
        refunded(account.payments.get(), 100)
        assert refusal_of(a_reversal(the(entry_type))) == "entry_reverses_its_mirror"

    def test_is_named_by_no_entry_of_another_type(self, account: Account, credit: Entry) -> None:
        recovery = a_row(account=account, type="recovery", debit="receivable", credit="bad_debt", reverses_id=credit.id)
        assert refusal_of(recovery) == "entry_reverses_its_mirror"
        mirrored = write(a_row(account=account, type="write_off", debit="bad_debt"))
        recovery = a_row(
            account=account, type="recovery", debit="receivable", credit="bad_debt", reverses_id=mirrored.id
        )
        assert refusal_of(recovery) == "entry_books_match_type"
