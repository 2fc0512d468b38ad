"""What is wrong with a file of accounts: row by row, and summed up by cause."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

MAX_ROWS = 100
"""The most bad rows that are listed; the others are counted."""
MAX_ROWS_OF_A_CAUSE = 10
"""The most rows that are listed for one cause, so that one mistake doesn't crowd out the others."""
MAX_CHARACTERS = 1000
"""Of a reason; it may quote a cell."""

_VALUES = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\d+""")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a cell of a row, or, without a column, with the row or the file from there on."""

    reason: str
    column: str = ""

    def __str__(self) -> str:
        return f"{self.column}: {self.reason}" if self.column else self.reason


@dataclass(frozen=True, slots=True)
class Problem:
    """All that is wrong with the row that starts on this line."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


@dataclass(slots=True)
class Cause:
    """How many rows are bad for one cause; the first of them shows it."""

    column: str
    rows: int
    line: int
    reason: str

    def __str__(self) -> str:
        where = f"1 row, on line {self.line}" if self.rows == 1 else f"{self.rows:,} rows, first on line {self.line}"
        return f"{self.column}: {where}: {self.reason}" if self.column else f"{where}: {self.reason}"


class UnreadableFile(Exception):
    """The file can't be read as rows of accounts, or no further than this line."""

    def __init__(self, *, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


class Problems:
    """The problems of a file, gathered row by row. Memory stays flat however many rows are bad."""

    def __init__(self) -> None:
        self.bad_rows = 0
        self.rows: list[Problem] = []
        self._causes: dict[tuple[str, str], Cause] = {}

    def add(self, *, line: int, faults: Sequence[Fault]) -> None:
        self.bad_rows += 1
        rows_of_causes = [self._count(line=line, fault=fault) for fault in faults]
        if len(self.rows) < MAX_ROWS and min(rows_of_causes) <= MAX_ROWS_OF_A_CAUSE:
            self.rows.append(Problem(line=line, reason=" ".join(map(str, faults))[:MAX_CHARACTERS]))

    def causes(self, *, columns: Sequence[str]) -> list[Cause]:
        """Sorted by column, in the order of `columns`; those of whole rows come first."""
        order = {column: place for place, column in enumerate(["", *columns])}
        return sorted(self._causes.values(), key=lambda cause: (order.get(cause.column, len(order)), cause.line))

    def _count(self, *, line: int, fault: Fault) -> int:
        """The rows so far that have the cause of this fault: reasons that differ in quoted values and numbers only."""
        key = (fault.column, _VALUES.sub("", fault.reason))
        if key not in self._causes:
            reason = fault.reason[:MAX_CHARACTERS]
            self._causes[key] = Cause(column=fault.column, rows=0, line=line, reason=reason)
        self._causes[key].rows += 1
        return self._causes[key].rows
