"""EventBridge Scheduler on this machine: the daily sweep and the hourly reconcile, with the same events.

They follow the platform's clock. A time that passed while the machine slept fires once, when it wakes. A time that
passed while nothing ran doesn't fire: the next sweep catches up. Nor does a time that the clock was moved past: the
command that moves it does that day's work (`localcloud.days`), and the next times are computed from the new time.
"""

import datetime
import logging
import threading
import zoneinfo
from dataclasses import dataclass

from django.db import connections

from localcloud import clock
from localcloud.invocation import Handler, invoke

CHECK_SECONDS = 20
SWEEP_AT = datetime.time(0, 10)
"""In the billing time zone, a little after the day begins."""
RECONCILE_AT_MINUTE = 5

_logger = logging.getLogger(__name__)


def next_sweep(after: datetime.datetime, *, zone: zoneinfo.ZoneInfo) -> datetime.datetime:
    """The first sweep later than an instant, in UTC."""
    day = after.astimezone(zone).date()
    time = datetime.datetime.combine(day, SWEEP_AT, tzinfo=zone).astimezone(datetime.UTC)
    if time > after:
        return time
    tomorrow = day + datetime.timedelta(days=1)
    return datetime.datetime.combine(tomorrow, SWEEP_AT, tzinfo=zone).astimezone(datetime.UTC)


def next_reconcile(after: datetime.datetime) -> datetime.datetime:
    """The first reconcile later than an instant, in UTC."""
    time = after.astimezone(datetime.UTC).replace(minute=RECONCILE_AT_MINUTE, second=0, microsecond=0)
    return time if time > after else time + datetime.timedelta(hours=1)


def scheduled_event(*, command: str, time: datetime.datetime) -> dict[str, str]:
    """The event that a schedule invokes the function with; in the cloud the scheduler fills the time in."""
    return {"command": command, "time": time.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}


@dataclass(frozen=True, kw_only=True)
class Schedules:
    handler: Handler
    zone: zoneinfo.ZoneInfo

    def run(self, *, stopping: threading.Event) -> None:
        """Fires each schedule at its times until `stopping` is set; starts with one reconcile."""
        try:
            found = clock.setting()
            # The queue is new and empty: what was in it when the platform last stopped is sent again.
            self._fire(command="reconcile", time=clock.at(found))
            times = self._next_times(after=clock.at(found))
            while not stopping.wait(CHECK_SECONDS):
                before, found = found, clock.setting()
                if found.offset_seconds != before.offset_seconds:
                    times = self._next_times(after=clock.at(found))
                for command, time in times.items():
                    if time <= clock.at(found):
                        self._fire(command=command, time=time)
                        times[command] = self._next_times(after=clock.at(found))[command]
        finally:
            connections.close_all()

    def _next_times(self, *, after: datetime.datetime) -> dict[str, datetime.datetime]:
        return {"reconcile": next_reconcile(after), "sweep": next_sweep(after, zone=self.zone)}

    def _fire(self, *, command: str, time: datetime.datetime) -> None:
        try:
            invoke(handler=self.handler, event=scheduled_event(command=command, time=time))
        except Exception:
            _logger.exception("schedule failed", extra={"command": command})
