import datetime
import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from pytest_django import DjangoAssertNumQueries

from accounts import importing
from accounts.importing import Imported, UnableToImport, import_accounts
from accounts.models import Account, StatusChange
from accounts.opening import AccountTerms, open_account
from accounts.plans import create_plan, retire_plan
from tests import telco

pytestmark = pytest.mark.django_db

NOW = datetime.datetime(2026, 11, 22, 12, tzinfo=datetime.UTC)
AS_OF = datetime.date(2026, 11, 22)
NO_START = " is not the start of a period counted from the anchor 2026-01-31."
REQUIRED = "external_reference,name,email,plan,anchor_date"
SAMPLE = Path(__file__).resolve().parents[3] / "docs" / "examples" / "accounts.csv"


def plan(code: str, *, unit: str = "month", amount_minor: int = 1999) -> None:
    create_plan(
        code=code,
        name=code.title(),
        currency="USD",
        unit_amount_minor=amount_minor,
        interval_count=1,
        interval_unit=unit,
        now=NOW,
    )


@pytest.fixture(autouse=True)
def _plans() -> None:
    plan("basic")


def take(content: str | bytes, *, as_of: datetime.date = AS_OF, dry_run: bool = False) -> Imported:
    data = content.encode() if isinstance(content, str) else content
    return import_accounts(file=io.BytesIO(data), as_of=as_of, author="test", now=NOW, dry_run=dry_run)


def file_of(*rows: str, header: str = REQUIRED) -> str:
    return "\n".join([header, *rows]) + "\n"


def refusals(content: str | bytes) -> list[str]:
    """The problems that an import of the content names. Nothing moved."""
    before = Account.objects.count(), StatusChange.objects.count()
    with pytest.raises(UnableToImport) as caught:
        take(content)
    assert (Account.objects.count(), StatusChange.objects.count()) == before
    assert caught.value.more == 0
    return [str(problem) for problem in caught.value.problems]


def row(reference: str = "A1", *, name: str = "Ann", email: str = "ann@ann.example", anchor: str = "2026-01-31") -> str:
    return f"{reference},{name},{email},basic,{anchor}"


class TestImportAccounts:
    def test_takes_every_account_of_the_sample_file(self) -> None:
        plan("team")
        plan("annual", unit="year")

        imported = take(SAMPLE.read_bytes())

        assert (imported.accounts, imported.active, imported.inactive) == (20, 17, 3)
        assert Account.objects.count() == 20
        assert Account.objects.filter(status="ACTIVE").count() == 17
        left = Account.objects.filter(status="INACTIVE").values_list("external_reference", "inactive_reason")
        assert sorted(left) == [("EX-0006", "imported"), ("EX-0013", "imported"), ("EX-0019", "imported")]
        cafe = Account.objects.get(external_reference="EX-0003")
        assert (cafe.name, cafe.quantity, cafe.metadata) == (
            "Corner Café, Lisbon",
            2,
            {"city": "Lisboa", "tables": 14},
        )

    def test_gives_blank_cells_their_defaults(self) -> None:
        take(file_of(row(), header=REQUIRED))

        account = Account.objects.get()
        assert (account.status, account.inactive_reason, account.quantity) == ("ACTIVE", "", 1)
        assert (account.unit_amount_minor, account.currency) == (1999, "USD")
        assert account.anchor_date == datetime.date(2026, 1, 31)
        assert account.rebilling_date == account.first_rebilling_date == datetime.date(2026, 11, 30)
        assert (account.payment_customer, account.payment_method, account.metadata) == ("", "", {})
        assert (account.created_at, account.billing_since) == (NOW, NOW)

    def test_bills_from_the_day_of_the_import_when_a_period_starts_on_it(self) -> None:
        take(file_of(row(anchor="2020-02-22")))

        assert Account.objects.get().rebilling_date == AS_OF

    def test_takes_a_rebilling_date_in_the_past_to_be_caught_up(self) -> None:
        take(file_of(row() + ",2026-09-30", header=REQUIRED + ",rebilling_date"))

        assert Account.objects.get().rebilling_date == datetime.date(2026, 9, 30)

    def test_writes_each_account_a_history(self) -> None:
        take(file_of(row("A1") + ",", row("A2") + ",INACTIVE", header=REQUIRED + ",status"))

        history = StatusChange.objects.values_list(
            "account__external_reference", "from_status", "to_status", "reason", "author", "changed_at"
        )
        assert sorted(history) == [
            ("A1", "", "ACTIVE", "imported", "test", NOW),
            ("A2", "", "INACTIVE", "imported", "test", NOW),
        ]

    @pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
    @pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
    def test_takes_any_line_ends_and_a_byte_order_mark(self, line_end: str, mark: bytes) -> None:
        content = file_of(row("A1", name="Zoë"), row("A2")).replace("\n", line_end)

        assert take(mark + content.encode()).accounts == 2
        assert list(Account.objects.order_by("external_reference").values_list("name", flat=True)) == ["Zoë", "Ann"]

    def test_takes_columns_in_any_order_and_drops_spaces_around_cells(self) -> None:
        take("anchor_date, plan ,email,name,external_reference\n2026-01-31, basic,a@b.example, Ann Lee , A1\n\n")

        account = Account.objects.get()
        assert (account.name, account.external_reference) == ("Ann Lee", "A1")

    def test_reads_the_file_as_a_stream(self) -> None:
        file = io.BytesIO(file_of(*(row(f"A{number}") for number in range(2500))).encode())
        size = len(file.getvalue())
        read = []
        import_accounts(
            file=file,
            as_of=AS_OF,
            author="test",
            now=NOW,
            dry_run=True,
            progress=lambda rows: read.append((rows, file.tell())),
        )

        assert [rows for rows, _ in read] == [1000, 2000, 2500]
        assert read[0][1] < size / 2

    def test_takes_as_many_statements_for_a_batch_however_many_rows_it_has(
        self, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        with django_assert_num_queries(12) as few:
            take(file_of(*(row(f"A{number}") for number in range(3))))
        with django_assert_num_queries(len(few)):
            take(file_of(*(row(f"B{number}") for number in range(900))))

    def test_a_dry_run_writes_nothing(self) -> None:
        imported = take(file_of(row("A1") + ",", row("A2") + ",INACTIVE", header=REQUIRED + ",status"), dry_run=True)

        assert (imported.active, imported.inactive) == (1, 1)
        assert Account.objects.count() == StatusChange.objects.count() == 0

    def test_takes_nothing_when_the_last_of_several_batches_has_a_bad_row(self) -> None:
        rows = [row(f"A{number}") for number in range(2100)]

        assert refusals(file_of(*rows, row("B", email="nobody"))) == ["line 2102: email: Enter a valid email address."]

    def test_names_the_first_hundred_bad_rows_and_counts_the_others(self) -> None:
        rows = [row(f"A{number}", email="nobody") for number in range(1250)]
        with pytest.raises(UnableToImport) as caught:
            take(file_of(*rows))

        assert [problem.line for problem in caught.value.problems] == list(range(2, 102))
        assert caught.value.more == 1150
        assert Account.objects.count() == 0

    @pytest.mark.parametrize("as_of", [datetime.date(1969, 12, 31), datetime.date(2201, 1, 1)])
    def test_refuses_a_day_that_billing_does_not_know(self, as_of: datetime.date) -> None:
        with pytest.raises(UnableToImport, match="is not between 1970-01-01 and 2200-12-31"):
            take(file_of(row()), as_of=as_of)
        assert Account.objects.count() == 0


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


class TestReferences:
    def test_one_that_is_twice_in_the_file_is_refused_with_both_lines(self) -> None:
        assert refusals(file_of(row("A1"), row("A2"), row("A1"))) == [
            "line 4: external_reference: 'A1' is on line 2 already."
        ]

    def test_one_that_is_twice_is_found_in_another_batch_and_after_a_bad_row(self) -> None:
        rows = [row(f"A{number}") for number in range(2100)]

        assert refusals(file_of(row("A2050", email="nobody"), *rows)) == [
            "line 2: email: Enter a valid email address.",
            "line 2053: external_reference: 'A2050' is on line 2 already.",
        ]

    def test_one_that_an_account_has_already_is_refused(self) -> None:
        terms = AccountTerms(name="Bo", email="bo@bo.example", plan="basic", external_reference="A2")
        open_account(terms=terms, author="test", today=AS_OF, now=NOW)

        assert refusals(file_of(row("A1"), row("A2"))) == [
            "line 3: external_reference: Another account has the external reference 'A2'."
        ]

    def test_a_file_imported_a_second_time_is_refused(self) -> None:
        take(file_of(row("A1"), row("A2")))

        assert [line.split(":")[0] for line in refusals(file_of(row("A1"), row("A2")))] == ["line 2", "line 3"]

    def test_one_that_was_taken_since_the_import_looked_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        terms = AccountTerms(name="Bo", email="bo@bo.example", plan="basic", external_reference="A2")
        look = importing._find_taken
        looks = []

        def look_and_lose_the_race(batch: Sequence[importing._Candidate]) -> None:
            look(batch)
            looks.append(len(batch))
            if len(looks) == 1:
                open_account(terms=terms, author="somebody", today=AS_OF, now=NOW)

        monkeypatch.setattr(importing, "_find_taken", look_and_lose_the_race)
        with pytest.raises(UnableToImport) as caught:
            take(file_of(row("A1"), row("A2")))

        assert [str(problem) for problem in caught.value.problems] == [
            "line 3: external_reference: Another account has the external reference 'A2'."
        ]
        assert looks == [2, 2]
        assert Account.objects.count() == 0


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


@telco.needs_telco_file
class TestTelcoCustomers:
    def test_every_customer_becomes_an_account(self, tmp_path: Path) -> None:
        telco.create_telco_plans(now=NOW)
        telco.write_import(path=tmp_path / "telco.csv", as_of=AS_OF)
        with (tmp_path / "telco.csv").open("rb") as file:
            imported = import_accounts(file=file, as_of=AS_OF, author="test", now=NOW)

        assert (imported.accounts, imported.active, imported.inactive) == (telco.CUSTOMERS, telco.BILLABLE, 1869)
        billable = Account.objects.exclude(status="INACTIVE")
        assert {account.external_reference: account.charge_minor for account in billable} == {
            customer.reference: customer.charge_minor for customer in telco.customers() if customer.billable
        }
        due = billable.filter(rebilling_date=AS_OF).values_list("external_reference", flat=True)
        assert set(due) == set(telco.expected_charges())
        assert Account.objects.filter(rebilling_date__lt=AS_OF).count() == 0
