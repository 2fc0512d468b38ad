"""`manage.py import_accounts`, as an operator uses it."""

import datetime
import io
import subprocess
import sys
from pathlib import Path

import pytest
import time_machine
from django.core.management import CommandError, call_command

from accounts.models import Account, AccountChange
from invoices.models import Invoice, InvoiceLine
from payments.models import Payment
from rebilling.models import Rebilling
from tests.builders import a_plan, billed
from tests.support.databases import rolled_back

pytestmark = rolled_back

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "docs" / "examples" / "accounts.csv"
CASES = ROOT / "tests" / "data" / "imports"
HEADER = "external_reference,name,email,plan,anchor_date"
AS_OF = datetime.date(2026, 11, 22)
SAMPLE_CAUGHT_UP = "1 account is billed for days before 2026-11-22: 1 period, 19.00 USD, none of them in the past\n"


@pytest.fixture(autouse=True)
def _plans(db: None) -> None:
    a_plan(code="basic", unit_amount_minor=1900)
    a_plan(code="team", unit_amount_minor=2000)
    a_plan(code="annual", unit_amount_minor=24_000, interval_unit="year")


def imported(file: Path = SAMPLE, *options: str, as_of: str = "2026-11-22", today: str = "2026-11-22") -> str:
    out, err = io.StringIO(), io.StringIO()
    with time_machine.travel(f"{today}T12:00:00+00:00", tick=False):
        call_command("import_accounts", str(file), "--as-of", as_of, *options, stdout=out, stderr=err)
    assert err.getvalue() == ""  # no progress, since this is no terminal
    return out.getvalue()


def refused(file: Path, *, as_of: str = "2026-11-22") -> list[str]:
    with pytest.raises(CommandError) as caught:
        imported(file, as_of=as_of)
    assert caught.value.returncode == 1
    assert Account.objects.count() == AccountChange.objects.count() == 0
    return str(caught.value).splitlines()


class TestImportAccounts:
    def test_prints_what_was_imported(self) -> None:
        assert imported() == f"20 accounts imported (17 active, 3 inactive)\n{SAMPLE_CAUGHT_UP}"
        assert Account.objects.count() == AccountChange.objects.count() == 20
        assert set(AccountChange.objects.values_list("author", flat=True)) == {"command:import_accounts"}

    def test_a_dry_run_prints_what_would_be_imported(self) -> None:
        assert imported(SAMPLE, "--dry-run") == (
            f"20 accounts would be imported (17 active, 3 inactive); nothing was written\n{SAMPLE_CAUGHT_UP}"
        )
        assert Account.objects.count() == 0

    def test_a_bad_row_among_good_ones_is_named_and_nothing_imported(self, tmp_path: Path) -> None:
        lines = SAMPLE.read_text(encoding="utf-8").splitlines()
        lines[7] = lines[7].replace("annual", "gold")
        (tmp_path / "bad.csv").write_text("\r\n".join(lines), encoding="utf-8-sig")

        assert refused(tmp_path / "bad.csv") == ["line 8: plan: There is no plan 'gold'.", "No account was imported."]

    def test_many_bad_rows_are_summed_up_and_the_first_of_them_named(self, tmp_path: Path) -> None:
        bad = [f"{number},Ann,a@b.example,basic,31/12/2026" for number in range(1204)]
        bad[2] = "2,,a@b.example,basic,2026-12-31"
        (tmp_path / "bad.csv").write_text("\n".join([HEADER, *bad]))

        lines = refused(tmp_path / "bad.csv")

        assert lines[:5] == [
            "name: 1 row, on line 4: Must not be blank.",
            "anchor_date: 1,203 rows, first on line 2: '31/12/2026' is not a date written YYYY-MM-DD.",
            "",
            "line 2: anchor_date: '31/12/2026' is not a date written YYYY-MM-DD.",
            "line 3: anchor_date: '31/12/2026' is not a date written YYYY-MM-DD.",
        ]
        assert lines[13:] == [
            "line 12: anchor_date: '31/12/2026' is not a date written YYYY-MM-DD.",
            "and 1,193 more bad rows",
            "No account was imported.",
        ]

    def test_a_file_with_other_separators_is_refused_in_a_sentence(self, tmp_path: Path) -> None:
        (tmp_path / "bad.csv").write_text(SAMPLE.read_text(encoding="utf-8").replace(",", "|"), encoding="utf-8")

        assert refused(tmp_path / "bad.csv") == [
            "line 1: Can't be read: the columns are separated by '|'. "
            "Save the file with a comma, a semicolon or a tab between them.",
            "No account was imported.",
        ]

    def test_a_file_that_is_not_utf_8_is_refused_in_a_sentence(self, tmp_path: Path) -> None:
        (tmp_path / "bad.csv").write_text(SAMPLE.read_text(encoding="utf-8"), encoding="cp1252")

        assert refused(tmp_path / "bad.csv") == [
            "line 4: Is not UTF-8: save it as CSV in UTF-8 "
            '(in Excel: "CSV UTF-8"; in LibreOffice: character set "Unicode (UTF-8)").',
            "No account was imported.",
        ]

    def test_a_missing_column_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "bad.csv").write_text("external_reference;name;email\n")

        assert refused(tmp_path / "bad.csv") == [
            "line 1: These columns are missing: plan, anchor_date.",
            "No account was imported.",
        ]

    @pytest.mark.parametrize(
        ("as_of", "reason"),
        [
            ("20261122", "--as-of: '20261122' is not a date written YYYY-MM-DD."),
            ("tomorrow", "--as-of: 'tomorrow' is not a date written YYYY-MM-DD."),
            ("2026-11-31", "--as-of: '2026-11-31' is not a day of the calendar."),
            ("1969-12-31", "--as-of: 1969-12-31 is not between 1970-01-01 and 2200-12-31."),
            ("2201-01-01", "--as-of: 2201-01-01 is not between 1970-01-01 and 2200-12-31."),
        ],
    )
    def test_an_invalid_day_is_refused(self, as_of: str, reason: str) -> None:
        assert refused(SAMPLE, as_of=as_of) == [reason]

    def test_a_file_that_cannot_be_opened_is_refused(self, tmp_path: Path) -> None:
        assert refused(tmp_path / "none.csv") == [f"{tmp_path / 'none.csv'}: No such file or directory"]
        assert refused(tmp_path) == [f"{tmp_path}: Is a directory"]

    def test_shows_progress_on_a_terminal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Terminal(io.StringIO):
            def isatty(self) -> bool:
                return True

        terminal = Terminal()
        call_command(
            "import_accounts", str(SAMPLE), "--as-of", "2026-11-22", "--no-color", stdout=io.StringIO(), stderr=terminal
        )
        assert "\r20 rows read" in terminal.getvalue()

    def test_ends_with_code_1_when_it_is_refused(self) -> None:
        ended = subprocess.run(
            [sys.executable, "manage.py", "import_accounts", "no-such-file.csv", "--as-of", "2026-11-22"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (ended.returncode, ended.stdout) == (1, "")
        assert "no-such-file.csv: No such file or directory" in ended.stderr
        assert "Traceback" not in ended.stderr


class TestPastDays:
    @pytest.fixture(autouse=True)
    def _more_plans(self, _plans: None) -> None:
        a_plan(code="monthly", unit_amount_minor=1000)
        a_plan(code="euro", unit_amount_minor=125_000, currency="EUR")

    def said(self, folder: Path, *rows: str, as_of: str = "2026-11-30", today: str = "2026-11-30") -> list[str]:
        """What an import prints after its first line; a dry run of it says the same."""
        (folder / "accounts.csv").write_text("\n".join([f"{HEADER},rebilling_date", *rows]))
        looked = imported(folder / "accounts.csv", "--dry-run", as_of=as_of, today=today).splitlines()
        taken = imported(folder / "accounts.csv", as_of=as_of, today=today).splitlines()
        assert looked[1:] == taken[1:]
        assert "nothing was written" in looked[0]
        return taken[1:]

    def test_are_printed_with_what_is_billed_for_them(self, tmp_path: Path) -> None:
        assert self.said(
            tmp_path,
            "A-1,One,a@b.example,monthly,2025-08-31,2026-08-31",
            "A-2,Two,b@b.example,monthly,2026-11-30,2026-11-30",
        ) == ["1 account is billed for days before 2026-11-30: 4 periods, 40.00 USD, 3 of them in the past"]

    def test_are_printed_by_currency(self, tmp_path: Path) -> None:
        assert self.said(
            tmp_path,
            "A-1,One,a@b.example,monthly,2025-08-31,2026-08-31",
            "A-2,Two,b@b.example,euro,2026-11-29,2026-11-29",
        ) == [
            "2 accounts are billed for days before 2026-11-30: 5 periods, 1,250.00 EUR and 40.00 USD, "
            "3 of them in the past"
        ]

    def test_are_printed_as_not_billed(self, tmp_path: Path) -> None:
        assert self.said(tmp_path, "A-1,One,a@b.example,monthly,2025-08-31,") == [
            "No account is billed for days before 2026-11-30"
        ]

    def test_that_are_too_many_wait_for_a_person(self, tmp_path: Path) -> None:
        assert self.said(
            tmp_path,
            "A-1,One,a@b.example,monthly,2020-01-31,2020-01-31",
            "A-2,Two,b@b.example,monthly,2020-01-31,2020-01-31",
        ) == [
            "No account is billed for days before 2026-11-30",
            "2 accounts are not billed until a person decides: more than 36 periods are due by 2026-11-30, "
            "and the sweep parks the first of them",
        ]

    def test_are_printed_up_to_today_when_the_day_of_the_import_is_past(self, tmp_path: Path) -> None:
        assert self.said(tmp_path, "A-1,One,a@b.example,monthly,2025-08-31,", as_of="2026-08-31") == [
            "No account is billed for days before 2026-08-31",
            "Today is 2026-11-30, after the day of the import, 2026-08-31:",
            "1 account is billed for days before 2026-11-30: 4 periods, 40.00 USD, 3 of them in the past",
        ]

    def test_are_printed_with_what_customers_bring_with_them(self, tmp_path: Path) -> None:
        (tmp_path / "accounts.csv").write_text(
            f"{HEADER},opening_balance_minor\n"
            "A-1,One,a@b.example,monthly,2026-11-30,1250\n"
            "A-2,Two,b@b.example,euro,2026-11-30,-500\n"
            "A-3,Three,c@b.example,monthly,2026-11-30,-1\n"
        )

        assert imported(tmp_path / "accounts.csv").splitlines()[2:] == [
            "1 account owes 12.50 USD from before: brought forward to the next invoices",
            "2 accounts have credit of 5.00 EUR and 0.01 USD from before: it pays the next invoices",
        ]

    def test_are_billed_as_printed(self, tmp_path: Path) -> None:
        self.said(tmp_path, "A-1,One,a@b.example,monthly,2025-08-31,2026-08-31")
        billed(as_of=datetime.date(2026, 11, 30))

        found = InvoiceLine.objects.order_by("position").values_list("period_end", "amount_minor", "invoice__status")
        assert list(found) == [
            (datetime.date(2026, 9, 30), 1000, "PAID"),
            (datetime.date(2026, 10, 31), 1000, "PAID"),
            (datetime.date(2026, 11, 30), 1000, "PAID"),
            (datetime.date(2026, 12, 31), 1000, "PAID"),
        ]
        assert list(Payment.objects.values_list("amount_minor", "status")) == [(4000, "SUCCEEDED")]


class TestCaseFiles:
    @pytest.fixture(autouse=True)
    def _monthly(self, _plans: None) -> None:
        a_plan(code="monthly", unit_amount_minor=1000)

    @pytest.mark.parametrize(
        ("name", "taken", "names"),
        [
            ("first-charge-in-the-past.csv", "2 accounts imported (2 active, 0 inactive)", ["One", "Two"]),
            ("left-by-a-spreadsheet.csv", "2 accounts imported (2 active, 0 inactive)", ["One", "Two"]),
            ("letters.csv", "2 accounts imported (1 active, 1 inactive)", ["One", "Two"]),
            (
                "semicolons.csv",
                "2 accounts imported (2 active, 0 inactive)",
                ["Müller & Söhne", "Name; mit Strichpunkt"],
            ),
            ("tabs-bom-crlf.csv", "1 account imported (1 active, 0 inactive)", ["One"]),
        ],
    )
    def test_are_all_taken(self, name: str, taken: str, names: list[str]) -> None:
        said = imported(CASES / name, as_of="2026-11-30", today="2026-11-30").splitlines()

        caught_up = "No account is billed for days before 2026-11-30"
        if name == "first-charge-in-the-past.csv":
            caught_up = "1 account is billed for days before 2026-11-30: 4 periods, 40.00 USD, 3 of them in the past"
        assert said == [taken, caught_up]
        assert list(Account.objects.order_by("external_reference").values_list("name", flat=True)) == names

    def test_are_known_here(self) -> None:
        assert len(list(CASES.iterdir())) == 5


class TestImportedAccountsAreBilled:
    def test_those_of_the_sample_file_on_their_day_and_those_who_left_never(self) -> None:
        imported()
        for days in range(60):
            billed(as_of=AS_OF + datetime.timedelta(days=days))

        assert not Rebilling.objects.exclude(status=Rebilling.Status.CHARGED).exists()
        assert set(Invoice.objects.values_list("status", flat=True)) == {"PAID"}
        billed_once = Rebilling.objects.filter(account__external_reference="EX-0001").order_by("period_start")
        assert list(billed_once.values_list("period_start", "amount_minor")) == [
            (datetime.date(2026, 11, 30), 1900),
            (datetime.date(2026, 12, 31), 1900),
        ]
        negotiated = Rebilling.objects.filter(account__external_reference="EX-0005")
        assert set(negotiated.values_list("amount_minor", flat=True)) == {3 * 1800}
        assert Rebilling.objects.filter(account__status="INACTIVE").count() == 0
        assert Account.objects.filter(status="INACTIVE").count() == 3
