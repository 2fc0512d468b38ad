import io
import unicodedata
from importlib.util import find_spec

import pytest
from pypdf import PdfReader

from papers.paper import Size
from papers.pdf import LIBRARIES, PdfNotInstalled, UnableToDraw, draw_pdf
from tests.support.papers import LINE, a_paper, pages_of, squeezed


def marks(content: bytes) -> list[tuple[str, int]]:
    """The pieces of a PDF's first page with the place of each from the left, in points."""
    found: list[tuple[str, int]] = []

    def visit(text: str, _matrix: object, place: list[float], *_rest: object) -> None:
        if text.strip():
            found.append((text.strip(), round(place[4])))

    PdfReader(io.BytesIO(content)).pages[0].extract_text(visitor_text=visit)
    return found


class TestPdf:
    def test_has_all_that_is_on_the_paper(self) -> None:
        paper = a_paper(customer=("Ελλάς (Привет) Žluťoučký Müller", "<b>1 Main Street</b>"))
        (text,) = pages_of(draw_pdf(paper, size="A4"))
        for written in paper.texts:
            assert squeezed(written) in squeezed(text)
        assert "Invoice AB-0001, page 1 of 1" in text

    def test_has_the_same_bytes_for_the_same_paper(self) -> None:
        paper = a_paper(customer=("שלום", "شركة"))
        assert draw_pdf(paper, size="A4") == draw_pdf(paper, size="A4")
        assert PdfReader(io.BytesIO(draw_pdf(paper, size="A4"))).metadata == {
            "/Title": "Invoice AB-0001",
            "/CreationDate": "D:20260101000000Z",
        }

    @pytest.mark.parametrize(("size", "points"), [("A4", (595, 842)), ("Letter", (612, 792))])
    def test_is_of_the_size_that_is_asked_for(self, size: Size, points: tuple[int, int]) -> None:
        box = PdfReader(io.BytesIO(draw_pdf(a_paper(), size=size))).pages[0].mediabox
        assert (round(box.width), round(box.height)) == points

    def test_repeats_the_head_of_a_long_table_and_counts_its_pages(self) -> None:
        rows = [(f"Line number {n}.", *LINE[1:]) for n in range(100)]
        pages = pages_of(draw_pdf(a_paper(*rows), size="A4"))
        assert [page.count("Unit price") for page in pages] == [1, 1, 1]
        assert [f"page {n} of 3" in page for n, page in enumerate(pages, start=1)] == [True] * 3
        whole = squeezed("".join(pages))
        assert [whole.count(squeezed(f"Line number {n}.")) for n in range(100)] == [1] * 100
        assert "19.99 USD" in pages[2]

    def test_breaks_a_name_without_spaces(self) -> None:
        name = "W" * 200
        (text,) = pages_of(draw_pdf(a_paper(customer=(name,)), size="Letter"))
        assert name in squeezed(text)

    def test_shows_amounts_of_every_kind(self) -> None:
        rows = [
            ("Unused days", "1", "-16.00 USD", "", "-16.00 USD"),
            ("Yen", "1,000", "49,000 JPY", "", "49,000,000 JPY"),
        ]
        (text,) = pages_of(draw_pdf(a_paper(*rows), size="A4"))
        assert "-16.00 USD" in text
        assert "49,000,000 JPY" in text

    @pytest.mark.parametrize("name", ["חברת שלום (בעמ) 123", "شركة النور (2026)"])
    def test_writes_right_to_left_names_from_the_right(self, name: str) -> None:
        paper = a_paper(customer=(name,))
        (text,) = pages_of(draw_pdf(paper, size="A4"))
        letters = [each for each in name if unicodedata.bidirectional(each) in {"R", "AL"}]
        # Joined letters are one glyph or several, in an order of the reader's own.
        assert [letter for letter in letters if letter not in text] == []
        pieces = [(piece, left) for piece, left in marks(draw_pdf(paper, size="A4")) if left < 297]
        texts = [piece for piece, _ in pieces]
        ours = pieces[texts.index("Invoice AB-0001") + 1 : texts.index("Description")]
        # Drawn as it is seen, from the left: the digits that are read last come first.
        digits = [number for number, (piece, _) in enumerate(ours) if any(map(str.isdigit, piece))]
        words = [number for number, (piece, _) in enumerate(ours) if letters[0] in piece]
        assert max(digits) < min(words), ours
        assert min(left for _, left in ours) > 150

    def test_writes_left_to_right_names_from_the_left(self) -> None:
        places = dict(marks(draw_pdf(a_paper(customer=("Acme (Ltd)",)), size="A4")))
        assert places["Acme (Ltd)"] < 60

    def test_may_have_joiners_between_letters(self) -> None:
        assert draw_pdf(a_paper(customer=("می‌خواهم",)), size="A4").startswith(b"%PDF-")

    @pytest.mark.parametrize(
        ("text", "named"),
        [("Café 🎉", "PARTY POPPER"), ("株式会社", "CJK UNIFIED"), ("สวัสดี", "THAI"), ("\ue000", "U+E000")],
    )
    def test_is_refused_with_a_character_that_the_fonts_lack(self, text: str, named: str) -> None:
        for paper in (a_paper(customer=(text,)), a_paper((text, *LINE[1:]))):
            with pytest.raises(UnableToDraw, match="Print the page in the admin instead") as refused:
                draw_pdf(paper, size="A4")
            assert named in refused.value.detail

    @pytest.mark.parametrize("missing", LIBRARIES)
    def test_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
        monkeypatch.setattr("papers.pdf.find_spec", lambda name: None if name == missing else find_spec(name))
        with pytest.raises(PdfNotInstalled, match=r"EXTRAS=pdf"):
            draw_pdf(a_paper(), size="A4")
