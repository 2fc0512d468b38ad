"""Taxes by API: rates, what an invoice has of them, what its corrections give back, and the books."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import override_settings

from accounts.models import TaxRate
from api.models import IdempotentAnswer
from rebilling.books import discrepancies
from tests.builders import TODAY, QueueInHand, delivered, swept
from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import rolled_back
from tests.support.platform_days import PlatformDays
from tests.support.unchanged import nothing_moves

pytestmark = rolled_back

WHY = {"reason": "A mistake."}


def a_rate(days: PlatformDays, percent: str, *, name: str = "VAT", **fields: Any) -> str:
    return str(days.post("/v1/tax-rates", {"name": name, "percent": percent} | fields)["id"])


def taxed(days: PlatformDays, percent: str, *, inclusive: bool = False, **fields: Any) -> tuple[str, Any]:
    """An account at this rate, billed on Jan 1, and its invoice."""
    account_id = days.opened(tax_rate=a_rate(days, percent, inclusive=inclusive), **fields)
    days.sweep()
    return account_id, days.invoice(account_id)


def amounts(row: Any) -> tuple[int, int, int]:
    return row["amount_minor"], row["tax_minor"], row["total_minor"]


class TestTaxRates:
    def test_are_created_found_and_listed(self, api: ApiClient) -> None:
        response = api.post("/v1/tax-rates", {"name": "Sales tax", "percent": "8.875"})
        assert response.status_code == 201
        rate = response.json()
        assert response["Location"] == f"/v1/tax-rates/{rate['id']}"
        assert rate == {
            "id": rate["id"],
            "name": "Sales tax",
            "percent": "8.875",
            "inclusive": False,
            "exemption_reason": None,
            "created_at": rate["created_at"],
        }
        assert api.get(f"/v1/tax-rates/{rate['id']}").json() == rate
        assert api.get("/v1/tax-rates").json()["results"] == [rate]

    def test_of_zero_say_why(self, api: ApiClient) -> None:
        body = {"name": "VAT", "percent": "0", "exemption_reason": "Reverse charge"}
        assert api.post("/v1/tax-rates", body).json()["exemption_reason"] == "Reverse charge"

    @pytest.mark.parametrize(
        ("body", "field", "error"),
        [
            ({"percent": "-0.001"}, "percent", "Must be from 0 to 100."),
            ({"percent": "100.001"}, "percent", "Must be from 0 to 100."),
            ({"percent": "0"}, "exemption_reason", "Say why nothing is taxed."),
            ({"exemption_reason": "Export"}, "exemption_reason", "Only a rate of 0 has one."),
            ({"name": "V\u202eT"}, "name", "Must not have characters that change the direction of text."),
        ],
    )
    def test_out_of_bounds_are_refused(self, api: ApiClient, body: Any, field: str, error: str) -> None:
        with nothing_moves():
            response = api.post("/v1/tax-rates", {"name": "VAT", "percent": "21"} | body)
        problem = problem_of(response, status=422, slug="unable-to-create-tax-rate")
        assert list(problem["errors"]) == [field]
        if field != "name":
            assert problem["errors"][field] == [error]

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"percent": 21}, "percent"),
            ({"percent": "21%"}, "percent"),
            ({"percent": "8.8755"}, "percent"),
            ({"percent": None}, "percent"),
            ({"inclusive": "yes"}, "inclusive"),
            ({"name": " "}, "name"),
            ({"rate": "21"}, "rate"),
        ],
    )
    def test_that_are_malformed_are_refused(self, api: ApiClient, body: Any, field: str) -> None:
        with nothing_moves():
            response = api.post("/v1/tax-rates", {"name": "VAT", "percent": "21"} | body)
        assert list(problem_of(response, status=400, slug="invalid-request")["errors"]) == [field]

    def test_are_there_once(self, api: ApiClient) -> None:
        assert api.post("/v1/tax-rates", {"name": "VAT", "percent": "21"}).status_code == 201
        with nothing_moves():
            problem_of(
                api.post("/v1/tax-rates", {"name": "VAT", "percent": "21.000"}), status=409, slug="tax-rate-exists"
            )
        assert api.post("/v1/tax-rates", {"name": "VAT", "percent": "21", "inclusive": True}).status_code == 201

    def test_that_are_unknown_are_not_found(self, api: ApiClient) -> None:
        response = api.get("/v1/tax-rates/00000000-0000-0000-0000-000000000001")
        problem_of(response, status=404, slug="unknown-tax-rate")


class TestRateOfAnAccount:
    def test_is_changed_for_what_is_found_due_later(self, days: PlatformDays) -> None:
        account_id = days.opened(unit_amount_minor=10_000)
        days.sweep()
        rate = a_rate(days, "21")
        changed = days.send(f"/v1/accounts/{account_id}", {"tax_rate": rate}, method="PATCH").json()
        assert changed["tax_rate"] == rate
        days.sweep(TODAY.replace(month=2))
        assert [invoice["total_minor"] for invoice in days.invoices(account_id)] == [10_000, 12_100]
        change = days.get(f"/v1/accounts/{account_id}/history")["results"][0]
        assert (change["before"], change["after"]) == ({"tax_rate": None}, {"tax_rate": "VAT 21%"})

    def test_stays_that_of_the_day_on_which_the_period_was_found_due(self, days: PlatformDays) -> None:
        account_id = days.opened(unit_amount_minor=10_000, tax_rate=a_rate(days, "21"))
        queue = QueueInHand()
        swept(as_of=TODAY, queue=queue)
        days.send(f"/v1/accounts/{account_id}", {"tax_rate": None}, method="PATCH")
        assert delivered(bodies=queue.take()) == []
        assert days.invoice(account_id)["total_minor"] == 12_100
        assert days.account(account_id)["tax_rate"] is None

    def test_is_one_that_is_there(self, days: PlatformDays) -> None:
        account_id = days.opened()
        unknown = "00000000-0000-0000-0000-000000000001"
        with nothing_moves(but=IdempotentAnswer):
            response = days.send(f"/v1/accounts/{account_id}", {"tax_rate": unknown}, method="PATCH")
        problem = problem_of(response, status=422, slug="unable-to-change-account")
        assert problem["errors"] == {"tax_rate": [f"There is no tax rate {unknown}."]}

    @override_settings(DEFAULT_TAX=("VAT", Decimal("19"), True))
    def test_is_the_default_of_the_settings_where_it_has_none(self, days: PlatformDays) -> None:
        own = days.opened(unit_amount_minor=11_900, tax_rate=a_rate(days, "7", inclusive=True))
        account_id = days.opened(unit_amount_minor=11_900)
        days.sweep()
        invoice = days.invoice(account_id)
        assert (invoice["total_minor"], invoice["tax_minor"]) == (11_900, 1900)
        assert days.invoice(own)["tax_minor"] == 779
        assert TaxRate.objects.count() == 2
        days.sweep(TODAY.replace(month=2))
        assert (len(days.invoices(account_id)), TaxRate.objects.count()) == (2, 2)


class TestInvoice:
    def test_adds_an_exclusive_tax_and_books_it_apart(self, days: PlatformDays) -> None:
        account_id, invoice = taxed(days, "21", unit_amount_minor=10_000)
        assert (invoice["total_minor"], invoice["tax_minor"], invoice["paid_minor"]) == (12_100, 2100, 12_100)
        (line,) = invoice["lines"]
        assert amounts(line) == (10_000, 2100, 12_100)
        (total,) = invoice["taxes"]
        assert total == {
            "tax_rate": line["tax_rate"],
            "name": "VAT",
            "percent": "21",
            "inclusive": False,
            "exemption_reason": None,
            "net_minor": 10_000,
            "tax_minor": 2100,
        }
        assert "VAT 21% of 100.00 USD: 21.00 USD." in invoice["explanation"]
        assert days.books() == {"receivable": 0, "revenue": -10_000, "tax_payable": -2100, "cash": 12_100}
        assert days.asked == [(12_100, "2026-01-01")]
        entries = days.get(f"/v1/accounts/{account_id}/ledger")["results"]
        assert [(entry["type"], entry["amount_minor"], entry["description"]) for entry in entries[1:]] == [
            ("tax", 2100, "VAT 21%: Pro, 1 Jan to 31 Jan 2026"),
            ("charge", 10_000, "Pro, 1 Jan to 31 Jan 2026"),
        ]
        assert discrepancies() == []

    def test_finds_an_inclusive_tax_within_its_prices(self, days: PlatformDays) -> None:
        _, invoice = taxed(days, "19", inclusive=True)
        assert (invoice["total_minor"], invoice["tax_minor"]) == (1999, 319)
        assert amounts(invoice["lines"][0]) == (1999, 319, 1999)
        assert "VAT 19% of 16.80 USD: 3.19 USD, included." in invoice["explanation"]
        assert days.books() == {"receivable": 0, "revenue": -1680, "tax_payable": -319, "cash": 1999}

    def test_rounds_once_a_rate_over_three_lines(self, days: PlatformDays) -> None:
        """8.875% of 59.97 is 5.322..., so 5.32; rounded by line it would be 5.31."""
        account_id = days.opened(tax_rate=a_rate(days, "8.875", name="Sales tax"))
        days.sweep(TODAY.replace(month=3))
        invoice = days.invoice(account_id)
        assert [amounts(line) for line in invoice["lines"]] == [(1999, 178, 2177), (1999, 177, 2176), (1999, 177, 2176)]
        assert (invoice["total_minor"], invoice["tax_minor"]) == (6529, 532)
        assert discrepancies() == []

    @pytest.mark.parametrize(
        ("currency", "price", "percent", "tax"),
        [("KWD", 12_345, "5", 617), ("JPY", 1005, "10", 101), ("USD", 1, "50", 1), ("USD", 1, "49.999", 0)],
    )
    def test_rounds_half_up_to_the_currencys_units(
        self, days: PlatformDays, currency: str, price: int, percent: str, tax: int
    ) -> None:
        _, invoice = taxed(days, percent, currency=currency, unit_amount_minor=price)
        assert amounts(invoice["lines"][0]) == (price, tax, price + tax)
        assert discrepancies() == []

    def test_of_an_exempt_account_says_why_nothing_is_taxed(self, days: PlatformDays) -> None:
        account_id = days.opened(tax_rate=a_rate(days, "0", exemption_reason="Reverse charge"))
        days.sweep()
        invoice = days.invoice(account_id)
        assert (invoice["total_minor"], invoice["tax_minor"]) == (1999, 0)
        assert invoice["taxes"][0]["exemption_reason"] == "Reverse charge"
        assert "VAT 0% of 19.99 USD: 0.00 USD (Reverse charge)." in invoice["explanation"]


class TestCorrections:
    def test_in_three_parts_give_the_tax_back_to_the_cent(self, days: PlatformDays) -> None:
        account_id, invoice = taxed(days, "21", unit_amount_minor=1652)
        assert amounts(invoice["lines"][0]) == (1652, 347, 1999)
        path = f"/v1/invoices/{invoice['id']}/credit-notes"
        notes = [days.post(path, {"amount_minor": part, **WHY}) for part in (667, 666)]
        notes.append(days.post(path, WHY))
        assert [(note["amount_minor"], note["tax_minor"]) for note in notes] == [(667, 116), (666, 115), (666, 116)]
        assert [note["lines"][0]["tax_minor"] for note in notes] == [116, 115, 116]
        books = days.books()
        assert (books["revenue"], books["tax_payable"], books["receivable"]) == (0, 0, -1999)
        assert days.account(account_id)["credit_balance_minor"] == 1999
        assert discrepancies() == []

    def test_have_the_figures_of_the_worked_example(self, days: PlatformDays) -> None:
        """`docs/invoices.md`: 20% off 100.00, VAT 21% added, paid, and credited in two parts."""
        account_id = days.opened(unit_amount_minor=10_000, tax_rate=a_rate(days, "21"))
        days.post(f"/v1/accounts/{account_id}/discount", {"percent": "20", **WHY})
        days.sweep()
        invoice = days.invoice(account_id)
        (line,) = invoice["lines"]
        assert (line["discount_minor"], *amounts(line)) == (2000, 8000, 1680, 9680)
        assert "VAT 21% of 80.00 USD: 16.80 USD." in invoice["explanation"]
        path = f"/v1/invoices/{invoice['id']}/credit-notes"
        first, rest = days.post(path, {"amount_minor": 3333, **WHY}), days.post(path, WHY)
        assert (first["amount_minor"], first["tax_minor"]) == (3333, 578)
        assert (rest["amount_minor"], rest["tax_minor"]) == (6347, 1102)
        entries = days.get(f"/v1/accounts/{account_id}/ledger")["results"]
        assert [(entry["type"], entry["amount_minor"]) for entry in reversed(entries)] == [
            *(("charge", 8000), ("tax", 1680), ("payment", 9680)),
            *(("credit_note", 2755), ("tax_credit", 578), ("credit_note", 5245), ("tax_credit", 1102)),
        ]
        assert days.books() == {"receivable": -9680, "revenue": 0, "tax_payable": 0, "cash": 9680}
        assert days.account(account_id)["credit_balance_minor"] == 9680
        assert discrepancies() == []

    @pytest.mark.parametrize("inclusive", [False, True])
    def test_by_a_refund_in_full_leave_every_book_at_zero(self, days: PlatformDays, inclusive: bool) -> None:
        _, invoice = taxed(days, "19", inclusive=inclusive)
        body = {"amount_minor": invoice["total_minor"], **WHY}
        days.post(f"/v1/payments/{invoice['payments'][0]['id']}/refunds", body)
        assert days.books() == {"receivable": 0, "revenue": 0, "tax_payable": 0, "cash": 0}
        assert discrepancies() == []

    def test_of_named_lines_take_the_lines_own_tax(self, days: PlatformDays) -> None:
        account_id = days.opened(tax_rate=a_rate(days, "8.875"))
        days.sweep(TODAY.replace(month=3))
        invoice = days.invoice(account_id)
        first = invoice["lines"][0]
        note = days.post(
            f"/v1/invoices/{invoice['id']}/credit-notes",
            {"lines": [{"line": first["id"], "amount_minor": first["total_minor"]}], **WHY},
        )
        assert (note["amount_minor"], note["tax_minor"]) == (2177, 178)
        (voided, *_) = reversed(days.get("/v1/rebillings")["results"])
        assert voided["status"] == "VOIDED"
        assert discrepancies() == []

    def test_by_a_write_off_leave_the_tax_with_the_authority(self, days: PlatformDays) -> None:
        """What is given up is the whole debt; a tax return for bad debts is the accountant's."""
        _, invoice = taxed(days, "21", unit_amount_minor=10_000, collection_method="send_invoice")
        days.post(f"/v1/invoices/{invoice['id']}/write-off", WHY)
        assert days.books() == {"receivable": 0, "revenue": -10_000, "tax_payable": -2100, "bad_debt": 12_100}
