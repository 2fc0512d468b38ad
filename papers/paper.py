"""What stands on a paper: an invoice, a credit note, a statement. Pure; the page and the PDF both draw this."""

import datetime
from dataclasses import dataclass
from typing import Literal

from papers.company import Company

Size = Literal["A4", "Letter"]
SIZES: tuple[Size, ...] = ("A4", "Letter")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """`parts` is its share of the table's width, beside those of the others. Amounts and numbers stand at the right."""

    title: str
    parts: int
    is_number: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A table; each row has a cell for each column."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def cells(self) -> list[list[tuple[Column, str]]]:
        """The rows, each cell with its column."""
        return [list(zip(self.columns, row, strict=True)) for row in self.rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """All of it is text, amounts as money. `dated_on` is the day that the file carries.

    `customer` is the name, then the address and the rest, a line each, in the customer's `language` where it is known;
    all else is in English. `facts` and `totals` are pairs of a label and its value; of the totals the last one counts.
    """

    title: str
    number: str
    dated_on: datetime.date
    company: Company
    customer: tuple[str, ...]
    language: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    totals: tuple[tuple[str, str], ...]

    @property
    def heading(self) -> str:
        return f"{self.title} {self.number}".strip()

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything that is written on it, in its order."""
        cells = [
            text
            for section in self.sections
            for text in (
                section.title,
                *(column.title for column in section.columns),
                *(c for r in section.rows for c in r),
            )
        ]
        pairs = [text for pair in (*self.facts, *self.totals) for text in pair]
        return (*self.company.lines, self.heading, *self.customer, *pairs, *cells, self.company.footer)
