"""What a command that moves the clock shows on a terminal, and in a pipe."""

import datetime
import io

import pytest
from django.core.management.base import OutputWrapper

from localcloud.terminal import DayLines

DAY = datetime.date(2026, 3, 1)


class Screen(io.StringIO):
    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@pytest.mark.parametrize(
    ("terminal", "shown"),
    [
        (True, "\r\033[K2026-03-01  queue: 1,200\r\033[Kquiet\r\033[Ka run\n\r\033[Kdone\n"),
        (False, "a run\ndone\n"),
    ],
)
def test_days_are_shown_as_they_pass_and_kept_where_something_happened(terminal: bool, shown: str) -> None:
    screen = Screen(terminal=terminal)
    lines = DayLines(out=OutputWrapper(screen))
    lines.wait(day=DAY, left=1200)
    lines.add("quiet", worth_keeping=False)
    lines.add("a run", worth_keeping=True)
    lines.end("done")
    assert screen.getvalue() == shown
