"""Reading the file of an import: CSV in UTF-8, as a stream, each row with the number of the line it starts on."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

REQUIRED = ("external_reference", "name", "email", "plan", "anchor_date")
OPTIONAL = (
    "quantity",
    "unit_amount_minor",
    "status",
    "rebilling_date",
    "payment_customer",
    "payment_method",
    "metadata",
)
COLUMNS = REQUIRED + OPTIONAL

MOST_CHARACTERS_IN_A_LINE = 1024 * 1024
"""A longer line is no row of accounts; reading it whole could take all the memory there is."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a row, or with the file from that line on."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


class UnreadableFile(Exception):
    """The file can't be read as rows of accounts, or no further than this line."""

    def __init__(self, *, line: int, reason: str) -> None:
        super().__init__(reason)
        self.problem = Problem(line=line, reason=reason)


@dataclass(frozen=True, slots=True)
class FileRow:
    """A row: the line it starts on (a quoted cell may hold line breaks), and its cells by column, without the spaces
    around them. Columns that the file doesn't have are blank. `reason` says why a row has no cells.
    """

    line: int
    cells: dict[str, str]
    reason: str = ""


def read_rows(*, file: IO[bytes]) -> Iterator[FileRow]:
    """The file's rows, read as they are asked for. Blank lines are passed over.

    Takes a byte order mark, and any line ends. Raises `UnreadableFile`.
    """
    # Bytes that aren't UTF-8 come through as surrogates, so that their line can be named.
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        rows = _records(text)
        line, header = next(rows, (1, []))
        if not header:
            raise UnreadableFile(line=line, reason="The file is empty; its first line must name the columns.")
        columns = _checked_columns(line=line, header=header)
        for line, record in rows:
            if len(record) == len(columns):
                found = dict(zip(columns, record, strict=True))
                yield FileRow(line=line, cells={column: found.get(column, "").strip() for column in COLUMNS})
            else:
                yield FileRow(line=line, cells={}, reason=f"Has {len(record)} fields instead of {len(columns)}.")
    finally:
        text.detach()  # the file is the caller's to close


def _records(text: io.TextIOWrapper) -> Iterator[tuple[int, list[str]]]:
    """The records that aren't blank lines, each with the line it starts on."""
    # Strict: a quote that is never closed is an error, and not a cell that holds the rest of the file.
    reader = csv.reader(_lines(text), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise UnreadableFile(line=line, reason=f"Is not CSV: {error}.") from None
        if record:
            yield line, record


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    line = 0
    while content := text.readline(MOST_CHARACTERS_IN_A_LINE + 1):
        line += 1
        if len(content) > MOST_CHARACTERS_IN_A_LINE:
            raise UnreadableFile(line=line, reason=f"Is longer than {MOST_CHARACTERS_IN_A_LINE} characters.")
        try:
            content.encode("utf-8")
        except UnicodeEncodeError:
            raise UnreadableFile(line=line, reason="Is not UTF-8.") from None
        if "\0" in content:
            raise UnreadableFile(line=line, reason="Holds a NUL byte.")
        yield content


def _checked_columns(*, line: int, header: list[str]) -> list[str]:
    columns = [name.strip() for name in header]
    reasons = []
    if missing := [name for name in REQUIRED if name not in columns]:
        reasons.append(f"These columns are missing: {', '.join(missing)}.")
    if unknown := [name for name in columns if name not in COLUMNS]:
        reasons.append(f"These columns are unknown: {', '.join(map(repr, unknown))}. Known are {', '.join(COLUMNS)}.")
    if twice := [name for name in COLUMNS if columns.count(name) > 1]:
        reasons.append(f"These columns are there more than once: {', '.join(twice)}.")
    if reasons:
        raise UnreadableFile(line=line, reason=" ".join(reasons))
    return columns
