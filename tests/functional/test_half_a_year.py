"""Half a year by `manage.py clock --to`, as a user has it: one customer pays each month, another's card is declined."""

import datetime
import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

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
        done = manage("clock", "--to", END.isoformat(), BILLING_DATA=str(data))
        assert (done.returncode, done.stderr) == (0, "")
        yield HalfAYear(data, api, records_url, payer, decliner, done.stdout)


def payments_of(passed: HalfAYear, account: str) -> list[dict[str, Any]]:
    payments = passed.api.all_of(f"/v1/accounts/{account}/payments")
    return sorted(payments, key=lambda payment: str(payment["submitted_at"]))


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
        with urllib.request.urlopen(passed.records_url, timeout=10) as answer:
            records = json.loads(answer.read())
        assert records["totals"] == {"USD": 7 * 1900}
        assert [taken["at"][:10] for taken in records["taken"]][1:] == MONTHS[1:]

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
        assert sorted(run["as_of"] for run in runs) == days
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
