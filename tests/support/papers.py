"""Papers, and what is read of their PDFs."""

import datetime
import io
from typing import Any

from pypdf import PdfReader

from papers.company import Company
from papers.invoice_paper import LINE_COLUMNS
from papers.paper import Paper, Section

LINE = ("Pro, 1 Jan to 31 Jan 2026", "1", "19.99 USD", "", "19.99 USD")
COMPANY = Company(lines=("Example Ltd", "1 Main Street", "Tax number DE123"), footer="Bank: DE00 1234")


def a_paper(*rows: tuple[str, ...], **given: Any) -> Paper:
    said: dict[str, Any] = {
        "title": "Invoice",
        "number": "AB-0001",
        "dated_on": datetime.date(2026, 1, 1),
        "company": COMPANY,
        "customer": ("Acme",),
        "language": "",
        "facts": (("Number", "AB-0001"), ("Issued", "1 Jan 2026")),
        "sections": (Section(title="", columns=LINE_COLUMNS, rows=rows or (LINE,)),),
        "totals": (("Total", "19.99 USD"), ("Left to pay", "19.99 USD")),
    }
    return Paper(**said | given)


def pages_of(content: bytes) -> list[str]:
    """The text of each page of a PDF, its spaces as they come."""
    return [page.extract_text() for page in PdfReader(io.BytesIO(content)).pages]


def squeezed(text: str) -> str:
    """Without blanks: a PDF breaks lines where the page doesn't."""
    return "".join(text.split())
