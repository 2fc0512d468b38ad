"""A paper as PDF. Its libraries and fonts are an extra (requirements/pdf.txt), and are loaded by the first PDF.

Right-to-left scripts are shaped and ordered by fpdf2, a cell at a time: each cell has one direction, that of the first
letter in it that has any, and a number's cell is left to right.
"""

import datetime
import io
import unicodedata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from accounts.errors import Conflict, Missing
from papers.paper import Column, Paper, Section, Size

LIBRARIES = ("fpdf", "uharfbuzz", "fontpkg_arimo", "fontpkg_noto_sans_arabic")
FONTS = (("fontpkg_arimo", "Arimo[wght].ttf"), ("fontpkg_noto_sans_arabic", "NotoSansArabic[wdth,wght].ttf"))
"""Of each the package and the file. Characters that the first doesn't have are the second's."""
MARGIN, SMALL, NORMAL, LARGE = 50, 8, 9, 18
"""In points."""
GAP = 4
FOOT = 46
LOGO_HEIGHT = 42
_JOINERS = frozenset("\u200c\u200d")
"""They tell Arabic letters how to join, and show nothing."""


class PdfNotInstalled(Missing):
    """This installation has no library that makes PDFs."""

    code = "pdf-not-installed"


class UnableToDraw(Conflict):
    """The paper holds a character that the PDF's fonts don't have."""

    code = "script-not-in-pdf"


def is_installed() -> bool:
    return all(find_spec(name) for name in LIBRARIES)


def draw_pdf(paper: Paper, *, size: Size) -> bytes:
    """The same bytes for the same paper. Raises `PdfNotInstalled` and `UnableToDraw`."""
    if not is_installed():
        raise PdfNotInstalled(
            "This installation makes no PDF: the extra isn't installed (requirements/pdf.txt; in a package EXTRAS=pdf)."
            " Print the page in the admin instead."
        )
    # Twice: how many pages there are is known once they are drawn.
    pages, _ = _drawn(paper, size=size, pages=0)
    _, content = _drawn(paper, size=size, pages=pages)
    return content


def _drawn(paper: Paper, *, size: Size, pages: int) -> tuple[int, bytes]:
    """How many pages it has, and its bytes."""
    from fpdf import FPDF  # noqa: PLC0415 - an extra, and a third of a second

    class Document(FPDF):
        def footer(self) -> None:
            _draw_foot(self, paper, pages=pages)

    pdf: Any = Document(unit="pt", format=size)
    try:
        _draw(pdf, paper)
        return pdf.page, bytes(pdf.output()) if pages else b""
    finally:
        for font in pdf.fonts.values():
            # fpdf2 leaves its file open.
            font.ttfont.close()


def _draw(pdf: Any, paper: Paper) -> None:
    pdf.set_margins(MARGIN, MARGIN, MARGIN)
    pdf.set_auto_page_break(False)
    pdf.set_creation_date(datetime.datetime.combine(paper.dated_on, datetime.time(), datetime.UTC))
    pdf.set_title(paper.heading)
    pdf.set_producer("")
    for number, path in enumerate(_font_files()):
        pdf.add_font(f"font{number}", "", str(path))
    _refuse_unknown_characters(pdf, paper)
    pdf.set_fallback_fonts(["font1"])
    pdf.add_page()
    _draw_head(pdf, paper)
    for section in paper.sections:
        _draw_section(pdf, section)
    _draw_totals(pdf, paper)


def _font_files() -> list[Path]:
    folders = [(find_spec(package), name) for package, name in FONTS]
    return [Path(spec.origin).parent.joinpath("files", name) for spec, name in folders if spec and spec.origin]


def _refuse_unknown_characters(pdf: Any, paper: Paper) -> None:
    known = {*pdf.fonts["font0"].cmap, *pdf.fonts["font1"].cmap}
    for text in paper.texts:
        for character in text:
            if ord(character) not in known and character not in _JOINERS:
                name = unicodedata.name(character, f"U+{ord(character):04X}")
                raise UnableToDraw(
                    f"The PDF's fonts don't have {character} ({name}). Print the page in the admin instead: a browser "
                    "has fonts for every script."
                )


def _cell(pdf: Any, text: str, *, width: int, size: int = NORMAL, right: bool = False, number: bool = False) -> None:
    """Write a text where we are, broken into lines, and go below it. A right-to-left one stands at the right."""
    direction = _direction_of(text) if not number else "ltr"
    pdf.set_font("font0", size=size)
    pdf.set_text_shaping(True, direction=direction)
    align = "R" if right or number or direction == "rtl" else "L"
    pdf.multi_cell(width, _line_height(size), text, align=align, new_x="LEFT", new_y="NEXT", padding=0)


def _height(pdf: Any, text: str, *, width: int, size: int = NORMAL, number: bool = False) -> int:
    pdf.set_font("font0", size=size)
    pdf.set_text_shaping(True, direction="ltr" if number else _direction_of(text))
    lines = pdf.multi_cell(width, _line_height(size), text, dry_run=True, output="LINES")
    return max(len(lines), 1) * _line_height(size)


def _direction_of(text: str) -> Literal["ltr", "rtl"]:
    for character in text:
        if unicodedata.bidirectional(character) in {"R", "AL"}:
            return "rtl"
        if unicodedata.bidirectional(character) == "L":
            return "ltr"
    return "ltr"


def _line_height(size: int) -> int:
    return size + GAP


def _inner_width(pdf: Any) -> int:
    return int(pdf.w) - 2 * MARGIN


def _draw_head(pdf: Any, paper: Paper) -> None:
    half = _inner_width(pdf) // 2
    if paper.company.logo:
        pdf.image(io.BytesIO(paper.company.logo), x=MARGIN, y=MARGIN, h=LOGO_HEIGHT)
    pdf.set_xy(MARGIN + half, MARGIN)
    for line in paper.company.lines:
        _cell(pdf, line, width=half, right=True)
    pdf.set_xy(MARGIN, max(int(pdf.get_y()), MARGIN + LOGO_HEIGHT) + NORMAL)
    _cell(pdf, paper.heading, width=_inner_width(pdf), size=LARGE)
    top = int(pdf.get_y()) + NORMAL
    pdf.set_xy(MARGIN, top)
    for line in paper.customer:
        _cell(pdf, line, width=half - NORMAL)
    bottom = int(pdf.get_y())
    pdf.set_xy(MARGIN + half, top)
    for label, value in paper.facts:
        _draw_pair(pdf, label, value, left=MARGIN + half, width=half)
    pdf.set_xy(MARGIN, max(bottom, int(pdf.get_y())) + NORMAL)


def _draw_pair(pdf: Any, label: str, value: str, *, left: int, width: int, number: bool = False) -> None:
    third = width // 3 if not number else width // 2
    top, height = int(pdf.get_y()), _height(pdf, value, width=width - third, number=number)
    pdf.set_xy(left, top)
    _cell(pdf, label, width=third)
    below = int(pdf.get_y())
    pdf.set_xy(left + third, top)
    _cell(pdf, value, width=width - third, number=number)
    pdf.set_xy(left, max(top + height, below))


def _draw_section(pdf: Any, section: Section) -> None:
    if section.title:
        _make_room(pdf, 4 * _line_height(NORMAL))
        pdf.set_xy(MARGIN, int(pdf.get_y()) + NORMAL)
        _cell(pdf, section.title, width=_inner_width(pdf), size=NORMAL + 2)
    widths = _widths(section.columns, _inner_width(pdf))
    _draw_row(pdf, section.columns, tuple(column.title for column in section.columns), widths, size=SMALL)
    for row in section.rows:
        if _make_room(pdf, _row_height(pdf, section.columns, row, widths)):
            _draw_row(pdf, section.columns, tuple(column.title for column in section.columns), widths, size=SMALL)
        _draw_row(pdf, section.columns, row, widths)


def _widths(columns: tuple[Column, ...], width: int) -> list[int]:
    parts = sum(column.parts for column in columns)
    return [width * column.parts // parts for column in columns]


def _row_height(
    pdf: Any, columns: tuple[Column, ...], row: tuple[str, ...], widths: list[int], *, size: int = NORMAL
) -> int:
    cells = zip(columns, row, widths, strict=True)
    heights = [
        _height(pdf, text, width=width - GAP, size=size, number=column.is_number) for column, text, width in cells
    ]
    return max(heights) + GAP


def _draw_row(
    pdf: Any, columns: tuple[Column, ...], row: tuple[str, ...], widths: list[int], *, size: int = NORMAL
) -> None:
    top, left, height = int(pdf.get_y()), MARGIN, _row_height(pdf, columns, row, widths, size=size)
    for column, text, width in zip(columns, row, widths, strict=True):
        pdf.set_xy(left, top)
        _cell(pdf, text, width=width - GAP, size=size, number=column.is_number)
        left += width
    pdf.set_draw_color(200)
    pdf.line(MARGIN, top + height - GAP // 2, MARGIN + sum(widths) - GAP, top + height - GAP // 2)
    pdf.set_xy(MARGIN, top + height)


def _make_room(pdf: Any, height: int) -> bool:
    """Begin another page where so much doesn't fit on this one; returns whether it did."""
    if int(pdf.get_y()) + height <= int(pdf.h) - MARGIN - FOOT:
        return False
    pdf.add_page()
    pdf.set_xy(MARGIN, MARGIN)
    return True


def _draw_totals(pdf: Any, paper: Paper) -> None:
    width = _inner_width(pdf) // 2
    _make_room(pdf, (len(paper.totals) + 1) * _line_height(NORMAL))
    pdf.set_xy(MARGIN + width, int(pdf.get_y()) + NORMAL)
    for label, value in paper.totals:
        _draw_pair(pdf, label, value, left=MARGIN + width, width=width - GAP, number=True)


def _draw_foot(pdf: Any, paper: Paper, *, pages: int) -> None:
    pdf.set_xy(MARGIN, int(pdf.h) - MARGIN - FOOT + GAP)
    _cell(pdf, paper.company.footer, width=_inner_width(pdf), size=SMALL)
    pdf.set_xy(MARGIN, int(pdf.h) - MARGIN)
    _cell(pdf, f"{paper.heading}, page {pdf.page_no()} of {pages}", width=_inner_width(pdf), size=SMALL, right=True)
