import pytest

from tests.builders import a_plan
from tests.integration.subscriptions.imports.files import REQUIRED, file_of, refused, row
from tests.support.databases import rolled_back

pytestmark = rolled_back


@pytest.fixture(autouse=True)
def _plan(db: None) -> None:
    a_plan(code="basic")


class TestCauses:
    def test_sum_up_the_bad_rows_by_column(self) -> None:
        rows = [row(f"A{number}", anchor=f"{number + 1}/12/2026") for number in range(1204)]
        rows[3] = row("A3", email="nobody", anchor="4/12/2026")
        rows[5] = row("A5", email="someone")
        rows[7] = row("A7", anchor="2026-02-30")
        rows += ["B1,Ann,a@b.example,gold,2026-01-31", "B2", "B3,Ann,a@b.example,silver,2026-01-31", row("A9")]

        refusal = refused(file_of(*rows))

        assert [str(cause) for cause in refusal.causes] == [
            "1 row, on line 1207: Has 1 cell instead of 5.",
            "external_reference: 1 row, on line 1209: 'A9' is on line 11 already.",
            "email: 2 rows, first on line 5: Enter a valid email address.",
            "plan: 2 rows, first on line 1206: There is no plan 'gold'.",
            "anchor_date: 1,202 rows, first on line 2: '1/12/2026' is not a date written YYYY-MM-DD.",
            "anchor_date: 1 row, on line 9: '2026-02-30' is not a day of the calendar.",
        ]

    def test_tell_reasons_apart_by_more_than_what_they_quote(self) -> None:
        header = REQUIRED + ",quantity"
        refusal = refused(file_of(row("A1") + ",it's", row("A2") + ',"a""b\'c"', row("A3") + ",0", header=header))

        assert [str(cause) for cause in refusal.causes] == [
            'quantity: 2 rows, first on line 2: "it\'s" is not a whole number in plain digits.',
            "quantity: 1 row, on line 4: Must be from 1 to 2147483647.",
        ]

    def test_hold_that_of_a_file_that_is_unreadable_from_a_line_on(self) -> None:
        rows = [row(f"A{number}", email="nobody") for number in range(150)]
        refusal = refused(file_of(*rows, row("B", name='"Ann')))

        assert [str(cause) for cause in refusal.causes] == [
            "1 row, on line 152: A quote opens in this row and is never closed.",
            "email: 150 rows, first on line 2: Enter a valid email address.",
        ]
        assert [problem.line for problem in refusal.problems] == [*range(2, 12), 152]
        assert refusal.more == 140


class TestRows:
    def test_ten_of_a_cause_are_named_and_the_others_counted(self) -> None:
        rows = [row(f"A{number}", email="nobody") for number in range(1250)]
        rows[900] = row("A900", email="nobody", anchor="soon")
        refusal = refused(file_of(*rows))

        assert [problem.line for problem in refusal.problems] == [*range(2, 12), 902]
        assert refusal.more == 1239

    def test_a_hundred_are_named_at_most(self) -> None:
        columns = ["quantity", "unit_amount_minor", "currency", "status", "rebilling_date", "metadata"]
        bad = ["x", "0.5", "EUR", "x", "x", "x"]
        rows = [row(f"A{number}") for number in range(200)]
        for place in range(len(rows)):
            cells = [cell if place % 17 == which else "" for which, cell in enumerate(bad)]
            rows[place] += "," + ",".join(cells)
        more = [row(f"B{number}", email="x") + "," * 6 for number in range(20)]
        more += [row(f"C{number}", anchor="x") + "," * 6 for number in range(20)]
        more += [row(f"D{number}", anchor="2026-02-30") + "," * 6 for number in range(20)]
        more += [row(f"E{number}", name="") + "," * 6 for number in range(20)]
        more += [row(f"F{number}", name="n" * 201) + "," * 6 for number in range(20)]
        refusal = refused(file_of(*rows, *more, header=",".join([REQUIRED, *columns])))

        assert len(refusal.problems) == 100
        assert len(refusal.problems) + refusal.more == sum(cause.rows for cause in refusal.causes)
        assert refusal.problems[-1].line == 1 + len(rows) + 80 - 10
