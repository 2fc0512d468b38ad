"""Requests for the wrong money, of the wrong account or over the wrong days: a clear error, and nothing moves."""

import uuid
from typing import Any

import pytest

from api.models import IdempotentAnswer
from payments.gateways.port import Declined, Unknown
from tests.builders import ScriptedGateway
from tests.support.api_client import problem_of
from tests.support.databases import rolled_back
from tests.support.platform_days import ADA, PlatformDays
from tests.support.unchanged import nothing_moves

pytestmark = rolled_back

WHY = {"reason": "A mistake."}
TRANSFER = {"amount_minor": 1999, "reference": "SEPA 17", "reason": "Paid by transfer."}


def _charged(days: PlatformDays, *answers: Any, **fields: Any) -> tuple[str, Any]:
    """An account billed on Jan 1, and its invoice."""
    days.scripted(*answers)
    account_id = days.opened(**fields)
    days.sweep()
    return account_id, days.invoice(account_id)


def _refused(
    days: PlatformDays, path: str, body: Any, *, status: int, slug: str, errors: dict[str, str] | None = None
) -> str:
    """The refusal's detail, after a look at its errors and at what moved."""
    with nothing_moves(but=IdempotentAnswer):
        problem = problem_of(days.send(path, body), status=status, slug=slug)
    assert problem.get("errors", {}) == {name: [error] for name, error in (errors or {}).items()}
    return str(problem["detail"])


class TestCreditNote:
    def test_of_more_than_is_left_of_the_invoice(self, days: PlatformDays) -> None:
        _, invoice = _charged(days)
        path = f"/v1/invoices/{invoice['id']}/credit-notes"
        left = f"Of the invoice {invoice['number']}, 19.99 USD is left to credit."
        body = {"amount_minor": 2000, **WHY}
        _refused(days, path, body, status=422, slug="unable-to-credit-invoice", errors={"amount_minor": left})
        days.post(path, {"amount_minor": 1500, **WHY})
        left = f"Of the invoice {invoice['number']}, 4.99 USD is left to credit."
        body = {"amount_minor": 500, **WHY}
        _refused(days, path, body, status=422, slug="unable-to-credit-invoice", errors={"amount_minor": left})
        days.post(path, WHY)
        nothing = "Nothing is left of the invoice to credit."
        _refused(days, path, WHY, status=422, slug="unable-to-credit-invoice", errors={"amount_minor": nothing})

    def test_of_more_than_is_left_of_a_line(self, days: PlatformDays) -> None:
        _, invoice = _charged(days)
        (line,) = invoice["lines"]
        body = {"lines": [{"line": line["id"], "amount_minor": 2000}], **WHY}
        path = f"/v1/invoices/{invoice['id']}/credit-notes"
        errors = {"lines": "Line 1: from 0.01 to 19.99 USD."}
        for amount in (2000, 0, -1):
            body["lines"] = [{"line": line["id"], "amount_minor": amount}]
            _refused(days, path, body, status=422, slug="unable-to-credit-invoice", errors=errors)
        days.post(path, WHY)
        errors = {"lines": "Line 1: nothing is left to credit."}
        _refused(days, path, body, status=422, slug="unable-to-credit-invoice", errors=errors)

    def test_of_what_a_refund_in_flight_has_reserved_waits(self, days: PlatformDays) -> None:
        """The refusal isn't stored: under its key the request may succeed later."""
        _, invoice = _charged(days)
        days.gateway = ScriptedGateway(refunds=[Unknown(reason="timed out")])
        days.post(f"/v1/payments/{invoice['payments'][0]['id']}/refunds", {"amount_minor": 1000, **WHY})
        path = f"/v1/invoices/{invoice['id']}/credit-notes"
        line = invoice["lines"][0]["id"]
        for body in ({"amount_minor": 1999}, {"lines": [{"line": line, "amount_minor": 1999}]}):
            with nothing_moves():
                response = days.api.post(path, body | WHY, once="one")
            assert problem_of(response, status=409, slug="refund-in-flight")["detail"] == (
                f"Of the invoice {invoice['number']}, 9.99 USD is left to credit while a refund is in flight: wait "
                "until its outcome is known."
            )

    def test_of_another_invoices_line(self, days: PlatformDays) -> None:
        account_id, _ = _charged(days)
        days.sweep(days.day.replace(month=2))
        first, second = days.invoices(account_id)
        (line,) = second["lines"]
        body = {"lines": [{"line": line["id"], "amount_minor": 1}], **WHY}
        errors = {"lines": f"The invoice {first['number']} has no line {line['id']}."}
        _refused(
            days,
            f"/v1/invoices/{first['id']}/credit-notes",
            body,
            status=422,
            slug="unable-to-credit-invoice",
            errors=errors,
        )

    def test_while_a_payment_is_in_flight(self, days: PlatformDays) -> None:
        _, invoice = _charged(days, Unknown(reason="timed out"))
        for path in ("credit-notes", "write-off"):
            detail = _refused(days, f"/v1/invoices/{invoice['id']}/{path}", WHY, status=409, slug="payment-in-flight")
            assert detail == (
                f"A payment of the invoice {invoice['number']} is at the gateway: wait until its outcome is known."
            )

    @pytest.mark.parametrize("reason", [{}, {"reason": ""}, {"reason": "  "}, {"reason": None}, {"reason": "x" * 501}])
    def test_without_a_reason(self, days: PlatformDays, reason: Any) -> None:
        _, invoice = _charged(days)
        with nothing_moves():
            response = days.send(f"/v1/invoices/{invoice['id']}/credit-notes", {"amount_minor": 1} | reason)
            problem = problem_of(response, status=400, slug="invalid-request")
        assert list(problem["errors"]) == ["reason"]

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"amount_minor": 1, "lines": [{"line": "{line}", "amount_minor": 1}]}, "lines"),
            ({"lines": [{"line": "{line}", "amount_minor": 1}] * 2}, "lines"),
            ({"lines": [{"line": "first", "amount_minor": 1}]}, "lines.0.line"),
            ({"lines": [{"line": "{line}", "amount_minor": 1.5}]}, "lines.0.amount_minor"),
            ({"lines": [{"line": "{line}"}]}, "lines.0.amount_minor"),
            ({"lines": [{"line": "{line}", "amount_minor": 1, "tax_minor": 1}]}, "lines.0.tax_minor"),
            ({"lines": ["{line}"]}, "lines.0"),
            ({"lines": {}}, "lines"),
            ({"lines": None}, "lines"),
            ({"lines": [{"line": "{line}", "amount_minor": 1}] * 201}, "lines"),
            ({"amount_minor": "1"}, "amount_minor"),
            ({"amount_minor": None}, "amount_minor"),
            ({"refund": True}, "refund"),
        ],
    )
    def test_with_a_malformed_or_unknown_field(self, days: PlatformDays, body: Any, field: str) -> None:
        _, invoice = _charged(days)
        line = invoice["lines"][0]["id"]
        if isinstance(body.get("lines"), list):
            lines = [
                each | {"line": each["line"].format(line=line)} if isinstance(each, dict) else each
                for each in body["lines"]
            ]
            body = body | {"lines": lines}
        with nothing_moves():
            response = days.send(f"/v1/invoices/{invoice['id']}/credit-notes", body | WHY)
            problem = problem_of(response, status=400, slug="invalid-request")
        assert list(problem["errors"]) == [field]

    def test_with_no_lines_named(self, days: PlatformDays) -> None:
        _, invoice = _charged(days)
        errors = {"lines": "Name at least one line, or leave the lines out."}
        path = f"/v1/invoices/{invoice['id']}/credit-notes"
        _refused(days, path, {"lines": [], **WHY}, status=422, slug="unable-to-credit-invoice", errors=errors)


class TestRefund:
    def test_of_more_than_the_payment(self, days: PlatformDays) -> None:
        _, invoice = _charged(days)
        path = f"/v1/payments/{invoice['payments'][0]['id']}/refunds"
        detail = _refused(days, path, {"amount_minor": 2000, **WHY}, status=409, slug="nothing-to-refund")
        assert detail == "Of this payment, 19.99 USD is left to refund."
        body = {"amount_minor": 1, "from": "balance", **WHY}
        detail = _refused(days, path, body, status=409, slug="nothing-to-refund")
        assert detail == "Of this payment, 0.00 USD is left to refund from the credit balance."

    def test_of_money_without_an_invoice_says_where_it_is(self, days: PlatformDays) -> None:
        account_id = days.opened()
        payment = days.post(f"/v1/accounts/{account_id}/payments", TRANSFER)
        path = f"/v1/payments/{payment['id']}/refunds"
        detail = _refused(days, path, {"amount_minor": 1, **WHY}, status=409, slug="nothing-to-refund")
        assert detail == "This payment has no invoice, and its money is credit: pay it out from the balance."
        assert days.post(path, {"amount_minor": 1, "from": "balance", **WHY})["status"] == "SUCCEEDED"

    @pytest.mark.parametrize("source", ["payment", "balance"])
    def test_of_money_that_was_taken_back(self, days: PlatformDays, source: str) -> None:
        _, invoice = _charged(days)
        payment = f"/v1/payments/{invoice['payments'][0]['id']}"
        days.post(f"{payment}/reversal", WHY)
        body = {"amount_minor": 1, "from": source, **WHY}
        detail = _refused(days, f"{payment}/refunds", body, status=409, slug="nothing-to-refund")
        assert detail == "The money of this payment was taken back: nothing of it is left to refund."

    def test_of_another_accounts_payment(self, days: PlatformDays) -> None:
        _, invoice = _charged(days)
        other = days.opened()
        body = {"amount_minor": 1999, "account": other, **WHY}
        errors = {"account": "The payment is another account's."}
        path = f"/v1/payments/{invoice['payments'][0]['id']}/refunds"
        _refused(days, path, body, status=422, slug="unable-to-refund", errors=errors)


class TestWriteOff:
    def test_of_a_paid_invoice(self, days: PlatformDays) -> None:
        _, invoice = _charged(days)
        detail = _refused(days, f"/v1/invoices/{invoice['id']}/write-off", WHY, status=409, slug="unable-to-write-off")
        assert detail == f"The invoice {invoice['number']} is PAID: there is nothing to write off."


class TestOfflinePayment:
    def test_of_another_accounts_invoice(self, days: PlatformDays) -> None:
        _, invoice = _charged(days, Declined(code="card_declined"))
        other = days.opened()
        for named in (invoice["id"], str(uuid.uuid4())):
            _refused(
                days,
                f"/v1/accounts/{other}/payments",
                TRANSFER | {"invoice": named},
                status=422,
                slug="unable-to-record-payment",
                errors={"invoice": "This account has no such invoice."},
            )

    def test_in_a_currency_that_is_not_the_accounts(self, days: PlatformDays) -> None:
        account_id, _ = _charged(days, Declined(code="card_declined"))
        _refused(
            days,
            f"/v1/accounts/{account_id}/payments",
            TRANSFER | {"currency": "EUR"},
            status=422,
            slug="unable-to-record-payment",
            errors={"currency": "The account is in USD."},
        )

    def test_of_a_void_invoice(self, days: PlatformDays) -> None:
        account_id, invoice = _charged(days, Declined(code="card_declined"))
        days.post(f"/v1/invoices/{invoice['id']}/credit-notes", WHY)
        error = f"The invoice {invoice['number']} is VOID: record the money without an invoice, as credit."
        body = TRANSFER | {"invoice": invoice["id"]}
        path = f"/v1/accounts/{account_id}/payments"
        _refused(days, path, body, status=422, slug="unable-to-record-payment", errors={"invoice": error})

    def test_that_was_recorded_before_is_asked_about(self, days: PlatformDays) -> None:
        account_id, _ = _charged(days, Declined(code="card_declined"))
        path = f"/v1/accounts/{account_id}/payments"
        days.post(path, TRANSFER)
        for body in (TRANSFER, TRANSFER | {"is_another": False}):
            errors = {"is_another": "Send true, with a new Idempotency-Key, if this is another payment."}
            detail = _refused(days, path, body, status=409, slug="possible-duplicate", errors=errors)
            assert detail == (
                "19.99 USD with the reference 'SEPA 17' was recorded before, on 2026-01-01. If this is another "
                "payment, confirm it."
            )
        days.post(path, TRANSFER | {"is_another": True})
        days.post(path, TRANSFER | {"amount_minor": 1998})
        days.post(path, TRANSFER | {"reference": "SEPA 18"})
        assert days.account(account_id)["credit_balance_minor"] == 1999 + 1998 + 1999


class TestSentInvoices:
    """There is no account without an address, so that `send_invoice` always has one."""

    @pytest.mark.parametrize("email", [{}, {"email": None}, {"email": ""}, {"email": "nobody"}])
    def test_are_not_agreed_without_an_address_to_send_to(self, days: PlatformDays, email: Any) -> None:
        account_id = days.opened()
        nameless = {name: value for name, value in ADA.items() if name != "email"}
        body = nameless | {"plan": "plan-1", "collection_method": "send_invoice"} | email
        with nothing_moves():
            problem = problem_of(days.send("/v1/accounts", body), status=400, slug="invalid-request")
            assert list(problem["errors"]) == ["email"]
            if email:
                change = {"collection_method": "send_invoice"} | email
                response = days.send(f"/v1/accounts/{account_id}", change, method="PATCH")
                assert list(problem_of(response, status=400, slug="invalid-request")["errors"]) == ["email"]

    @pytest.mark.parametrize("net_days", [-1, 366, 2**31])
    def test_are_due_within_a_year(self, days: PlatformDays, net_days: int) -> None:
        account_id = days.opened()
        body = ADA | {"plan": "plan-1", "collection_method": "send_invoice", "net_days": net_days}
        errors = {"net_days": "Must be from 0 to 365."}
        _refused(days, "/v1/accounts", body, status=422, slug="unable-to-open-account", errors=errors)
        with nothing_moves(but=IdempotentAnswer):
            response = days.send(f"/v1/accounts/{account_id}", {"net_days": net_days}, method="PATCH")
            assert problem_of(response, status=422, slug="unable-to-change-account")["errors"] == {
                "net_days": [errors["net_days"]]
            }

    @pytest.mark.parametrize("method", ["by_pigeon", "", None, 1, ["send_invoice"]])
    def test_are_one_of_two_methods(self, days: PlatformDays, method: Any) -> None:
        days.opened()
        body = ADA | {"plan": "plan-1", "collection_method": method}
        with nothing_moves():
            problem = problem_of(days.send("/v1/accounts", body), status=400, slug="invalid-request")
        assert list(problem["errors"]) == ["collection_method"]
        if method == "by_pigeon":
            assert problem["errors"] == {"collection_method": ["Must be automatic or send_invoice."]}


RANGES = [
    ("/v1/accounts", "created"),
    ("/v1/invoices", "issued"),
    ("/v1/credit-notes", "issued"),
    ("/v1/payments", "submitted"),
    ("/v1/refunds", "submitted"),
    ("/v1/ledger", "effective"),
    ("/v1/rebillings", "period_start"),
    ("/v1/accounts/{account}/invoices", "issued"),
    ("/v1/accounts/{account}/payments", "submitted"),
    ("/v1/accounts/{account}/ledger", "effective"),
]


class TestLists:
    @pytest.mark.parametrize(("path", "name"), RANGES)
    def test_with_wrong_dates(self, days: PlatformDays, path: str, name: str) -> None:
        path = path.format(account=days.opened())
        not_a_date = "Must be a date, YYYY-MM-DD."
        out_of_range = "is not between 1970-01-01 and 2200-12-31."
        wrong = {
            "today": not_a_date,
            "01/02/2026": not_a_date,
            "2026-2-1": not_a_date,
            "2026-02-30": not_a_date,
            "2026-01-01T00:00:00Z": not_a_date,
            "20260101": not_a_date,
            "\u0662\u0660\u0662\u0666-01-01": not_a_date,
            "1969-12-31": f"1969-12-31 {out_of_range}",
            "2201-01-01": f"2201-01-01 {out_of_range}",
        }
        for end in (f"{name}_since", f"{name}_until"):
            for text, error in wrong.items():
                problem = problem_of(days.api.get(path, **{end: text}), status=400, slug="invalid-request")
                assert problem["errors"] == {end: [error]}

    @pytest.mark.parametrize(("path", "name"), RANGES)
    def test_of_days_that_end_before_they_begin(self, days: PlatformDays, path: str, name: str) -> None:
        path = path.format(account=days.opened())
        query = {f"{name}_since": "2026-02-01", f"{name}_until": "2026-01-31"}
        problem = problem_of(days.api.get(path, **query), status=400, slug="invalid-request")
        assert problem["errors"] == {
            f"{name}_until": [f"Must be 2026-02-01 or later, the day that {name}_since names."]
        }
        assert days.get(path, **{f"{name}_since": "2026-02-01", f"{name}_until": "2026-02-01"})["results"] == []
