"""The times at which the schedules fire, and what they send."""

import datetime
import threading
import zoneinfo
from pathlib import Path
from typing import Any

import pytest
import time_machine

from localcloud import clock, schedules
from localcloud.schedules import Schedules, next_reconcile, next_sweep, scheduled_event


def utc(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC)


class TestNextSweep:
    @pytest.mark.parametrize(
        ("zone", "after", "expected"),
        [
            ("UTC", "2026-01-31T00:09:59", "2026-01-31T00:10:00"),
            ("UTC", "2026-01-31T00:10:00", "2026-02-01T00:10:00"),
            ("America/New_York", "2026-01-31T04:00:00", "2026-01-31T05:10:00"),
            # Clocks go forward on March 8 at two in the morning.
            ("America/New_York", "2026-03-08T05:10:00", "2026-03-09T04:10:00"),
            ("Pacific/Auckland", "2026-06-30T23:00:00", "2026-07-01T12:10:00"),
        ],
    )
    def test_is_once_a_day_in_the_billing_time_zone(self, zone: str, after: str, expected: str) -> None:
        assert next_sweep(utc(after), zone=zoneinfo.ZoneInfo(zone)) == utc(expected)


class TestNextReconcile:
    @pytest.mark.parametrize(
        ("after", "expected"),
        [
            ("2026-01-31T23:04:59", "2026-01-31T23:05:00"),
            ("2026-01-31T23:05:00", "2026-02-01T00:05:00"),
        ],
    )
    def test_is_once_an_hour(self, after: str, expected: str) -> None:
        assert next_reconcile(utc(after)) == utc(expected)


class TestScheduledEvent:
    def test_carries_the_command_and_its_own_time(self) -> None:
        time = datetime.datetime(2026, 1, 31, 1, 10, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))
        assert scheduled_event(command="sweep", time=time) == {"command": "sweep", "time": "2026-01-31T00:10:00Z"}


class TestRun:
    """Real time is given by the test, and the platform's clock is set by a file."""

    @pytest.fixture(autouse=True)
    def _often(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(schedules, "CHECK_SECONDS", 0)
        monkeypatch.setenv(clock.VARIABLE, str(clock.file_of(data=tmp_path)))

    def run(self, *, times: list[str], moves: dict[int, str]) -> list[dict[str, Any]]:
        """What is sent when `times` pass, a look at each; before the nth of them the clock is moved, as `moves` has it.

        The first is the start's. The second event fails, which doesn't stop the others.
        """
        sent: list[dict[str, Any]] = []

        def handler(event: dict[str, Any], context: Any) -> None:
            sent.append(event)
            if len(sent) == 2:
                raise RuntimeError("a schedule that fails doesn't stop the others")

        with time_machine.travel(utc(times[0]), tick=False) as traveller:
            looks = _Looks(traveller=traveller, times=times[1:], moves=moves)
            Schedules(handler=handler, zone=zoneinfo.ZoneInfo("UTC")).run(stopping=looks)
        return sent

    def test_reconciles_at_the_start_and_then_at_each_time_once(self) -> None:
        times = ["2026-01-30T23:50:00", "2026-01-30T23:59:00", "2026-01-31T00:20:00", "2026-01-31T00:21:00"]
        assert self.run(times=times, moves={}) == [
            {"command": "reconcile", "time": "2026-01-30T23:50:00Z"},
            {"command": "reconcile", "time": "2026-01-31T00:05:00Z"},
            {"command": "sweep", "time": "2026-01-31T00:10:00Z"},
        ]

    def test_fires_nothing_for_days_that_the_clock_was_moved_past_and_goes_on_from_there(self) -> None:
        times = ["2026-01-30T23:50:00", "2026-01-30T23:51:00", "2026-01-30T23:52:00", "2026-01-31T00:45:00"]
        assert self.run(times=times, moves={1: "2026-03-01T23:30:00"}) == [
            {"command": "reconcile", "time": "2026-01-30T23:50:00Z"},
            # The clock stands at half past eleven of March 1 when it is 23:51, and at 00:24 of March 2 at the end.
            {"command": "reconcile", "time": "2026-03-02T00:05:00Z"},
            {"command": "sweep", "time": "2026-03-02T00:10:00Z"},
        ]


class _Looks(threading.Event):
    """Lets the schedules look once at each time, then stops them."""

    def __init__(self, *, traveller: Any, times: list[str], moves: dict[int, str]) -> None:
        super().__init__()
        self.traveller, self.times, self.moves, self.looked = traveller, times, moves, 0

    def wait(self, timeout: float | None = None) -> bool:
        if self.looked == len(self.times):
            return True
        self.traveller.move_to(utc(self.times[self.looked]))
        self.looked += 1
        if self.looked in self.moves:
            clock.move_to(utc(self.moves[self.looked]), unfinished=None)
        return False
