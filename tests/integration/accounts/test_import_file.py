import pytest

from accounts.models import Account
from tests.builders import a_plan
from tests.databases import rolled_back
from tests.integration.accounts.import_files import REQUIRED, file_of, refusals, row, take

pytestmark = rolled_back


@pytest.fixture(autouse=True)
def _plan(db: None) -> None:
    a_plan(code="basic")


class TestBadFiles:
    @pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\n\r\n"])
    def test_an_empty_file_is_refused(self, content: bytes) -> None:
        assert refusals(content) == ["line 1: The file is empty; its first line must name the columns."]

    def test_a_file_without_accounts_imports_none(self) -> None:
        assert take(REQUIRED).accounts == 0

    def test_missing_columns_are_named(self) -> None:
        assert refusals("external_reference,name,email\nA1,Ann,a@b.example\n") == [
            "line 1: These columns are missing: plan, anchor_date."
        ]

    def test_unknown_and_repeated_columns_are_named(self) -> None:
        (problem,) = refusals(file_of(row(), header=REQUIRED + ",name,Colour"))

        assert problem.startswith("line 1: These columns are unknown: 'Colour'. Known are external_reference, name, ")
        assert problem.endswith(" These columns are there more than once: name.")

    def test_a_row_with_too_many_or_too_few_fields_is_named(self) -> None:
        assert refusals(file_of(row("A1") + ",", row("A2"), "A3,Ann")) == [
            "line 2: Has 6 fields instead of 5.",
            "line 4: Has 2 fields instead of 5.",
        ]

    def test_lines_are_counted_through_quoted_line_breaks_and_blank_lines(self) -> None:
        content = file_of(row("A1", name='"Ann\r\nLee\nLu"'), "", row("A2", email="x"), row("A3", name='"B\n"'), "A4")

        assert refusals(content) == [
            "line 6: email: Enter a valid email address.",
            "line 9: Has 1 fields instead of 5.",
        ]

    def test_a_quoted_line_break_is_kept(self) -> None:
        take(file_of(row("A1", name='"Ann\nLee"')))

        assert Account.objects.get().name == "Ann\nLee"

    def test_bytes_that_are_not_utf_8_are_refused_with_their_line(self) -> None:
        content = file_of(row("A1"), row("A2", name="Zoë")).encode("latin-1")

        assert refusals(content) == ["line 3: Is not UTF-8."]
        assert refusals(file_of(row()).encode("utf-16")) == ["line 1: Is not UTF-8."]

    def test_a_nul_byte_is_refused_with_its_line(self) -> None:
        assert refusals(file_of(row("A1"), row("A2", name="A\0n"))) == ["line 3: Holds a NUL byte."]

    def test_a_quote_that_is_never_closed_is_refused_with_its_line(self) -> None:
        content = file_of(row("A1"), row("A2", name='"Ann'), row("A3"))

        assert refusals(content) == ["line 3: Is not CSV: unexpected end of data."]

    def test_a_line_without_an_end_is_refused(self) -> None:
        assert refusals(REQUIRED + "\n" + "x" * 1_100_000) == ["line 2: Is longer than 1048576 characters."]
