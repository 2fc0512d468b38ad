"""The clock of the platform of a data folder: the real one, moved by what a file in the folder says.

All processes of the folder read the file each time, so that they agree, a running platform included. The clock ticks on
from where it was set, and is only ever set to a later instant.
"""

import datetime
import json
import math
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import timezone

from accounts.billing_day import billing_day
from localcloud.errors import UnableToMove
from localcloud.private_files import replace_text

VARIABLE = "LOCAL_CLOCK"
"""Names the file to a process's settings and to this module; `manage.py` sets it for the database of a data folder."""
BEGINS_AT = datetime.time(9)
"""The time at which a data folder begins on a chosen day, in the billing time zone."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How far the clock is from the real one, and the day (YYYY-MM-DD) whose work has begun and isn't done, if any."""

    offset_seconds: int = 0
    unfinished: str = ""


def file_of(*, data: Path) -> Path:
    return data / "clock.json"


def setting() -> Setting:
    """What the file says; without one, or without the variable, the clock is the real one."""
    path = os.environ.get(VARIABLE, "")
    try:
        return Setting(**json.loads(Path(path).read_text(encoding="utf-8"))) if path else Setting()
    except FileNotFoundError:
        return Setting()


def now() -> datetime.datetime:
    """This instant by the platform's clock: what the setting CLOCK names on this machine."""
    return at(setting())


def at(found: Setting) -> datetime.datetime:
    """This instant by a clock with this setting."""
    return timezone.now() + datetime.timedelta(seconds=found.offset_seconds)


def today() -> datetime.date:
    return billing_day(now())


def unfinished_day() -> datetime.date | None:
    """The day whose work was begun and cut off, as long as it is still today."""
    day = today()
    return day if setting().unfinished == day.isoformat() else None


def move_to(instant: datetime.datetime, *, unfinished: datetime.date | None) -> None:
    """Sets the clock to an instant, or up to a second after it, and notes which day's work is under way from then on.

    Raises UnableToMove for an instant that has passed.
    """
    if instant < now():
        raise UnableToMove(f"the clock can't go back: it is {now():%Y-%m-%d %H:%M} UTC")
    seconds = math.ceil((instant - timezone.now()).total_seconds())
    _write(Setting(offset_seconds=seconds, unfinished=unfinished.isoformat() if unfinished else ""))


def finish_day() -> None:
    """Notes that no day's work is under way."""
    _write(replace(setting(), unfinished=""))


def begin_on(day: datetime.date) -> None:
    """Sets the clock of a new data folder, back or forward. For folders in which nothing has happened yet."""
    instant = at_time(day, BEGINS_AT)
    _write(Setting(offset_seconds=math.ceil((instant - timezone.now()).total_seconds())))


def at_time(day: datetime.date, time: datetime.time) -> datetime.datetime:
    """A time of a day in the billing time zone, in UTC."""
    zone = ZoneInfo(settings.BILLING_TIME_ZONE)
    return datetime.datetime.combine(day, time, tzinfo=zone).astimezone(datetime.UTC)


def _write(new: Setting) -> None:
    path = os.environ.get(VARIABLE)
    if not path:
        raise UnableToMove("only the platform of a data folder on this machine has a clock of its own")
    replace_text(path=Path(path), text=json.dumps(asdict(new)))
