"""The last invoice: the debt of an account that is INACTIVE, billed on closing or when a person asks for it."""

from typing import Any

import pytest

from accounts.errors import OperationError
from accounts.locked_accounts import UnknownAccount
from accounts.models import Account
from accounts.reasons import InvalidReason
from invoices.credits import grant_credit, reverse_entry
from ledger.models import Entry
from rebilling.books import discrepancies
from subscriptions.last_invoice import NoDebtToBill, bill_debt
from subscriptions.lifecycle import close_account
from tests.builders import NOW, TODAY, an_account, billed
from tests.support.databases import rolled_back
from tests.support.owing import DECLINED, invoices_of, owing, rows, state_of
from tests.support.payments import collected
from tests.support.unchanged import nothing_moves

SIGNED: dict[str, Any] = {"reason": "granted by mistake", "author": "staff:bo", "today": TODAY, "now": NOW}

pytestmark = rolled_back


def owing_after_closing(amount_minor: int = 1999, **terms: Any) -> Account:
    """Goodwill that January used, taken back when the account is closed."""
    account = an_account(**terms)
    credit = grant_credit(account_id=account.id, amount_minor=amount_minor, **SIGNED)
    billed(as_of=TODAY)
    close_account(account_id=account.id, **SIGNED)
    reverse_entry(entry_id=credit.id, **SIGNED)
    assert state_of(account) == ("INACTIVE", 0, -amount_minor)
    return account


def refused(refusal: type[OperationError], account: Account, **given: Any) -> str:
    with nothing_moves(), pytest.raises(refusal) as caught:
        bill_debt(account_id=account.id, **SIGNED | given)
    return caught.value.detail


class TestBillDebt:
    def test_that_arose_after_closing_is_collected(self) -> None:
        account = owing_after_closing()
        bill_debt(account_id=account.id, **SIGNED)
        assert rows(account) == [("PAID", 1999, 0), ("OPEN", -1999, 0)]
        assert state_of(account) == ("INACTIVE", 1999, 0)
        payment = account.payments.get()
        assert (payment.status, payment.amount_minor, payment.created_by) == ("SUBMITTED", 1999, "staff:bo")
        collected(payment.id)
        assert rows(account)[1] == ("PAID", -1999, 1999)
        assert state_of(account) == ("INACTIVE", 0, 0)
        assert discrepancies() == []

    def test_is_in_the_history_with_its_reason(self) -> None:
        account = owing_after_closing()
        bill_debt(account_id=account.id, **SIGNED)
        change = account.changes.latest("id")
        assert (change.reason, change.author) == ("granted by mistake", "staff:bo")
        assert (change.before, change.after) == ({"credit_balance_minor": -1999}, {"credit_balance_minor": 0})

    def test_that_is_too_small_to_collect_is_written_off(self) -> None:
        account = owing_after_closing(amount_minor=49)
        invoices = len(invoices_of(account))
        bill_debt(account_id=account.id, **SIGNED)
        assert len(invoices_of(account)) == invoices
        entry = Entry.objects.latest("id")
        assert (entry.type, entry.amount_minor, entry.invoice_id) == ("write_off", 49, None)
        assert entry.description == "Too small to collect, and no next invoice brings it forward"
        account.refresh_from_db()
        assert account.credit_balance_minor == 0

    def test_of_who_is_sent_invoices_is_due_later(self) -> None:
        account = owing_after_closing(collection_method="send_invoice", net_days=30)
        bill_debt(account_id=account.id, **SIGNED)
        assert (state_of(account), account.payments.count()) == (("INACTIVE", 1999, 0), 0)

    def test_with_a_method_that_cannot_be_used_is_declined_at_once(self) -> None:
        account = owing_after_closing()
        Account.objects.update(payment_method_unusable=True)
        bill_debt(account_id=account.id, **SIGNED)
        assert (invoices_of(account)[1].declined_on, account.payments.count()) == (TODAY, 0)

    def test_is_refused_where_there_is_none(self) -> None:
        account = owing(DECLINED)
        assert "next invoice" in refused(NoDebtToBill, account)
        close_account(account_id=account.id, **SIGNED)
        assert "nothing but" in refused(NoDebtToBill, account)

    def test_is_refused_without_a_reason_or_an_account(self) -> None:
        account = owing_after_closing()
        refused(InvalidReason, account, reason=" ")
        refused(UnknownAccount, Account())
