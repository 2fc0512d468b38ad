"""The times at which the schedules fire, and what they send."""

import datetime
import threading
import zoneinfo
from typing import Any

import pytest

from localcloud import schedules
from localcloud.schedules import Schedules, next_certify, next_sweep, scheduled_event


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


class TestNextCertify:
    @pytest.mark.parametrize(
        ("after", "expected"),
        [
            ("2026-01-31T23:04:59", "2026-01-31T23:05:00"),
            ("2026-01-31T23:05:00", "2026-02-01T00:05:00"),
        ],
    )
    def test_is_once_an_hour(self, after: str, expected: str) -> None:
        assert next_certify(utc(after)) == utc(expected)


class TestScheduledEvent:
    def test_carries_the_command_and_its_own_time(self) -> None:
        time = datetime.datetime(2026, 1, 31, 1, 10, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))
        assert scheduled_event(command="sweep", time=time) == {"command": "sweep", "time": "2026-01-31T00:10:00Z"}


class TestRun:
    def test_certifies_at_the_start_and_then_at_each_time_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = iter(
            map(
                utc,
                # the start's certify, both first times, then two looks a check: one before the times, two after them
                [*["2026-01-30T23:50:00"] * 3, *["2026-01-30T23:59:00"] * 2, *["2026-01-31T00:20:00"] * 6],
            )
        )
        monkeypatch.setattr(schedules, "_now", lambda: next(clock))
        monkeypatch.setattr(schedules, "CHECK_SECONDS", 0)
        sent: list[dict[str, Any]] = []
        stopping = threading.Event()

        def handler(event: dict[str, Any], context: Any) -> None:
            sent.append(event)
            if len(sent) == 2:
                raise RuntimeError("a schedule that fails doesn't stop the others")
            if len(sent) == 3:
                stopping.set()

        Schedules(handler=handler, zone=zoneinfo.ZoneInfo("UTC")).run(stopping=stopping)
        assert sent == [
            {"command": "certify", "time": "2026-01-30T23:50:00Z"},
            {"command": "certify", "time": "2026-01-31T00:05:00Z"},
            {"command": "sweep", "time": "2026-01-31T00:10:00Z"},
        ]
