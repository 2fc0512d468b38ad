"""Terms of a later day: billed from then on, withdrawn, and what closing, pausing and trials make of them."""

import datetime
import uuid
from typing import Any

import pytest

from accounts.models import Account, Terms
from accounts.terms import terms_of
from rebilling.books import discrepancies
from rebilling.reconciliation.missing_periods import missing_periods
from subscriptions.agreed_terms import UnableToChangeTerms
from subscriptions.due_changes import apply_due_changes
from subscriptions.lifecycle import close_account, reopen_account
from subscriptions.pauses import pause_account, resume_account
from subscriptions.terms_changes import BillingStops, TermsPending
from subscriptions.terms_withdrawals import NotPending, UnknownTerms, withdraw_terms
from subscriptions.trials import move_trial_end
from tests.builders import TODAY, a_plan, an_account, at, billed
from tests.support.databases import rolled_back
from tests.support.owing import FEB_1, MAR_1, invoices_of
from tests.support.terms import JAN_16, JAN_21, billed_account, changed, lines_of
from tests.support.unchanged import nothing_moves

JAN_10, FEB_10 = datetime.date(2026, 1, 10), datetime.date(2026, 2, 10)

pytestmark = rolled_back


def signed(day: datetime.date) -> dict[str, Any]:
    return {"reason": "asked for", "author": "bo", "today": day, "now": at(day)}


def pending_of(account: Account) -> int:
    """The quantity of its pending terms."""
    pending = terms_of([account.id])[account.id].pending(JAN_21)
    assert pending is not None
    return pending.quantity


class TestPendingTerms:
    def test_is_billed_from_the_next_period_on(self) -> None:
        account = billed_account()
        change = changed(account, quantity=2, how={"effective": "period_end"})
        assert (change.after.effective_from, change.billed) == (FEB_1, None)
        history = terms_of([account.id])[account.id]
        assert (history.in_force(JAN_21).quantity, history.pending(JAN_21)) == (1, change.after)
        billed(as_of=FEB_1)
        assert invoices_of(account)[-1].total_minor == 6200

    def test_may_begin_with_a_later_period(self) -> None:
        account = billed_account()
        changed(account, quantity=2, how={"effective": MAR_1})
        billed(as_of=MAR_1)
        assert [line[2] for line in lines_of(invoices_of(account)[-1])] == [3100, 6200]

    def test_keeps_other_changes_out_until_it_is_withdrawn(self) -> None:
        account = billed_account()
        change = changed(account, quantity=2, how={"effective": "period_end"})
        with nothing_moves(), pytest.raises(TermsPending, match="Other terms are agreed for 2026-02-01"):
            changed(account, quantity=3)
        assert change.after.id is not None
        withdraw_terms(account_id=account.id, terms_id=change.after.id, **signed(JAN_21))
        last = account.changes.latest("id")
        assert (last.before, last.after) == ({"pending_terms": "2026-02-01"}, {"pending_terms": None})
        with nothing_moves(), pytest.raises(NotPending, match="withdrawn before"):
            withdraw_terms(account_id=account.id, terms_id=change.after.id, **signed(JAN_21))
        changed(account, on=JAN_21, quantity=3)
        assert terms_of([account.id])[account.id].in_force(FEB_1).quantity == 3

    def test_in_force_is_not_withdrawn(self) -> None:
        account = billed_account()
        change = changed(account, quantity=2, how={"effective": "period_end"})
        assert change.after.id is not None
        for terms_id, refusal in ((change.after.id, NotPending), (uuid.uuid4(), UnknownTerms)):
            with nothing_moves(), pytest.raises(refusal):
                withdraw_terms(account_id=account.id, terms_id=terms_id, **signed(FEB_1))

    def test_are_withdrawn_when_the_account_is_closed_now_or_on_a_day(self) -> None:
        now, later = billed_account(), billed_account()
        for account in (now, later):
            changed(account, quantity=2, how={"effective": MAR_1})
        close_account(account_id=later.id, at="period_end", **signed(JAN_21))
        assert pending_of(later) == 2
        close_account(account_id=now.id, **signed(JAN_21))
        assert Terms.objects.get(account=now, effective_from=MAR_1).withdrawn_at == at(JAN_21)
        assert apply_due_changes(as_of=FEB_1, today=FEB_1, now=at(FEB_1)) == 1
        assert Terms.objects.get(account=later, effective_from=MAR_1).withdrawn_at == at(FEB_1)
        for account in (now, later):
            last = account.changes.latest("id")
            assert (last.reason, last.after) == ("the account was closed", {"pending_terms": None})
            reopen_account(account_id=account.id, **signed(FEB_10))
            billed(as_of=datetime.date(2026, 3, 10))
            new = invoices_of(account)[-2:]
            assert [line[2] for invoice in new for line in lines_of(invoice)] == [3100, 3100]

    def test_are_withdrawn_when_a_resumed_account_begins_anew(self) -> None:
        account = billed_account()
        changed(account, quantity=2, how={"effective": MAR_1})
        pause_account(account_id=account.id, **signed(JAN_21))
        assert apply_due_changes(as_of=FEB_1, today=FEB_1, now=at(FEB_1)) == 1
        assert pending_of(account) == 2
        resume_account(account_id=account.id, **signed(FEB_10))
        assert Terms.objects.get(effective_from=MAR_1).withdrawn_at == at(FEB_10)
        billed(as_of=datetime.date(2026, 3, 10))
        new = invoices_of(account)[-2:]
        assert [line[2] for invoice in new for line in lines_of(invoice)] == [3100, 3100]

    def test_come_into_force_during_a_pause(self) -> None:
        account = billed_account()
        changed(account, quantity=2, how={"effective": FEB_1})
        pause_account(account_id=account.id, **signed(JAN_21))
        assert apply_due_changes(as_of=FEB_1, today=FEB_1, now=at(FEB_1)) == 1
        resume_account(account_id=account.id, **signed(FEB_10))
        billed(as_of=FEB_10)
        assert invoices_of(account)[-1].total_minor == 6200

    def test_survive_a_pause_that_the_running_period_outlives(self) -> None:
        account = billed_account()
        changed(account, quantity=2, how={"effective": "period_end"})
        pause_account(account_id=account.id, at="now", **signed(JAN_16))
        resume_account(account_id=account.id, **signed(JAN_21))
        billed(as_of=FEB_1)
        assert invoices_of(account)[-1].total_minor == 6200


class TestTrial:
    @pytest.mark.parametrize(("ends_on", "quantity"), [(JAN_10, 2), (JAN_21, 2), (TODAY, 2)])
    def test_moved_takes_the_terms_of_the_first_period_with_it(self, ends_on: datetime.date, quantity: int) -> None:
        account = an_account(plan=a_plan(unit_amount_minor=3100, trial_days=14))
        changed(account, on=TODAY, quantity=quantity, how={"effective": "period_end"})
        move_trial_end(account_id=account.id, ends_on=ends_on, **signed(TODAY))
        history = terms_of([account.id])[account.id]
        pending = history.pending(TODAY)
        assert (pending and pending.effective_from) == (ends_on if ends_on > TODAY else None)
        assert account.changes.latest("id").after["pending_terms"] == ends_on.isoformat()
        billed(as_of=ends_on)
        row = account.rebillings.get()
        assert (row.period_start, row.amount_minor) == (ends_on, quantity * 3100)
        assert (discrepancies(), list(missing_periods(as_of=ends_on))) == ([], [])
        withdrawn = Terms.objects.filter(account=account, withdrawn_at__isnull=False)
        assert [terms.effective_from for terms in withdrawn] == [datetime.date(2026, 1, 15)]

    def test_moved_withdraws_those_of_a_later_period(self) -> None:
        account = an_account(plan=a_plan(unit_amount_minor=3100, trial_days=14))
        changed(account, on=TODAY, quantity=2, how={"effective": datetime.date(2026, 2, 15)})
        move_trial_end(account_id=account.id, ends_on=JAN_21, **signed(TODAY))
        assert terms_of([account.id])[account.id].pending(TODAY) is None
        assert account.changes.latest("id").after["pending_terms"] is None
        billed(as_of=datetime.date(2026, 2, 21))
        assert [row.amount_minor for row in account.rebillings.all()] == [3100, 3100]

    def test_is_ended_by_its_own_call_and_not_by_an_anchor(self) -> None:
        account = an_account(plan=a_plan(trial_days=14))
        with nothing_moves(), pytest.raises(UnableToChangeTerms) as caught:
            changed(account, on=TODAY, anchor_date=TODAY)
        assert caught.value.errors == {"anchor_date": "The account is on a trial: move the trial's end instead."}


class TestBillingThatStops:
    def test_keeps_out_terms_that_would_never_be_in_force(self) -> None:
        account = billed_account()
        close_account(account_id=account.id, at="period_end", **signed(TODAY))
        with nothing_moves(), pytest.raises(BillingStops, match="on 2026-02-01"):
            changed(account, quantity=2, how={"effective": "period_end"})
        changed(account, quantity=2)
        assert invoices_of(account)[-1].total_minor == 1600

    @pytest.mark.parametrize("stop", [close_account, pause_account])
    def test_keeps_out_a_period_that_would_be_cut(self, stop: Any) -> None:
        account = billed_account()
        stop(account_id=account.id, at="period_end", **signed(TODAY))
        with nothing_moves(), pytest.raises(BillingStops):
            changed(account, anchor_date=JAN_16)

    def test_by_a_pause_lets_terms_be_agreed_for_after_it(self) -> None:
        account = billed_account()
        pause_account(account_id=account.id, **signed(TODAY))
        assert changed(account, quantity=2, how={"effective": "period_end"}).after.effective_from == FEB_1
