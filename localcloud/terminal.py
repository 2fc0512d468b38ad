"""What a command shows: progress on a terminal and not in a pipe, and tables."""

import datetime
from collections.abc import Sequence

from django.core.management.base import OutputWrapper

EACH = 25


class _LastLine:
    """A terminal's last line is written anew until it is ended; a pipe gets only what it ends with."""

    def __init__(self, *, out: OutputWrapper) -> None:
        self.out = out
        self.live = out.isatty()

    def end(self, line: str) -> None:
        self.out.write(f"\r\033[K{line}" if self.live else line)
        self.out.flush()

    def _show(self, line: str) -> None:
        if self.live:
            self.out.write(f"\r\033[K{line}", ending="")
            self.out.flush()


class ProgressLine(_LastLine):
    """A line that counts on a terminal and ends with what was done; in a pipe only what was done is written."""

    def __init__(self, *, out: OutputWrapper, doing: str, total: int | None = None) -> None:
        super().__init__(out=out)
        self.doing = doing
        self.total = total
        self._count(0)

    def __call__(self, done: int) -> None:
        if done % EACH == 0 or done == self.total:
            self._count(done)

    def _count(self, done: int) -> None:
        count = f" {done:,} of {self.total:,}" if self.total else ""
        self._show(f"{self.doing}...{count}")


class DayLines(_LastLine):
    """A line for each day that is worth one; on a terminal a last line tells which day it is, and what it waits for."""

    def wait(self, *, day: datetime.date, left: int) -> None:
        self._show(f"{day}  queue: {left:,}")

    def add(self, line: str, *, worth_keeping: bool) -> None:
        if worth_keeping:
            self.end(line)
        else:
            self._show(line)


def table(*, head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Columns as wide as they need to be; those numbered in `right` are aligned to the right."""
    widths = [max(len(row[n]) for row in [head, *rows]) for n in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if n in right else cell.ljust(width)
            for n, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "  ".join(padded).rstrip()

    return "\n".join([line(head), line(["-" * width for width in widths]), *map(line, rows)])
