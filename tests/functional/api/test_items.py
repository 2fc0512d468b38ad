"""One-off items by API: what is billed when, what is shown of it, and what is refused."""

from typing import Any

import pytest

from api.models import IdempotentAnswer, Scope
from rebilling.books import discrepancies
from tests.builders import TODAY
from tests.functional.api.test_taxes import a_rate, amounts
from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import rolled_back
from tests.support.platform_days import PlatformDays
from tests.support.unchanged import nothing_moves

pytestmark = rolled_back

SETUP = {"description": "Setup", "unit_amount_minor": 5000, "reason": "Agreed by phone."}
OUTAGE = {"description": "For the outage", "unit_amount_minor": -3000, "reason": "A day of outage."}
MISTAKE = {"reason": "Was for another customer."}


def added(days: PlatformDays, account_id: str, item: Any) -> Any:
    return days.post(f"/v1/accounts/{account_id}/items", item)


def listed(days: PlatformDays, account_id: str) -> list[tuple[str, int, int]]:
    found = days.get(f"/v1/accounts/{account_id}/items")["results"]
    return [(item["status"], item["amount_minor"], item["invoiced_minor"]) for item in found]


class TestItem:
    def test_waits_for_the_next_invoice_and_is_a_line_of_it(self, days: PlatformDays) -> None:
        account_id = days.opened(tax_rate=a_rate(days, "21"), unit_amount_minor=10_000)
        item = added(days, account_id, SETUP | {"quantity": 2})
        assert item == {
            "id": item["id"],
            "account": account_id,
            "status": "pending",
            "description": "Setup",
            "quantity": 2,
            "unit_amount_minor": 5000,
            "discount_minor": 0,
            "amount_minor": 10_000,
            "period_start": None,
            "period_end": None,
            "currency": "USD",
            "invoiced_minor": 0,
            "invoices": [],
            "rebilling": None,
            "reason": "Agreed by phone.",
            "created_by": item["created_by"],
            "created_at": "2026-01-01T06:00:00Z",
            "removed_at": None,
            "removed_by": None,
            "removal_reason": None,
            "dry_run": False,
            "tax_minor": 2100,
            "total_minor": 12_100,
            "invoice": None,
            "upcoming_invoice": None,
        }
        assert item["created_by"].startswith("key:")
        days.sweep()
        invoice = days.invoice(account_id)
        _, line = invoice["lines"]
        assert (line["kind"], line["description"], line["item"], line["rebilling"]) == (
            *("item", "Setup", item["id"], None),
        )
        assert amounts(line) == (10_000, 2100, 12_100)
        assert (invoice["total_minor"], invoice["paid_minor"]) == (24_200, 24_200)
        (period,) = days.get("/v1/rebillings")["results"]
        assert (period["amount_minor"], period["items_minor"]) == (10_000, 10_000)
        shown = days.get(f"/v1/accounts/{account_id}/items/{item['id']}")
        assert (shown["status"], shown["invoiced_minor"], shown["invoices"]) == ("invoiced", 10_000, [invoice["id"]])
        assert discrepancies() == []

    def test_is_billed_now_and_collected(self, days: PlatformDays) -> None:
        account_id = days.opened()
        item = added(days, account_id, SETUP | {"billing": "now"})
        invoice = days.invoice(account_id)
        assert (invoice["status"], invoice["total_minor"], days.asked) == ("PAID", 5000, [(5000, "2026-01-01")])
        assert (item["status"], item["invoices"]) == ("invoiced", [invoice["id"]])
        assert days.account(account_id)["status"] == "ACTIVE"
        days.sweep()
        assert [each["total_minor"] for each in days.invoices(account_id)] == [5000, 1999]
        assert discrepancies() == []

    def test_that_is_billed_now_names_its_tax_its_total_and_its_invoice(self, days: PlatformDays) -> None:
        account_id = days.opened(tax_rate=a_rate(days, "21"))
        days.post(f"/v1/accounts/{account_id}/credits", {"amount_minor": 1000, **MISTAKE})
        item = added(days, account_id, SETUP | {"billing": "now"})
        assert (item["dry_run"], item["tax_minor"], item["total_minor"]) == (False, 1050, 6050)
        shown, invoice = item["invoice"], days.invoice(account_id)
        assert (shown["id"], shown["total_minor"], shown["balance_applied_minor"]) == (invoice["id"], 6050, 1000)
        assert (shown["outstanding_minor"], days.asked) == (5050, [(5050, "2026-01-01")])

    def test_that_is_a_deduction_stops_at_zero_and_goes_on(self, days: PlatformDays) -> None:
        account_id = days.opened()
        item = added(days, account_id, OUTAGE)
        days.sweep()
        assert listed(days, account_id) == [("pending", -3000, -1999)]
        days.sweep(TODAY.replace(month=2))
        first, second = days.invoices(account_id)
        assert [(each["status"], each["total_minor"]) for each in (first, second)] == [("PAID", 0), ("PAID", 998)]
        assert [line["unit_amount_minor"] for line in second["lines"]] == [1999, -1001]
        shown = days.get(f"/v1/accounts/{account_id}/items/{item['id']}")
        assert (shown["status"], shown["invoices"]) == ("invoiced", [first["id"], second["id"]])
        assert (days.asked, days.books()["revenue"]) == ([(998, "2026-02-01")], -998)
        assert discrepancies() == []

    def test_is_credited_like_any_line(self, days: PlatformDays) -> None:
        account_id = days.opened()
        added(days, account_id, SETUP)
        days.sweep()
        invoice = days.invoice(account_id)
        line = {"line": invoice["lines"][1]["id"], "amount_minor": 5000}
        days.post(f"/v1/invoices/{invoice['id']}/credit-notes", {"lines": [line]} | MISTAKE)
        assert days.account(account_id)["credit_balance_minor"] == 5000
        (period,) = days.get("/v1/rebillings")["results"]
        assert (period["status"], discrepancies()) == ("CHARGED", [])

    def test_that_is_removed_is_not_billed(self, days: PlatformDays) -> None:
        account_id = days.opened()
        item = added(days, account_id, SETUP)
        gone = days.post(f"/v1/accounts/{account_id}/items/{item['id']}/remove", MISTAKE)
        assert (gone["status"], gone["removal_reason"], gone["removed_at"]) == (
            *("removed", "Was for another customer.", "2026-01-01T06:00:00Z"),
        )
        days.sweep()
        assert days.invoice(account_id)["total_minor"] == 1999
        history = days.get(f"/v1/accounts/{account_id}/history")["results"]
        words = "Setup: 50.00 USD"
        changes = [(change["before"], change["after"]) for change in history if "item" in change["before"]]
        assert changes == [({"item": words}, {"item": None}), ({"item": None}, {"item": words})]

    def test_is_added_once_for_an_idempotency_key(self, days: PlatformDays) -> None:
        path = f"/v1/accounts/{days.opened()}/items"
        first = days.api.post(path, SETUP, once="setup")
        assert first["Location"] == f"{path}/{first.json()['id']}"
        with nothing_moves():
            again = days.api.post(path, SETUP, once="setup")
        assert (again.status_code, again.json()) == (201, first.json())


class TestDryRun:
    def test_answers_what_is_then_billed_now_and_bills_nothing(self, days: PlatformDays) -> None:
        account_id = days.opened(tax_rate=a_rate(days, "21"))
        days.post(f"/v1/accounts/{account_id}/credits", {"amount_minor": 1000, **MISTAKE})
        item = SETUP | {"quantity": 2, "billing": "now"}
        preview = dry_run(days, account_id, item)
        assert (days.asked, days.queue.bodies) == ([], [])
        done = added(days, account_id, item)
        assert (preview.pop("dry_run"), done.pop("dry_run")) == (True, False)
        assert (preview.pop("id"), preview["invoice"].pop("id"), preview.pop("invoices")) == (None, None, [])
        del done["id"], done["invoice"]["id"], done["invoices"]
        assert preview == done
        assert (preview["tax_minor"], preview["total_minor"], preview["status"]) == (2100, 12_100, "invoiced")
        (line,) = preview["invoice"]["lines"]
        assert (line["description"], *amounts(line)) == ("Setup", 10_000, 2100, 12_100)

    @pytest.mark.parametrize(
        ("item", "total", "next_total"), [(SETUP, 6050, 8469), (OUTAGE, -3630, 0)], ids=["fee", "deduction"]
    )
    def test_answers_what_the_next_invoice_then_comes_to(
        self, days: PlatformDays, item: dict[str, Any], total: int, next_total: int
    ) -> None:
        account_id = days.opened(tax_rate=a_rate(days, "21"))
        preview = dry_run(days, account_id, item)
        assert (preview["id"], preview["status"], preview["invoice"]) == (None, "pending", None)
        assert (preview["total_minor"], preview["upcoming_invoice"]["total_minor"]) == (total, next_total)
        assert added(days, account_id, item)["upcoming_invoice"] is None
        assert preview["upcoming_invoice"] == days.get(f"/v1/accounts/{account_id}/upcoming-invoice")["invoice"]
        days.sweep()
        invoice = days.invoice(account_id)
        assert (invoice["total_minor"], invoice["tax_minor"]) == (
            next_total,
            preview["upcoming_invoice"]["tax_minor"],
        )

    def test_answers_no_next_invoice_where_none_is_to_come(self, days: PlatformDays) -> None:
        account_id = days.opened(billing="now")
        days.post(f"/v1/accounts/{account_id}/pause", {"at": "period_end", **MISTAKE})
        assert dry_run(days, account_id, SETUP)["upcoming_invoice"] is None

    def test_is_refused_where_the_item_is(self, days: PlatformDays) -> None:
        account_id = days.opened()
        days.post(f"/v1/accounts/{account_id}/close", MISTAKE)
        with nothing_moves(but=IdempotentAnswer):
            response = days.send(f"/v1/accounts/{account_id}/items", SETUP | {"dry_run": True})
            problem_of(response, status=409, slug="no-next-invoice")


def dry_run(days: PlatformDays, account_id: str, item: dict[str, Any]) -> Any:
    """What the item comes to, without an Idempotency-Key."""
    with nothing_moves():
        response = days.api.post(f"/v1/accounts/{account_id}/items", item | {"dry_run": True})
        assert (response.status_code, response.headers.get("Location")) == (200, None)
    answer = response.json()
    assert answer["dry_run"] is True
    return answer


class TestClosing:
    def test_bills_what_waits(self, days: PlatformDays) -> None:
        account_id = days.opened()
        added(days, account_id, SETUP)
        days.post(f"/v1/accounts/{account_id}/close", {"reason": "Moving on."})
        assert (days.invoice(account_id)["total_minor"], days.asked) == (5000, [(5000, "2026-01-01")])

    def test_without_collecting_drops_it(self, days: PlatformDays) -> None:
        account_id = days.opened()
        added(days, account_id, SETUP)
        path, body = f"/v1/accounts/{account_id}/close", {"reason": "Never used it.", "collect": False}
        without = ApiClient(Scope.ACCOUNTS_WRITE)
        with nothing_moves():
            refused = without.post(path, body)
        assert "ledger:write" in problem_of(refused, status=403, slug="missing-scope")["detail"]
        days.post(path, body)
        assert (days.invoices(account_id), listed(days, account_id)) == ([], [("removed", 5000, 0)])

    def test_without_collecting_on_a_later_day_is_refused(self, days: PlatformDays) -> None:
        path = f"/v1/accounts/{days.opened()}/close"
        with nothing_moves(but=IdempotentAnswer):
            refused = days.send(path, {"reason": "Later.", "collect": False, "at": "period_end"})
        assert list(problem_of(refused, status=422, slug="collect-needs-now")["errors"]) == ["collect"]


class TestRefused:
    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"quantity": 0}, "quantity"),
            ({"unit_amount_minor": 0}, "unit_amount_minor"),
            ({"unit_amount_minor": 100_000_000}, "unit_amount_minor"),
            ({"unit_amount_minor": -5, "billing": "now"}, "billing"),
            ({"description": "a\u202eb"}, "description"),
        ],
    )
    def test_is_what_makes_no_item(self, days: PlatformDays, changes: Any, field: str) -> None:
        path = f"/v1/accounts/{days.opened()}/items"
        with nothing_moves(but=IdempotentAnswer):
            problem = problem_of(days.send(path, SETUP | changes), status=422, slug="unable-to-add-item")
        assert list(problem["errors"]) == [field]

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"quantity": "2"}, "quantity"),
            ({"unit_amount_minor": 50.5}, "unit_amount_minor"),
            ({"billing": "tomorrow"}, "billing"),
            ({"description": ""}, "description"),
            ({"amount": 5}, "amount"),
            ({"reason": ""}, "reason"),
        ],
    )
    def test_is_what_is_malformed(self, days: PlatformDays, changes: Any, field: str) -> None:
        path = f"/v1/accounts/{days.opened()}/items"
        with nothing_moves():
            problem = problem_of(days.send(path, SETUP | changes), status=400, slug="invalid-request")
        assert list(problem["errors"]) == [field]

    def test_is_what_has_no_key_or_scope(self, days: PlatformDays) -> None:
        path, reader = f"/v1/accounts/{days.opened()}/items", ApiClient(Scope.ACCOUNTS_READ)
        with nothing_moves():
            problem_of(days.api.post(path, SETUP), status=400, slug="idempotency-key-missing")
            problem_of(reader.post(path, SETUP, once="a"), status=403, slug="missing-scope")

    def test_is_the_next_invoice_of_a_closed_account(self, days: PlatformDays) -> None:
        account_id = days.opened()
        days.post(f"/v1/accounts/{account_id}/close", MISTAKE)
        with nothing_moves(but=IdempotentAnswer):
            response = days.send(f"/v1/accounts/{account_id}/items", SETUP)
        problem_of(response, status=409, slug="no-next-invoice")

    def test_is_an_unknown_account_or_item(self, days: PlatformDays) -> None:
        account_id, unknown = days.opened(), "01900000-0000-7000-8000-000000000000"
        with nothing_moves(but=IdempotentAnswer):
            problem_of(days.send(f"/v1/accounts/{unknown}/items", SETUP), status=404, slug="unknown-account")
            path = f"/v1/accounts/{account_id}/items/{unknown}"
            problem_of(days.api.get(path), status=404, slug="unknown-item")
            problem_of(days.send(f"{path}/remove", MISTAKE), status=404, slug="unknown-item")

    def test_is_removing_what_was_invoiced(self, days: PlatformDays) -> None:
        account_id = days.opened()
        item = added(days, account_id, SETUP | {"billing": "now"})
        with nothing_moves(but=IdempotentAnswer):
            response = days.send(f"/v1/accounts/{account_id}/items/{item['id']}/remove", MISTAKE)
        problem_of(response, status=409, slug="item-not-pending")
