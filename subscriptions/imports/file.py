"""Reading a file of accounts as a stream: its encoding, its lines, and its rows with the line each starts on.

UTF-8, or UTF-16 with a byte order mark; cells separated by commas, semicolons or tabs; any line ends.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from accounts.text import is_unicode
from subscriptions.imports.columns import COLUMNS, REQUIRED, columns_of, separator_named_by, separator_of
from subscriptions.imports.problems import Fault, UnreadableFile

MAX_CHARACTERS_IN_A_LINE = 1024 * 1024
"""A longer line is no row of accounts; reading it whole could take all the memory there is."""

# Two quotes in a quoted cell are a quote, and no blank.
_BLANK_IN_QUOTES = r'"\s*"(?!")'
_BLANK = re.compile(rf"(?:{_BLANK_IN_QUOTES}|[\s,;])*")
_SAVE_AS_UTF_8 = 'save it as CSV in UTF-8 (in Excel: "CSV UTF-8"; in LibreOffice: character set "Unicode (UTF-8)")'
_CSV_REASONS = {
    "unexpected end of data": "A quote opens in this row and is never closed.",
    "field larger than": "A cell is too long. Perhaps a quote opens in this row and is never closed.",
    "expected after": "A quoted cell goes on after its closing quote. A quote inside a quoted cell is written twice.",
}


@dataclass(frozen=True, slots=True)
class FileRow:
    """A row: the line it starts on (a quoted cell may hold line breaks), and its cells by column, without the spaces
    around them. Columns that the file doesn't have are blank. `fault` says why a row has no cells.
    """

    line: int
    cells: dict[str, str]
    fault: Fault | None = None


def read_rows(*, file: io.BufferedIOBase) -> Iterator[FileRow]:
    """The file's rows, read as they are asked for. Rows without anything in them are passed over.

    Raises `UnreadableFile`.
    """
    buffered = io.BufferedReader(file)
    utf_16 = buffered.peek(2)[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}
    # Bytes that aren't UTF-8 come through as surrogates, so that their line can be named.
    text = io.TextIOWrapper(
        buffered, encoding="utf-16" if utf_16 else "utf-8-sig", errors="surrogateescape", newline=""
    )
    try:
        yield from _rows(_Lines(text))
    finally:
        text.detach()
        buffered.detach()  # the file is the caller's to close


class _Lines:
    """The lines of the file: how many were read, and whether the last one had a line end."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self.number = 0
        self.ended = True

    def __iter__(self) -> Iterator[str]:
        while content := self._next():
            self.number += 1
            self.ended = content[-1] in "\r\n"
            self._check(content)
            yield content

    def _next(self) -> str:
        try:
            return self._text.readline(MAX_CHARACTERS_IN_A_LINE + 1)
        except UnicodeDecodeError:
            # UTF-16 alone: what isn't UTF-8 comes through.
            reason = f"Is not UTF-16 from about here on; the file is damaged. If you can, {_SAVE_AS_UTF_8}."
            raise UnreadableFile(line=self.number + 1, reason=reason) from None

    def _check(self, content: str) -> None:
        reason = ""
        if len(content) > MAX_CHARACTERS_IN_A_LINE:
            reason = f"Is longer than {MAX_CHARACTERS_IN_A_LINE} characters."
        elif not content.isascii() and not is_unicode(content):
            reason = f"Is not UTF-8: {_SAVE_AS_UTF_8}."
        elif "\0" in content:
            reason = f"Holds a NUL character: the file is no text, damaged, or not UTF-8; {_SAVE_AS_UTF_8}."
        if reason:
            raise UnreadableFile(line=self.number, reason=reason)


def _rows(lines: _Lines) -> Iterator[FileRow]:
    contents = iter(lines)
    written = (content for content in contents if not _BLANK.fullmatch(content))
    header = next(written, "")
    if named := separator_named_by(header):
        header = next(written, "")
    if not header:
        raise UnreadableFile(line=1, reason="The file is empty; its first line must name the columns.")
    line = lines.number
    separator = separator_of(header=header, line=line, named=named)
    records = _records(contents=chain([header], contents), separator=separator, first_line=line)
    line, names = next(records, (line, []))
    columns = columns_of(header=names, line=line)
    nameless = [place for place, name in enumerate(columns) if not name]
    for line, record in records:
        cells = dict.fromkeys(COLUMNS, "")
        cells.update(zip(columns, map(str.strip, record), strict=False))
        if len(record) == len(columns) and not nameless:
            yield FileRow(line=line, cells=cells)
        elif reason := _misplaced(record=record, columns=columns, nameless=nameless, ended=lines.ended):
            yield FileRow(line=line, cells={}, fault=Fault(reason))
        else:
            yield FileRow(line=line, cells=cells)


def _records(*, contents: Iterator[str], separator: str, first_line: int) -> Iterator[tuple[int, list[str]]]:
    """The records that have anything in them, each with the line it starts on."""
    # Strict: a quote that is never closed is an error, and not a cell that holds the rest of the file.
    source = _BlankLinesTaken(contents, separator=separator)
    reader = csv.reader(source, delimiter=separator, strict=True, skipinitialspace=True)
    while True:
        line = first_line + reader.line_num
        source.begins_record = True
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            known = (reason for text, reason in _CSV_REASONS.items() if text in str(error))
            raise UnreadableFile(line=line, reason=next(known, f"Is not CSV: {error}.")) from None
        if any(map(str.strip, record)):
            yield line, record


class _BlankLinesTaken:
    """The lines, those of quoted blanks as empty ones where a record begins, for the reader that takes them.

    The strict reader refuses the whole file for one like `"" , ""`, as it should for a cell that holds something.
    """

    def __init__(self, contents: Iterator[str], *, separator: str) -> None:
        self._contents = contents
        self._blank = re.compile(rf"(?:{_BLANK_IN_QUOTES}|[\s{re.escape(separator)}])*")
        self.begins_record = True

    def __iter__(self) -> Iterator[str]:
        for content in self._contents:
            blank = self.begins_record and self._blank.fullmatch(content)
            self.begins_record = False
            yield "\n" if blank else content


def _misplaced(*, record: list[str], columns: list[str], nameless: list[int], ended: bool) -> str:
    """Why the record doesn't fit the columns, or an empty string.

    Spreadsheets leave out the cells at the end of a row when they are blank, and add blank ones.
    """
    counts = f"Has {len(record)} cell{'s' * (len(record) != 1)} instead of {len(columns)}"
    if any(map(str.strip, record[len(columns) :])):
        return f"{counts}. A cell that holds a separator must be in quotes."
    if filled := [place for place in nameless if "".join(record[place : place + 1]).strip()]:
        return f"Has a cell in column {filled[0] + 1}, which has no name in the first line."
    if any(column in REQUIRED for column in columns[len(record) :]):
        return f"{counts}."
    if len(record) < len(columns) and not ended:
        # What is missing may have been written once.
        return f"{counts}, and no line end: the file may be cut off here."
    return ""
