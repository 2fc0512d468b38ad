import pytest

from accounts.models import Account
from tests.builders import a_plan
from tests.integration.subscriptions.imports.files import REQUIRED, errors, file_of, names, row, take
from tests.support.databases import rolled_back

pytestmark = rolled_back

SAVE_AS = 'save it as CSV in UTF-8 (in Excel: "CSV UTF-8"; in LibreOffice: character set "Unicode (UTF-8)")'


@pytest.fixture(autouse=True)
def _plan(db: None) -> None:
    a_plan(code="basic")


class TestSeparators:
    @pytest.mark.parametrize("separator", [",", ";", "\t"])
    def test_the_header_tells_what_separates_the_columns(self, separator: str) -> None:
        content = file_of(row("A1", name='"(1)"'), row("A2")).replace(",", separator)

        assert names(content.replace("(1)", "Müller, Söhne; Co")) == {"A1": "Müller, Söhne; Co", "A2": "Ann"}

    @pytest.mark.parametrize("header", [REQUIRED.replace(",", '";"'), REQUIRED.upper().replace(",", '"; "')])
    def test_the_header_may_be_in_quotes(self, header: str) -> None:
        assert names(f'"{header}"\n' + row().replace(",", ";")) == {"A1": "Ann"}

    @pytest.mark.parametrize("line", ["sep=;", "SEP=;", '"sep=;"', "\ufeffsep=;", "sep=;\r"])
    def test_a_line_above_the_header_may_name_the_separator(self, line: str) -> None:
        assert names(f"{line}\n" + file_of(row(email="nobody")).replace(",", ";").replace("nobody", "a@b.example")) == {
            "A1": "Ann"
        }
        content = f"{line}\n" + file_of(row("A2", email="nobody")).replace(",", ";")
        assert errors(content) == ["line 3: email: Enter a valid email address."]

    def test_a_line_that_names_another_separator_is_refused(self) -> None:
        assert errors("sep=;\n" + file_of(row("A1"), row("A2"))) == [
            "line 2: The line above says sep=;, but the columns are separated by ','. Take that line out."
        ]

    @pytest.mark.parametrize(("separator", "said"), [("|", "'|'"), (":", "':'"), (" ", "spaces")])
    @pytest.mark.parametrize("above", [0, 1])
    def test_any_other_separator_is_named_once(self, separator: str, said: str, above: int) -> None:
        rows = file_of(row("A1"), row("A2"), row("A3")).replace(",", separator)

        assert errors(f"sep={separator}\n" * above + rows) == [
            f"line {above + 1}: Can't be read: the columns are separated by {said}. "
            "Save the file with a comma, a semicolon or a tab between them."
        ]

    def test_any_other_separator_is_named_with_quotes_and_spaces_around_the_names(self) -> None:
        header = '"' + REQUIRED.replace(",", '"| "') + '"'

        assert errors(file_of(row().replace(",", "|"), header=header)) == [
            "line 1: Can't be read: the columns are separated by '|'. "
            "Save the file with a comma, a semicolon or a tab between them."
        ]

    def test_only_the_header_is_looked_at_for_it(self) -> None:
        assert errors(REQUIRED + "\n" + row().replace(",", ";")) == ["line 2: Has 1 cell instead of 5."]


class TestEncodings:
    @pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
    def test_utf_16_with_a_byte_order_mark_is_read_as_a_spreadsheet_saves_it(self, encoding: str) -> None:
        content = "\ufeff" + file_of(row("A1", name="Zoë 李"), row("A2")).replace(",", "\t").replace("\n", "\r\n")

        assert names(content.encode(encoding)) == {"A1": "Zoë 李", "A2": "Ann"}

    def test_utf_16_that_is_cut_off_within_a_character_is_refused(self) -> None:
        content = ("\ufeff" + file_of(row("A1"))).encode("utf-16-le") + b"A"

        assert errors(content) == [
            f"line 3: Is not UTF-16 from about here on; the file is damaged. If you can, {SAVE_AS}."
        ]

    def test_half_of_a_surrogate_pair_is_refused(self) -> None:
        content = ("\ufeff" + file_of(row("A1"), row("A2", name="@"))).encode("utf-16-le")

        assert errors(content.replace(b"@\0,", b"\x80\xd8,")) == [f"line 3: Is not UTF-8: {SAVE_AS}."]

    def test_utf_16_without_a_mark_is_refused_and_a_way_out_is_named(self) -> None:
        assert errors(file_of(row("A1")).encode("utf-16-le")) == [
            f"line 1: Holds a NUL character: the file is no text, damaged, or not UTF-8; {SAVE_AS}."
        ]

    def test_windows_1252_is_refused_once_and_a_way_out_is_named(self) -> None:
        content = file_of(row("A1"), row("A2", name="Müller"), row("A3", name="Söhne")).encode("cp1252")

        assert errors(content) == [f"line 3: Is not UTF-8: {SAVE_AS}."]


class TestWhatSpreadsheetsLeave:
    def test_rows_of_separators_and_spaces_are_passed_over(self) -> None:
        content = file_of(",,,,", "   ", row("A1"), " , ,\t,,", "", '"",,,," "', row("A2"), ",,,,,,,", ",,")

        assert names("\n,,,,\n \n" + content) == {"A1": "Ann", "A2": "Ann"}
        assert errors(",,\n" + file_of(",,,,", row("A3", email="x"))) == ["line 4: email: Enter a valid email address."]

    @pytest.mark.parametrize("separator", [",", ";", "\t"])
    @pytest.mark.parametrize("blanks", ['"",""," "', '"" , "", " " ,', ' "" ,"  "', '""', '" ","",,,""'])
    def test_rows_of_quoted_blanks_are_passed_over(self, separator: str, blanks: str) -> None:
        content = "\n".join([blanks, REQUIRED, blanks, row("A1", name='"\n"" ""\n"'), blanks, row("A2"), blanks])

        assert names(content.replace(",", separator)) == {"A1": '" "', "A2": "Ann"}

    def test_a_row_of_a_quote_is_not(self) -> None:
        assert errors(file_of('""""', row("A1"))) == ["line 2: Has 1 cell instead of 5."]

    @pytest.mark.parametrize(("separator", "blanks"), [("\t", ",,,,"), ("\t", ";;;;"), (",", ";;;;"), (";", ",,,,")])
    def test_separators_of_other_files_are_no_blanks(self, separator: str, blanks: str) -> None:
        content = file_of(row("A1")).replace(",", separator) + blanks + "\n"

        assert errors(content) == ["line 3: Has 1 cell instead of 5."]

    def test_empty_columns_at_the_end_are_passed_over(self) -> None:
        assert names(file_of(row("A1") + ",,", row("A2"), row("A3") + ", ,,,", header=REQUIRED + ",,")) == {
            "A1": "Ann",
            "A2": "Ann",
            "A3": "Ann",
        }

    def test_a_column_without_a_name_must_be_empty(self) -> None:
        header = REQUIRED.replace(",name", ",,name")
        rows = [row("A1").replace(",Ann", ",,Ann"), row("A2").replace(",Ann", ",Bob,Ann"), row("A3") + ",,Bob"]

        assert errors(file_of(*rows[:2], header=header)) == [
            "line 3: Has a cell in column 2, which has no name in the first line."
        ]
        assert errors(file_of(rows[2], header=REQUIRED + ",,")) == [
            "line 2: Has 7 cells instead of 5. A cell that holds a separator must be in quotes."
        ]
        assert names(file_of(rows[0], header=header)) == {"A1": "Ann"}

    def test_blank_cells_at_the_end_of_a_row_may_be_left_out(self) -> None:
        header = REQUIRED + ",quantity,status"
        take(file_of(row("A1"), row("A2") + ",3", row("A3") + ",4,INACTIVE", header=header))

        found = Account.objects.order_by("external_reference").values_list("terms__quantity", "status")
        assert list(found) == [(1, "ACTIVE"), (3, "ACTIVE"), (4, "INACTIVE")]

    def test_a_last_row_that_may_be_cut_off_is_refused(self) -> None:
        header = REQUIRED + ",quantity,unit_amount_minor"

        assert errors(file_of(row("A1"), row("A2") + ",1", header=header).removesuffix("\n")) == [
            "line 3: Has 6 cells instead of 7, and no line end: the file may be cut off here."
        ]
        assert take(file_of(row("A1") + ",1,500", header=header).removesuffix("\n")).accounts == 1

    def test_line_ends_may_be_mixed(self) -> None:
        content = f"{REQUIRED}\r\n{row('A1')}\r{row('A2')}\n\r\n{row('A3', email='nobody')}\n"

        assert errors(content) == ["line 5: email: Enter a valid email address."]
        assert names(content.replace("nobody", "ann@ann.example")) == {"A1": "Ann", "A2": "Ann", "A3": "Ann"}


class TestBadFiles:
    @pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\n\r\n"])
    def test_an_empty_file_is_refused(self, content: bytes) -> None:
        assert errors(content) == ["line 1: The file is empty; its first line must name the columns."]

    @pytest.mark.parametrize("content", [REQUIRED, REQUIRED + "\r\n", REQUIRED + ",,\n,,,,\n"])
    def test_a_file_without_accounts_imports_none(self, content: str) -> None:
        assert take(content).accounts == 0

    @pytest.mark.parametrize("content", [row(), '""\n' + row(), "sep=;\n" + row(), "sep=\n" + row()])
    def test_a_file_without_a_header_is_refused_with_what_to_write(self, content: str) -> None:
        (problem,) = errors(content)

        assert problem.split(": ", 1)[1] == (
            f"Names none of the columns. The first line must name {REQUIRED.replace(',', ', ')}, and may name "
            "quantity, unit_amount_minor, currency, status, rebilling_date, opening_balance_minor, tax_rate, "
            "payment_customer, payment_method, address_line1, address_line2, postal_code, city, region, country, "
            "tax_id, language, metadata."
        )

    def test_column_names_in_any_letters_are_one_name(self) -> None:
        assert errors(file_of(row() + ",x", header=REQUIRED + ",NAME")) == [
            "line 1: These columns are there more than once: name."
        ]

    def test_missing_columns_are_named(self) -> None:
        assert errors("external_reference,name,email\nA1,Ann,a@b.example\n") == [
            "line 1: These columns are missing: plan, anchor_date."
        ]

    def test_unknown_and_repeated_columns_are_named(self) -> None:
        (problem,) = errors(file_of(row(), header=REQUIRED + ",name,Colour"))

        assert problem.startswith("line 1: These columns are unknown: 'Colour'. Known are external_reference, name, ")
        assert problem.endswith(" These columns are there more than once: name.")

    def test_a_row_with_too_many_or_too_few_cells_is_named(self) -> None:
        assert errors(file_of(row("A1", name="Lee, Ann"), row("A2"), "A3,Ann")) == [
            "line 2: Has 6 cells instead of 5. A cell that holds a separator must be in quotes.",
            "line 4: Has 2 cells instead of 5.",
        ]

    def test_lines_are_counted_through_quoted_line_breaks_and_blank_lines(self) -> None:
        content = file_of(row("A1", name='"\r\n\nAnn"'), "", row("A2", email="x"), row("A3", name='"B\n"'), "A4")

        assert errors(content) == [
            "line 6: email: Enter a valid email address.",
            "line 9: Has 1 cell instead of 5.",
        ]

    def test_a_quoted_line_break_within_a_name_is_refused(self) -> None:
        content = file_of(row("A1", name='"Ann\nLee"'))

        assert errors(content) == ["line 2: name: Holds a line break: write it in one line."]

    def test_a_nul_byte_is_refused_with_its_line(self) -> None:
        assert errors(file_of(row("A1"), row("A2", name="A\0n"))) == [
            f"line 3: Holds a NUL character: the file is no text, damaged, or not UTF-8; {SAVE_AS}."
        ]

    def test_a_quote_that_is_never_closed_is_refused_with_its_line(self) -> None:
        content = file_of(row("A1"), row("A2", name='"Ann'), row("A3"))

        assert errors(content) == ["line 3: A quote opens in this row and is never closed."]

    def test_a_quote_that_is_closed_too_late_is_refused_with_its_line(self) -> None:
        content = file_of(row("A1", name='"Ann'), row("A2", name='"Bob"'))

        assert errors(content) == [
            "line 2: A quoted cell goes on after its closing quote. A quote inside a quoted cell is written twice."
        ]

    def test_a_quote_that_is_never_closed_does_not_take_the_whole_file(self) -> None:
        content = file_of(row("A1", name='"Ann'), *(row(f"B{number}") for number in range(5000)))

        assert errors(content) == ["line 2: A cell is too long. Perhaps a quote opens in this row and is never closed."]

    def test_a_line_without_an_end_is_refused(self) -> None:
        assert errors(REQUIRED + "\n" + "x" * 1_100_000) == ["line 2: Is longer than 1048576 characters."]
