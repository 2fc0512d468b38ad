"""Changes of terms: what they bill within a period, what they leave for later, and what is refused."""

import datetime
import uuid
from typing import Any

import pytest

from accounts.errors import OperationError
from accounts.locked_accounts import UnknownAccount
from accounts.models import Account, Plan
from accounts.plans import retire_plan
from accounts.reasons import InvalidReason
from accounts.terms import terms_of
from invoices.credit_note_shares import RefundInFlight
from invoices.credit_notes import issue_credit_note
from invoices.credits import grant_credit
from invoices.models import CreditNote
from invoices.write_offs import PaymentInFlight
from ledger.models import Entry
from payments.models import Payment
from payments.refund_requests import request_refund
from rebilling.billed_periods import PeriodGivenBack, PeriodNotCharged
from rebilling.books import discrepancies
from rebilling.models import Proration, Rebilling
from rebilling.reconciliation.missing_periods import missing_periods
from rebilling.reconciliation.reconcile import reconcile
from subscriptions.agreed_terms import UnableToChangeTerms
from subscriptions.lifecycle import close_account
from subscriptions.new_periods import NewPeriod
from subscriptions.terms_changes import (
    AccountInactive,
)
from tests.builders import TODAY, QueueInHand, a_plan, an_account, at, billed, swept
from tests.support.databases import rolled_back
from tests.support.owing import DECLINED, FEB_1, MAR_1, answers, invoices_of, owing, state_of
from tests.support.payments import collected
from tests.support.terms import JAN_16, JAN_21, billed_account, changed, lines_of, pay
from tests.support.unchanged import nothing_moves
from tests.support.upcoming import contents

pytestmark = rolled_back


def net_of_changes(account: Account) -> list[tuple[int, int]]:
    rows = Proration.objects.filter(rebilling__account=account).order_by("id")
    return [(row.credit_minor, row.charge_minor) for row in rows]


def billed_less_credited(account: Account) -> int:
    """What the account's invoices came to, less their credit notes."""
    notes = CreditNote.objects.filter(account=account).values_list("amount_minor", flat=True)
    return sum(invoice.total_minor for invoice in invoices_of(account)) - sum(notes)


class TestMoreWithinAPeriod:
    def test_is_an_invoice_of_two_lines_that_is_collected_at_once(self) -> None:
        account = billed_account()
        name = account.terms.get().plan.name
        change = changed(account, quantity=2)
        _, invoice = invoices_of(account)
        assert lines_of(invoice) == [
            ("proration", f"Unused days of {name}, 16 Jan to 31 Jan 2026", -1600),
            ("proration", f"{name} x 2, 16 Jan to 31 Jan 2026", 3200),
        ]
        assert (invoice.status, invoice.total_minor, invoice.in_flight) == ("OPEN", 1600, True)
        payment = Payment.objects.get(invoice=invoice)
        assert (payment.status, payment.amount_minor, payment.created_by) == ("SUBMITTED", 1600, "staff:bo")
        assert change.billed is not None
        assert change.billed.invoice_id == invoice.id
        pay(account)
        assert state_of(account) == ("ACTIVE", 0, 0)
        assert discrepancies() == []

    def test_is_booked_as_a_deduction_and_a_charge(self) -> None:
        account = billed_account()
        changed(account, quantity=2)
        _, invoice = invoices_of(account)
        entries = Entry.objects.filter(invoice_id=invoice.id).order_by("id")
        assert [(row.type, row.debit, row.credit, row.amount_minor) for row in entries] == [
            ("deduction", "revenue", "receivable", 1600),
            ("charge", "receivable", "revenue", 3200),
        ]
        assert {(row.period_start, row.period_end) for row in entries} == {(JAN_16, FEB_1)}
        assert {row.line_id for row in entries} == set(invoice.lines.values_list("id", flat=True))

    def test_is_in_the_terms_and_in_the_history(self) -> None:
        account = billed_account()
        changed(account, quantity=2)
        assert terms_of([account.id])[account.id].in_force(JAN_16).quantity == 2
        last = account.changes.order_by("-id").first()
        assert last is not None
        assert (last.before, last.after) == ({"quantity": 1}, {"quantity": 2, "effective_from": "2026-01-16"})
        assert (last.reason, last.author) == ("more seats", "staff:bo")

    def test_leaves_the_next_period_where_it_was(self) -> None:
        account = billed_account()
        changed(account, plan=a_plan(unit_amount_minor=5900).code, quantity=2)
        pay(account)
        billed(as_of=FEB_1)
        assert invoices_of(account)[-1].total_minor == 11800
        assert [row.period_start for row in Rebilling.objects.filter(account=account).order_by("period_start")] == [
            TODAY,
            FEB_1,
        ]
        assert list(missing_periods(as_of=FEB_1)) == []

    def test_uses_the_credit_balance(self) -> None:
        account = billed_account()
        grant_credit(account_id=account.id, amount_minor=1600, reason="outage", author="bo", today=TODAY, now=at(TODAY))
        changed(account, quantity=2)
        invoice = invoices_of(account)[-1]
        assert (invoice.status, invoice.total_minor, invoice.balance_applied_minor) == ("PAID", 1600, 1600)

    def test_from_a_free_plan_is_one_line(self) -> None:
        account = billed_account(0)
        changed(account, unit_amount_minor=3100)
        assert [line[1:] for line in lines_of(invoices_of(account)[-1])] == [
            (f"{account.terms.first().plan.name}, 16 Jan to 31 Jan 2026", 1600)  # type: ignore[union-attr]
        ]
        assert discrepancies() == []

    def test_is_past_due_when_it_is_declined(self) -> None:
        account = billed_account()
        changed(account, quantity=2)
        payment = Payment.objects.get(account=account, status="SUBMITTED")
        collected(payment.id, gateway=answers(DECLINED), day=JAN_16)
        assert state_of(account) == ("PAST_DUE", 1600, 0)


class TestLessWithinAPeriod:
    def test_is_a_credit_note_on_the_periods_invoice(self) -> None:
        account = billed_account(quantity=2)
        name = account.terms.get().plan.name
        change = changed(account, quantity=1)
        (invoice,) = invoices_of(account)
        note = CreditNote.objects.get(account=account)
        assert (note.invoice_id, note.amount_minor, note.to_balance_minor) == (invoice.id, 1600, 1600)
        assert note.reason == (
            f"Change of terms on 16 Jan 2026: -32.00 USD Unused days of {name} x 2, 16 Jan to 31 Jan 2026; "
            f"16.00 USD {name}, 16 Jan to 31 Jan 2026"
        )
        assert change.billed is not None
        assert [each.id for each in change.billed.credit_notes] == [note.id]
        assert note.proration_id == change.billed.proration.id
        assert state_of(account) == ("ACTIVE", 0, 1600)
        assert discrepancies() == []

    def test_takes_from_what_is_outstanding_of_a_declined_invoice(self) -> None:
        account = owing(plan=a_plan(unit_amount_minor=3100), quantity=2)
        assert state_of(account) == ("PAST_DUE", 6200, 0)
        changed(account, quantity=1)
        assert state_of(account) == ("PAST_DUE", 4600, 0)

    def test_takes_from_the_newest_invoice_first(self) -> None:
        account = billed_account()
        changed(account, quantity=2)
        pay(account)
        changed(account, on=JAN_21, unit_amount_minor=0)
        first, second = invoices_of(account)
        assert [(note.invoice_id, note.amount_minor) for note in CreditNote.objects.order_by("id")] == [
            (second.id, 1600),
            (first.id, 600),
        ]
        assert billed_less_credited(account) == 1500 + 1000
        assert discrepancies() == []

    def test_to_nothing_on_the_first_day_keeps_the_period_and_can_be_changed_back(self) -> None:
        account = billed_account()
        changed(account, on=TODAY, unit_amount_minor=0)
        assert Rebilling.objects.get(account=account).status == "CHARGED"
        assert billed_less_credited(account) == 0
        changed(account, on=TODAY, unit_amount_minor=3100)
        assert state_of(account) == ("ACTIVE", 0, 0)
        assert net_of_changes(account) == [(3100, 0), (0, 3100)]
        assert discrepancies() == []

    def test_never_gives_back_what_a_credit_note_gave_back_before(self) -> None:
        account = billed_account()
        issue_credit_note(
            invoice_id=invoices_of(account)[0].id,
            amount_minor=2500,
            reason="outage",
            author="bo",
            today=TODAY,
            now=at(TODAY),
        )
        changed(account, unit_amount_minor=0)
        assert net_of_changes(account) == [(600, 0)]
        assert billed_less_credited(account) == 0
        # The outage stays given back: of 26.00 for the days on which it is used, 25.00.
        changed(account, on=JAN_21, unit_amount_minor=3100)
        assert net_of_changes(account)[1] == (1000, 1100)
        assert billed_less_credited(account) == 100
        assert discrepancies() == []


class TestBackOnTheSameDay:
    def test_leaves_nothing_to_pay(self) -> None:
        account = billed_account()
        changed(account, quantity=2)
        pay(account)
        changed(account, quantity=1)
        assert net_of_changes(account) == [(1600, 3200), (3200, 1600)]
        assert billed_less_credited(account) == 3100
        assert state_of(account) == ("ACTIVE", 0, 1600)
        assert discrepancies() == []

    def test_leaves_given_back_what_a_credit_note_gave_back(self) -> None:
        account = billed_account()
        (invoice,) = invoices_of(account)
        issue_credit_note(
            invoice_id=invoice.id, amount_minor=1000, reason="outage", author="bo", today=JAN_16, now=at(JAN_16)
        )
        changed(account, on=JAN_16, quantity=2)
        pay(account)
        changed(account, on=JAN_16, quantity=1)
        assert billed_less_credited(account) == 2100
        assert discrepancies() == []

    def test_to_the_same_price_issues_nothing(self) -> None:
        account = billed_account()
        changed(account, plan=a_plan(unit_amount_minor=3100).code)
        assert net_of_changes(account) == [(1600, 1600)]
        assert len(invoices_of(account)) == 1
        assert discrepancies() == []


class TestWithoutProration:
    def test_leaves_what_was_billed_for_later_credits(self) -> None:
        account = billed_account()
        changed(account, quantity=3, how={"proration": "none"})
        assert (net_of_changes(account), len(invoices_of(account))) == ([], 1)
        changed(account, on=JAN_21, unit_amount_minor=0)
        assert net_of_changes(account) == [(1100, 0)]

    def test_counts_from_the_next_period_on(self) -> None:
        account = billed_account()
        changed(account, quantity=3, how={"proration": "none"})
        billed(as_of=FEB_1)
        assert invoices_of(account)[-1].total_minor == 9300


class TestBeforeTheFirstPeriod:
    def test_bills_nothing_on_a_trial(self) -> None:
        account = an_account(plan=a_plan(trial_days=20))
        change = changed(account, plan=a_plan(unit_amount_minor=500).code)
        assert change.billed is None
        billed(as_of=JAN_21)
        (invoice,) = invoices_of(account)
        assert [(kind, amount) for kind, _, amount in lines_of(invoice)] == [("period", 500)]

    def test_with_another_interval_keeps_the_day_on_which_the_trial_ends(self) -> None:
        account = an_account(plan=a_plan(trial_days=20))
        changed(account, plan=a_plan(interval_unit="week", unit_amount_minor=700).code)
        account.refresh_from_db()
        assert (account.anchor_date, account.rebilling_date) == (JAN_21, JAN_21)
        billed(as_of=datetime.date(2026, 1, 28))
        assert [amount for _, _, amount in lines_of(invoices_of(account)[0])] == [700, 700]

    def test_on_its_first_day_costs_the_whole_period_the_new_price(self) -> None:
        account = an_account(plan=a_plan(unit_amount_minor=3100))
        changed(account, on=TODAY, quantity=2)
        billed(as_of=TODAY)
        assert [invoice.total_minor for invoice in invoices_of(account)] == [6200]


class TestAnotherInterval:
    def test_ends_the_period_credits_its_rest_and_begins_a_new_one(self) -> None:
        account = billed_account()
        yearly = a_plan(interval_unit="year", unit_amount_minor=36500)
        change = changed(account, plan=yearly.code)
        next_year = datetime.date(2027, 1, 16)
        assert (change.rebilling_date, net_of_changes(account)) == (next_year, [(1600, 0)])
        account.refresh_from_db()
        assert (account.anchor_date, account.rebilling_date, account.credit_balance_minor) == (JAN_16, next_year, 0)
        first, new = Rebilling.objects.filter(account=account).order_by("period_start")
        assert (first.ended_on, new.run.kind) == (JAN_16, "on_demand")
        pay(account)
        billed(as_of=JAN_16)
        invoice = invoices_of(account)[-1]
        assert (invoice.total_minor, invoice.balance_applied_minor, invoice.paid_minor) == (36500, 1600, 34900)
        assert change.new_period is not None
        assert change.new_period.invoice is not None
        assert (change.new_period.invoice.invoice.id, new.period_end) == (invoice.id, next_year)
        assert discrepancies() == []
        assert list(missing_periods(as_of=MAR_1)) == []

    def test_on_the_periods_first_day_gives_all_of_it_back(self) -> None:
        account = billed_account()
        weekly = a_plan(interval_unit="week", unit_amount_minor=700)
        changed(account, on=TODAY, plan=weekly.code, how={"now": at(TODAY) + datetime.timedelta(hours=1)})
        first, new = Rebilling.objects.filter(account=account).order_by("id")
        assert (first.status, new.status, net_of_changes(account)) == ("VOIDED", "CHARGED", [(3100, 0)])
        assert billed_less_credited(account) == 700
        assert discrepancies() == []

    def test_begins_what_no_sweep_of_that_day_has_missed(self) -> None:
        account = billed_account()
        run = swept(as_of=JAN_16, queue=QueueInHand())
        # The sweep was at noon, and the change comes after it.
        later = at(JAN_16) + datetime.timedelta(minutes=5)
        changed(account, how={"now": later}, anchor_date=JAN_16)
        (found,) = reconcile(runs=[run], now=later + datetime.timedelta(hours=2))
        assert found.unexplained.periods == 0
        account.refresh_from_db()
        assert account.billing_since == later

    def test_credits_what_earlier_changes_charged_too(self) -> None:
        account = billed_account()
        changed(account, quantity=2)
        pay(account)
        changed(account, on=JAN_21, plan=a_plan(interval_unit="year").code)
        assert net_of_changes(account)[1] == (2200, 0)
        assert billed_less_credited(account) == 1500 + 1000 + 2 * 1999

    def test_moves_the_billing_day_with_the_same_plan(self) -> None:
        account = billed_account()
        changed(account, anchor_date=JAN_16)
        assert Rebilling.objects.latest("period_start").period_end == datetime.date(2026, 2, 16)
        assert billed_less_credited(account) == 1500 + 3100

    def test_is_for_the_next_sweep_to_find_and_not_for_the_one_before(self) -> None:
        account = billed_account()
        run = billed(as_of=JAN_16)
        changed(account, anchor_date=JAN_16)
        (found,) = reconcile(runs=[run], now=at(JAN_16))
        assert found.unexplained.periods == 0

    def test_at_the_periods_end_counts_from_there(self) -> None:
        account = billed_account()
        weekly = a_plan(interval_unit="week", unit_amount_minor=700)
        changed(account, plan=weekly.code, how={"effective": "period_end"})
        billed(as_of=datetime.date(2026, 2, 8))
        assert [line[2] for line in lines_of(invoices_of(account)[-1])] == [700, 700]
        assert list(missing_periods(as_of=datetime.date(2026, 2, 8))) == []
        assert discrepancies() == []


def contents_of(new: NewPeriod | None) -> Any:
    """What is billed of a new period, but for ids."""
    found = new and new.invoice
    return found and contents(found.invoice, found.lines, found.balance_uses)


class TestDryRun:
    @pytest.mark.parametrize(
        ("to", "effective"),
        [
            ({"quantity": 2}, "now"),
            ({"unit_amount_minor": 100}, "now"),
            ({"anchor_date": JAN_16}, "now"),
            ({"quantity": 2}, "period_end"),
        ],
    )
    def test_answers_what_would_be_booked_and_books_nothing(self, to: dict[str, Any], effective: str) -> None:
        account = billed_account()
        with nothing_moves():
            preview = changed(account, how={"dry_run": True, "effective": effective}, **to)
        change = changed(account, how={"effective": effective}, **to)
        assert change.after._replace(id=None) == preview.after._replace(id=None)
        assert change.rebilling_date == preview.rebilling_date
        assert contents_of(change.new_period) == contents_of(preview.new_period)
        assert (change.new_period is None) == ("anchor_date" not in to)
        if change.billed is None:
            assert preview.billed is None
            return
        assert preview.billed is not None
        assert preview.billed.lines == change.billed.lines
        noted = [(note.invoice_id, note.amount_minor) for note in change.billed.credit_notes]
        assert [(note.invoice_id, note.amount_minor) for note in preview.billed.credit_notes] == noted


class TestWhatIsRefused:
    def refused(self, refusal: type[OperationError], account: Account, **given: Any) -> OperationError:
        with nothing_moves(), pytest.raises(refusal) as caught:
            changed(account, **given)
        return caught.value

    @pytest.mark.parametrize(
        ("to", "field", "message"),
        [
            ({"plan": "nowhere"}, "plan", "There is no plan 'nowhere'."),
            ({"plan": "in-euros"}, "plan", "The plan is in EUR, and the account in USD."),
            ({"plan": "old"}, "plan", "The plan 'old' is retired."),
            ({"quantity": 0}, "quantity", "Must be from 1 to 2147483647."),
            ({"quantity": 2**31}, "quantity", "Must be from 1 to 2147483647."),
            ({"unit_amount_minor": -1}, "unit_amount_minor", "Must be from 0.00 USD to"),
            ({"quantity": 10**9}, "quantity", "A period would cost"),
            ({"anchor_date": TODAY}, "anchor_date", "Must be 2026-01-16, the first day of the new terms."),
        ],
    )
    def test_say_what_is_wrong(self, to: dict[str, Any], field: str, message: str) -> None:
        a_plan(code="in-euros", currency="EUR")
        a_plan(code="old")
        retire_plan(code="old")
        error = self.refused(UnableToChangeTerms, billed_account(), **to)
        assert list(error.errors) == [field]
        assert error.errors[field].startswith(message)

    @pytest.mark.parametrize(
        ("effective", "message"),
        [
            (TODAY, "Must be 2026-01-16 or later."),
            (JAN_21, "2026-01-21 is not the start of a period. The next one starts on 2026-02-01."),
            (datetime.date(2300, 1, 1), "2300-01-01 is not between 1970-01-01 and 2200-12-31."),
        ],
    )
    def test_of_a_day_that_is_no_period_start(self, effective: datetime.date, message: str) -> None:
        error = self.refused(UnableToChangeTerms, billed_account(), how={"effective": effective}, quantity=2)
        assert error.errors == {"effective": message}

    def test_of_no_change_at_all(self) -> None:
        account = billed_account()
        plan = Plan.objects.get(terms__account=account)
        for to in ({}, {"quantity": 1}, {"plan": plan.code, "unit_amount_minor": 3100}):
            assert self.refused(UnableToChangeTerms, account, **to).detail == "These are the account's terms already."

    def test_of_another_interval_without_proration(self) -> None:
        weekly = a_plan(interval_unit="week").code
        error = self.refused(UnableToChangeTerms, billed_account(), plan=weekly, how={"proration": "none"})
        assert list(error.errors) == ["proration"]

    def test_of_an_inactive_account(self) -> None:
        account = billed_account()
        close_account(account_id=account.id, reason="gone", author="bo", today=TODAY, now=at(TODAY))
        self.refused(AccountInactive, account, quantity=2)

    def test_of_an_unknown_account_and_without_a_reason(self) -> None:
        self.refused(UnknownAccount, Account(id=uuid.uuid4()), quantity=2)
        self.refused(InvalidReason, billed_account(), quantity=2, how={"reason": " "})

    def test_while_the_running_period_is_not_charged(self) -> None:
        account = an_account()
        assert self.refused(PeriodNotCharged, account, quantity=2).passing  # type: ignore[attr-defined]
        swept(as_of=TODAY, queue=QueueInHand())
        self.refused(PeriodNotCharged, account, on=TODAY, quantity=2)

    def test_while_a_payment_of_the_period_is_in_flight(self) -> None:
        account = billed_account()
        changed(account, quantity=2)
        assert self.refused(PaymentInFlight, account, quantity=3).passing  # type: ignore[attr-defined]

    def test_while_a_refund_of_the_period_is_in_flight(self) -> None:
        account = billed_account()
        payment = Payment.objects.get(account=account)
        request_refund(
            payment_id=payment.id, amount_minor=100, reason="some", author="bo", today=JAN_16, now=at(JAN_16)
        )
        self.refused(RefundInFlight, account, quantity=2)

    def test_of_a_period_that_was_credited_whole(self) -> None:
        account = billed_account()
        issue_credit_note(
            invoice_id=invoices_of(account)[0].id, reason="wrong", author="bo", today=TODAY, now=at(TODAY)
        )
        self.refused(PeriodGivenBack, account, quantity=2)
        changed(account, quantity=2, how={"effective": "period_end"})
        billed(as_of=FEB_1)
        assert invoices_of(account)[-1].total_minor == 6200
