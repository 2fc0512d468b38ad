"""Two writers claim overlapping periods of an account at once, each with rows of its own: one of them is refused."""

import datetime
from collections.abc import Callable
from functools import partial

import pytest
from django.db import IntegrityError, transaction

from accounts.errors import violated_constraint
from accounts.models import Account
from rebilling.models import Rebilling, Run
from tests.builders import NOW, TODAY, an_account
from tests.support.claims import a_claim, saved
from tests.support.databases import committed
from tests.support.workers.threads import Gate, threads, wait_until_blocked

DAY = datetime.timedelta(days=1)

pytestmark = committed


@pytest.fixture
def run(transactional_db: None) -> Run:
    return Run.objects.create(as_of=TODAY, status="OPEN", started_at=NOW)


def outcome(write: Callable[[], object]) -> str:
    """The name of the constraint that refused, or an empty string."""
    try:
        write()
    except IntegrityError as error:
        return violated_constraint(error)
    return ""


class TestTwoWriters:
    def raced(self, account: Account, run: Run, *, second: tuple[datetime.date, datetime.date]) -> str:
        """The first has claimed the month from TODAY, and isn't committed; what becomes of the second."""
        gate = Gate()

        def first() -> None:
            with transaction.atomic():
                saved(a_claim(account, TODAY, TODAY + 31 * DAY, run=run))
                gate.pass_through()

        with threads() as start:
            claiming = start(first)
            gate.wait_for_somebody()
            racing = start(partial(outcome, lambda: saved(a_claim(account, *second, run=run))))
            wait_until_blocked()
            assert not racing.done()
            gate.open()
            claiming.result()
            return racing.result()

    @pytest.mark.parametrize("days", [(-1, 1), (1, 5), (30, 60)])
    def test_whose_periods_overlap_leave_the_first(self, run: Run, days: tuple[int, int]) -> None:
        second = (TODAY + days[0] * DAY, TODAY + days[1] * DAY)
        assert self.raced(an_account(), run, second=second) == "rebilling_overlaps_none"
        assert list(Rebilling.objects.values_list("period_start", "status")) == [(TODAY, "DUE")]

    def test_whose_periods_follow_one_another_both_write(self, run: Run) -> None:
        assert self.raced(an_account(), run, second=(TODAY + 31 * DAY, TODAY + 59 * DAY)) == ""
        assert Rebilling.objects.count() == 2

    def test_of_two_accounts_do_not_wait_for_each_other(self, run: Run) -> None:
        one, other = an_account(), an_account()
        with threads() as start, transaction.atomic():
            saved(a_claim(one, TODAY, TODAY + 31 * DAY, run=run))
            assert start(partial(outcome, lambda: saved(a_claim(other, TODAY, run=run)))).result() == ""
