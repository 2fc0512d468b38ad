import pytest

from accounts.plans import retire_plan
from tests.builders import a_plan
from tests.databases import rolled_back
from tests.integration.accounts.import_files import REQUIRED, file_of, refusals, row, take

pytestmark = rolled_back

NO_START = " is not the start of a period counted from the anchor 2026-01-31."


@pytest.fixture(autouse=True)
def _plan(db: None) -> None:
    a_plan(code="basic")


class TestBadCells:
    @pytest.mark.parametrize(
        ("column", "cell", "reason"),
        [
            ("quantity", "1.0", "'1.0' is not a whole number in plain digits."),
            ("quantity", "\uff11", "'\uff11' is not a whole number in plain digits."),
            ("quantity", "1_000", "'1_000' is not a whole number in plain digits."),
            ("quantity", "+1", "'+1' is not a whole number in plain digits."),
            ("quantity", "0", "Must be from 1 to 2147483647."),
            ("quantity", "-1", "Must be from 1 to 2147483647."),
            ("quantity", "2147483648", "Must be from 1 to 2147483647."),
            ("unit_amount_minor", "19.99", "'19.99' is not a whole number in plain digits."),
            ("unit_amount_minor", "1e3", "'1e3' is not a whole number in plain digits."),
            ("unit_amount_minor", "-1", "Must be from 0 to 9223372036854775807."),
            ("unit_amount_minor", "9223372036854775808", "Must be from 0 to 9223372036854775807."),
            ("unit_amount_minor", "9" * 5000, f"'{'9' * 60}...' is not a whole number in plain digits."),
            ("status", "active", "'active' is not ACTIVE or INACTIVE."),
            ("status", "PENDING", "'PENDING' is not ACTIVE or INACTIVE."),
            ("rebilling_date", "2026-12-01", "2026-12-01" + NO_START),
            ("rebilling_date", "2025-12-31", "2025-12-31" + NO_START),
            ("rebilling_date", "2026-12-31T00:00", "'2026-12-31T00:00' is not a date written YYYY-MM-DD."),
            ("payment_method", "p" * 201, "Ensure this value has at most 200 characters (it has 201)."),
            ("metadata", "[1]", "'[1]' is not a JSON object."),
            ("metadata", "null", "'null' is not a JSON object."),
            ("metadata", "{'a': 1}", "\"{'a': 1}\" is not JSON."),
            ("metadata", '{""a"": NaN}', "Holds a value that JSON doesn't have."),
            ("metadata", '{""a"": 1e999}', "Holds a value that JSON doesn't have."),
            ("metadata", '{""a"": ""\\u0000""}', "Holds a NUL character, which the database can't keep."),
            ("metadata", '{""a"": ""\\ud800""}', "Holds half of a surrogate pair, which isn't a character."),
            ("metadata", '{""a"":' + "[" * 30_000, "'{\"a\":" + "[" * 55 + "...' is not JSON."),
        ],
    )  # fmt: skip
    def test_an_optional_cell_is_refused_by_line_and_column(self, column: str, cell: str, reason: str) -> None:
        content = file_of(row("A1") + ",", row("A2") + f',"{cell}"', header=f"{REQUIRED},{column}")

        assert refusals(content) == [f"line 3: {column}: {reason}"]

    def test_quantity_times_amount_past_64_bits_is_refused(self) -> None:
        header = REQUIRED + ",quantity,unit_amount_minor"

        assert refusals(file_of(row() + ",2,4611686018427387904", header=header)) == [
            "line 2: quantity: Quantity times unit amount is past 9223372036854775807, the largest amount."
        ]
        assert take(file_of(row() + ",1,9223372036854775807", header=header)).accounts == 1

    @pytest.mark.parametrize(
        ("bad", "reason"),
        [
            (row(email="ann@"), "email: Enter a valid email address."),
            (row(email=""), "email: Must not be blank."),
            (row(name=" "), "name: Must not be blank."),
            (row(name="n" * 201), "name: Ensure this value has at most 200 characters (it has 201)."),
            (row(""), "external_reference: Must not be blank."),
            (row("r" * 201), "external_reference: Ensure this value has at most 200 characters (it has 201)."),
            (row("r" * 9999), "external_reference: Ensure this value has at most 200 characters (it has 9999)."),
            (row(anchor=""), "anchor_date: Must not be blank."),
            (row(anchor="20260131"), "anchor_date: '20260131' is not a date written YYYY-MM-DD."),
            (row(anchor="31/01/2026"), "anchor_date: '31/01/2026' is not a date written YYYY-MM-DD."),
            (row(anchor="\uff12026-01-31"), "anchor_date: '\uff12026-01-31' is not a date written YYYY-MM-DD."),
            (row(anchor="2026-02-29"), "anchor_date: '2026-02-29' is not a day of the calendar."),
            (row(anchor="1969-12-31"), "anchor_date: 1969-12-31 is not between 1970-01-01 and 2200-12-31."),
            (row(anchor="2201-01-01"), "anchor_date: 2201-01-01 is not between 1970-01-01 and 2200-12-31."),
            ("A1,Ann,a@b.example,gold,2026-01-31", "plan: There is no plan 'gold'."),
        ],
    )
    def test_a_required_cell_is_refused_by_line_and_column(self, bad: str, reason: str) -> None:
        assert refusals(file_of(row("A0"), bad)) == [f"line 3: {reason}"]

    def test_a_retired_plan_is_refused(self) -> None:
        retire_plan(code="basic")

        assert refusals(file_of(row())) == ["line 2: plan: The plan 'basic' is retired."]

    def test_a_reason_is_bounded_however_long_the_cell_is(self) -> None:
        (problem,) = refusals(file_of(f"A1,Ann,a@b.example,{'p' * 100_000},2026-01-31"))

        assert len(problem) < 1100

    def test_every_fault_of_a_row_is_named(self) -> None:
        content = file_of("A1,,x,basic,soon,many", header=REQUIRED + ",quantity")

        assert refusals(content) == [
            "line 2: name: Must not be blank. quantity: 'many' is not a whole number in plain digits. "
            "anchor_date: 'soon' is not a date written YYYY-MM-DD."
        ]
