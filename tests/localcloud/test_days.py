"""A day that passes at once: at which instants its work is done, and how long its messages are waited for."""

import datetime
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import time_machine

from localcloud import clock, days
from localcloud.days import Days, PassedDay, QueueStuck, QueueUntilEmpty, check_times
from localcloud.sqs.endpoint import QueueEndpoint
from localcloud.sqs.poller import Poller
from localcloud.sqs.server import client_of, local_sqs
from rebilling.models import Run
from rebilling.sweep import sweep
from tests.builders import QueueInHand

REAL = datetime.datetime(2026, 1, 10, 15, 30, tzinfo=datetime.UTC)


def utc(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC)


class TestCheckTimes:
    @pytest.mark.parametrize(
        ("zone", "resend", "due", "times"),
        [
            # Found due at ten past midnight: sent again once it is 15 minutes old, explained once it is an hour old.
            ("UTC", 15, 60, ["2026-03-08T01:05:00", "2026-03-08T02:05:00"]),
            ("UTC", 15, 20, ["2026-03-08T01:05:00"]),
            ("UTC", 600, 5_000, ["2026-03-08T11:05:00", "2026-03-08T23:05:00"]),
            # Clocks go forward on this day at two in the morning.
            ("America/New_York", 15, 60, ["2026-03-08T06:05:00", "2026-03-08T07:05:00"]),
            ("America/New_York", 5_000, 5_000, ["2026-03-09T03:05:00"]),
            ("Asia/Kathmandu", 15, 60, ["2026-03-07T19:05:00", "2026-03-07T20:05:00"]),
        ],
    )
    def test_are_the_hourly_ones_at_which_the_day_should_be_done(
        self, settings: Any, zone: str, resend: int, due: int, times: list[str]
    ) -> None:
        settings.BILLING_TIME_ZONE = zone
        settings.REBILLING_RESEND_MINUTES, settings.REBILLING_DUE_MINUTES = resend, due
        assert check_times(datetime.date(2026, 3, 8)) == [utc(time) for time in times]


class Work:
    """Does the sweeps of a day, and notes what happens when by the platform's clock."""

    def __init__(self) -> None:
        self.noted: list[tuple[str, str, str]] = []
        self.fails_at = ""

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        self.noted.append((event["command"], event["time"], f"{clock.now():%Y-%m-%dT%H:%M:%S}"))
        if event["command"] == self.fails_at:
            raise RuntimeError("cut off")
        if event["command"] == "sweep":
            day = datetime.datetime.fromisoformat(event["time"]).date()
            return {"run": str(sweep(as_of=day, queue=QueueInHand(), now=clock.now()).id)}
        return {"runs": 0, "unexplained": 3, "sent": 0}

    def emptied(self) -> None:
        self.noted.append(("queue", "", ""))


@pytest.mark.django_db
class TestDays:
    @pytest.fixture(autouse=True)
    def _january_10(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[None]:
        monkeypatch.setenv(clock.VARIABLE, str(clock.file_of(data=tmp_path)))
        settings.CLOCK = "localcloud.clock.now"
        with time_machine.travel(REAL, tick=False):
            yield

    def test_do_their_work_at_its_times_and_empty_the_queue_in_between(self) -> None:
        work = Work()
        done = list(Days(handler=work, empty_queue=work.emptied).pass_until(datetime.date(2026, 1, 12)))
        assert done == [
            PassedDay(day=datetime.date(2026, 1, day), due=0, payments=0, unexplained=3) for day in (11, 12)
        ]
        queue = ("queue", "", "")
        assert work.noted == [
            queue,
            *(
                noted
                for day in ("2026-01-11", "2026-01-12")
                for noted in (
                    ("sweep", f"{day}T00:10:00Z", f"{day}T00:10:00"),
                    queue,
                    ("reconcile", f"{day}T01:05:00Z", f"{day}T01:05:00"),
                    queue,
                    ("reconcile", f"{day}T02:05:00Z", f"{day}T02:05:00"),
                    queue,
                )
            ),
        ]
        assert (clock.now(), clock.unfinished_day()) == (utc("2026-01-12T02:05:00"), None)

    @pytest.mark.parametrize("fails_at", ["sweep", "reconcile"])
    def test_do_the_work_of_a_day_that_was_cut_off_before_the_next(self, fails_at: str) -> None:
        work = Work()
        work.fails_at = fails_at
        with pytest.raises(RuntimeError, match="cut off"):
            list(Days(handler=work, empty_queue=work.emptied).pass_until(datetime.date(2026, 1, 12)))
        assert clock.unfinished_day() == datetime.date(2026, 1, 11)
        work.fails_at, stopped = "", clock.now()
        done = list(Days(handler=work, empty_queue=work.emptied).pass_until(datetime.date(2026, 1, 12)))
        assert [day.day.day for day in done] == [11, 12]
        swept = sorted(Run.objects.filter(swept_at__isnull=False).values_list("as_of", flat=True))
        assert swept[-2:] == [datetime.date(2026, 1, 11), datetime.date(2026, 1, 12)]
        assert stopped < clock.now() == utc("2026-01-12T02:05:00")


@pytest.fixture
def endpoint() -> Iterator[QueueEndpoint]:
    with local_sqs(visibility_timeout_seconds=1) as endpoint:
        yield endpoint


class TestQueueUntilEmpty:
    """Each message fails once, and comes again after a second."""

    @pytest.fixture
    def poller(self, endpoint: QueueEndpoint) -> Poller:
        self.seen: list[str] = []

        def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
            ids = [record["messageId"] for record in event["Records"]]
            failed = [id_ for id_ in ids if id_ not in self.seen]
            self.seen += ids
            return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in failed]}

        client = client_of(endpoint_url=endpoint.endpoint_url)
        for number in range(12):
            client.send_message(QueueUrl=endpoint.queue_url, MessageBody=str(number))
        return Poller(client=client, queue_url=endpoint.queue_url, handler=handler)

    def test_works_what_failed_again_until_nothing_is_left(self, poller: Poller) -> None:
        shown: list[int] = []
        QueueUntilEmpty(poller=poller, works_itself=True, show=shown.append)()
        assert (poller.on_queue(), len(self.seen), len(set(self.seen))) == (0, 24, 12)
        assert (shown[0], shown == sorted(shown, reverse=True)) == (12, True)

    def test_waits_for_the_platforms_poller_also_for_what_it_has_in_hand(self, poller: Poller) -> None:
        stopping = threading.Event()
        platform = threading.Thread(target=poller.run, kwargs={"stopping": stopping})
        platform.start()
        QueueUntilEmpty(poller=poller, works_itself=False, show=lambda left: None)()
        assert (poller.on_queue(), len(self.seen), len(set(self.seen))) == (0, 24, 12)
        stopping.set()
        platform.join()

    def test_gives_up_when_nobody_works_it(self, poller: Poller, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(days, "PATIENCE_SECONDS", 0)
        with pytest.raises(QueueStuck, match=r"^12 messages have been on the queue for 0 minutes$"):
            QueueUntilEmpty(poller=poller, works_itself=False, show=lambda left: None)()
        assert (poller.on_queue(), self.seen) == (12, [])
