"""The upcoming invoice by API: what a client reads, and what is then issued."""

import datetime
import uuid
from typing import Any

from api.models import Scope
from tests.builders import TODAY, an_account
from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import rolled_back
from tests.support.platform_days import PlatformDays
from tests.support.unchanged import nothing_moves

FEB_1 = datetime.date(2026, 2, 1)

pytestmark = rolled_back


def upcoming(days: PlatformDays, account_id: str) -> Any:
    with nothing_moves():
        answer = days.get(f"/v1/accounts/{account_id}/upcoming-invoice")
    assert answer["account"] == account_id
    return answer


class TestUpcomingInvoice:
    def test_has_what_the_invoice_then_has(self, days: PlatformDays) -> None:
        rate = days.post("/v1/tax-rates", {"name": "VAT", "percent": "21", "inclusive": False})
        account_id = days.opened(tax_rate=rate["id"])
        days.post(f"/v1/accounts/{account_id}/discount", {"percent": "25", "reason": "Spring"})
        days.sweep()
        days.post(f"/v1/accounts/{account_id}/credits", {"amount_minor": 500, "reason": "Sorry"})
        shown = upcoming(days, account_id)
        invoice = shown["invoice"]
        assert shown["no_invoice"] is None
        (line,) = invoice.pop("lines")
        assert line == {
            "kind": "period",
            "description": "Pro, 1 Feb to 28 Feb 2026",
            "quantity": 1,
            "unit_amount_minor": 1999,
            "discount_minor": 500,
            "amount_minor": 1499,
            "tax_rate": rate["id"],
            "tax_minor": 315,
            "total_minor": 1814,
            "period_start": "2026-02-01",
            "period_end": "2026-03-01",
        }
        assert invoice["taxes"] == [
            {
                "tax_rate": rate["id"],
                "name": "VAT",
                "percent": "21",
                "inclusive": False,
                "exemption_reason": None,
                "net_minor": 1499,
                "tax_minor": 315,
            }
        ]
        assert invoice["balance_uses"] == [{"kind": "credit", "amount_minor": 500, "used_on": "2026-02-01"}]
        assert (invoice["total_minor"], invoice["balance_applied_minor"], invoice["outstanding_minor"]) == (
            *(1814, 500, 1314),
        )
        days.sweep(FEB_1)
        issued = days.invoices(account_id)[-1]
        assert days.asked[-1] == (invoice.pop("outstanding_minor"), "2026-02-01")
        assert {name: issued[name] for name in invoice} == invoice
        assert {name: issued["lines"][0][name] for name in line} == line

    def test_that_is_sent_says_when_it_is_due(self, days: PlatformDays) -> None:
        account_id = days.opened(collection_method="send_invoice", net_days=14)
        invoice = upcoming(days, account_id)["invoice"]
        assert (invoice["collection_method"], invoice["issued_on"], invoice["due_on"]) == (
            *("send_invoice", "2026-01-01", "2026-01-15"),
        )

    def test_is_none_for_a_reason(self, days: PlatformDays) -> None:
        account_id = days.opened()
        days.post(f"/v1/accounts/{account_id}/close", {"reason": "Moving on."})
        assert upcoming(days, account_id) == {"account": account_id, "invoice": None, "no_invoice": "closed"}

    def test_of_an_unknown_account_is_missing(self, api: ApiClient) -> None:
        response = api.get(f"/v1/accounts/{uuid.uuid4()}/upcoming-invoice")
        problem_of(response, status=404, slug="unknown-account")

    def test_needs_the_scope_of_invoices(self, api: ApiClient) -> None:
        account = an_account(today=TODAY)
        path = f"/v1/accounts/{account.id}/upcoming-invoice"
        assert ApiClient(Scope.LEDGER_READ).get(path).status_code == 200
        others = ApiClient(*[scope for scope in Scope if scope != Scope.LEDGER_READ])
        problem_of(others.get(path), status=403, slug="missing-scope")

    def test_takes_no_parameters(self, api: ApiClient) -> None:
        response = api.get(f"/v1/accounts/{an_account().id}/upcoming-invoice", today="2026-02-01")
        problem_of(response, status=400, slug="invalid-request")
