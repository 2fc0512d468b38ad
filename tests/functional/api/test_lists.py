"""Lists across accounts, and their filters."""

import datetime
import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from payments.gateways.port import Declined
from payments.models import Payment, Refund
from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import rolled_back
from tests.support.platform_days import PlatformDays

pytestmark = rolled_back

FEB_1 = datetime.date(2026, 2, 1)
WHY = {"reason": "A mistake."}
PATHS = ["/v1/invoices", "/v1/credit-notes", "/v1/payments", "/v1/refunds", "/v1/ledger", "/v1/rebillings"]

STATUSES = {
    "/v1/accounts": "PENDING, ACTIVE, PAST_DUE or INACTIVE",
    "/v1/invoices": "OPEN, PAID, UNCOLLECTIBLE or VOID",
    "/v1/payments": "SUBMITTED, SUCCEEDED, DECLINED or UNKNOWN",
    "/v1/refunds": "SUBMITTED, SUCCEEDED, FAILED or UNKNOWN",
    "/v1/rebillings": "DUE, CHARGED, VOIDED, SKIPPED or PARKED",
}


@pytest.fixture
def runs(days: PlatformDays) -> list[str]:
    """Two accounts and the runs of two months. The first's card was stolen; 1.00 of the second's is refunded."""
    days.scripted(Declined(code="stolen_card", hard=True))
    first = days.opened()
    days.sweep()
    second = days.opened()
    january = days.sweep()
    (invoice,) = days.invoices(second)
    days.post(f"/v1/payments/{invoice['payments'][0]['id']}/refunds", {"amount_minor": 100, **WHY})
    days.post(f"/v1/accounts/{first}/close", WHY)
    february = days.sweep(FEB_1)
    return [first, second, str(january.id), str(february.id)]


def _rows(days: PlatformDays, path: str, **query: Any) -> list[Any]:
    return list(days.get(path, **query)["results"])


class TestLists:
    def test_show_the_rows_of_all_accounts_newest_first(self, days: PlatformDays, runs: list[str]) -> None:
        first, second, *_ = runs
        accounts = {path: [row["account"] for row in _rows(days, path)] for path in PATHS}
        assert accounts == {
            "/v1/invoices": [second, second, first],
            "/v1/credit-notes": [second],
            "/v1/payments": [second, second, first],
            "/v1/refunds": [second],
            "/v1/ledger": [second] * 6 + [first],
            "/v1/rebillings": [second, second, first],
        }
        for path in PATHS:
            ids = [row["id"] for row in _rows(days, path)]
            assert ids == sorted(ids, reverse=True)

    def test_show_of_each_row_what_its_own_address_shows(self, days: PlatformDays, runs: list[str]) -> None:
        for path in PATHS:
            row = _rows(days, path)[-1]
            assert row.items() <= days.get(f"{path}/{row['id']}").items()

    def test_filter_by_account(self, days: PlatformDays, runs: list[str]) -> None:
        first, second, *_ = runs
        counts = {path: [len(_rows(days, path, account=id_)) for id_ in (first, second)] for path in PATHS}
        assert counts == {
            "/v1/invoices": [1, 2],
            "/v1/credit-notes": [0, 1],
            "/v1/payments": [1, 2],
            "/v1/refunds": [0, 1],
            "/v1/ledger": [1, 6],
            "/v1/rebillings": [1, 2],
        }
        for path in PATHS:
            assert _rows(days, path, account=str(uuid.uuid4())) == []

    def test_filter_invoices_by_whether_anything_collects_them(self, days: PlatformDays) -> None:
        days.scripted(Declined(code="invalid_request"))
        failed = days.opened()
        days.sweep()
        paid = days.opened()
        days.sweep()
        for uncollected, account in (("true", failed), ("false", paid)):
            assert [row["account"] for row in _rows(days, "/v1/invoices", uncollected=uncollected)] == [account]
            path = f"/v1/accounts/{account}/invoices"
            assert len(_rows(days, path, uncollected=uncollected)) == 1

    @pytest.mark.parametrize("value", ["1", "True", "yes", "null"])
    def test_refuse_what_is_neither_true_nor_false(self, api: ApiClient, value: str) -> None:
        problem = problem_of(api.get("/v1/invoices", uncollected=value), status=400, slug="invalid-request")
        assert problem["errors"] == {"uncollected": ["Must be true or false."]}

    def test_filter_by_run(self, days: PlatformDays, runs: list[str]) -> None:
        """January's second run billed the second account; what is of its invoice is of the run."""
        _, second, january, february = runs
        counts = {path: [len(_rows(days, path, run=run)) for run in (january, february)] for path in PATHS}
        assert counts == {
            "/v1/invoices": [1, 1],
            "/v1/credit-notes": [1, 0],
            "/v1/payments": [1, 1],
            "/v1/refunds": [1, 0],
            "/v1/ledger": [4, 2],
            "/v1/rebillings": [1, 1],
        }
        for path in PATHS:
            assert {row["account"] for row in _rows(days, path, run=january)} == {second}

    @pytest.mark.parametrize(
        ("path", "since", "until"),
        [
            ("/v1/invoices", "issued_since", "issued_until"),
            ("/v1/payments", "submitted_since", "submitted_until"),
            ("/v1/rebillings", "period_start_since", "period_start_until"),
        ],
    )
    def test_filter_by_day_with_both_ends_included(
        self, days: PlatformDays, runs: list[str], path: str, since: str, until: str
    ) -> None:
        counts = [len(_rows(days, path, **{since: day})) for day in ("2026-01-01", "2026-02-01", "2026-02-02")]
        assert counts == [3, 1, 0]
        counts = [len(_rows(days, path, **{until: day})) for day in ("2025-12-31", "2026-01-01", "2026-02-01")]
        assert counts == [0, 2, 3]
        assert len(_rows(days, path, **{since: "2026-01-01", until: "2026-01-01"})) == 2

    def test_filter_entries_and_refunds_by_day(self, days: PlatformDays, runs: list[str]) -> None:
        assert len(_rows(days, "/v1/ledger", effective_since="2026-02-01")) == 2
        assert len(_rows(days, "/v1/ledger", effective_until="2026-01-31")) == 5
        assert len(_rows(days, "/v1/refunds", submitted_since="2026-01-01", submitted_until="2026-01-01")) == 1
        assert _rows(days, "/v1/refunds", submitted_since="2026-01-02") == []

    def test_filter_credit_notes_by_invoice_and_day(self, days: PlatformDays, runs: list[str]) -> None:
        path, (january, february) = "/v1/credit-notes", days.invoices(runs[1])
        (note,) = _rows(days, path, invoice=january["id"])
        assert (note["invoice"], note["amount_minor"], len(note["lines"])) == (january["id"], 100, 1)
        assert _rows(days, path, invoice=february["id"]) == []
        assert len(_rows(days, path, issued_since="2026-01-01", issued_until="2026-01-01")) == 1
        assert _rows(days, path, issued_since="2026-01-02") == _rows(days, path, issued_until="2025-12-31") == []

    @pytest.mark.parametrize("model", [Payment, Refund])
    def test_filter_by_what_needs_review(self, days: PlatformDays, runs: list[str], model: Any) -> None:
        path = "/v1/payments" if model is Payment else "/v1/refunds"
        everything = _rows(days, path)
        assert _rows(days, path, needs_review="true") == []
        model.objects.filter(id=everything[0]["id"]).update(needs_review=True, review_reason="overdue")
        assert [each["id"] for each in _rows(days, path, needs_review="true")] == [everything[0]["id"]]
        assert _rows(days, path, needs_review="false") == everything[1:]
        for value in ("yes", "True", "1"):
            problem = problem_of(days.api.get(path, needs_review=value), status=400, slug="invalid-request")
            assert problem["errors"] == {"needs_review": ["Must be true or false."]}

    def test_filter_by_status_or_type(self, days: PlatformDays, runs: list[str]) -> None:
        counts = {
            "/v1/invoices": {"OPEN": 1, "PAID": 2, "VOID": 0, "UNCOLLECTIBLE": 0},
            "/v1/payments": {"SUCCEEDED": 2, "DECLINED": 1, "UNKNOWN": 0, "SUBMITTED": 0},
            "/v1/refunds": {"SUCCEEDED": 1, "FAILED": 0, "UNKNOWN": 0, "SUBMITTED": 0},
            "/v1/rebillings": {"CHARGED": 3, "DUE": 0, "PARKED": 0, "SKIPPED": 0, "VOIDED": 0},
        }
        for path, by_status in counts.items():
            assert {status: len(_rows(days, path, status=status)) for status in by_status} == by_status
        by_type = {"charge": 3, "payment": 2, "refund": 1, "credit_note": 1, "credit": 0}
        assert {type_: len(_rows(days, "/v1/ledger", type=type_)) for type_ in by_type} == by_type

    def test_filter_an_accounts_rows_by_invoice(self, days: PlatformDays, runs: list[str]) -> None:
        second = runs[1]
        january, february = days.invoices(second)
        its = f"/v1/accounts/{second}"
        assert [len(_rows(days, f"{its}/ledger", invoice=each["id"])) for each in (january, february)] == [4, 2]
        assert [len(_rows(days, f"{its}/payments", invoice=each["id"])) for each in (january, february)] == [1, 1]
        assert _rows(days, f"{its}/invoices", status="OPEN") == []

    def test_are_paged(self, days: PlatformDays, runs: list[str]) -> None:
        for path in PATHS:
            rows = _rows(days, path)
            page, seen = days.get(path, page_size=1), []
            while True:
                seen += page["results"]
                if page["next"] is None:
                    break
                page = days.get(page["next"].removeprefix("http://testserver"))
            assert seen == rows

    @pytest.mark.parametrize("path", PATHS)
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("account", "all"),
            ("account", ""),
            ("account", "0193aaaa000070008000000000000000"),
            ("account", "0193aaaa-0000-7000-8000-00000000000\0"),
            ("run", "latest"),
            ("run", "{0193aaaa-0000-7000-8000-000000000000}"),
            ("month", "2026-01"),
        ],
    )
    def test_refuse_an_invalid_filter(self, api: ApiClient, path: str, name: str, value: str) -> None:
        problem = problem_of(api.get(path, **{name: value}), status=400, slug="invalid-request")
        assert list(problem["errors"]) == [name]

    @pytest.mark.parametrize(("path", "those"), STATUSES.items())
    def test_refuse_an_unknown_status_with_those_that_there_are(self, api: ApiClient, path: str, those: str) -> None:
        for status in ("open", "LATE"):
            problem = problem_of(api.get(path, status=status), status=400, slug="invalid-request")
            assert problem["errors"] == {"status": [f"Must be {those}."]}

    def test_refuse_an_unknown_plan_by_its_code(self, api: ApiClient) -> None:
        problem = problem_of(api.get("/v1/accounts", plan="nope"), status=400, slug="invalid-request")
        assert problem["errors"] == {"plan": ["There is no plan 'nope'."]}

    @pytest.mark.parametrize("path", PATHS)
    def test_take_as_many_statements_for_2_as_for_20(self, days: PlatformDays, path: str) -> None:
        counts = []
        for number in (2, 18):
            for _ in range(number):
                days.opened()
            days.sweep()
            for payment in _rows(days, "/v1/payments", page_size=number):
                days.post(f"/v1/payments/{payment['id']}/refunds", {"amount_minor": 1, **WHY})
            with CaptureQueriesContext(connection) as queries:
                assert len(_rows(days, path)) >= number
            counts.append(len(queries))
        # The key, the limits' three, the page, its credit notes' lines.
        assert counts == ([6, 6] if path == "/v1/credit-notes" else [5, 5])


class TestRebilling:
    def test_is_shown_as_it_was_fixed(self, days: PlatformDays) -> None:
        account_id = days.opened(quantity=2)
        run = days.sweep()
        (rebilling,) = _rows(days, "/v1/rebillings")
        invoice = days.invoice(account_id)
        assert rebilling == {
            "id": invoice["lines"][0]["rebilling"],
            "run": str(run.id),
            "account": account_id,
            "period_start": "2026-01-01",
            "period_end": "2026-02-01",
            "ended_on": "2026-02-01",
            "status": "CHARGED",
            "reason": None,
            "detail": None,
            "description": invoice["lines"][0]["description"],
            "quantity": 2,
            "unit_amount_minor": 1999,
            "discount_minor": 0,
            "amount_minor": 3998,
            "tax_rate": None,
            "items_minor": None,
            "currency": "USD",
            "invoice": invoice["id"],
            "due_since": "2026-01-01T06:00:00Z",
        }

    def test_says_why_it_was_parked(self, days: PlatformDays) -> None:
        days.opened(anchor_date="2020-01-01", rebilling_date="2020-01-01")
        days.sweep()
        (rebilling,) = _rows(days, "/v1/rebillings", status="PARKED")
        assert (rebilling["reason"], rebilling["invoice"]) == ("too_many_periods", None)

    def test_is_not_found_under_an_unknown_id(self, api: ApiClient) -> None:
        problem_of(api.get(f"/v1/rebillings/{uuid.uuid4()}"), status=404, slug="unknown-rebilling")
