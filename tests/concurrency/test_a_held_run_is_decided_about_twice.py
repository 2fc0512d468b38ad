"""Two people decide about one held run at once, each on a connection of their own."""

from collections import Counter
from functools import partial
from typing import Any
from unittest import mock

import pytest

from accounts.refusals import Refusal
from ledger.models import Entry
from rebilling.held import NotHeld, cancel_run, release_run
from rebilling.models import Rebilling, Run
from tests.builders import NOW, TODAY, QueueInHand, a_plan, an_account, delivered, swept
from tests.databases import committed
from tests.workers.threads import all_meet_before, threads


@pytest.fixture
def run(settings: Any, transactional_db: None) -> Run:
    settings.REBILLING_BRAKE_FIRST_PERIODS = 3
    plan = a_plan()
    for _ in range(4):
        an_account(plan=plan)
    return swept(as_of=TODAY, queue=QueueInHand())


def outcome(operation: Any) -> str:
    try:
        return str(operation().status)
    except Refusal as refusal:
        return refusal.code


@committed
class TestAHeldRunIsDecidedAboutTwice:
    def test_released_twice_it_is_sent_once(self, run: Run) -> None:
        queue = QueueInHand()
        release = partial(release_run, run_id=run.id, reason="right", author="t", now=NOW, queue=queue)
        with all_meet_before("rebilling.held.checked_reason", parties=2), threads() as start:
            racing = [start(partial(outcome, release)) for _ in range(2)]
        assert sorted(each.result() for each in racing) == ["OPEN", NotHeld.code]
        assert [len(message.rebillings) for message in queue.messages] == [4]
        assert delivered(bodies=queue.take()) == []
        assert Counter(Entry.objects.values_list("type", flat=True)) == {"charge": 4, "payment": 4}

    def test_released_and_cancelled_it_is_one_of_them_whole(self, run: Run) -> None:
        queue = QueueInHand()
        said: dict[str, Any] = {"run_id": run.id, "reason": "right", "author": "t", "now": NOW}
        operations = [partial(release_run, queue=queue, **said), partial(cancel_run, **said)]
        with all_meet_before("rebilling.held.checked_reason", parties=2), threads() as start:
            racing = [start(partial(outcome, operation)) for operation in operations]
        found = sorted(each.result() for each in racing)
        states = Counter(Rebilling.objects.values_list("status", flat=True))
        run.refresh_from_db()
        if run.status == "OPEN":
            assert (found, states, len(queue.messages)) == (["OPEN", NotHeld.code], {"DUE": 4}, 1)
        else:
            assert (found, states, queue.messages) == (["CANCELLED", NotHeld.code], {"SKIPPED": 4}, [])

    def test_a_release_that_is_not_committed_sends_nothing(self, run: Run) -> None:
        queue = QueueInHand()
        with mock.patch("rebilling.held._free_accounts", side_effect=RuntimeError), pytest.raises(RuntimeError):
            release_run(run_id=run.id, reason="right", author="t", now=NOW, queue=queue)
        run.refresh_from_db()
        assert (run.status, run.decided_at, queue.bodies) == ("HELD", None, [])
