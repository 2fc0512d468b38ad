"""Half a year by `manage.py clock --to`, as a user has it: one customer pays each month, another's card is declined,
and with others more is agreed.
"""

import datetime
import json
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.functional.people_of_half_a_year import MIDDLE, People
from tests.support.platforms import Admin, Api, base_of, data_folder, output_until_serving, platforms
from tests.support.processes import manage

BEGIN, END = datetime.date(2026, 1, 31), datetime.date(2026, 7, 31)
MONTHS = ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31", "2026-06-30", "2026-07-31"]
RETRIED_AFTER_DAYS = [1, 3, 5, 7]


@dataclass(frozen=True)
class HalfAYear:
    data: Path
    api: Api
    records_url: str
    payer: str
    decliner: str
    others: dict[str, str]
    said: str


@pytest.fixture(scope="module")
def passed() -> Iterator[HalfAYear]:
    """The platform after it, still running."""
    with data_folder() as data, platforms(data) as start:
        output = output_until_serving(start("runlocal", "--today", BEGIN.isoformat(), "--simulated-provider"))
        (records_url,) = (word for word in output.split() if word.endswith("/records"))
        api = Api.of(base=base_of(output), data=data)
        plan = {"code": "pro", "name": "Pro", "currency": "USD", "unit_amount_minor": 1900}
        api.post("/v1/plans", plan | {"interval_unit": "month", "interval_count": 1})
        payer, decliner = (
            api.post(
                "/v1/accounts",
                {"name": name, "email": f"{name}@example.com", "plan": "pro"}
                | {"payment_customer": f"cus_{name}", "payment_method": method},
            )["id"]
            for name, method in (("payer", "pm_card"), ("decliner", "pm_declined_insufficient_funds"))
        )
        people = People(api)
        people.on_the_first_day()
        said = clock_moves(MIDDLE, data)
        people.on_the_day_in_the_middle()
        said += clock_moves(END, data)
        yield HalfAYear(data, api, records_url, payer, decliner, people.ids, said)


def clock_moves(day: datetime.date, data: Path) -> str:
    done = manage("clock", "--to", day.isoformat(), BILLING_DATA=str(data))
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def payments_of(passed: HalfAYear, account: str) -> list[dict[str, Any]]:
    payments = passed.api.all_of(f"/v1/accounts/{account}/payments")
    return sorted(payments, key=lambda payment: str(payment["submitted_at"]))


def records_of(passed: HalfAYear) -> Any:
    with urllib.request.urlopen(passed.records_url, timeout=10) as answer:
        return json.loads(answer.read())


def charged_periods(passed: HalfAYear, account: str) -> list[str]:
    entries = passed.api.all_of(f"/v1/accounts/{account}/ledger")
    return sorted(entry["period_start"] for entry in entries if entry["type"] == "charge")


class TestHalfAYear:
    def test_prints_what_happened_day_by_day(self, passed: HalfAYear) -> None:
        lines = passed.said.splitlines()
        assert lines[-1] == "it is 2026-07-31; payments are collected by a simulated provider"
        assert "2026-03-31  1 period due, 1 payment" in lines
        assert manage("clock", BILLING_DATA=str(passed.data)).stdout == "2026-07-31\n"

    def test_has_the_payer_pay_once_for_each_month(self, passed: HalfAYear) -> None:
        account = passed.api.get(f"/v1/accounts/{passed.payer}")
        assert (account["status"], account["rebilling_date"], account["balance_minor"]) == ("ACTIVE", "2026-08-31", 0)
        assert charged_periods(passed, passed.payer) == MONTHS
        payments = payments_of(passed, passed.payer)
        assert [(payment["status"], payment["amount_minor"]) for payment in payments] == [("SUCCEEDED", 1900)] * 7
        assert [payment["submitted_at"][:10] for payment in payments][1:] == MONTHS[1:]

    def test_moves_that_money_at_the_provider_and_by_its_clock(self, passed: HalfAYear) -> None:
        records = records_of(passed)
        assert records["totals"]["USD"] == 7 * 1900
        of_payer = [taken["at"][:10] for taken in records["taken"] if taken["customer"] == "cus_payer"]
        assert of_payer[1:] == MONTHS[1:]

    def test_lets_dunning_run_its_course(self, passed: HalfAYear) -> None:
        account = passed.api.get(f"/v1/accounts/{passed.decliner}")
        assert (account["status"], account["inactive_reason"]) == ("INACTIVE", "unpaid")
        assert account["balance_minor"] == 1900
        assert charged_periods(passed, passed.decliner) == ["2026-01-31"]
        payments = payments_of(passed, passed.decliner)
        assert [payment["status"] for payment in payments] == ["DECLINED"] * 5
        days = [datetime.date.fromisoformat(payment["submitted_at"][:10]) for payment in payments]
        assert [(day - days[0]).days for day in days] == [0, *RETRIED_AFTER_DAYS]

    def test_sweeps_each_day_once_and_explains_it(self, passed: HalfAYear) -> None:
        """The running platform's own schedules fire for none of the days that were jumped."""
        runs = [run for run in passed.api.all_of("/v1/runs") if run["as_of"] != BEGIN.isoformat()]
        days = [(BEGIN + datetime.timedelta(days=number + 1)).isoformat() for number in range((END - BEGIN).days)]
        assert sorted(run["as_of"] for run in runs if run["kind"] == "sweep") == days
        assert [run["as_of"] for run in runs if run["kind"] == "on_demand"] == [MIDDLE.isoformat()]
        assert {run["status"] for run in runs} == {"RECONCILED"}

    def test_leaves_api_and_admin_on_the_day_that_it_came_to(self, passed: HalfAYear) -> None:
        opened = passed.api.post("/v1/accounts", {"name": "New", "email": "new@example.com", "plan": "pro"})
        assert (opened["anchor_date"], opened["created_at"][:10]) == ("2026-07-31", "2026-07-31")
        admin = Admin(base=passed.api.base, data=passed.data)
        page = f"/admin/accounts/account/{opened['id']}/"
        assert "2026-07-31" not in admin.page(f"/admin/accounts/account/{passed.decliner}/change/")
        given_up_on = payments_of(passed, passed.decliner)[-1]["submitted_at"][:10]
        assert given_up_on in admin.page(f"/admin/accounts/account/{passed.decliner}/change/")
        admin.act(f"{page}close/", when="now", reason="moved away")
        real_day = datetime.datetime.now(datetime.UTC).date().isoformat()
        for shown in (admin.page(f"{page}change/"), admin.page(f"{page}history/")):
            assert ("moved away" in shown or "Close account" in shown, "2026-07-31" in shown) == (True, True)
            assert real_day not in shown


@dataclass(frozen=True)
class Expected:
    """What a customer is billed in half a year, in cents: the day, the amount without tax and the tax of each invoice
    and of each credit note, and what still waits for the next invoice.
    """

    invoices: list[tuple[str, int, int]]
    credit_notes: list[tuple[str, int, int]] = field(default_factory=list)
    waits: list[int] = field(default_factory=list)
    written_off: int = 0


EXPECTED = {
    # A seat for 31 days at 31.00 is 1.00 a day, and 0.90 with the discount.
    "mover": Expected(
        invoices=[
            # 27.90 after the discount, 50.00 of an item and 20.00 deducted; the removed 99.00 is nowhere.
            ("2026-02-10", 5790, 1158),
            ("2026-03-10", 2790, 558),
            # Two seats at 62.00, the discount being over; and a second one for 26 days of the period before, at 0.90.
            ("2026-04-10", 6200 + 2340, 1240 + 468),
            ("2026-04-20", 6200, 1240),
            ("2026-05-20", 6200, 1240),
            ("2026-06-20", 6200, 1240),
            ("2026-07-20", 6200, 1240),
        ],
        # 10 of 30 days of 62.00 were used: 20.67. The tax in 49.60 is 8.27.
        credit_notes=[("2026-04-20", 6200 - 2067, 827)],
    ),
    # 200.00 are deducted, and after six months of 31.00 the last 14.00 still wait.
    "saver": Expected(invoices=[(f"2026-0{month}-10", 0, 0) for month in range(2, 8)], waits=[6 * 3100 - 20_000]),
    # Closed on 15 March, when a second seat for 26 days waits for the next invoice: this is the last one.
    "leaver": Expected(invoices=[("2026-02-10", 3100, 0), ("2026-03-10", 3100, 0), ("2026-03-15", 2600, 0)]),
    # 0.30 is too small to collect, and waits with 9.00 more: both are given up.
    "quitter": Expected(
        invoices=[("2026-02-10", 3100, 0), ("2026-03-10", 3100, 0), ("2026-03-15", 30, 0)], written_off=30
    ),
    # Closed on 20 February, and reopened when the paid period was over.
    "returner": Expected(
        invoices=[("2026-02-10", 3100, 0), *((f"2026-0{month}-15", 3100, 0) for month in range(3, 8))]
    ),
    # The trial ended on 15 March; an item was billed on that day, too.
    "trier": Expected(invoices=[("2026-03-15", 1200, 0), *((f"2026-0{month}-15", 3100, 0) for month in range(3, 8))]),
}


@pytest.mark.parametrize("name", EXPECTED)
class TestWhatWasAgreedWithOthers:
    def test_is_what_they_are_billed(self, passed: HalfAYear, name: str) -> None:
        account, expected = f"/v1/accounts/{passed.others[name]}", EXPECTED[name]
        invoices = passed.api.all_of(f"{account}/invoices")
        billed = [(invoice["issued_on"], invoice["total_minor"], invoice["tax_minor"]) for invoice in invoices]
        assert sorted(billed) == sorted((day, net + tax, tax) for day, net, tax in expected.invoices)
        assert {invoice["status"] for invoice in invoices} == {"PAID"}
        issued = passed.api.all_of(f"/v1/credit-notes?account={passed.others[name]}")
        notes = [(note["issued_on"], note["amount_minor"], note["tax_minor"]) for note in issued]
        assert notes == [(day, net + tax, tax) for day, net, tax in expected.credit_notes]
        items = passed.api.all_of(f"{account}/items")
        waits = [item["amount_minor"] - item["invoiced_minor"] for item in items if item["status"] == "pending"]
        assert waits == expected.waits

    def test_is_in_the_ledger_and_at_the_provider_to_the_cent(self, passed: HalfAYear, name: str) -> None:
        expected = EXPECTED[name]
        books: Counter[str] = Counter()
        for entry in passed.api.all_of(f"/v1/accounts/{passed.others[name]}/ledger"):
            books[entry["debit"]] += entry["amount_minor"]
            books[entry["credit"]] -= entry["amount_minor"]
        nets = sum(net for _, net, _ in expected.invoices) - sum(net for _, net, _ in expected.credit_notes)
        taxes = sum(tax for *_, tax in expected.invoices) - sum(tax for *_, tax in expected.credit_notes)
        collected = nets + taxes - expected.written_off
        booked = {"revenue": -nets, "tax_payable": -taxes, "cash": collected, "bad_debt": expected.written_off}
        assert {book: amount for book, amount in books.items() if amount} == {
            book: amount for book, amount in booked.items() if amount
        }
        taken = [taken["amount"] for taken in records_of(passed)["taken"] if taken["customer"] == f"cus_{name}"]
        assert sum(taken) == collected
