"""The API's description, for machines and for people."""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command

from accounts.tax_rates import create_tax_rate
from invoices.models import CreditNote
from payments.gateways.port import Declined
from tests.builders import NOW, TODAY, ScriptedGateway, a_plan, an_account, billed, takes
from tests.support.api_client import ApiClient
from tests.support.databases import rolled_back
from tests.support.items import added
from tests.support.method_sessions import opened_session
from tests.support.project_files import ROOT
from tests.support.refunds import refunded

SORRY = {"amount_minor": 500, "reason": "An hour of outage."}
PART = {"amount_minor": 500, "reason": "A week of outage."}
WHY = {"reason": "A mistake."}
TRANSFER = {"amount_minor": 500, "reference": "SEPA 17", "reason": "Paid by transfer."}

AN = "/v1/accounts/{account_id}"
ON = "/v1/invoices/{invoice_id}"
OF = "/v1/payments/{payment_id}"
A = "/v1/refunds/{refund_id}"
CALLS: list[tuple[Any, ...]] = [
    ("get", "/healthz", None),
    ("get", "/v1/plans", None),
    ("get", "/v1/plans/{code}", None),
    ("post", "/v1/plans/{code}/retire", {}),
    ("post", "/v1/plans", {}),
    ("get", "/v1/accounts", None),
    ("post", "/v1/accounts", {}),
    ("get", AN, None),
    ("get", "/v1/tax-rates", None),
    ("get", "/v1/tax-rates/{tax_rate_id}", None),
    ("post", "/v1/tax-rates", {"name": "VAT", "percent": "0", "exemption_reason": "Export"}),
    ("post", "/v1/tax-rates", {"name": "VAT", "percent": "-1"}),
    ("post", f"{AN}/discount", {"percent": "12.5", "periods": 3} | WHY),
    ("get", AN, None),
    ("post", f"{AN}/discount", {"amount_minor": 500} | WHY),
    ("post", f"{AN}/discount/end", WHY),
    ("patch", AN, {"net_days": 2}),
    ("patch", AN, {"net_days": -1}),
    ("post", f"{AN}/terms", WHY | {"quantity": 2, "dry_run": True}),
    ("post", f"{AN}/terms", WHY | {"quantity": 2, "effective": "period_end"}),
    ("post", f"{AN}/terms", WHY | {"quantity": 0}),
    ("post", f"{AN}/terms/{{terms_id}}/withdraw", WHY, {"account_id": "waiting"}),
    ("get", f"{AN}/balance", None),
    ("post", f"{AN}/credits", SORRY),
    ("get", f"{AN}/history", None),
    ("get", f"{AN}/upcoming-invoice", None),
    ("get", f"{AN}/invoices", None),
    ("post", f"{AN}/items", WHY | {"description": "Setup", "unit_amount_minor": 5, "dry_run": True}),
    ("post", f"{AN}/items", WHY | {"description": "Setup", "unit_amount_minor": 5, "billing": "now", "dry_run": True}),
    ("post", f"{AN}/items", WHY | {"description": "Setup", "unit_amount_minor": 5}),
    ("get", f"{AN}/items", None),
    ("get", f"{AN}/items/{{item_id}}", None),
    ("post", f"{AN}/items/{{item_id}}/remove", WHY),
    ("get", f"{AN}/ledger", None),
    ("get", f"{AN}/payments", None),
    ("post", f"{AN}/payments", TRANSFER),
    ("post", f"{AN}/payment-method-session", None),
    ("get", f"{AN}/payment-method-session/{{session_id}}", None),
    ("post", f"{AN}/payment-method-session/{{session_id}}/complete", None),
    ("post", f"{AN}/reopen", WHY),
    ("post", f"{AN}/trial", WHY | {"ends_on": "now"}),
    ("post", f"{AN}/trial", WHY | {"ends_on": "now"}, {"account_id": "trying_out"}),
    ("post", f"{AN}/pause", WHY | {"until": "2026-12-24"}),
    ("post", f"{AN}/take-back", WHY | {"change": "pause"}),
    ("post", f"{AN}/pause", WHY | {"at": "now"}),
    ("post", f"{AN}/resume", WHY | {"on": "2026-12-24"}),
    ("post", f"{AN}/resume", WHY),
    ("post", f"{AN}/close", WHY | {"at": "period_end"}),
    ("get", AN, None),
    ("post", f"{AN}/close", WHY),
    ("post", f"{AN}/last-invoice", WHY),
    ("post", f"{AN}/reopen", WHY),
    ("get", "/v1/invoices", None),
    *(("get", ON, None), ("get", f"{ON}/pdf", None)),
    ("post", f"{ON}/credit-notes", PART),
    ("post", f"{ON}/credit-notes", PART | {"amount_minor": 5000}),
    ("post", f"{ON}/write-off", WHY, {"invoice_id": "owed"}),
    ("post", f"{ON}/write-off", WHY),
    ("post", f"{ON}/pay", {}, {"invoice_id": "tried"}),
    ("post", f"{ON}/pay", {}),
    ("get", ON, None, {"invoice_id": "owed"}),
    ("get", ON, None, {"invoice_id": "tried"}),
    *(("get", "/v1/credit-notes", None), ("get", "/v1/credit-notes/{credit_note_id}", None)),
    *(("get", "/v1/ledger", None), ("get", "/v1/ledger/{entry_id}", None)),
    ("post", "/v1/ledger/{entry_id}/reversals", WHY, {"entry_id": "goodwill"}),
    ("get", "/v1/payments", None),
    ("get", OF, None),
    ("post", f"{OF}/refunds", PART),
    ("post", f"{OF}/refunds", PART | {"currency": "EUR"}),
    ("get", f"{OF}/refunds", None),
    ("post", f"{OF}/reversal", WHY, {"payment_id": "disputed"}),
    *(("get", "/v1/refunds", None), ("get", A, None)),
    ("post", f"{A}/reversal", WHY),
    *(("get", "/v1/rebillings", None), ("get", "/v1/rebillings/{rebilling_id}", None)),
    *(("get", "/v1/runs", None), ("get", "/v1/runs/{run_id}", None)),
]
"""Method, path and body; and by which other id a name in the path is filled, where it is."""


def _ids(api: ApiClient) -> dict[str, Any]:
    """Of what is there, by the names in paths; and of the others that the calls name."""
    disputed, owing, trying = an_account(), an_account(), an_account()
    billed(as_of=TODAY, gateway=ScriptedGateway(takes, *[Declined(code="card_declined")] * 2))
    rate = create_tax_rate(name="VAT", percent=Decimal("8.875"), now=NOW)
    account = an_account(plan=a_plan(code="pro"), metadata={"a": [1]}, tax_rate=rate.id)
    run = billed(as_of=TODAY)
    refund = refunded(account.payments.get(), 1)
    goodwill = api.post(f"/v1/accounts/{account.id}/credits", SORRY, once="goodwill").json()
    waiting, later = an_account(), WHY | {"quantity": 2, "effective": "period_end"}
    pending = api.post(f"/v1/accounts/{waiting.id}/terms", later, once="pending").json()["after"]
    return {
        "account_id": account.id,
        "code": "pro",
        "credit_note_id": CreditNote.objects.get().id,
        "disputed": disputed.payments.get().id,
        "entry_id": account.entries.get(type="charge").id,
        "goodwill": goodwill["id"],
        "invoice_id": account.invoices.get().id,
        "item_id": added(account, 500).id,
        "owed": owing.invoices.get().id,
        "payment_id": account.payments.get().id,
        "rebilling_id": account.rebillings.get().id,
        "refund_id": refund.id,
        "run_id": run.id,
        "session_id": opened_session(account).id,
        "tax_rate_id": rate.id,
        "terms_id": pending["id"],
        "tried": trying.invoices.get().id,
        "trying_out": an_account(plan=a_plan(trial_days=700)).id,
        "waiting": waiting.id,
    }


@pytest.fixture
def schema(api: ApiClient) -> dict[str, Any]:
    described: dict[str, Any] = api.send("GET", "/v1/openapi.json", Authorization="").json()
    return described


def _strict(schema: Any) -> Any:
    """OpenAPI's `nullable` said as JSON Schema says it, and no property beyond those that are named."""
    if isinstance(schema, list):
        return [_strict(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {name: _strict(inner) for name, inner in schema.items()}
    if strict.get("nullable") is True:
        return {"anyOf": [{"type": "null"}, strict | {"nullable": None}]}
    if isinstance(strict.get("properties"), dict) and strict.get("type") == "object":
        strict.setdefault("additionalProperties", False)
    return strict


def _check(schema: dict[str, Any], path: str, method: str, response: Any) -> None:
    """The response is as the description says."""
    described = schema["paths"][path][method]["responses"][str(response.status_code)]["content"]
    (content_type,) = described
    assert response["Content-Type"].startswith(content_type)
    if content_type == "application/pdf":
        assert described[content_type]["schema"] == {"type": "string", "format": "binary"}
        return
    jsonschema.validate(
        response.json(), _strict(described[content_type]["schema"]) | {"components": _strict(schema["components"])}
    )


@rolled_back
class TestSchema:
    def test_describes_every_answer_as_it_is(self, api: ApiClient, schema: dict[str, Any]) -> None:
        ids, statuses = _ids(api), []
        for number, (method, path, body, *others) in enumerate(CALLS):
            named = ids | {name: ids[other] for each in others for name, other in each.items()}
            response = api.send(method.upper(), path.format(**named), body=body, once=str(number))
            statuses.append(response.status_code)
            _check(schema, path, method, response)
        assert {(path, method) for method, path, *_ in CALLS} == {
            (path, method) for path, methods in schema["paths"].items() for method in methods
        }
        assert sorted(set(statuses)) == [200, 201, 202, 400, 409, 422]

    def test_needs_a_key_except_for_health(self, schema: dict[str, Any]) -> None:
        open_calls = [
            path for path, methods in schema["paths"].items() for call in methods.values() if not call.get("security")
        ]
        assert open_calls == ["/healthz"]
        assert schema["components"]["securitySchemes"]["apiKey"]["scheme"] == "bearer"

    def test_says_where_an_idempotency_key_is_needed(self, schema: dict[str, Any]) -> None:
        needed = {
            path: parameter.get("required", False)
            for path, methods in schema["paths"].items()
            for call in methods.values()
            for parameter in call.get("parameters", [])
            if parameter["name"] == "Idempotency-Key"
        }
        unsafe = {path for path, methods in schema["paths"].items() if {"post", "patch"} & methods.keys()}
        assert needed.keys() == unsafe
        assert [path for path, required in needed.items() if required] == [
            "/v1/accounts/{account_id}/credits",
            "/v1/accounts/{account_id}/items",
            "/v1/accounts/{account_id}/last-invoice",
            "/v1/accounts/{account_id}/payments",
            "/v1/accounts/{account_id}/terms",
            "/v1/invoices/{invoice_id}/credit-notes",
            "/v1/invoices/{invoice_id}/pay",
            "/v1/invoices/{invoice_id}/write-off",
            "/v1/ledger/{entry_id}/reversals",
            "/v1/payments/{payment_id}/refunds",
            "/v1/payments/{payment_id}/reversal",
            "/v1/refunds/{refund_id}/reversal",
        ]

    def test_takes_no_fields_beyond_those_that_it_names(self, schema: dict[str, Any]) -> None:
        requests = {name: body for name, body in schema["components"]["schemas"].items() if name.endswith("Request")}
        assert sorted(requests) == [
            "AddItemRequest",
            "ChangeAccountRequest",
            "ChangeTermsRequest",
            "CloseAccountRequest",
            "CreatePlanRequest",
            "CreateTaxRateRequest",
            "CreditedLineRequest",
            "GiveDiscountRequest",
            "GrantCreditRequest",
            "IssueCreditNoteRequest",
            "MoveTrialEndRequest",
            "OfflinePaymentRequest",
            "OpenAccountRequest",
            "PauseAccountRequest",
            "ReasonRequest",
            "RefundPaymentRequest",
            "ResumeAccountRequest",
            "TakeBackRequest",
        ]
        assert [body["additionalProperties"] for body in requests.values()] == [False] * 18

    def test_names_each_call_once(self, schema: dict[str, Any]) -> None:
        names = [call["operationId"] for methods in schema["paths"].values() for call in methods.values()]
        assert len(names) == len(set(names)) == 61

    def test_gives_examples_that_work(self, api: ApiClient, schema: dict[str, Any]) -> None:
        for path in ("/v1/plans", "/v1/accounts"):
            call = schema["paths"][path]["post"]
            (request,) = call["requestBody"]["content"]["application/json"]["examples"].values()
            response = api.post(path, request["value"], once="one")
            assert response.status_code == 201
            (answer,) = call["responses"]["201"]["content"]["application/json"]["examples"].values()
            assert answer["value"].keys() == response.json().keys()


AMOUNT = (1, 99_999_999)
PRICE = (0, 99_999_999)
STORED_PRICE = (0, 2**53 - 1)
MOVED = (1, 2**53 - 1)
BALANCE = (-(2**53) + 1, 2**53 - 1)
QUANTITY = (1, 2**31 - 1)
COUNT = (0, 2**63 - 1)


def _schemas(node: Any) -> Iterator[dict[str, Any]]:
    """Every schema within."""
    if isinstance(node, dict):
        if isinstance(node.get("type"), str):
            yield node
        for inner in node.values():
            yield from _schemas(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _schemas(inner)


def _parameters(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for methods in schema["paths"].values():
        for described in methods.values():
            yield from described.get("parameters", [])


@rolled_back
class TestBounds:
    @pytest.mark.parametrize(
        ("component", "field", "bounds"),
        [
            ("CreatePlanRequest", "unit_amount_minor", PRICE),
            ("CreatePlanRequest", "interval_count", (1, 366)),
            ("CreatePlanRequest", "trial_days", (0, 730)),
            ("OpenAccountRequest", "unit_amount_minor", PRICE),
            ("OpenAccountRequest", "quantity", QUANTITY),
            ("GiveDiscountRequest", "amount_minor", AMOUNT),
            ("GiveDiscountRequest", "periods", (1, 366)),
            ("ChangeTermsRequest", "quantity", QUANTITY),
            ("ChangeTermsRequest", "unit_amount_minor", PRICE),
            ("GrantCreditRequest", "amount_minor", AMOUNT),
            ("IssueCreditNoteRequest", "amount_minor", AMOUNT),
            ("CreditedLineRequest", "amount_minor", AMOUNT),
            ("ChangeAccountRequest", "net_days", (0, 365)),
            ("Account", "credit_balance_minor", BALANCE),
            ("Invoice", "total_minor", STORED_PRICE),
            ("Invoice", "balance_applied_minor", BALANCE),
            ("InvoiceLine", "quantity", QUANTITY),
            ("CreditNote", "amount_minor", MOVED),
            ("Rebilling", "amount_minor", STORED_PRICE),
            ("OfflinePaymentRequest", "amount_minor", AMOUNT),
            ("RefundPaymentRequest", "amount_minor", AMOUNT),
            ("Plan", "unit_amount_minor", STORED_PRICE),
            ("Account", "unit_amount_minor", STORED_PRICE),
            ("Account", "quantity", QUANTITY),
            ("Account", "balance_minor", BALANCE),
            ("Balance", "balance_minor", BALANCE),
            ("Entry", "amount_minor", MOVED),
            ("Payment", "amount_minor", MOVED),
            ("Refund", "amount_minor", MOVED),
            ("Tally", "periods", COUNT),
        ],
    )
    def test_are_given_for_each_number(
        self, schema: dict[str, Any], component: str, field: str, bounds: tuple[int, int]
    ) -> None:
        described = schema["components"]["schemas"][component]["properties"][field]
        assert (described["type"], described["format"]) == ("integer", "int64")
        assert (described["minimum"], described["maximum"]) == bounds

    def test_are_missing_nowhere(self, schema: dict[str, Any]) -> None:
        components = {name: shape for name, shape in schema["components"]["schemas"].items() if name != "Problem"}
        numbers = [number for number in _schemas([components, schema["paths"]]) if number["type"] == "integer"]
        assert len(numbers) > 30
        assert [number for number in numbers if "minimum" not in number] == []

    def test_are_given_for_each_text_field(self, schema: dict[str, Any]) -> None:
        for name, body in schema["components"]["schemas"].items():
            if not name.endswith("Request"):
                continue
            for field, shape in body["properties"].items():
                if shape.get("type") == "string":
                    assert shape.keys() & {"maxLength", "pattern", "format"}, (name, field)

    def test_are_given_for_each_date_field(self, schema: dict[str, Any]) -> None:
        terms = schema["components"]["schemas"]["OpenAccountRequest"]["properties"]
        for day in (terms["anchor_date"], terms["rebilling_date"]):
            assert (day["format"], day["x-minimum"], day["x-maximum"]) == ("date", "1970-01-01", "2200-12-31")
        days = [parameter for parameter in _parameters(schema) if parameter["schema"].get("format") == "date"]
        ranges = ("created", "effective", "issued", "period_start", "submitted")
        assert sorted({day["name"] for day in days}) == sorted(
            ["as_of", "rebilling_date", *(f"{name}_{end}" for name in ranges for end in ("since", "until"))]
        )
        for day in days:
            assert (day["schema"]["x-minimum"], day["schema"]["x-maximum"]) == ("1970-01-01", "2200-12-31")
            assert day["description"].endswith(" From 1970-01-01 to 2200-12-31.")

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("/v1/accounts/{account}/credits", {"reason": "sorry"}),
            ("/v1/accounts/{account}/payments", {"reason": "sorry", "reference": "SEPA"}),
        ],
    )
    def test_are_enforced(self, api: ApiClient, path: str, body: dict[str, Any]) -> None:
        path = path.format(account=an_account().id)
        for amount, status in ((AMOUNT[0] - 1, 422), (AMOUNT[0], 201), (AMOUNT[1], 201), (AMOUNT[1] + 1, 422)):
            assert api.post(path, body | {"amount_minor": amount}, once=str(amount)).status_code == status


@rolled_back
class TestNames:
    def test_are_natural(self, schema: dict[str, Any]) -> None:
        names = schema["components"]["schemas"]
        assert [name for name in names if "Enum" in name or "Nothing" in name or "Patched" in name] == []
        assert sorted(name for name, shape in names.items() if "enum" in shape) == [
            "AccountStatus",
            "BalanceUseKind",
            "Book",
            "CollectionMethod",
            "EntryType",
            "InactiveReason",
            "IntervalUnit",
            "InvoiceStatus",
            "ItemBilling",
            "ItemStatus",
            "LineKind",
            "NoInvoiceReason",
            "NotBilledReason",
            "OnDecline",
            "PauseAt",
            "PaymentCause",
            "PaymentMethodSessionStatus",
            "PaymentStatus",
            "PendingChangeKind",
            "PeriodNotBilledReason",
            "PeriodRefund",
            "ProrationMode",
            "RebillingReason",
            "RebillingStatus",
            "RefundSource",
            "RefundStatus",
            "RunKind",
            "RunStatus",
            "SignUpBilling",
        ]
        assert names["InactiveReason"]["enum"] == ["closed", "paused", "unpaid", "imported"]

    def test_are_shared_by_filters(self, schema: dict[str, Any]) -> None:
        filters = [parameter for parameter in _parameters(schema) if parameter["in"] == "query"]
        assert [parameter["name"] for parameter in filters if "enum" in parameter["schema"]] == []
        shared = {parameter["schema"].get("$ref", "").rpartition("/")[2] for parameter in filters}
        assert sorted(shared - {""}) == [
            "AccountStatus",
            "EntryType",
            "InvoiceStatus",
            "PaymentStatus",
            "RebillingStatus",
            "RefundStatus",
        ]


@rolled_back
class TestDescription:
    def test_is_committed_as_it_is(self, tmp_path: Path) -> None:
        """`make openapi` writes it."""
        described = tmp_path / "openapi.json"
        call_command("spectacular", "--format", "openapi-json", "--file", str(described))
        assert (ROOT / "openapi.json").read_text(encoding="utf-8") == described.read_text(encoding="utf-8")

    def test_is_valid_and_without_a_guess(self, tmp_path: Path) -> None:
        call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "openapi.yaml"))

    def test_says_where_it_is_served(self, schema: dict[str, Any]) -> None:
        assert [server["url"] for server in schema["servers"]] == ["/"]

    def test_has_the_databases_trouble_on_every_call(self, schema: dict[str, Any]) -> None:
        for methods in schema["paths"].values():
            for described in methods.values():
                answer = described["responses"]["503"]
                assert list(answer["content"]) == ["application/problem+json"]
                assert answer["headers"].keys() >= {"Retry-After", "X-Request-Id"}

    def test_has_a_location_where_something_is_made(self, schema: dict[str, Any]) -> None:
        made = {
            (path, status)
            for path, methods in schema["paths"].items()
            for described in methods.values()
            for status, answer in described["responses"].items()
            if "Location" in answer.get("headers", {})
        }
        assert {status for _, status in made} == {"201", "202"}
        assert len(made) == 15

    def test_has_no_body_for_calls_without_one(self, schema: dict[str, Any]) -> None:
        unsafe = {
            path: described
            for path, methods in schema["paths"].items()
            for method, described in methods.items()
            if method in {"post", "patch"}
        }
        assert sorted(path for path, described in unsafe.items() if "requestBody" not in described) == [
            "/v1/accounts/{account_id}/payment-method-session",
            "/v1/accounts/{account_id}/payment-method-session/{session_id}/complete",
            "/v1/invoices/{invoice_id}/pay",
            "/v1/plans/{code}/retire",
        ]


@rolled_back
class TestDocs:
    def test_load_nothing_from_elsewhere(self, api: ApiClient) -> None:
        page = api.send("GET", "/v1/docs", Authorization="")
        assert page.status_code == 200
        policy = page["Content-Security-Policy"]
        assert policy.startswith("default-src 'self';")
        assert "script-src" not in policy
        assert "unsafe-eval" not in policy
        text = page.content.decode()
        assert re.findall(r"https?://", text) == []
        assert re.findall(r"<script(?![^>]* src=)", text) == []
        sources = re.findall(r'(?:src|href)="([^"]+)"', text)
        assert len(sources) == 5
        for source in sources:
            assert source.startswith(("/static/drf_spectacular_sidecar/", "/v1/docs?script"))
            if source.startswith("/static/"):
                assert finders.find(source.removeprefix("/static/"))

    def test_read_the_description_beside_them(self, api: ApiClient) -> None:
        script = api.get("/v1/docs", script="")
        assert script["Content-Type"] == "application/javascript"
        (address,) = re.findall(r'url: ("[^"]+")', script.content.decode())
        assert json.loads(address) == "/v1/openapi.json"
        assert re.findall(r"https?://", script.content.decode()) == []
