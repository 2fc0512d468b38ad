"""What Terraform's text repeats of the product's: each is said in two places, and held together here."""

import ast
import datetime
import json
import re
import zoneinfo
from collections.abc import Iterator
from pathlib import Path

import pytest

from billing_site.database.authorities import BUNDLE
from deploy.environment import TASK_ROOT
from rebilling.metrics import NAMESPACE

ROOT = Path(__file__).resolve().parent.parent.parent


def terraform(name: str) -> str:
    return (ROOT / "terraform" / name).read_text(encoding="utf-8")


def emitted() -> set[str]:
    """The metrics that the product emits."""
    names: set[str] = set()
    for path in (ROOT / "rebilling").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "emit":
                names |= {keyword.arg for keyword in node.keywords if keyword.arg} - {"now"}
    return names


def skipped_times(zone: str) -> Iterator[str]:
    """The times of a day, HH:MM, that clocks of the zone skip in the next years, when summer time begins."""
    info, minute = zoneinfo.ZoneInfo(zone), datetime.timedelta(minutes=1)

    def offset(at: datetime.datetime) -> datetime.timedelta:
        return at.astimezone(info).utcoffset() or datetime.timedelta()

    day = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)
    while day.year < 2030:
        at, day = day, day + datetime.timedelta(days=1)
        forward = offset(day) - offset(at)
        if forward <= datetime.timedelta():
            continue
        while offset(at + minute) == offset(at):
            at += minute
        first = (at + minute + offset(at)).replace(tzinfo=None)
        yield from (f"{first + number * minute:%H:%M}" for number in range(forward // minute))


class TestTimes:
    def test_of_a_sweep_are_skipped_by_no_zones_clocks(self) -> None:
        """On the day that a time is skipped Scheduler starts nothing, and that day's sweep is missed."""
        rule = re.search(
            r'"\^\(UTC\$\|Etc/\)", var\.billing_time_zone\)\) \? "(\^.+?\$)" : "(\^.+?\$)", var\.sweep_time',
            terraform("variables.tf"),
        )
        assert rule
        day = [f"{hour:02}:{minute:02}" for hour in range(24) for minute in range(60)]
        assert [time for time in day if not re.match(rule[1], time)] == []
        taken = [time for time in day if re.match(rule[2], time)]
        assert (taken[0], taken[-1], len(taken)) == ("04:00", "21:59", 18 * 60)
        skipped = {zone: {*skipped_times(zone)} for zone in zoneinfo.available_timezones()}
        assert {zone for zone, times in skipped.items() if times & {*taken}} == set()
        assert {zone for zone, times in skipped.items() if times and re.match("UTC$|Etc/", zone)} == set()
        # What is refused is refused for somebody's sake.
        assert "03:30" in skipped["Europe/Athens"]
        assert {time[:2] for times in skipped.values() for time in times} == {"22", "23", "00", "01", "02", "03"}

    def test_of_the_worker_are_the_same(self) -> None:
        found = re.search(r"worker_timeout_seconds\s*=\s*([0-9]+)", terraform("locals.tf"))
        assert found
        stages = json.loads((ROOT / "zappa_settings.json").read_text(encoding="utf-8"))
        assert int(found[1]) == stages["production_worker"]["timeout_seconds"] == 300

    def test_of_a_lease_fit_in_the_queues_visibility(self) -> None:
        """A message that comes back finds the lease of its last delivery ended."""
        settings = (ROOT / "billing_site" / "settings.py").read_text(encoding="utf-8")
        lease = re.search(r'"PAYMENT_LEASE_SECONDS", default=([0-9]+)', settings)
        assert lease
        assert "visibility_timeout_seconds = 6 * local.worker_timeout_seconds" in terraform("locals.tf")
        assert int(lease[1]) < 300 < 6 * 300


class TestMetrics:
    def test_are_looked_for_where_the_product_writes_them(self) -> None:
        found = re.search(r'^  product_namespace += "(.+)"$', terraform("observability.tf"), re.MULTILINE)
        assert found
        assert found[1] == NAMESPACE

    @pytest.mark.parametrize("name", ["unexplained", "needs_review"])
    def test_that_alarms_watch_are_emitted(self, name: str) -> None:
        assert f'"{{ $.{name} >= 0 }}"' in terraform("observability.tf")
        assert name in emitted()

    def test_that_the_dashboard_shows_are_those_that_are_emitted(self) -> None:
        assert emitted() == {
            "due",
            "charged",
            "succeeded",
            "declined",
            "unknown",
            "parked",
            "needs_review",
            "unexplained",
        }
        for name in emitted():
            assert f'"{name}"' in terraform("dashboard.tf")

    def test_runs_are_counted_by_the_event_that_a_sweep_logs(self) -> None:
        assert '$.event = \\"run.swept\\"' in terraform("observability.tf")
        assert '"event": "run.swept"' in (ROOT / "rebilling" / "sweep.py").read_text(encoding="utf-8")


class TestAuthorities:
    def test_are_looked_for_where_the_package_has_them(self) -> None:
        assert f'DATABASE_SSLROOTCERT = "{TASK_ROOT}/{BUNDLE}"' in terraform("outputs.tf")
