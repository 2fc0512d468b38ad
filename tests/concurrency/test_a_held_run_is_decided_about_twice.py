"""Two people decide at once about a held run, or about it and one of its periods, each on a connection of their own."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import transaction

from accounts.errors import OperationError
from ledger.models import Entry
from rebilling.models import Rebilling, Run
from rebilling.parked_periods import release_parked
from rebilling.run_review import NotHeld, cancel_run, release_run
from tests.builders import NOW, TODAY, QueueInHand, a_plan, an_account, delivered, swept
from tests.support.databases import committed
from tests.support.workers.threads import Gate, all_meet_before, threads, wait_until_blocked, wrapped


@pytest.fixture
def run(settings: Any, transactional_db: None) -> Run:
    settings.VOLUME_CHECK_FIRST_PERIODS = 3
    plan = a_plan()
    for _ in range(4):
        an_account(plan=plan)
    return swept(as_of=TODAY, queue=QueueInHand())


def outcome(operation: Any) -> str:
    try:
        return str(operation().status)
    except OperationError as refusal:
        return refusal.code


@committed
class TestAHeldRunIsDecidedAboutTwice:
    def test_released_twice_it_is_sent_once(self, run: Run) -> None:
        queue = QueueInHand()
        release = partial(release_run, run_id=run.id, reason="right", author="t", now=NOW, queue=queue)
        with all_meet_before("rebilling.run_review.checked_reason", parties=2), threads() as start:
            racing = [start(partial(outcome, release)) for _ in range(2)]
        assert sorted(each.result() for each in racing) == ["OPEN", NotHeld.code]
        assert [len(message.periods) for message in queue.messages] == [4]
        assert delivered(bodies=queue.take()) == []
        assert Counter(Entry.objects.values_list("type", flat=True)) == {"charge": 4, "payment": 4}

    def test_released_and_cancelled_it_is_one_of_them_whole(self, run: Run) -> None:
        queue = QueueInHand()
        said: dict[str, Any] = {"run_id": run.id, "reason": "right", "author": "t", "now": NOW}
        operations = [partial(release_run, queue=queue, **said), partial(cancel_run, **said)]
        with all_meet_before("rebilling.run_review.checked_reason", parties=2), threads() as start:
            racing = [start(partial(outcome, operation)) for operation in operations]
        found = sorted(each.result() for each in racing)
        states = Counter(Rebilling.objects.values_list("status", flat=True))
        run.refresh_from_db()
        if run.status == "OPEN":
            assert (found, states, len(queue.messages)) == (["OPEN", NotHeld.code], {"DUE": 4}, 1)
        else:
            assert (found, states, queue.messages) == (["CANCELLED", NotHeld.code], {"SKIPPED": 4}, [])

    @pytest.mark.parametrize("operation", ["release", "cancel"])
    def test_beside_a_decision_about_one_of_its_periods_both_are_done(self, run: Run, operation: str) -> None:
        """Both need the account and the run, and lock the account first."""
        parked, gate = run.rebillings.earliest("account_id"), Gate()
        run.rebillings.filter(id=parked.id).update(status="PARKED", reason="charge_refused")
        said: dict[str, Any] = {"reason": "right", "author": "t", "now": NOW}

        def hold(original: Callable[..., None], *args: Any) -> None:
            gate.pass_through()
            original(*args)

        with threads() as start, wrapped("rebilling.parked_periods.reopen", hold):
            releasing = start(partial(release_parked, rebilling_id=parked.id, **said))
            gate.wait_for_somebody()
            if operation == "release":
                deciding = start(partial(release_run, run_id=run.id, queue=QueueInHand(), **said))
            else:
                deciding = start(partial(cancel_run, run_id=run.id, **said))
            wait_until_blocked()
            gate.open()
            assert releasing.result().status == "DUE"
            status, rows = {"release": ("OPEN", {"DUE": 4}), "cancel": ("CANCELLED", {"SKIPPED": 4})}[operation]
            assert deciding.result().status == status
        assert Counter(Rebilling.objects.values_list("status", flat=True)) == rows

    def test_a_release_that_is_not_committed_sends_nothing(self, run: Run) -> None:
        queue = QueueInHand()
        with transaction.atomic():
            release_run(run_id=run.id, reason="right", author="t", now=NOW, queue=queue)
            transaction.set_rollback(True)
        run.refresh_from_db()
        assert (run.status, run.decided_at, queue.bodies) == ("HELD", None, [])
