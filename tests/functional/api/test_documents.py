"""The API's description, for machines and for people."""

import json
import re
from typing import Any

import jsonschema
import pytest
from django.contrib.staticfiles import finders

from payments.gateways import Declined
from tests.builders import TODAY, ScriptedGateway, an_account, billed
from tests.databases import rolled_back
from tests.functional.api.client import ApiClient
from tests.integration.rebilling.refunded import refunded

SORRY = {"amount_minor": 500, "reason": "An hour of outage."}
PART = {"amount_minor": 500, "reason": "A week of outage."}
TRANSFER = {"amount_minor": 500, "reference": "SEPA 17", "reason": "Paid by transfer."}


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
    jsonschema.validate(
        response.json(), _strict(described[content_type]["schema"]) | {"components": _strict(schema["components"])}
    )


@rolled_back
class TestSchema:
    def test_describes_every_answer_as_it_is(self, api: ApiClient, schema: dict[str, Any]) -> None:
        owing, trying = an_account(), an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(*[Declined(code="card_declined")] * 2))
        account = an_account(metadata={"a": [1]})
        run = billed(as_of=TODAY)
        charge = api.get(f"/v1/accounts/{account.id}/ledger", type="charge").json()["results"][0]["id"]
        payment = account.payments.get().id
        refund = refunded(account.payments.get(), 1)
        an, entry, retry = "/v1/accounts/{account_id}", "/v1/ledger/{entry_id}", "/v1/payments/{payment_id}/retry"
        refunds = "/v1/payments/{payment_id}/refunds"
        calls: list[tuple[str, str, str, Any]] = [
            ("/healthz", "/healthz", "get", None),
            ("/v1/plans", "/v1/plans", "get", None),
            ("/v1/plans/{code}", f"/v1/plans/{account.plan.code}", "get", None),
            ("/v1/plans/{code}/retire", f"/v1/plans/{account.plan.code}/retire", "post", {}),
            ("/v1/plans", "/v1/plans", "post", {}),
            ("/v1/accounts", "/v1/accounts", "get", None),
            ("/v1/accounts", "/v1/accounts", "post", {}),
            (an, f"/v1/accounts/{account.id}", "get", None),
            (an, f"/v1/accounts/{account.id}", "patch", {"quantity": 2}),
            (an, f"/v1/accounts/{account.id}", "patch", {"quantity": 0}),
            (f"{an}/balance", f"/v1/accounts/{account.id}/balance", "get", None),
            (f"{an}/credits", f"/v1/accounts/{account.id}/credits", "post", SORRY),
            (f"{an}/ledger", f"/v1/accounts/{account.id}/ledger", "get", None),
            (f"{an}/payments", f"/v1/accounts/{account.id}/payments", "get", None),
            (f"{an}/payments", f"/v1/accounts/{account.id}/payments", "post", TRANSFER),
            (f"{an}/write-offs", f"/v1/accounts/{owing.id}/write-offs", "post", {"reason": "insolvent"}),
            (f"{an}/write-offs", f"/v1/accounts/{account.id}/write-offs", "post", {"reason": "insolvent"}),
            (f"{an}/reopen", f"/v1/accounts/{account.id}/reopen", "post", {"reason": "back"}),
            (f"{an}/close", f"/v1/accounts/{account.id}/close", "post", {"reason": "left"}),
            (f"{an}/reopen", f"/v1/accounts/{account.id}/reopen", "post", {"reason": "back"}),
            (entry, f"/v1/ledger/{charge}", "get", None),
            (f"{entry}/reversals", f"/v1/ledger/{charge}/reversals", "post", {"reason": "a mistake"}),
            ("/v1/payments/{payment_id}", f"/v1/payments/{payment}", "get", None),
            (retry, f"/v1/payments/{trying.payments.get().id}/retry", "post", {}),
            (retry, f"/v1/payments/{payment}/retry", "post", {}),
            (refunds, f"/v1/payments/{payment}/refunds", "post", PART),
            (refunds, f"/v1/payments/{payment}/refunds", "post", PART | {"currency": "EUR"}),
            (refunds, f"/v1/payments/{payment}/refunds", "get", None),
            ("/v1/refunds/{refund_id}", f"/v1/refunds/{refund.id}", "get", None),
            ("/v1/runs", "/v1/runs", "get", None),
            ("/v1/runs/{run_id}", f"/v1/runs/{run.id}", "get", None),
        ]
        statuses = []
        for number, (path, address, method, body) in enumerate(calls):
            response = api.send(method.upper(), address, body=body, once=str(number))
            statuses.append(response.status_code)
            _check(schema, path, method, response)
        assert {(path, method) for path, _, method, _ in calls} == {
            (path, method) for path, methods in schema["paths"].items() for method in methods
        }
        assert sorted(set(statuses)) == [200, 201, 202, 400, 409, 422]

    def test_asks_for_a_key_but_for_health(self, schema: dict[str, Any]) -> None:
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
            "/v1/accounts/{account_id}/payments",
            "/v1/accounts/{account_id}/write-offs",
            "/v1/ledger/{entry_id}/reversals",
            "/v1/payments/{payment_id}/refunds",
            "/v1/payments/{payment_id}/retry",
        ]

    def test_takes_no_fields_beyond_those_that_it_names(self, schema: dict[str, Any]) -> None:
        requests = {name: body for name, body in schema["components"]["schemas"].items() if name.endswith("Request")}
        assert sorted(requests) == [
            "CreatePlanRequest",
            "GrantCreditRequest",
            "NothingRequest",
            "OpenAccountRequest",
            "PatchedChangeAccountRequest",
            "ReasonRequest",
            "ReceivePaymentRequest",
            "RefundPaymentRequest",
            "WriteOffRequest",
        ]
        assert [body["additionalProperties"] for body in requests.values()] == [False] * 9

    def test_names_each_call_once(self, schema: dict[str, Any]) -> None:
        names = [call["operationId"] for methods in schema["paths"].values() for call in methods.values()]
        assert len(names) == len(set(names)) == 26

    def test_gives_examples_that_work(self, api: ApiClient, schema: dict[str, Any]) -> None:
        for path in ("/v1/plans", "/v1/accounts"):
            call = schema["paths"][path]["post"]
            (request,) = call["requestBody"]["content"]["application/json"]["examples"].values()
            response = api.post(path, request["value"])
            assert response.status_code == 201
            (answer,) = call["responses"]["201"]["content"]["application/json"]["examples"].values()
            assert answer["value"].keys() == response.json().keys()


@rolled_back
class TestDocs:
    def test_ask_nothing_of_anyone_else(self, api: ApiClient) -> None:
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
