"""Papers as files: what is downloaded, and what an e-mail would carry."""

import uuid
from typing import NamedTuple

from papers.invoice_paper import invoice_paper
from papers.paper import Paper, Size
from papers.pdf import draw_pdf

MEDIA_TYPE = "application/pdf"


class PaperFile(NamedTuple):
    """`name` is plain ASCII, as numbers and dates are."""

    name: str
    media_type: str
    content: bytes


def invoice_file(invoice_id: uuid.UUID, *, size: Size) -> PaperFile:
    """An invoice as PDF. Raises `UnknownInvoice`, `PdfNotInstalled` and `UnableToDraw`."""
    return file_of(invoice_paper(invoice_id), size=size)


def file_of(paper: Paper, *, size: Size) -> PaperFile:
    """A paper as PDF. Raises `PdfNotInstalled` and `UnableToDraw`."""
    name = f"{paper.title} {paper.number or paper.dated_on}".lower().replace(" ", "-")
    return PaperFile(f"{name}.pdf", MEDIA_TYPE, draw_pdf(paper, size=size))
