import json
import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account
from accounts.plans import retire_plan
from accounts.tax_rates import create_tax_rate
from tests.builders import a_plan, billed
from tests.integration.subscriptions.imports.files import NOW, REQUIRED, errors, file_of, row, take
from tests.support.databases import rolled_back

pytestmark = rolled_back

NO_AMOUNT = " is not a whole number in plain digits; amounts are in minor units, 1999 for 19.99 USD."
MOST = "999,999.99 USD (the setting MAX_MOVEMENT_MINOR)"
NOT_JSON = "The metadata is not JSON"
AT_ITS_START = " at line 1, column 2."
TOO_LONG = " has more digits than are kept: write it as a text."
MANY_KEYS = "{" + ",".join(f'""{number}"": 1' for number in range(51)) + "}"
NUMBER = "A number in the metadata"
TOO_MUCH = f" owes or credits more than {MOST}."
TOO_DEEP = "The metadata is more than 19 levels deep."
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
            ("unit_amount_minor", "19.99", f"'19.99'{NO_AMOUNT}"),
            ("unit_amount_minor", "19,99", f"'19,99'{NO_AMOUNT}"),
            ("unit_amount_minor", "1.999", f"'1.999'{NO_AMOUNT}"),
            ("unit_amount_minor", "1e3", f"'1e3'{NO_AMOUNT}"),
            ("unit_amount_minor", "1999 USD", f"'1999 USD'{NO_AMOUNT}"),
            ("currency", "EUR", "'EUR' is not the currency of the plan 'basic', 'USD'."),
            ("currency", "$", "'$' is not the currency of the plan 'basic', 'USD'."),
            ("unit_amount_minor", "-1", f"Must be from 0.00 USD to {MOST}."),
            ("unit_amount_minor", "100000000", f"Must be from 0.00 USD to {MOST}."),
            ("unit_amount_minor", "9" * 5000, f"'{'9' * 60}...'{NO_AMOUNT}"),
            ("opening_balance_minor", "19.99", f"'19.99'{NO_AMOUNT}"),
            ("opening_balance_minor", "100000000", "'100000000'" + TOO_MUCH),
            ("opening_balance_minor", "-100000000", "'-100000000'" + TOO_MUCH),
            ("status", "pending", "'pending' is not ACTIVE or INACTIVE."),
            ("rebilling_date", "2026-12-01", "2026-12-01" + NO_START),
            ("rebilling_date", "2025-12-31", "2025-12-31" + NO_START),
            ("rebilling_date", "2026-12-31T00:00", "'2026-12-31T00:00' is not a date written YYYY-MM-DD."),
            ("payment_method", "p" * 201, "Ensure this value has at most 200 characters (it has 201)."),
            ("tax_rate", "VAT 21%", "There is no tax rate 'VAT 21%'."),
            ("tax_rate", str(uuid.UUID(int=7)), f"There is no tax rate '{uuid.UUID(int=7)}'."),
            ("tax_rate", "9" * 5000, f"There is no tax rate '{'9' * 60}...'."),
            ("metadata", "[1]", "The metadata is not a JSON object."),
            ("metadata", "null", "The metadata is not a JSON object."),
            ("metadata", "{'a': 1}", f"{NOT_JSON}: Expecting property name enclosed in double quotes{AT_ITS_START}"),
            ("metadata", '{""a"": NaN}', "NaN is not a JSON value."),
            ("metadata", '{""a"": 0.12345678901234567890}', NUMBER + TOO_LONG),
            ("metadata", '{""c"": 1, ""c"": 2}', "A key is given twice in one object of the metadata."),
            ("metadata", '{""a"": 1e999}', f"{NUMBER} is out of range."),
            ("metadata", '{""a"": ' + "9" * 5000 + "}", f"{NUMBER} is too long."),
            ("metadata", '{""a"": ""\\u0000""}', "Holds a NUL character, which the database can't keep."),
            ("metadata", '{""a"": ""\\ud800""}', "A text in the metadata holds half of a surrogate pair."),
            ("metadata", '{""a"":' + "[" * 30_000, TOO_DEEP),
            ("metadata", '{""a"":' * 20 + "1" + "}" * 20, TOO_DEEP),
            ("metadata", MANY_KEYS, "Must have at most 50 keys."),
            ("metadata", '{""a"": ""' + "x" * 16_376 + '""}', "Must be at most 16384 bytes as JSON."),
        ],
    )  # fmt: skip
    def test_an_optional_cell_is_refused_by_line_and_column(self, column: str, cell: str, reason: str) -> None:
        content = file_of(row("A1") + ",", row("A2") + f',"{cell}"', header=f"{REQUIRED},{column}")

        assert errors(content) == [f"line 3: {column}: {reason}"]

    def test_quantity_times_amount_past_the_most_is_refused(self) -> None:
        header = REQUIRED + ",quantity,unit_amount_minor"

        assert errors(file_of(row() + ",2,50000000", header=header)) == [
            f"line 2: quantity: A period would cost 1,000,000.00 USD, which is more than {MOST}."
        ]
        assert take(file_of(row() + ",1,99999999", header=header)).accounts == 1

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
            (row(anchor="2026-1-5"), "anchor_date: '2026-1-5' is not a date written YYYY-MM-DD."),
            (row(anchor="2026-01-31 00:00:00"), "anchor_date: '2026-01-31 00:00:00' is not a date written YYYY-MM-DD."),
            (row(anchor="46053"), "anchor_date: '46053' is not a date written YYYY-MM-DD."),
            (row(anchor="31/01/2026"), "anchor_date: '31/01/2026' is not a date written YYYY-MM-DD."),
            (row(anchor="\uff12026-01-31"), "anchor_date: '\uff12026-01-31' is not a date written YYYY-MM-DD."),
            (row(anchor="2026-02-29"), "anchor_date: '2026-02-29' is not a day of the calendar."),
            (row(anchor="1969-12-31"), "anchor_date: 1969-12-31 is not between 1970-01-01 and 2200-12-31."),
            (row(anchor="2201-01-01"), "anchor_date: 2201-01-01 is not between 1970-01-01 and 2200-12-31."),
            ("A1,Ann,a@b.example,gold,2026-01-31", "plan: There is no plan 'gold'."),
        ],
    )
    def test_a_required_cell_is_refused_by_line_and_column(self, bad: str, reason: str) -> None:
        assert errors(file_of(row("A0"), bad)) == [f"line 3: {reason}"]

    def test_a_retired_plan_is_refused(self) -> None:
        retire_plan(code="basic")

        assert errors(file_of(row())) == ["line 2: plan: The plan 'basic' is retired."]

    def test_a_reason_is_bounded_however_long_the_cell_is(self) -> None:
        (problem,) = errors(file_of(f"A1,Ann,a@b.example,{'p' * 100_000},2026-01-31"))

        assert len(problem) < 1100

    def test_every_fault_of_a_row_is_named(self) -> None:
        content = file_of("A1,,x,basic,soon,many,2026-01-02", header=REQUIRED + ",quantity,rebilling_date")

        assert errors(content) == [
            "line 2: name: Must not be blank. email: Enter a valid email address. "
            "anchor_date: 'soon' is not a date written YYYY-MM-DD. "
            "quantity: 'many' is not a whole number in plain digits."
        ]

    def test_an_unknown_plan_is_named_beside_a_cell_that_cannot_be_read(self) -> None:
        assert errors(file_of("A1,Ann,a@b.example,gold,soon,EUR", header=REQUIRED + ",currency")) == [
            "line 2: plan: There is no plan 'gold'. anchor_date: 'soon' is not a date written YYYY-MM-DD."
        ]


class TestTaxRate:
    def test_is_the_accounts_own_and_a_blank_one_is_the_default(self, settings: Any) -> None:
        """The exempt customer isn't taxed by the default of the settings; the other is."""
        settings.DEFAULT_TAX = ("VAT", Decimal(21), False)
        exempt = create_tax_rate(name="VAT", percent=Decimal(0), exemption_reason="Charity", now=NOW)
        take(file_of(row("A1") + f",{str(exempt.id).upper()}", row("A2") + ",", header=f"{REQUIRED},tax_rate"))
        first, second = Account.objects.order_by("external_reference")
        assert (first.tax_rate, second.tax_rate) == (exempt, None)
        assert first.changes.get().after["tax_rate"] == str(exempt)
        assert "tax_rate" not in second.changes.get().after
        billed(as_of=first.rebilling_date)
        assert [account.invoices.get().tax_minor for account in (first, second)] == [0, 420]

    def test_takes_no_statement_more_for_a_row(self) -> None:
        rate = create_tax_rate(name="VAT", percent=Decimal(21), now=NOW)

        def statements(prefix: str, rows: int) -> int:
            file = file_of(
                *(row(f"{prefix}{number}") + f",{rate.id}" for number in range(rows)), header=f"{REQUIRED},tax_rate"
            )
            with CaptureQueriesContext(connection) as found:
                take(file)
            return len(found)

        assert statements("A", 1) == statements("B", 20)


class TestMetadata:
    @pytest.mark.parametrize(
        "metadata",
        [
            '{"b": 1, "a": 2, "c": {"z": [], "y": {}}}',
            '{"large": 1e+308, "small": 5e-324, "minus": -0.0, "third": 0.1}',
            '{"whole": 123456789012345678901234567890123456789012345678901234567890}',
            '{"10": 0, "9": 0, "": "one, two; three"}',
            '{"a": ' * 18 + "{}" + "}" * 18,
            '{"a": "' + "x" * 16_375 + '"}',
        ],
    )
    def test_comes_back_as_it_was_sent_keys_in_order(self, metadata: str) -> None:
        quoted = metadata.replace('"', '""')
        take(file_of(row() + f',"{quoted}"', header=f"{REQUIRED},metadata"))
        assert json.dumps(Account.objects.get().metadata) == metadata

    @pytest.mark.parametrize(("sent", "kept"), [("-0", "-0.0"), ("1E2", "100.0"), ("1.50", "1.5")])
    def test_keeps_the_number_and_not_its_spelling(self, sent: str, kept: str) -> None:
        take(file_of(row() + f',"{{""n"": {sent}}}"', header=f"{REQUIRED},metadata"))
        assert json.dumps(Account.objects.get().metadata) == f'{{"n": {kept}}}'


class TestLetters:
    def test_of_headers_statuses_currencies_and_plans_are_in_any_case(self) -> None:
        header = "External_Reference,NAME,Email,plan,anchor_date,Status,CURRENCY"
        take(
            file_of(
                "A1,Ann,a@b.example,Basic,2026-01-31,active,usd",
                "A2,Bob,b@b.example,BASIC,2026-01-31,Inactive,Usd",
                "A3,Cy,c@b.example,basic,2026-01-31,,",
                header=header,
            )
        )

        found = Account.objects.order_by("external_reference").values_list("status", "currency", "terms__plan__code")
        assert list(found) == [
            ("ACTIVE", "USD", "basic"),
            ("INACTIVE", "USD", "basic"),
            ("ACTIVE", "USD", "basic"),
        ]
