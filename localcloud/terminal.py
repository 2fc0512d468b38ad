"""What a command shows: progress on a terminal and not in a pipe, and tables."""

import datetime
from collections.abc import Sequence

from django.core.management.base import OutputWrapper

EACH = 25


class ProgressLine:
    """A line that counts on a terminal and ends with what was done; in a pipe only what was done is written."""

    def __init__(self, *, out: OutputWrapper, doing: str, total: int | None = None) -> None:
        self.out = out
        self.doing = doing
        self.total = total
        self.live = out.isatty()
        self._show(0)

    def __call__(self, done: int) -> None:
        if done % EACH == 0 or done == self.total:
            self._show(done)

    def end(self, done: str) -> None:
        self.out.write(f"\r\033[K{done}" if self.live else done)
        self.out.flush()

    def _show(self, done: int) -> None:
        if self.live:
            count = f" {done:,} of {self.total:,}" if self.total else ""
            self.out.write(f"\r\033[K{self.doing}...{count}", ending="")
            self.out.flush()


class DayLines:
    """A line for each day that is worth one; on a terminal a last line tells which day it is, and what it waits for."""

    def __init__(self, *, out: OutputWrapper) -> None:
        self.out = out
        self.live = out.isatty()

    def wait(self, *, day: datetime.date, left: int) -> None:
        self._show(f"{day}  queue: {left:,}")

    def add(self, line: str, *, worth_keeping: bool) -> None:
        if worth_keeping:
            self.end(line)
        else:
            self._show(line)

    def end(self, line: str) -> None:
        self.out.write(f"\r\033[K{line}" if self.live else line)
        self.out.flush()

    def _show(self, line: str) -> None:
        if self.live:
            self.out.write(f"\r\033[K{line}", ending="")
            self.out.flush()


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
