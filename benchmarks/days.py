"""Days of a benchmark of growth, as they are on one database: what each step of a day takes."""

import datetime
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.due_batches import AnswersAtOnce
from benchmarks.population import OTHERS_DAY
from benchmarks.processes import Work, measured_apart

REPEATED = 5


@dataclass(frozen=True, kw_only=True)
class Checked:
    """Seconds. The search for gaps, which the first hourly check after a sweep makes, isn't in the hourly check's."""

    gap_search: float
    run_page: float
    run_list: float
    hourly_check: float


@dataclass(frozen=True, kw_only=True)
class Billed:
    periods: int
    sweep: Work
    worker: Work


def checked_day(number: int) -> Checked:
    """Sweep, and look at the run while it is open."""
    import time_machine

    from rebilling.hourly_check import check_hourly
    from rebilling.models import Run
    from rebilling.reconciliation.gap_search import search_for_gaps
    from tests.builders import TODAY, QueueInHand, at, delivered, swept

    day = TODAY + datetime.timedelta(days=number)
    queue, now = QueueInHand(), at(day)
    run = swept(as_of=day, queue=queue)
    support, api = _visitors()
    with time_machine.travel(now, tick=False):
        gap_search = _seconds(lambda: search_for_gaps(now=now))
        run_page = _median(lambda: _answered(support.get(f"/admin/rebilling/run/{run.id}/change/")))
        run_list = _median(lambda: _answered(api.get("/v1/runs")))
    _daily_look_was_made(now)
    hourly_check = _median(lambda: _clean(check_hourly(queue=QueueInHand(), now=now)))
    assert delivered(bodies=queue.take(), today=day, gateway=AnswersAtOnce()) == []
    _clean(check_hourly(queue=QueueInHand(), now=now))
    run.refresh_from_db()
    assert run.status == Run.Status.RECONCILED
    return Checked(gap_search=gap_search, run_page=run_page, run_list=run_list, hourly_check=hourly_check)


def billed_day(number: int) -> Billed:
    """Sweep and work, each in a process of its own."""
    from rebilling.models import Rebilling, Run
    from rebilling.reconciliation.reconcile import open_runs, reconcile
    from tests.builders import TODAY, at

    day = TODAY + datetime.timedelta(days=number)
    with tempfile.TemporaryDirectory() as folder:
        bodies = Path(folder) / "bodies"
        sweep = measured_apart(_sweep, day, bodies)
        worker = measured_apart(_work, day, bodies)
    run = Run.objects.get(as_of=day)
    periods = run.rebillings.filter(status=Rebilling.Status.CHARGED).count()
    reconcile(runs=open_runs(), now=at(day))
    run.refresh_from_db()
    assert run.status == Run.Status.RECONCILED
    return Billed(periods=periods, sweep=sweep, worker=worker)


def whole_check(number: int) -> float:
    """Seconds of the hourly check that looks at everything, which one a day does."""
    from rebilling.hourly_check import check_hourly
    from tests.builders import TODAY, QueueInHand, at

    now = at(TODAY + datetime.timedelta(days=number))
    return _seconds(lambda: _clean(check_hourly(queue=QueueInHand(), now=now, whole=True)))


def bill_the_others() -> Billed:
    """All accounts at once that were never due on another day."""
    return billed_day(OTHERS_DAY)


class _Spool:
    """A queue that keeps what was sent in a file, so that no process holds it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, messages: Iterable[Any]) -> int:
        from payments.messages.format import to_json

        sent = 0
        with self._path.open("a", encoding="utf-8") as file:
            for message in messages:
                file.write(to_json(message) + "\n")
                sent += 1
        return sent


def _sweep(day: datetime.date, bodies: Path) -> float:
    from subscriptions.daily_run import run_day
    from tests.builders import at

    return _seconds(lambda: run_day(as_of=day, queue=_Spool(bodies), now=at(day)))


def _work(day: datetime.date, bodies: Path) -> float:
    from tests.builders import delivered

    seconds = 0.0
    with bodies.open(encoding="utf-8") as file:
        for body in file:
            started = time.perf_counter()
            assert delivered(bodies=[body], today=day, gateway=AnswersAtOnce()) == []
            seconds += time.perf_counter() - started
    return seconds


@cache
def _visitors() -> tuple[Any, Any]:
    """A client of the admin, and one of the API with a key that has every scope."""
    from django.test import Client
    from django.test.utils import setup_test_environment

    from backoffice.models import User
    from tests.support.api_client import ApiClient

    setup_test_environment()
    support = Client()
    support.force_login(User.objects.create_superuser("support"))
    return support, ApiClient()


def _answered(answer: Any) -> None:
    assert answer.status_code == 200, answer.content


def _clean(check: Any) -> None:
    assert not check.failed, check.failed
    assert not check.discrepancies, check.discrepancies


def _daily_look_was_made(now: datetime.datetime) -> None:
    """At all books, so that the hourly check is one of the day's other twenty-three."""
    from accounts.ids import new_id
    from rebilling.books import database_time
    from rebilling.models import BooksCheck

    BooksCheck.objects.create(id=new_id(), started_at=now, watermark=database_time(), whole=True, discrepancies=0)


def _median(work: Callable[[], object]) -> float:
    """Of several times; the first, which is slower, is left out."""
    return statistics.median([_seconds(work) for _ in range(REPEATED + 1)][1:])


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
