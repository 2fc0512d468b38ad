"""Reading invoices by API."""

import datetime
import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from payments.gateways.port import Declined
from tests.builders import TODAY, an_account, billed
from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import rolled_back
from tests.support.platform_days import PlatformDays
from tests.support.unchanged import nothing_moves

pytestmark = rolled_back

DECLINED = Declined(code="insufficient_funds")
FEB_1 = datetime.date(2026, 2, 1)
WHY = {"reason": "A week of outage."}


class TestInvoice:
    def test_is_shown_with_all_that_belongs_to_it(self, days: PlatformDays) -> None:
        account_id = days.opened(quantity=2, unit_amount_minor=1000)
        days.sweep()
        invoice = days.invoice(account_id)
        (line,) = invoice.pop("lines")
        (payment,) = invoice.pop("payments")
        number = invoice["number"]
        assert number.endswith("-0001")
        assert invoice.pop("explanation") == [
            "Issued on 1 Jan 2026 for 20.00 USD, to be collected at once.",
            "20.00 USD was collected on 1 Jan 2026 through logging.",
            "It is paid.",
        ]
        assert payment == days.get(f"/v1/payments/{payment['id']}")
        assert line == {
            "id": line["id"],
            "position": 1,
            "kind": "period",
            "description": line["description"],
            "quantity": 2,
            "unit_amount_minor": 1000,
            "discount_minor": 0,
            "amount_minor": 2000,
            "tax_rate": None,
            "tax_minor": 0,
            "total_minor": 2000,
            "credited_minor": 0,
            "period_start": "2026-01-01",
            "period_end": "2026-02-01",
            "rebilling": line["rebilling"],
            "item": None,
        }
        assert "1 Jan to 31 Jan 2026" in line["description"]
        assert invoice.pop("credit_notes") == invoice.pop("balance_uses") == invoice.pop("taxes") == []
        assert invoice == {
            "id": invoice["id"],
            "account": account_id,
            "number": number,
            "status": "PAID",
            "currency": "USD",
            "issued_on": "2026-01-01",
            "due_on": "2026-01-01",
            "collection_method": "automatic",
            "seller": "",
            "customer_name": "Ada Lovelace",
            "customer_email": "ada@example.com",
            "customer_address": None,
            "customer_country": None,
            "customer_tax_id": None,
            "customer_language": None,
            "total_minor": 2000,
            "tax_minor": 0,
            "credited_minor": 0,
            "credited_to_balance_minor": 0,
            "credited_to_refund_minor": 0,
            "balance_applied_minor": 0,
            "paid_minor": 2000,
            "refunded_minor": 0,
            "written_off_minor": 0,
            "outstanding_minor": 0,
            "payment_in_flight": False,
            "declined_on": None,
            "created_at": "2026-01-01T06:00:00Z",
        }
        assert days.get(f"/v1/accounts/{account_id}/invoices")["results"] == [invoice]
        assert days.get("/v1/invoices")["results"] == [invoice]

    def test_says_in_words_what_happened_to_it_with_amounts_as_money(self, days: PlatformDays) -> None:
        days.scripted(DECLINED)
        account_id = days.opened()
        days.sweep()
        invoice = days.invoice(account_id)
        days.post(f"/v1/invoices/{invoice['id']}/credit-notes", {"amount_minor": 500, **WHY})
        days.post(f"/v1/invoices/{invoice['id']}/write-off", {"reason": "Insolvent"})
        note = days.invoice(account_id)["credit_notes"][0]["number"]
        assert days.invoice(account_id)["explanation"] == [
            "Issued on 1 Jan 2026 for 19.99 USD, to be collected at once.",
            "A payment of 19.99 USD was declined on 1 Jan 2026 (insufficient_funds).",
            f"Credit note {note} on 1 Jan 2026, 5.00 USD off what was outstanding: A week of outage.",
            "14.99 USD was written off on 1 Jan 2026: Insolvent.",
            "It is uncollectible: 14.99 USD is written off.",
        ]

    def test_keeps_the_customers_name_and_terms_of_its_day(self, days: PlatformDays, settings: Any) -> None:
        settings.SELLER_NAME = "Analytical Engines Ltd"
        days.scripted(DECLINED)
        account_id = days.opened()
        days.sweep()
        settings.SELLER_NAME = "Another Ltd"
        changes = {"name": "Grace", "email": "grace@example.com", "collection_method": "send_invoice"}
        assert days.send(f"/v1/accounts/{account_id}", changes, method="PATCH").status_code == 200
        invoice = days.invoice(account_id)
        assert (invoice["seller"], invoice["customer_name"]) == ("Analytical Engines Ltd", "Ada Lovelace")
        assert (invoice["customer_email"], invoice["collection_method"]) == ("ada@example.com", "automatic")

    def test_numbers_are_the_accounts_own_and_count_up(self, days: PlatformDays) -> None:
        one, other = days.opened(), days.opened()
        days.sweep()
        days.sweep(FEB_1)
        numbers = [[invoice["number"] for invoice in days.invoices(id_)] for id_ in (one, other)]
        assert [[number.partition("-")[2] for number in each] for each in numbers] == [["0001", "0002"]] * 2
        prefixes = [{number.partition("-")[0] for number in each} for each in numbers]
        assert [len(each) for each in prefixes] == [1, 1]
        assert prefixes[0] != prefixes[1]

    def test_is_not_found_under_an_unknown_id(self, api: ApiClient) -> None:
        problem_of(api.get(f"/v1/invoices/{uuid.uuid4()}"), status=404, slug="unknown-invoice")
        problem_of(api.get(f"/v1/accounts/{uuid.uuid4()}/invoices"), status=404, slug="unknown-account")
        problem_of(api.get(f"/v1/credit-notes/{uuid.uuid4()}"), status=404, slug="unknown-credit-note")

    def test_takes_as_many_statements_with_one_line_as_with_much(self, days: PlatformDays) -> None:
        counts = []
        for months in (1, 6):
            days.scripted(*[DECLINED] * 20)
            account_id = days.opened(anchor_date="2025-07-01", rebilling_date=f"2025-{13 - months:02}-01")
            days.sweep()
            invoice = days.invoice(account_id)
            for _ in range(months - 1):
                days.post(f"/v1/invoices/{invoice['id']}/pay")
                days.post(f"/v1/invoices/{invoice['id']}/credit-notes", {"amount_minor": 1, **WHY})
            with CaptureQueriesContext(connection) as queries:
                days.get(f"/v1/invoices/{invoice['id']}")
            counts.append(len(queries))
        assert counts[0] <= counts[1] <= counts[0] + 1 <= 17  # lines of credit notes, where there are any

    @pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
    def test_is_not_made_or_changed_by_hand(self, api: ApiClient, method: str) -> None:
        account = an_account()
        billed(as_of=TODAY)
        with nothing_moves():
            for path in ("/v1/invoices", f"/v1/invoices/{account.invoices.get().id}"):
                problem_of(api.send(method, path, body={}), status=405, slug="method-not-allowed")


class TestCreditNote:
    def test_by_an_amount_is_spread_over_the_lines(self, days: PlatformDays) -> None:
        account_id = days.opened(unit_amount_minor=1000)
        days.sweep(FEB_1)
        invoice = days.invoice(account_id)
        note = days.post(f"/v1/invoices/{invoice['id']}/credit-notes", {"amount_minor": 501, **WHY})
        assert note == {
            "id": note["id"],
            "invoice": invoice["id"],
            "account": account_id,
            "number": invoice["number"].replace("-0001", "-CN-0001"),
            "currency": "USD",
            "issued_on": "2026-02-01",
            "amount_minor": 501,
            "tax_minor": 0,
            "from_outstanding_minor": 0,
            "from_written_off_minor": 0,
            "to_balance_minor": 501,
            "to_refund_minor": 0,
            "refund": None,
            "lines": note["lines"],
            "reason": "A week of outage.",
            "created_by": f"key:tests:{days.api.key.prefix}",
            "created_at": "2026-02-01T06:00:00Z",
        }
        shares = {share["line"]: share["amount_minor"] for share in note["lines"]}
        assert sorted(shares.values()) == [250, 251]
        invoice = days.invoice(account_id)
        assert shares == {line["id"]: line["credited_minor"] for line in invoice["lines"]}
        assert (invoice["credit_notes"], invoice["status"]) == ([note], "PAID")
        assert days.get(f"/v1/credit-notes/{note['id']}") == note

    def test_by_lines_voids_the_period_that_is_credited_whole(self, days: PlatformDays) -> None:
        days.scripted(DECLINED)
        account_id = days.opened(unit_amount_minor=1000)
        days.sweep(FEB_1)
        january, february = days.invoice(account_id)["lines"]
        body = {"lines": [{"line": january["id"], "amount_minor": 1000}, {"line": february["id"], "amount_minor": 1}]}
        note = days.post(f"/v1/invoices/{days.invoice(account_id)['id']}/credit-notes", body | WHY)
        assert (note["amount_minor"], note["from_outstanding_minor"]) == (1001, 1001)
        assert [line["credited_minor"] for line in days.invoice(account_id)["lines"]] == [1000, 1]
        rebillings = days.get("/v1/rebillings", account=account_id)["results"]
        assert {each["id"]: each["status"] for each in rebillings} == {
            january["rebilling"]: "VOIDED",
            february["rebilling"]: "CHARGED",
        }
        assert days.invoice(account_id)["outstanding_minor"] == 999

    def test_is_issued_once_under_its_key(self, days: PlatformDays) -> None:
        account_id = days.opened()
        days.sweep()
        path, body = f"/v1/invoices/{days.invoice(account_id)['id']}/credit-notes", {"amount_minor": 500, **WHY}
        first = days.api.post(path, body, once="one")
        with nothing_moves():
            again = days.api.post(path, body, once="one")
            problem_of(days.api.post(path, body), status=400, slug="idempotency-key-missing")
        assert (again.content, again["Idempotent-Replayed"]) == (first.content, "true")
        assert [note["amount_minor"] for note in days.invoice(account_id)["credit_notes"]] == [500]
