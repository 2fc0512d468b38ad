"""The arithmetic of the local platform's clock: how far it is from the real one, and what it refuses."""

import datetime
import json
from pathlib import Path
from typing import Any

import pytest
import time_machine

from accounts import clock as the_clock
from localcloud import clock
from localcloud.errors import UnableToMove

REAL = datetime.datetime(2026, 1, 10, 15, 30, tzinfo=datetime.UTC)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = clock.file_of(data=tmp_path)
    monkeypatch.setenv(clock.VARIABLE, str(path))
    return path


def utc(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC)


@pytest.mark.usefixtures("file")
class TestNow:
    def test_is_real_until_the_clock_is_set(self) -> None:
        with time_machine.travel(REAL, tick=False):
            assert clock.now() == REAL

    def test_ticks_on_from_where_the_clock_was_set(self) -> None:
        with time_machine.travel(REAL, tick=False) as traveller:
            clock.move_to(utc("2026-06-30T00:10:00"), unfinished=None)
            assert clock.now() == utc("2026-06-30T00:10:00")
            traveller.shift(datetime.timedelta(hours=1, seconds=5))
            assert clock.now() == utc("2026-06-30T01:10:05")

    def test_is_never_before_the_instant_that_was_asked_for(self) -> None:
        """The file holds whole seconds."""
        with time_machine.travel(REAL + datetime.timedelta(milliseconds=300), tick=False):
            clock.move_to(utc("2026-06-30T00:10:00"), unfinished=None)
            assert clock.now() == utc("2026-06-30T00:10:00") + datetime.timedelta(milliseconds=300)

    def test_is_what_interfaces_read_where_the_setting_says_so(self, settings: Any) -> None:
        with time_machine.travel(REAL, tick=False):
            clock.move_to(utc("2026-06-30T00:10:00"), unfinished=None)
            assert the_clock.now() == REAL
            settings.CLOCK = "localcloud.clock.now"
            assert the_clock.now() == utc("2026-06-30T00:10:00")


class TestMoveTo:
    def test_refuses_to_go_back_and_moves_nothing(self, file: Path) -> None:
        with time_machine.travel(REAL, tick=False):
            clock.move_to(utc("2026-06-30T00:10:00"), unfinished=None)
            before = file.read_text()
            with pytest.raises(UnableToMove, match=r"^the clock can't go back: it is 2026-06-30 00:10 UTC$"):
                clock.move_to(utc("2026-06-30T00:09:59"), unfinished=None)
            assert file.read_text() == before

    def test_refuses_where_the_database_is_not_a_data_folders(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv(clock.VARIABLE, raising=False)
        with (
            time_machine.travel(REAL, tick=False),
            pytest.raises(UnableToMove, match=r"^only the platform of a data folder"),
        ):
            clock.move_to(utc("2026-06-30T00:10:00"), unfinished=None)
        assert list(tmp_path.iterdir()) == []

    def test_keeps_its_file_to_itself(self, file: Path) -> None:
        with time_machine.travel(REAL, tick=False):
            clock.move_to(utc("2026-01-11T15:30:00"), unfinished=datetime.date(2026, 1, 11))
        assert json.loads(file.read_text()) == {"offset_seconds": 86_400, "unfinished": "2026-01-11"}
        assert file.stat().st_mode & 0o777 == 0o600
        assert [path.name for path in file.parent.iterdir()] == ["clock.json"]


@pytest.mark.usefixtures("file")
class TestUnfinishedDay:
    def test_is_the_day_whose_work_has_begun_and_is_not_done(self) -> None:
        day = datetime.date(2026, 6, 30)
        with time_machine.travel(REAL, tick=False) as traveller:
            assert clock.unfinished_day() is None
            clock.move_to(utc("2026-06-30T00:10:00"), unfinished=day)
            assert clock.unfinished_day() == day
            traveller.shift(datetime.timedelta(days=1))
            assert clock.unfinished_day() is None, "its work is the next sweep's by now"
            traveller.shift(datetime.timedelta(days=-1))
            clock.finish_day()
            assert clock.unfinished_day() is None
            assert clock.now() == utc("2026-06-30T00:10:00")


@pytest.mark.usefixtures("file")
class TestBeginOn:
    @pytest.mark.parametrize(
        ("zone", "day", "instant"),
        [
            ("UTC", "2026-01-31", "2026-01-31T09:00:00"),
            ("UTC", "2025-03-01", "2025-03-01T09:00:00"),
            ("America/New_York", "2026-07-04", "2026-07-04T13:00:00"),
            ("Pacific/Auckland", "2026-07-04", "2026-07-03T21:00:00"),
        ],
    )
    def test_is_the_morning_of_a_day_before_or_after_the_real_one(
        self, settings: Any, zone: str, day: str, instant: str
    ) -> None:
        settings.BILLING_TIME_ZONE = zone
        with time_machine.travel(REAL, tick=False):
            clock.begin_on(datetime.date.fromisoformat(day))
            assert clock.now() == utc(instant)
            assert clock.today() == datetime.date.fromisoformat(day)
