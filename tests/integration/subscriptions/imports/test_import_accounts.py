import datetime
import io
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from pytest_django import DjangoAssertNumQueries

from accounts.account_opening import NewAccount, open_account
from accounts.models import Account, AccountChange, Terms
from subscriptions.imports import import_accounts as importing
from subscriptions.imports.import_accounts import UnableToImport, import_accounts
from subscriptions.imports.references import Candidate, mark_taken
from tests.builders import a_plan
from tests.integration.subscriptions.imports.files import AS_OF, NOW, REQUIRED, errors, file_of, row, take
from tests.support import telco
from tests.support.databases import rolled_back

pytestmark = rolled_back

SAMPLE = Path(__file__).resolve().parents[4] / "docs" / "examples" / "accounts.csv"


@pytest.fixture(autouse=True)
def _plan(db: None) -> None:
    a_plan(code="basic")


class TestImportAccounts:
    def test_takes_every_account_of_the_sample_file(self) -> None:
        a_plan(code="team")
        a_plan(code="annual", interval_unit="year")

        imported = take(SAMPLE.read_bytes())

        assert (imported.accounts, imported.active, imported.inactive) == (20, 17, 3)
        assert Account.objects.count() == 20
        assert Account.objects.filter(status="ACTIVE").count() == 17
        left = Account.objects.filter(status="INACTIVE").values_list("external_reference", "inactive_reason")
        assert sorted(left) == [("EX-0006", "imported"), ("EX-0013", "imported"), ("EX-0019", "imported")]
        cafe = Account.objects.get(external_reference="EX-0003")
        assert (cafe.name, cafe.metadata) == ("Corner Café, Lisbon", {"city": "Lisboa", "tables": 14})
        assert Terms.objects.get(account=cafe).quantity == 2

    def test_gives_blank_cells_their_defaults(self) -> None:
        take(file_of(row(), header=REQUIRED))

        account = Account.objects.get()
        assert (account.status, account.inactive_reason, account.currency) == ("ACTIVE", "", "USD")
        assert Terms.objects.values_list("quantity", "unit_amount_minor").get() == (1, 1999)
        assert account.anchor_date == datetime.date(2026, 1, 31)
        assert account.rebilling_date == account.first_rebilling_date == datetime.date(2026, 11, 30)
        assert (account.payment_customer, account.payment_method, account.metadata) == ("", "", {})
        assert (account.created_at, account.billing_since) == (NOW, NOW)

    def test_bills_from_the_day_of_the_import_when_a_period_starts_on_it(self) -> None:
        take(file_of(row(anchor="2020-02-22")))

        assert Account.objects.get().rebilling_date == AS_OF

    def test_goes_by_the_day_of_the_import_and_not_by_the_clock(self) -> None:
        take(file_of(row(anchor="2020-02-10")), as_of=datetime.date(2026, 10, 10))

        assert Account.objects.get().rebilling_date == datetime.date(2026, 10, 10)

    def test_takes_a_rebilling_date_in_the_past_to_be_caught_up(self) -> None:
        take(file_of(row() + ",2026-09-30", header=REQUIRED + ",rebilling_date"))

        assert Account.objects.get().rebilling_date == datetime.date(2026, 9, 30)

    def test_writes_each_account_a_history(self) -> None:
        take(file_of(row("A1") + ",", row("A2") + ",INACTIVE", header=REQUIRED + ",status"))

        history = AccountChange.objects.values_list(
            "account__external_reference", "before", "after__status", "after__plan", "reason", "author", "changed_at"
        )
        assert sorted(history) == [
            ("A1", {}, "ACTIVE", "basic", "imported", "test", NOW),
            ("A2", {}, "INACTIVE", "basic", "imported", "test", NOW),
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

    @pytest.mark.parametrize("header", [REQUIRED, "name"])
    def test_leaves_the_file_open_for_its_caller(self, tmp_path: Path, header: str) -> None:
        (tmp_path / "accounts.csv").write_text(file_of(row(), header=header))
        with (tmp_path / "accounts.csv").open("rb") as file:
            with suppress(UnableToImport):
                import_accounts(file=file, as_of=AS_OF, author="test", now=NOW)
            assert not file.closed
            assert file.read() == b""

    def test_takes_as_many_statements_for_a_batch_however_many_rows_it_has(
        self, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        with django_assert_num_queries(16) as few:
            take(file_of(*(row(f"A{number}") for number in range(3))))
        with django_assert_num_queries(len(few)):
            take(file_of(*(row(f"B{number}") for number in range(900))))

    def test_a_dry_run_writes_nothing(self) -> None:
        imported = take(file_of(row("A1") + ",", row("A2") + ",INACTIVE", header=REQUIRED + ",status"), dry_run=True)

        assert (imported.active, imported.inactive) == (1, 1)
        assert Account.objects.count() == AccountChange.objects.count() == 0

    def test_takes_nothing_when_the_last_of_several_batches_has_a_bad_row(self) -> None:
        rows = [row(f"A{number}") for number in range(2100)]

        assert errors(file_of(*rows, row("B", email="nobody"))) == ["line 2102: email: Enter a valid email address."]

    @pytest.mark.parametrize("as_of", [datetime.date(1969, 12, 31), datetime.date(2201, 1, 1)])
    def test_refuses_a_day_that_billing_does_not_know(self, as_of: datetime.date) -> None:
        with pytest.raises(UnableToImport, match="is not between 1970-01-01 and 2200-12-31"):
            take(file_of(row()), as_of=as_of)
        assert Account.objects.count() == 0


class TestReferences:
    def test_one_that_is_twice_in_the_file_is_refused_with_both_lines(self) -> None:
        assert errors(file_of(row("A1"), row("A2"), row("A1"))) == [
            "line 4: external_reference: 'A1' is on line 2 already."
        ]

    def test_one_that_is_twice_is_found_in_another_batch_and_after_a_bad_row(self) -> None:
        rows = [row(f"A{number}") for number in range(2100)]

        assert errors(file_of(row("A2050", email="nobody"), *rows)) == [
            "line 2: email: Enter a valid email address.",
            "line 2053: external_reference: 'A2050' is on line 2 already.",
        ]

    def test_one_that_an_account_has_already_is_refused(self) -> None:
        new = NewAccount(name="Bo", email="bo@bo.example", plan="basic", external_reference="A2")
        open_account(new=new, author="test", today=AS_OF, now=NOW)

        assert errors(file_of(row("A1"), row("A2"))) == [
            "line 3: external_reference: Another account has the external reference 'A2'."
        ]

    def test_a_file_imported_a_second_time_is_refused(self) -> None:
        take(file_of(row("A1"), row("A2")))

        assert [line.split(":")[0] for line in errors(file_of(row("A1"), row("A2")))] == ["line 2", "line 3"]

    def test_one_that_was_taken_since_the_import_looked_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        new = NewAccount(name="Bo", email="bo@bo.example", plan="basic", external_reference="A2")
        look = mark_taken
        looks = []

        def look_and_lose_the_race(batch: Sequence[Candidate]) -> None:
            look(batch)
            looks.append(len(batch))
            if len(looks) == 1:
                open_account(new=new, author="somebody", today=AS_OF, now=NOW)

        monkeypatch.setattr(importing, "mark_taken", look_and_lose_the_race)
        with pytest.raises(UnableToImport) as caught:
            take(file_of(row("A1"), row("A2")))

        assert [str(problem) for problem in caught.value.problems] == [
            "line 3: external_reference: Another account has the external reference 'A2'."
        ]
        assert looks == [2, 2]
        assert Account.objects.count() == 0


class TestTelcoCustomers:
    @pytest.mark.parametrize("customers", telco.FILES, ids=str)
    def test_every_customer_becomes_an_account(self, customers: telco.CustomerFile, tmp_path: Path) -> None:
        total, active = customers.totals["customers"], customers.totals["billable"]
        telco.create_telco_plans(now=NOW)
        telco.write_import(customers, path=tmp_path / "telco.csv", as_of=AS_OF)
        with (tmp_path / "telco.csv").open("rb") as file:
            imported = import_accounts(file=file, as_of=AS_OF, author="test", now=NOW)

        assert (imported.accounts, imported.active, imported.inactive) == (total, active, total - active)
        billable = Account.objects.exclude(status="INACTIVE")
        priced = Terms.objects.filter(account__in=billable).select_related("account")
        assert {terms.account.external_reference: terms.price_minor for terms in priced} == {
            customer.reference: customer.charge_minor for customer in telco.customers(customers) if customer.billable
        }
        due = billable.filter(rebilling_date=AS_OF).values_list("external_reference", flat=True)
        assert set(due) == set(telco.expected_charges(customers))
        assert Account.objects.filter(rebilling_date__lt=AS_OF).count() == 0
