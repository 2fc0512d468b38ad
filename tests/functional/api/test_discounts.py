"""Discounts by API: what is taken off which periods, before the tax, and what is refused."""

import datetime
from typing import Any

import pytest

from api.models import IdempotentAnswer
from rebilling.books import discrepancies
from tests.builders import TODAY
from tests.functional.api.test_taxes import a_rate, amounts
from tests.support.api_client import problem_of
from tests.support.databases import rolled_back
from tests.support.platform_days import PlatformDays
from tests.support.unchanged import nothing_moves

pytestmark = rolled_back

SPRING = {"reason": "Spring offer"}


def month(number: int) -> datetime.date:
    return TODAY.replace(month=number)


def given(days: PlatformDays, discount: Any, **fields: Any) -> str:
    """An account with that discount, opened and given it on Jan 1."""
    account_id = days.opened(**fields)
    days.post(f"/v1/accounts/{account_id}/discount", discount | SPRING)
    return account_id


def totals(days: PlatformDays, account_id: str) -> list[int]:
    return [invoice["total_minor"] for invoice in days.invoices(account_id)]


def taken_off(days: PlatformDays, account_id: str) -> list[int]:
    return [line["discount_minor"] for invoice in days.invoices(account_id) for line in invoice["lines"]]


class TestDiscount:
    def test_is_shown_on_the_account_the_line_and_the_period(self, days: PlatformDays) -> None:
        account_id = given(days, {"percent": "25", "periods": 3}, unit_amount_minor=10_000)
        days.sweep()
        discount = days.account(account_id)["discount"]
        assert discount == {
            "id": discount["id"],
            "percent": "25",
            "amount_minor": None,
            "periods": 3,
            "periods_left": 2,
            "starts_on": "2026-01-01",
            "until": None,
            "reason": "Spring offer",
        }
        invoice = days.invoice(account_id)
        (line,) = invoice["lines"]
        assert (line["unit_amount_minor"], line["discount_minor"], line["amount_minor"]) == (10_000, 2500, 7500)
        assert (invoice["total_minor"], invoice["paid_minor"]) == (7500, 7500)
        assert "A discount of 25.00 USD is taken off." in invoice["explanation"]
        (period,) = days.get("/v1/rebillings")["results"]
        assert (period["discount_minor"], period["amount_minor"]) == (2500, 7500)
        assert discrepancies() == []

    def test_for_two_periods_is_over_after_them(self, days: PlatformDays) -> None:
        account_id = given(days, {"amount_minor": 500, "periods": 2})
        for number in range(1, 5):
            days.sweep(month(number))
        assert totals(days, account_id) == [1499, 1499, 1999, 1999]
        assert days.account(account_id)["discount"]["periods_left"] == 0

    def test_for_two_periods_is_over_within_one_sweep(self, days: PlatformDays) -> None:
        account_id = given(days, {"amount_minor": 500, "periods": 2})
        days.sweep(month(3))
        assert taken_off(days, account_id) == [500, 500, 0]

    def test_until_a_day_is_for_periods_that_start_before_it(self, days: PlatformDays) -> None:
        account_id = given(days, {"percent": "10", "until": "2026-03-01"})
        days.sweep(month(4))
        assert taken_off(days, account_id) == [200, 200, 0, 0]

    def test_for_good_stays(self, days: PlatformDays) -> None:
        account_id = given(days, {"percent": "10"})
        days.sweep(month(4))
        assert taken_off(days, account_id) == [200, 200, 200, 200]

    def test_never_takes_off_more_than_the_price(self, days: PlatformDays) -> None:
        account_id = given(days, {"amount_minor": 5000})
        days.sweep()
        invoice = days.invoice(account_id)
        assert (invoice["status"], invoice["total_minor"], taken_off(days, account_id)) == ("PAID", 0, [1999])
        assert (days.asked, days.get("/v1/ledger")["results"]) == ([], [])
        assert days.account(account_id)["status"] == "ACTIVE"
        assert discrepancies() == []

    def test_comes_before_the_tax(self, days: PlatformDays) -> None:
        account_id = given(days, {"percent": "20"}, unit_amount_minor=10_000, tax_rate=a_rate(days, "21"))
        days.sweep()
        (line,) = days.invoice(account_id)["lines"]
        assert (line["discount_minor"], *amounts(line)) == (2000, 8000, 1680, 9680)
        assert days.books()["tax_payable"] == -1680

    def test_is_not_for_periods_that_started_before_it(self, days: PlatformDays) -> None:
        account_id = days.opened(anchor_date="2025-12-01", rebilling_date="2025-12-01")
        days.post(f"/v1/accounts/{account_id}/discount", {"percent": "100"} | SPRING)
        days.sweep()
        assert taken_off(days, account_id) == [0, 1999]

    def test_that_a_voided_period_had_is_for_another(self, days: PlatformDays) -> None:
        account_id = given(days, {"amount_minor": 500, "periods": 1})
        days.sweep()
        days.post(f"/v1/invoices/{days.invoice(account_id)['id']}/credit-notes", SPRING)
        assert days.account(account_id)["discount"]["periods_left"] == 1
        days.sweep(month(3))
        assert taken_off(days, account_id) == [500, 500, 0]

    def test_that_is_ended_stays_on_what_has_it(self, days: PlatformDays) -> None:
        account_id = given(days, {"percent": "50"})
        days.sweep()
        ended = days.post(f"/v1/accounts/{account_id}/discount/end", {"reason": "Given by mistake."})
        assert ended["discount"] is None
        days.sweep(month(2))
        assert taken_off(days, account_id) == [1000, 0]
        change = days.get(f"/v1/accounts/{account_id}/history")["results"][0]
        assert change["reason"] == "Given by mistake."
        assert change["before"] == {"discount": "50% off, for good, from 1 Jan 2026"}
        assert change["after"] == {"discount": None}

    def test_that_is_over_gives_way_to_another(self, days: PlatformDays) -> None:
        account_id = given(days, {"amount_minor": 500, "periods": 1})
        days.sweep()
        days.post(f"/v1/accounts/{account_id}/discount", {"percent": "10", "until": "2026-02-02"} | SPRING)
        days.sweep(month(2))
        days.post(f"/v1/accounts/{account_id}/discount", {"amount_minor": 100} | SPRING)
        days.sweep(month(3))
        assert taken_off(days, account_id) == [500, 200, 100]


class TestRefused:
    @pytest.mark.parametrize(
        ("discount", "errors"),
        [
            ({"percent": "100.001"}, {"percent": "Must be from 0.001 to 100."}),
            ({"percent": "0"}, {"percent": "Must be from 0.001 to 100."}),
            ({"percent": "-5"}, {"percent": "Must be from 0.001 to 100."}),
            ({}, {"percent": "Give either a percentage or an amount."}),
            ({"percent": "5", "amount_minor": 5}, {"percent": "Give either a percentage or an amount."}),
            (
                {"amount_minor": 0},
                {"amount_minor": "Must be from 0.01 USD to 999,999.99 USD (the setting MAX_MOVEMENT_MINOR)."},
            ),
            (
                {"amount_minor": -1},
                {"amount_minor": "Must be from 0.01 USD to 999,999.99 USD (the setting MAX_MOVEMENT_MINOR)."},
            ),
            ({"percent": "5", "periods": 0}, {"periods": "Must be from 1 to 366."}),
            ({"percent": "5", "periods": 367}, {"periods": "Must be from 1 to 366."}),
            ({"percent": "5", "until": "2026-01-01"}, {"until": "Must be after today, 2026-01-01."}),
            ({"percent": "5", "until": "2025-12-31"}, {"until": "Must be after today, 2026-01-01."}),
            (
                {"percent": "5", "periods": 1, "until": "2026-02-01"},
                {"until": "Give either a number of periods or a day."},
            ),
        ],
    )
    def test_are_of_what_makes_no_discount(self, days: PlatformDays, discount: Any, errors: dict[str, str]) -> None:
        path = f"/v1/accounts/{days.opened()}/discount"
        with nothing_moves(but=IdempotentAnswer):
            problem = problem_of(days.send(path, discount | SPRING), status=422, slug="unable-to-give-discount")
        assert problem["errors"] == {name: [error] for name, error in errors.items()}

    @pytest.mark.parametrize(
        ("discount", "field"),
        [
            ({"percent": 25}, "percent"),
            ({"percent": "25%"}, "percent"),
            ({"percent": "5", "periods": "3"}, "periods"),
            ({"percent": "5", "until": "tomorrow"}, "until"),
            ({"percent": "5", "until": "2026-02-30"}, "until"),
            ({"percent": "5", "coupon": "SPRING"}, "coupon"),
            ({"percent": "5", "reason": ""}, "reason"),
        ],
    )
    def test_are_of_what_is_malformed(self, days: PlatformDays, discount: Any, field: str) -> None:
        path = f"/v1/accounts/{days.opened()}/discount"
        with nothing_moves():
            problem = problem_of(days.send(path, SPRING | discount), status=400, slug="invalid-request")
        assert list(problem["errors"]) == [field]

    def test_are_of_a_second_one(self, days: PlatformDays) -> None:
        account_id = given(days, {"percent": "25", "periods": 3})
        path = f"/v1/accounts/{account_id}/discount"
        with nothing_moves(but=IdempotentAnswer):
            response = days.send(path, {"percent": "5"} | SPRING)
        problem = problem_of(response, status=409, slug="account-has-discount")
        assert problem["detail"] == ("The account has 25% off, for 3 periods from 1 Jan 2026: end that one first.")

    def test_are_of_ending_none(self, days: PlatformDays) -> None:
        path = f"/v1/accounts/{days.opened()}/discount/end"
        with nothing_moves(but=IdempotentAnswer):
            problem_of(days.send(path, SPRING), status=409, slug="account-has-no-discount")

    @pytest.mark.parametrize("call", ["discount", "discount/end"])
    def test_are_of_an_unknown_account(self, days: PlatformDays, call: str) -> None:
        path = f"/v1/accounts/00000000-0000-0000-0000-000000000001/{call}"
        body = SPRING | ({"percent": "5"} if call == "discount" else {})
        with nothing_moves(but=IdempotentAnswer):
            problem_of(days.send(path, body), status=404, slug="unknown-account")
