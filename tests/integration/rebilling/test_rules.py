"""Periods of an account never overlap: the database refuses them, whoever asks, and one account holds up no other."""

import datetime
import logging
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from accounts.errors import violated_constraint
from accounts.locked_accounts import LockedAccount, lock_accounts
from accounts.models import Account, Terms
from invoices.credit_notes import issue_credit_note
from invoices.models import Invoice
from rebilling.models import Rebilling, Run
from rebilling.period_claims import RebillingClaims
from rebilling.reconciliation.summary import reconciliation_of
from subscriptions.agreed_terms import TermsChanges
from subscriptions.lifecycle import close_account
from subscriptions.terms_changes import change_terms
from tests.builders import NOW, TODAY, QueueInHand, an_account, at, billed, delivered, statuses_of, swept
from tests.support.claims import a_claim
from tests.support.databases import rolled_back

DAY = datetime.timedelta(days=1)
FEB_1, MAR_1 = datetime.date(2026, 2, 1), datetime.date(2026, 3, 1)

pytestmark = rolled_back


def claim(account: Account, start: datetime.date, end: datetime.date, **given: Any) -> Rebilling:
    """A row of the last run, not saved."""
    return a_claim(account, start, end, run=Run.objects.latest("id"), **given)


def locked(account: Account) -> list[LockedAccount]:
    return list(lock_accounts([account.id]).values())


def assert_refused(*rows: Rebilling) -> None:
    before = list(Rebilling.objects.order_by("id").values())
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        Rebilling.objects.bulk_create(rows, ignore_conflicts=True)
    assert violated_constraint(refused.value) == "rebilling_overlaps_none"
    assert list(Rebilling.objects.order_by("id").values()) == before


class TestAnOverlappingPeriod:
    """January is claimed."""

    @pytest.fixture
    def account(self) -> Account:
        account = an_account()
        swept(as_of=TODAY, queue=QueueInHand())
        return account

    @pytest.mark.parametrize(
        ("start", "end"),
        [
            (TODAY - DAY, TODAY + DAY),
            (TODAY - DAY, FEB_1 + DAY),
            (TODAY + DAY, FEB_1 - DAY),
            (FEB_1 - DAY, FEB_1),
            (FEB_1 - DAY, MAR_1),
        ],
    )
    def test_is_refused_wherever_it_begins(self, account: Account, start: datetime.date, end: datetime.date) -> None:
        assert_refused(claim(account, start, end))

    @pytest.mark.parametrize("status", ["DUE", "PARKED", "CHARGED"])
    def test_is_refused_whatever_the_other_waits_for(self, account: Account, status: str) -> None:
        if status == "CHARGED":
            billed(as_of=TODAY)
        if status == "PARKED":
            Rebilling.objects.update(status="PARKED", reason="charge_refused")
        assert statuses_of(account) == [(TODAY, status)]
        parked = claim(account, FEB_1 - DAY, MAR_1, status="PARKED", reason="charge_refused")
        assert_refused(parked)

    def test_is_refused_with_all_that_is_inserted_with_it(self, account: Account) -> None:
        other = an_account()
        assert_refused(claim(other, TODAY, FEB_1), claim(account, FEB_1, MAR_1), claim(account, MAR_1 - DAY, MAR_1))

    def test_may_follow_on_the_very_day_the_other_ends(self, account: Account) -> None:
        claim(account, FEB_1, MAR_1).save()
        claim(account, TODAY - DAY, TODAY).save()
        assert account.rebillings.count() == 3

    def test_may_be_another_accounts(self, account: Account) -> None:
        claim(an_account(), TODAY + DAY, FEB_1).save()
        assert Rebilling.objects.count() == 2

    def test_may_take_the_place_of_one_that_was_skipped(self, account: Account) -> None:
        close_account(account_id=account.id, reason="left", author="test", today=TODAY, now=NOW)
        claim(account, TODAY + DAY, FEB_1 + DAY).save()
        assert [status for _, status in statuses_of(account)] == ["SKIPPED", "DUE"]

    def test_may_take_the_place_of_one_that_was_voided(self, account: Account) -> None:
        billed(as_of=TODAY)
        invoice = Invoice.objects.get()
        issue_credit_note(invoice_id=invoice.id, reason="wrong", author="test", today=TODAY, now=NOW)
        claim(account, TODAY + DAY, FEB_1 + DAY).save()
        assert [status for _, status in statuses_of(account)] == ["VOIDED", "DUE"]

    def test_may_begin_on_the_day_on_which_the_other_was_cut_off(self, account: Account) -> None:
        billed(as_of=TODAY)
        tenth = datetime.date(2026, 1, 10)
        RebillingClaims().cut_off(accounts=locked(account), on=tenth)
        assert_refused(claim(account, tenth - DAY, FEB_1))
        claim(account, tenth, datetime.date(2026, 2, 10)).save()
        assert statuses_of(account) == [(TODAY, "CHARGED"), (tenth, "DUE")]


class TestAPeriod:
    def test_is_cut_short_and_never_made_longer(self) -> None:
        account = an_account()
        billed(as_of=TODAY)
        row = account.rebillings.get()
        claims = RebillingClaims()
        claims.cut_off(accounts=locked(account), on=datetime.date(2026, 1, 10))
        # Another cut at a later day finds nothing to cut.
        claims.cut_off(accounts=locked(account), on=datetime.date(2026, 1, 20))
        row.refresh_from_db()
        assert (row.status, row.period_end, row.ended_on) == ("CHARGED", FEB_1, datetime.date(2026, 1, 10))
        with pytest.raises(IntegrityError) as refused, transaction.atomic():
            Rebilling.objects.filter(id=row.id).update(ended_on=datetime.date(2026, 1, 11))
        assert violated_constraint(refused.value) == "rebilling_ends_no_later"

    def test_cut_on_its_first_day_is_voided(self) -> None:
        account = an_account()
        billed(as_of=TODAY)
        RebillingClaims().cut_off(accounts=locked(account), on=TODAY)
        row = account.rebillings.get()
        assert (row.status, row.period_start, row.ended_on) == ("VOIDED", TODAY, TODAY)

    def test_that_waits_to_be_charged_is_skipped_by_a_cut(self) -> None:
        account = an_account()
        swept(as_of=TODAY, queue=QueueInHand())
        RebillingClaims().cut_off(accounts=locked(account), on=datetime.date(2026, 1, 10))
        row = account.rebillings.get()
        assert (row.status, row.reason) == ("SKIPPED", "account_inactive")

    def test_runs_until_it_is_cut_off(self) -> None:
        account = an_account()
        billed(as_of=TODAY)
        claims, tenth = RebillingClaims(), datetime.date(2026, 1, 10)
        (id_,) = account.rebillings.values_list("id", flat=True)
        days = [TODAY - DAY, TODAY, tenth - DAY, tenth, FEB_1 - DAY, FEB_1]
        assert [claims.running(accounts=locked(account), on=day) for day in days] == [[], *[[id_]] * 4, []]
        claims.cut_off(accounts=locked(account), on=tenth)
        assert [claims.running(accounts=locked(account), on=day) for day in days] == [[], [id_], [id_], [], [], []]


class TestASweepThatFindsOne:
    """The account's terms were given another anchor by hand, in the middle of a period that is charged."""

    @pytest.fixture
    def broken(self) -> Account:
        account = an_account()
        billed(as_of=TODAY)
        tenth = datetime.date(2026, 1, 10)
        terms = account.terms.get()
        Terms.objects.create(
            account=account,
            effective_from=tenth,
            plan=terms.plan,
            quantity=1,
            unit_amount_minor=1999,
            anchor_date=tenth,
            reason="a slip",
            author="test",
            created_at=NOW,
        )
        Account.objects.filter(id=account.id).update(
            anchor_date=tenth, first_rebilling_date=tenth, rebilling_date=tenth
        )
        return account

    def test_bills_everybody_else_and_reports_it(self, broken: Account, caplog: pytest.LogCaptureFixture) -> None:
        others = [an_account() for _ in range(3)]
        tenth = datetime.date(2026, 1, 10)
        run = billed(as_of=tenth)
        assert [statuses_of(account) for account in others] == [[(TODAY, "CHARGED")]] * 3
        assert statuses_of(broken) == [(TODAY, "CHARGED")]
        (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert (record.message, record.account, record.error) == (  # type: ignore[attr-defined]
            "an account's due periods can't be written",
            str(broken.id),
            "IntegrityError: rebilling_overlaps_none",
        )
        found = reconciliation_of(run=run, now=at(tenth) + datetime.timedelta(hours=2))
        assert found.unexplained_first == [f"{broken.id} from {tenth} has no row"]


class TestTermsThatChangeWithinAPeriod:
    def test_do_not_move_the_periods(self) -> None:
        account = an_account()
        billed(as_of=TODAY)
        day = datetime.date(2026, 1, 20)
        changes = TermsChanges(quantity=5)
        change_terms(account_id=account.id, changes=changes, reason="grew", author="test", today=day, now=at(day))
        queue = QueueInHand()
        swept(as_of=FEB_1, queue=queue)
        assert delivered(bodies=queue.take(), today=FEB_1) == []
        found = list(
            account.rebillings.order_by("period_start").values_list("period_start", "ended_on", "amount_minor")
        )
        assert found == [(TODAY, FEB_1, 1999), (FEB_1, MAR_1, 9995)]
