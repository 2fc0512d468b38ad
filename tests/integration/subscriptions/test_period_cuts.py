"""A billing day that moves on a later day: the daily run cuts the period that runs then, and begins a new one."""

import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from accounts.models import Account, Terms
from accounts.tax_rates import create_tax_rate
from accounts.terms import terms_of
from invoices.credit_notes import issue_credit_note
from invoices.models import CreditNote
from payments.gateways.port import Unknown
from payments.models import Payment
from payments.reviews import resolve_payment
from rebilling.books import discrepancies
from rebilling.models import Proration
from rebilling.reconciliation.missing_periods import missing_periods
from rebilling.reconciliation.summary import reconciliation_of
from rebilling.run_review import release_run
from subscriptions.account_story import explain_account
from subscriptions.agreed_terms import UnableToChangeTerms
from subscriptions.discounts import give_discount
from subscriptions.lifecycle import close_account
from subscriptions.pauses import pause_account, resume_account
from subscriptions.pending_changes import take_back
from subscriptions.terms_changes import BillingStops, TermsChange, TermsPending
from subscriptions.terms_withdrawals import StopsWithThem, withdraw_terms
from tests.builders import TODAY, QueueInHand, a_plan, an_account, at, billed, swept
from tests.support.databases import rolled_back
from tests.support.lifecycle import DAY, JAN_10, starts, status_of
from tests.support.owing import DECLINED, FEB_1, MAR_1, answers, invoices_of, owing, rows, state_of
from tests.support.terms import JAN_16, JAN_21, billed_account, changed, lines_of, pay
from tests.support.unchanged import nothing_moves

FEB_10, FEB_16 = datetime.date(2026, 2, 10), datetime.date(2026, 2, 16)
NOT_KNOWN = Unknown(reason="the gateway moved 5 USD", needs_review=True)

pytestmark = rolled_back


def moving(account: Account, day: datetime.date = JAN_16, *, on: datetime.date = JAN_10, **to: Any) -> TermsChange:
    """On the 10th it is agreed that periods begin on that day."""
    return changed(account, on=on, how={"effective": day}, anchor_date=day, **to)


def signed(day: datetime.date) -> dict[str, Any]:
    return {"reason": "asked for", "author": "bo", "today": day, "now": at(day)}


def noted(account: Account) -> list[tuple[int, int, datetime.date]]:
    """Its credit notes: amount, of it to the balance, day of issue."""
    found = CreditNote.objects.filter(account=account).order_by("id")
    return list(found.values_list("amount_minor", "to_balance_minor", "issued_on"))


def run(*, as_of: datetime.date) -> None:
    """The daily run alone: what is at the gateway stays there."""
    swept(as_of=as_of, queue=QueueInHand())


def taken(account: Account, *, on: datetime.date) -> None:
    """A person finds that the money was moved."""
    payment = Payment.objects.get(account=account)
    resolve_payment(payment_id=payment.id, taken=True, reference="pi_1", **signed(on))


def assert_sound(account: Account, *, day: datetime.date) -> None:
    assert discrepancies(accounts=[account.id]) == []
    assert [missing for missing in missing_periods(as_of=day) if missing.account_id == account.id] == []


def waits(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    found = [vars(record) for record in caplog.records if getattr(record, "event", "") == "account.cut_waits"]
    return [(record["day"], record["because"]) for record in found]


MOVED = [(TODAY, JAN_16, "CHARGED"), (JAN_16, FEB_16, "CHARGED")]


class TestAgreed:
    def test_is_pending_and_bills_nothing(self) -> None:
        account = billed_account()
        change = moving(account)
        assert (change.billed, change.rebilling_date) == (None, JAN_16)
        history = terms_of([account.id])[account.id]
        assert history.pending(JAN_10) == change.after
        assert history.in_force(JAN_10).anchor_date == TODAY
        assert explain_account(account.id, today=JAN_10)[1:] == [
            "The next billing day is 16 Jan 2026.",
            f"From 16 Jan 2026 on it is billed 31.00 USD a period ({change.after.plan_name}).",
            "The period that runs on that day ends then: its rest is credited, and a new one begins.",
        ]
        for day in (JAN_10, JAN_16 - DAY):
            billed(as_of=day)
        assert starts(account) == [(TODAY, FEB_1, "CHARGED")]
        assert noted(account) == []

    def test_keeps_other_changes_out_until_it_is_withdrawn(self) -> None:
        account = billed_account()
        change = moving(account)
        with nothing_moves(), pytest.raises(TermsPending):
            changed(account, on=JAN_10, quantity=2)
        assert change.after.id is not None
        withdraw_terms(account_id=account.id, terms_id=change.after.id, **signed(JAN_10))
        billed(as_of=JAN_16)
        billed(as_of=FEB_1)
        assert starts(account) == [(TODAY, FEB_1, "CHARGED"), (FEB_1, MAR_1, "CHARGED")]
        assert_sound(account, day=FEB_1)

    def test_on_a_periods_first_day_cuts_nothing(self) -> None:
        account = billed_account()
        assert not moving(account, FEB_1, quantity=2).after.cuts_period
        billed(as_of=FEB_1)
        assert [row.amount_minor for row in account.rebillings.order_by("period_start")] == [3100, 6200]
        assert noted(account) == []

    def test_with_an_interval_needs_no_anchor_date(self) -> None:
        account = billed_account()
        weekly = a_plan(interval_unit="week", unit_amount_minor=700).code
        assert changed(account, on=JAN_10, plan=weekly, how={"effective": JAN_16}).after.anchor_date == JAN_16
        billed(as_of=JAN_21)
        billed(as_of=JAN_16 + 7 * DAY)
        assert starts(account)[1:] == [
            (JAN_16, JAN_16 + 7 * DAY, "CHARGED"),
            (JAN_16 + 7 * DAY, JAN_16 + 14 * DAY, "CHARGED"),
        ]
        assert_sound(account, day=JAN_16 + 7 * DAY)


class TestWithdrawn:
    @pytest.mark.parametrize("stop", [close_account, pause_account])
    def test_is_refused_where_the_account_stops_on_that_day(self, stop: Any) -> None:
        account = billed_account()
        change = moving(account)
        stop(account_id=account.id, at="period_end", **signed(JAN_10))
        assert change.after.id is not None
        with nothing_moves(), pytest.raises(StopsWithThem, match="to be closed or paused on 2026-01-16"):
            withdraw_terms(account_id=account.id, terms_id=change.after.id, **signed(JAN_10))


class TestOnItsDay:
    def test_cuts_the_period_credits_its_rest_and_bills_a_new_one(self) -> None:
        account = billed_account()
        change = moving(account, quantity=2)
        run = billed(as_of=JAN_16)
        assert starts(account) == MOVED
        # 16 of 31 days at 1.00 are left; two months of another 31.00 less that are collected.
        assert noted(account) == [(1600, 1600, JAN_16)]
        assert rows(account) == [("PAID", 0, 3100), ("PAID", 1600, 4600)]
        assert lines_of(invoices_of(account)[1]) == [
            ("period", f"{change.after.plan_name} x 2, 16 Jan to 15 Feb 2026", 6200)
        ]
        assert state_of(account) == ("ACTIVE", 0, 0)
        terms = Terms.objects.get(account=account, cuts_period=True)
        assert (terms.cut_at, Proration.objects.get().changed_on) == (at(JAN_16), JAN_16)
        last = account.changes.latest("id")
        assert (last.reason, last.author) == ("more seats", "system:billing")
        assert last.after == {"anchor_date": "2026-01-16", "rebilling_date": "2026-01-16"}
        assert terms_of([account.id])[account.id].pending(JAN_16) is None
        assert reconciliation_of(run=run, now=at(JAN_16 + DAY)).clean
        assert_sound(account, day=JAN_16)

    def test_is_cut_once(self) -> None:
        account = billed_account()
        moving(account)
        for day in (JAN_16, JAN_16, JAN_21):
            billed(as_of=day)
        assert (starts(account), len(noted(account))) == (MOVED, 1)

    @pytest.mark.parametrize("down_until", [JAN_16 + 2 * DAY, FEB_1 + 3 * DAY, datetime.date(2026, 4, 1)])
    def test_is_the_day_however_late_the_run_is(self, down_until: datetime.date) -> None:
        account = billed_account()
        moving(account)
        billed(as_of=down_until)
        assert starts(account)[:2] == MOVED
        assert all(end == start for (_, end, _), (start, *_) in zip(starts(account), starts(account)[1:], strict=False))
        assert noted(account) == [(1600, 1600, down_until)]
        assert_sound(account, day=down_until)

    def test_within_a_later_period_bills_that_one_whole_first(self) -> None:
        account = billed_account()
        moving(account, FEB_10)
        billed(as_of=FEB_1)
        assert starts(account)[1:] == [(FEB_1, MAR_1, "CHARGED")]
        run = billed(as_of=FEB_10)
        # 9 of 28 days are used, 31.00 * 9 / 28 = 9.96.
        assert noted(account) == [(2104, 2104, FEB_10)]
        assert starts(account)[1:] == [(FEB_1, FEB_10, "CHARGED"), (FEB_10, datetime.date(2026, 3, 10), "CHARGED")]
        assert reconciliation_of(run=run, now=at(FEB_10 + DAY)).clean
        assert_sound(account, day=FEB_10)

    def test_within_a_period_that_was_missed_too_comes_with_the_run_after_its_charge(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        account = billed_account()
        moving(account, FEB_10)
        billed(as_of=FEB_16)
        assert starts(account)[1:] == [(FEB_1, MAR_1, "CHARGED")]
        assert waits(caplog) == [("2026-02-10", "The running period is due, and not charged yet: wait until it is.")]
        assert_sound(account, day=FEB_16)
        billed(as_of=FEB_16 + DAY)
        assert starts(account)[1:] == [(FEB_1, FEB_10, "CHARGED"), (FEB_10, datetime.date(2026, 3, 10), "CHARGED")]
        assert noted(account) == [(2104, 2104, FEB_16 + DAY)]
        assert_sound(account, day=FEB_16 + DAY)

    @pytest.mark.parametrize("day", [TODAY + days * DAY for days in (1, 9, 15, 30)])
    @pytest.mark.parametrize("discount", [{}, {"percent": Decimal("12.5")}, {"percent": Decimal(100)}])
    def test_bills_what_a_change_on_that_day_does(self, day: datetime.date, discount: dict[str, Any]) -> None:
        def amounts(*, in_advance: bool) -> Any:
            with transaction.atomic():
                vat = create_tax_rate(name="VAT", percent=Decimal("8.875"), inclusive=False, now=at(TODAY))
                account = an_account(plan=a_plan(code="pro", unit_amount_minor=3333), tax_rate=vat.id)
                if discount:
                    give_discount(account_id=account.id, **discount, **signed(TODAY))
                billed(as_of=TODAY)
                if in_advance:
                    preview = changed(
                        account, on=TODAY, how={"effective": day, "dry_run": True}, anchor_date=day, quantity=2
                    )
                    moving(account, day, on=TODAY, quantity=2)
                else:
                    preview = changed(account, on=day, how={"dry_run": True}, anchor_date=day, quantity=2)
                    changed(account, on=day, anchor_date=day, quantity=2)
                    pay(account, on=day)
                billed(as_of=day)
                assert_sound(account, day=day)
                assert preview.billed is not None
                row = Proration.objects.get()
                assert preview.billed.proration.net_minor == row.net_minor
                lines = [line for invoice in invoices_of(account) for line in lines_of(invoice)]
                found = lines, noted(account), starts(account), state_of(account), row.credit_minor
                transaction.set_rollback(True)
            return found

        assert amounts(in_advance=True) == amounts(in_advance=False)


class TestThatCannotBeCreditedYet:
    """It waits for a later run, as of the same day."""

    def test_while_a_payment_is_in_flight(self, caplog: pytest.LogCaptureFixture) -> None:
        account = owing(NOT_KNOWN, plan=a_plan(unit_amount_minor=3100))
        moving(account)
        for day in (JAN_16, FEB_1, FEB_1 + DAY):
            run(as_of=day)
            # Nothing is billed for a day that the period covers, nor by the old terms for one after it.
            assert starts(account) == [(TODAY, FEB_1, "CHARGED")]
            assert_sound(account, day=day)
        assert [day for day, _ in waits(caplog)] == ["2026-01-16"] * 3
        assert "at the gateway" in waits(caplog)[0][1]
        # The first only warns. What lasts longer than three days rings.
        levels = [record.levelname for record in caplog.records if getattr(record, "event", "") == "account.cut_waits"]
        assert levels == ["WARNING", "ERROR", "ERROR"]
        with nothing_moves(), pytest.raises(TermsPending):
            changed(account, on=FEB_1, quantity=2)
        taken(account, on=FEB_1 + DAY)
        billed(as_of=FEB_1 + DAY)
        assert starts(account) == MOVED
        assert noted(account) == [(1600, 1600, FEB_1 + DAY)]
        assert_sound(account, day=FEB_1 + DAY)

    def test_may_be_withdrawn_meanwhile(self) -> None:
        account = owing(NOT_KNOWN)
        change = moving(account)
        run(as_of=FEB_1)
        assert change.after.id is not None
        withdraw_terms(account_id=account.id, terms_id=change.after.id, **signed(FEB_1))
        run(as_of=FEB_1)
        assert starts(account) == [(TODAY, FEB_1, "CHARGED"), (FEB_1, MAR_1, "DUE")]
        assert_sound(account, day=FEB_1)

    def test_while_its_period_is_held(self, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
        account = billed_account()
        moving(account, FEB_10)
        for _ in range(2):
            an_account(plan=a_plan(currency="EUR"), today=JAN_10, anchor_date=FEB_1)
        settings.VOLUME_CHECK_FIRST_PERIODS = 1
        held = swept(as_of=FEB_1, queue=QueueInHand())
        assert held.status == "HELD"
        run(as_of=FEB_10)
        assert starts(account)[1:] == [(FEB_1, MAR_1, "DUE")]
        assert [day for day, _ in waits(caplog)] == ["2026-02-10"]
        release_run(run_id=held.id, reason="as usual", author="bo", now=at(FEB_10), queue=QueueInHand())
        billed(as_of=FEB_10)
        billed(as_of=FEB_10 + DAY)
        assert starts(account)[1:] == [(FEB_1, FEB_10, "CHARGED"), (FEB_10, datetime.date(2026, 3, 10), "CHARGED")]
        assert_sound(account, day=FEB_10 + DAY)

    def test_keeps_a_closing_of_that_day_waiting(self) -> None:
        account = owing(NOT_KNOWN, plan=a_plan(unit_amount_minor=3100))
        moving(account)
        close_account(account_id=account.id, at=JAN_16, **signed(JAN_10))
        run(as_of=JAN_16)
        assert status_of(account)[0] != "INACTIVE"
        taken(account, on=JAN_21)
        billed(as_of=JAN_21)
        assert status_of(account) == ("INACTIVE", "closed")
        assert noted(account) == [(1600, 1600, JAN_21)]

    def test_of_an_account_that_is_closed_now_is_dropped(self) -> None:
        account = owing(NOT_KNOWN)
        moving(account)
        run(as_of=JAN_16)
        close_account(account_id=account.id, **signed(JAN_21))
        assert Terms.objects.get(account=account, cuts_period=True).withdrawn_at == at(JAN_21)
        run(as_of=JAN_21)
        assert (noted(account), starts(account)) == ([], [(TODAY, FEB_1, "CHARGED")])
        assert_sound(account, day=JAN_21)

    def test_is_foreseen_without_an_amount(self) -> None:
        account = owing(NOT_KNOWN)
        with nothing_moves():
            preview = changed(account, on=JAN_10, how={"effective": JAN_16, "dry_run": True}, anchor_date=JAN_16)
        assert preview.billed is None


class TestThatHasNothingToCredit:
    def test_as_it_was_given_back_begins_a_new_one(self) -> None:
        account = billed_account()
        moving(account)
        issue_credit_note(invoice_id=invoices_of(account)[0].id, **signed(JAN_10))
        billed(as_of=JAN_16)
        assert starts(account) == [(TODAY, FEB_1, "VOIDED"), (JAN_16, FEB_16, "CHARGED")]
        assert [amount for amount, *_ in noted(account)] == [3100]
        assert Proration.objects.count() == 0
        assert_sound(account, day=JAN_16)

    def test_as_it_is_free_begins_a_new_one(self) -> None:
        account = billed_account(0)
        moving(account, unit_amount_minor=3100)
        billed(as_of=JAN_16)
        assert (starts(account), noted(account)) == (MOVED, [])
        assert_sound(account, day=JAN_16)


class TestAnInactiveAccount:
    """It has no new period: the change is dropped."""

    def assert_dropped(self, account: Account, *, because: str) -> None:
        assert (noted(account), starts(account)) == ([], [(TODAY, FEB_1, "CHARGED")])
        history = terms_of([account.id])[account.id]
        assert (history.pending(JAN_10), history.in_force(FEB_1).anchor_date) == (None, TODAY)
        last = account.changes.latest("id")
        assert last.reason == f"the account was INACTIVE ({because}) when its new period was to begin"
        assert last.before == {"pending_terms": "2026-01-16"}
        assert_sound(account, day=JAN_16)

    def test_that_is_paused(self) -> None:
        account = billed_account()
        moving(account)
        pause_account(account_id=account.id, at="now", **signed(JAN_10))
        billed(as_of=JAN_16)
        self.assert_dropped(account, because="paused")
        resume_account(account_id=account.id, **signed(JAN_21))
        billed(as_of=FEB_1)
        assert starts(account)[1:] == [(FEB_1, MAR_1, "CHARGED")]

    def test_that_is_unpaid(self) -> None:
        account = owing()
        moving(account, on=TODAY)
        for days in range(1, 16):
            billed(as_of=TODAY + days * DAY, gateway=answers(DECLINED))
        self.assert_dropped(account, because="unpaid")

    def test_that_resumes_first_is_cut(self) -> None:
        account = billed_account()
        moving(account)
        pause_account(account_id=account.id, at="now", until=JAN_16, **signed(JAN_10))
        billed(as_of=JAN_21)
        assert (starts(account), len(noted(account))) == (MOVED, 1)
        assert_sound(account, day=JAN_21)

    def test_that_resumes_with_a_period_of_its_own_is_not(self) -> None:
        account = billed_account()
        moving(account, FEB_16)
        pause_account(account_id=account.id, until=FEB_10, **signed(JAN_10))
        for day in (FEB_1, FEB_10, FEB_16):
            billed(as_of=day)
        assert starts(account)[1:] == [(FEB_10, datetime.date(2026, 3, 10), "CHARGED")]
        assert Terms.objects.get(account=account, cuts_period=True).withdrawn_at == at(FEB_10)
        assert (noted(account), status_of(account)[0]) == ([], "ACTIVE")


class TestBillingThatStops:
    """The end of the running period is the day on which it is cut."""

    @pytest.mark.parametrize("daily", [True, False])
    def test_by_a_closing_at_its_end_credits_the_rest(self, daily: bool) -> None:
        account = billed_account()
        moving(account)
        assert close_account(account_id=account.id, at="period_end", **signed(JAN_10)).account.closes_on == JAN_16
        for day in [JAN_16, JAN_21] if daily else [JAN_21]:
            billed(as_of=day)
        assert starts(account) == [(TODAY, JAN_16, "CHARGED")]
        assert status_of(account) == ("INACTIVE", "closed")
        assert state_of(account)[2] == 1600
        assert discrepancies(accounts=[account.id]) == []

    @pytest.mark.parametrize("daily", [True, False])
    def test_by_a_pause_at_its_end_credits_the_rest_and_begins_anew(self, daily: bool) -> None:
        account = billed_account()
        moving(account)
        pausing = pause_account(account_id=account.id, until=FEB_10, **signed(JAN_10))
        assert pausing.pauses_on == JAN_16
        for day in [JAN_16, JAN_21, FEB_10] if daily else [FEB_10]:
            billed(as_of=day)
        assert starts(account) == [(TODAY, JAN_16, "CHARGED"), (FEB_10, datetime.date(2026, 3, 10), "CHARGED")]
        assert [amount for amount, *_ in noted(account)] == [1600]
        assert_sound(account, day=FEB_10)

    @pytest.mark.parametrize("daily", [True, False])
    def test_by_a_closing_before_it_credits_nothing(self, daily: bool) -> None:
        account = billed_account()
        moving(account)
        close_account(account_id=account.id, at=JAN_16 - DAY, **signed(JAN_10))
        for day in [JAN_16 - DAY, JAN_16] if daily else [JAN_16]:
            billed(as_of=day)
        assert (starts(account), noted(account)) == ([(TODAY, FEB_1, "CHARGED")], [])
        assert Terms.objects.get(account=account, cuts_period=True).withdrawn_at is not None

    def test_by_a_closing_after_it_bills_the_new_period(self) -> None:
        account = billed_account()
        moving(account)
        close_account(account_id=account.id, at=FEB_1, **signed(JAN_10))
        for day in (JAN_16, FEB_1):
            billed(as_of=day)
        assert (starts(account), status_of(account)) == (MOVED, ("INACTIVE", "closed"))

    @pytest.mark.parametrize("stop", [close_account, pause_account])
    def test_keeps_the_change_out_until_it_is_taken_back(self, stop: Callable[..., object]) -> None:
        account = billed_account()
        stop(account_id=account.id, at="period_end", **signed(TODAY))
        with nothing_moves(), pytest.raises(BillingStops, match="on 2026-02-01"):
            moving(account)
        pending = "cancellation" if stop is close_account else "pause"
        take_back(account_id=account.id, change=pending, **signed(JAN_10))
        moving(account)

    def test_at_the_end_of_a_period_that_waits_to_be_cut_is_at_the_new_ones(self) -> None:
        account = owing(NOT_KNOWN)
        moving(account)
        run(as_of=JAN_21)
        assert close_account(account_id=account.id, at="period_end", **signed(JAN_21)).account.closes_on == FEB_16


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("anchor", "effective", "message"),
        [
            (TODAY, TODAY, "Must be 2026-01-10 or later."),
            (JAN_16, JAN_21, "Must be 2026-01-21, the first day of the new terms."),
            (JAN_16, "now", "Must be 2026-01-10, the first day of the new terms."),
            (JAN_16, "period_end", "Must be 2026-02-01, the first day of the new terms."),
            (datetime.date(9999, 12, 31), datetime.date(9999, 12, 31), "9999-12-31 is not between"),
        ],
    )
    def test_says_what_is_wrong_with_the_day(self, anchor: datetime.date, effective: Any, message: str) -> None:
        account = billed_account()
        with nothing_moves(), pytest.raises(UnableToChangeTerms) as caught:
            changed(account, on=JAN_10, how={"effective": effective}, anchor_date=anchor)
        assert list(caught.value.errors) == ["anchor_date"]
        assert caught.value.errors["anchor_date"].startswith(message)

    def test_of_a_day_on_which_no_period_runs(self) -> None:
        account = an_account(plan=a_plan(), anchor_date=FEB_1)
        weekly = a_plan(interval_unit="week").code
        for to, field in (({"anchor_date": JAN_16}, "anchor_date"), ({"plan": weekly}, "effective")):
            with nothing_moves(), pytest.raises(UnableToChangeTerms) as caught:
                changed(account, on=JAN_10, how={"effective": JAN_16}, **to)
            assert caught.value.errors == {field: "No period runs on 2026-01-16: the next one starts on 2026-02-01."}

    def test_of_a_trial(self) -> None:
        account = an_account(plan=a_plan(trial_days=20))
        with nothing_moves(), pytest.raises(UnableToChangeTerms, match="not changed") as caught:
            moving(account)
        assert caught.value.errors == {"anchor_date": "The account is on a trial: move the trial's end instead."}

    def test_without_proration(self) -> None:
        account = billed_account()
        with nothing_moves(), pytest.raises(UnableToChangeTerms) as caught:
            changed(account, on=JAN_10, how={"effective": JAN_16, "proration": "none"}, anchor_date=JAN_16)
        assert list(caught.value.errors) == ["proration"]
