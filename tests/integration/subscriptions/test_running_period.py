"""Closing now and giving the running period back: what was owed, paid at the gateway, paid offline, or applied."""

import datetime
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Account
from accounts.tax_rates import create_tax_rate
from invoices.credit_note_shares import RefundInFlight
from invoices.credit_notes import issue_credit_note
from invoices.credits import grant_credit
from invoices.models import CreditNote, InvoiceLine
from invoices.write_offs import PaymentInFlight, write_off_invoice
from ledger.models import Entry
from payments.gateways.port import Declined
from payments.models import Payment, Refund
from rebilling.books import discrepancies
from subscriptions.lifecycle import RefundNeedsNow, close_account, reopen_account
from subscriptions.running_period import UnknownRefund
from tests.builders import NOW, TODAY, QueueInHand, ScriptedGateway, a_plan, an_account, at, billed, delivered, swept
from tests.support.databases import rolled_back
from tests.support.lifecycle import DAY, JAN_10, paid_account, starts, status_of
from tests.support.owing import FEB_1, MAR_1, owing, received, rows, state_of
from tests.support.refunds import requested, sent
from tests.support.terms import JAN_21, billed_account, changed, pay
from tests.support.unchanged import nothing_moves

pytestmark = rolled_back

LEFT = 1419
"""Of 1,999 for January, 22 of 31 days: 1,418.65."""


def closed(account: Account, refund: str, *, on: datetime.date = JAN_10) -> Account:
    signed: dict[str, Any] = {"reason": "unhappy", "author": "test", "today": on, "now": at(on)}
    return close_account(account_id=account.id, refund=refund, **signed).account


def refunds_of(account: Account) -> list[tuple[int, str]]:
    return list(account.refunds.order_by("id").values_list("amount_minor", "status"))


def notes_of(account: Account) -> list[tuple[int, int, int, int]]:
    """Credit notes: amount, off what was outstanding, to the balance, with a refund."""
    fields = ("amount_minor", "from_outstanding_minor", "to_balance_minor", "to_refund_minor")
    return list(CreditNote.objects.filter(account=account).order_by("id").values_list(*fields))


def all_sent(account: Account, *, on: datetime.date = JAN_10, gateway: ScriptedGateway | None = None) -> None:
    waiting = account.refunds.filter(status="SUBMITTED").order_by("id")
    assert sent(*waiting, gateway=gateway, today=on, now=at(on) + datetime.timedelta(minutes=16)) == []


class TestPaidAtTheGateway:
    def test_the_days_left_are_sent_back_and_credited_when_they_are(self) -> None:
        account = paid_account()
        closed(account, "prorated")
        assert (refunds_of(account), notes_of(account)) == ([(LEFT, "SUBMITTED")], [])
        assert discrepancies() == []
        all_sent(account)
        assert (refunds_of(account), notes_of(account)) == ([(LEFT, "SUCCEEDED")], [(LEFT, 0, 0, LEFT)])
        assert InvoiceLine.objects.get().credited_minor == LEFT
        assert (status_of(account), starts(account)) == (("INACTIVE", "closed"), [(TODAY, JAN_10, "CHARGED")])
        assert state_of(account) == ("INACTIVE", 0, 0)
        assert discrepancies() == []

    def test_all_of_it_voids_the_period(self) -> None:
        account = paid_account()
        closed(account, "full")
        all_sent(account)
        assert notes_of(account) == [(1999, 0, 0, 1999)]
        assert starts(account) == [(TODAY, JAN_10, "VOIDED")]
        assert discrepancies() == []

    def test_all_of_it_may_be_more_than_one_movement(self) -> None:
        """A price within the limit, and 21% of tax added to it."""
        rate = create_tax_rate(name="VAT", percent=Decimal(21), now=NOW)
        account = paid_account(unit_amount_minor=99_000_000, tax_rate=rate.id)
        closed(account, "full")
        all_sent(account)
        assert refunds_of(account) == [(119_790_000, "SUCCEEDED")]
        assert notes_of(account) == [(119_790_000, 0, 0, 119_790_000)]
        assert starts(account) == [(TODAY, JAN_10, "VOIDED")]
        assert discrepancies() == []

    def test_on_its_first_day_is_all_of_it(self) -> None:
        account = paid_account()
        closed(account, "prorated", on=TODAY)
        assert (refunds_of(account), starts(account)) == ([(1999, "SUBMITTED")], [(TODAY, TODAY, "VOIDED")])
        all_sent(account, on=TODAY)
        assert discrepancies() == []

    def test_on_its_last_day_is_one_day(self) -> None:
        account = paid_account()
        closed(account, "prorated", on=FEB_1 - DAY)
        assert refunds_of(account) == [(64, "SUBMITTED")]

    def test_what_was_credited_before_is_not_given_back_again(self) -> None:
        account = paid_account()
        given: dict[str, Any] = {"reason": "sorry", "author": "test", "today": TODAY, "now": at(TODAY)}
        issue_credit_note(invoice_id=account.invoices.get().id, amount_minor=999, **given)
        closed(account, "prorated")
        # 22 of 31 days of the 1,000 that are left: 709.68.
        assert refunds_of(account) == [(710, "SUBMITTED")]
        all_sent(account)
        assert discrepancies() == []

    def test_of_several_periods_on_one_invoice_only_the_running_one_is(self) -> None:
        """December and January were caught up in one invoice and one payment."""
        dec_1 = datetime.date(2025, 12, 1)
        account = paid_account(anchor_date=dec_1, rebilling_date=dec_1)
        closed(account, "full")
        all_sent(account)
        lines = InvoiceLine.objects.order_by("position")
        assert list(lines.values_list("amount_minor", "credited_minor")) == [(1999, 0), (1999, 1999)]
        assert starts(account) == [(dec_1, TODAY, "CHARGED"), (TODAY, JAN_10, "VOIDED")]
        assert discrepancies() == []

    def test_a_refund_that_fails_leaves_its_money_to_be_refunded_again(self) -> None:
        account = paid_account()
        closed(account, "prorated")
        all_sent(account, gateway=ScriptedGateway(refunds=[Declined(code="expired_card")]))
        assert (refunds_of(account), notes_of(account)) == ([(LEFT, "FAILED")], [])
        again = requested(account.payments.get(), LEFT, today=JAN_10, now=at(JAN_10))
        assert again.amount_minor == LEFT
        assert discrepancies() == []


class TestAfterAChangeOfTerms:
    """31.00 for January; from the 16th on, two units: -16.00 and 32.00 on an invoice of their own. Both are paid."""

    @pytest.fixture
    def account(self) -> Account:
        account = billed_account()
        changed(account, quantity=2)
        pay(account)
        return account

    def test_the_days_left_are_given_back_at_what_was_billed_for_them(self, account: Account) -> None:
        closed(account, "prorated", on=JAN_21)
        # 11 days of 2.00: first of the newest invoice.
        assert refunds_of(account) == [(1600, "SUBMITTED"), (600, "SUBMITTED")]
        all_sent(account, on=JAN_21)
        assert (state_of(account), starts(account)) == (("INACTIVE", 0, 0), [(TODAY, JAN_21, "CHARGED")])
        assert discrepancies() == []

    def test_all_of_it_is_both_invoices(self, account: Account) -> None:
        closed(account, "full", on=JAN_21)
        assert refunds_of(account) == [(1600, "SUBMITTED"), (3100, "SUBMITTED")]
        all_sent(account, on=JAN_21)
        assert starts(account) == [(TODAY, JAN_21, "VOIDED")]
        assert discrepancies() == []

    def test_what_the_change_gave_back_is_not_given_back_again(self) -> None:
        account = billed_account(quantity=2)
        changed(account, quantity=1)
        closed(account, "prorated", on=JAN_21)
        assert refunds_of(account) == [(1100, "SUBMITTED")]
        all_sent(account, on=JAN_21)
        assert state_of(account) == ("INACTIVE", 0, 1600)
        assert discrepancies() == []


class TestOtherMoney:
    def test_what_is_outstanding_is_credited_first(self) -> None:
        account = owing()
        closed(account, "prorated")
        assert (refunds_of(account), notes_of(account)) == ([], [(LEFT, LEFT, 0, 0)])
        assert state_of(account) == ("INACTIVE", 1999 - LEFT, 0)
        assert discrepancies() == []

    def test_all_that_is_outstanding_voids_the_invoice_and_ends_dunning(self) -> None:
        account = owing()
        closed(account, "full")
        assert rows(account) == [("VOID", 0, 0)]
        account.refresh_from_db()
        assert account.dunning_on is None
        assert discrepancies() == []

    def test_applied_balance_goes_back_to_the_balance(self) -> None:
        account = an_account()
        given: dict[str, Any] = {"reason": "sorry", "author": "test", "today": TODAY, "now": at(TODAY)}
        grant_credit(account_id=account.id, amount_minor=1000, **given)
        billed(as_of=TODAY)
        assert rows(account) == [("PAID", 1000, 999)]
        closed(account, "full")
        # The money that came goes back to where it came from, the rest to the balance.
        assert (refunds_of(account), notes_of(account)) == ([(999, "SUBMITTED")], [(1000, 0, 1000, 0)])
        assert discrepancies() == []
        all_sent(account)
        assert state_of(account) == ("INACTIVE", 0, 1000)
        assert notes_of(account) == [(1000, 0, 1000, 0), (999, 0, 0, 999)]
        assert discrepancies() == []

    def test_offline_money_becomes_credit_for_a_person_to_pay_out(self) -> None:
        account = owing()
        received(account, 1999, invoice_id=account.invoices.get().id)
        closed(account, "prorated")
        assert (refunds_of(account), notes_of(account)) == ([], [(LEFT, 0, LEFT, 0)])
        assert state_of(account) == ("INACTIVE", 0, LEFT)
        assert discrepancies() == []

    def test_several_payments_are_refunded_newest_first(self) -> None:
        """500 by card after a credit note took the rest of a first attempt; then 700 offline, then the rest by card."""
        account = owing()
        invoice = account.invoices.get()
        received(account, 1500, invoice_id=invoice.id)
        billed(as_of=TODAY + DAY)
        assert rows(account) == [("PAID", 0, 1999)]
        closed(account, "full")
        by_card = Payment.objects.get(account=account, status="SUCCEEDED", gateway="logging")
        assert by_card.amount_minor == 499
        assert refunds_of(account) == [(499, "SUBMITTED")]
        assert notes_of(account) == [(1500, 0, 1500, 0)]
        all_sent(account)
        assert starts(account) == [(TODAY, JAN_10, "VOIDED")]
        assert discrepancies() == []

    def test_credit_of_the_period_pays_what_else_is_owed(self) -> None:
        """January is owed; February was paid offline."""
        account = owing()
        january = account.invoices.get()
        billed(as_of=FEB_1, gateway=ScriptedGateway(*[Declined(code="card_declined")] * 3))
        february = account.invoices.exclude(id=january.id).get()
        received(account, 1999, invoice_id=february.id, today=FEB_1, now=at(FEB_1))
        closed(account, "full", on=FEB_1)
        assert rows(account) == [("PAID", 1999, 0), ("PAID", 0, 1999)]
        assert state_of(account) == ("INACTIVE", 0, 0)
        assert discrepancies() == []

    def test_what_was_written_off_is_recovered_and_nothing_is_sent(self) -> None:
        account = owing()
        given: dict[str, Any] = {"reason": "gone", "author": "test", "today": TODAY, "now": at(TODAY)}
        write_off_invoice(invoice_id=account.invoices.get().id, **given)
        closed(account, "full")
        assert (refunds_of(account), rows(account)) == ([], [("VOID", 0, 0)])
        assert Entry.objects.filter(type="recovery").get().amount_minor == 1999
        assert discrepancies() == []

    def test_a_debt_is_billed_after_the_period_was_credited(self) -> None:
        """A balance below zero, and credit of an offline payment: the credit covers the debt."""
        account = owing()
        received(account, 1999, invoice_id=account.invoices.get().id)
        Account.objects.filter(id=account.id).update(credit_balance_minor=-500)
        closed(account, "full")
        account.refresh_from_db()
        assert (account.credit_balance_minor, account.invoices.count()) == (1499, 1)


class TestNothingToGiveBack:
    @pytest.mark.parametrize("refund", ["prorated", "full"])
    def test_a_free_period_is_cut_off(self, refund: str) -> None:
        account = paid_account(unit_amount_minor=0)
        closed(account, refund)
        assert (refunds_of(account), notes_of(account)) == ([], [])
        assert starts(account) == [(TODAY, JAN_10, "CHARGED")]
        assert discrepancies() == []

    def test_a_trial_has_no_period(self) -> None:
        account = an_account(plan=a_plan(trial_days=14))
        closed(account, "full")
        assert (status_of(account), refunds_of(account)) == (("INACTIVE", "closed"), [])

    def test_a_period_that_is_over_is_not_refunded(self) -> None:
        account = paid_account()
        closed(account, "full", on=MAR_1)
        assert (refunds_of(account), starts(account)) == ([], [(TODAY, FEB_1, "CHARGED")])

    def test_one_that_is_due_is_skipped(self) -> None:
        account, queue = an_account(), QueueInHand()
        swept(as_of=TODAY, queue=queue)
        closed(account, "full", on=TODAY)
        assert delivered(bodies=queue.take()) == []
        assert (starts(account), account.invoices.count()) == ([(TODAY, FEB_1, "SKIPPED")], 0)


class TestRefused:
    def test_while_a_payment_is_in_flight(self) -> None:
        account, queue = an_account(), QueueInHand()
        swept(as_of=TODAY, queue=queue)
        assert delivered(bodies=queue.take(), seconds_left=10, queue=queue) == []
        with nothing_moves(), pytest.raises(PaymentInFlight) as refusal:
            closed(account, "full", on=TODAY)
        assert refusal.value.passing

    def test_while_a_refund_is_in_flight(self) -> None:
        account = paid_account()
        requested(account.payments.get(), 100)
        with nothing_moves(), pytest.raises(RefundInFlight) as refusal:
            closed(account, "prorated")
        assert refusal.value.passing

    def test_of_a_later_day(self) -> None:
        account = paid_account()
        given: dict[str, Any] = {"reason": "r", "author": "test", "today": JAN_10, "now": at(JAN_10)}
        with nothing_moves(), pytest.raises(RefundNeedsNow):
            close_account(account_id=account.id, at="period_end", refund="full", **given)

    def test_of_another_share(self) -> None:
        account = paid_account()
        with nothing_moves(), pytest.raises(UnknownRefund):
            closed(account, "half")


class TestAfterwards:
    @pytest.mark.parametrize("refund", ["prorated", "full"])
    def test_reopened_it_begins_a_new_period_that_day(self, refund: str) -> None:
        account = paid_account()
        closed(account, refund)
        all_sent(account)
        jan_20 = datetime.date(2026, 1, 20)
        reopen_account(account_id=account.id, reason="back", author="test", today=jan_20, now=at(jan_20))
        billed(as_of=jan_20)
        assert [row[:2] for row in starts(account)] == [(TODAY, JAN_10), (jan_20, datetime.date(2026, 2, 20))]
        assert discrepancies() == []

    def test_closed_without_a_refund_its_paid_period_goes_on(self) -> None:
        account = paid_account()
        closed(account, "none")
        reopen_account(account_id=account.id, reason="back", author="test", today=JAN_10, now=at(JAN_10))
        assert starts(account) == [(TODAY, FEB_1, "CHARGED")]

    def test_its_history_says_that_the_period_was_cut(self) -> None:
        account = paid_account()
        closed(account, "prorated")
        change = account.changes.latest("id")
        assert change.before == {"status": "ACTIVE", "inactive_reason": None, "period_end": "2026-02-01"}
        assert change.after == {"status": "INACTIVE", "inactive_reason": "closed", "period_end": "2026-01-10"}

    def test_its_refund_says_why(self) -> None:
        account = paid_account()
        closed(account, "prorated")
        refund = Refund.objects.get()
        assert (refund.reason, refund.created_by, refund.line_id) == ("unhappy", "test", InvoiceLine.objects.get().id)
