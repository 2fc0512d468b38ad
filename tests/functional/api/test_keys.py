"""Who may call, and what with which scope."""

import datetime
import io
import json
import logging
import uuid
from typing import Any

import pytest
import time_machine
from django.urls import get_resolver

from api.endpoints import Endpoint
from api.keys import revoke_api_key
from api.models import ApiKey, Scope
from billing_site.log_format import JsonFormatter
from tests.builders import NOW, a_plan
from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import rolled_back
from tests.support.unchanged import nothing_moves

PLAN = {
    "code": "pro",
    "name": "Pro",
    "currency": "USD",
    "unit_amount_minor": 1999,
    "interval_count": 1,
    "interval_unit": "month",
}
ID = uuid.UUID(int=7)
SCOPES = [
    ("GET", "/v1/plans", Scope.ACCOUNTS_READ),
    ("POST", "/v1/plans", Scope.ACCOUNTS_WRITE),
    ("GET", "/v1/plans/pro", Scope.ACCOUNTS_READ),
    ("POST", "/v1/plans/pro/retire", Scope.ACCOUNTS_WRITE),
    ("GET", "/v1/tax-rates", Scope.ACCOUNTS_READ),
    ("POST", "/v1/tax-rates", Scope.ACCOUNTS_WRITE),
    ("GET", f"/v1/tax-rates/{ID}", Scope.ACCOUNTS_READ),
    ("GET", "/v1/accounts", Scope.ACCOUNTS_READ),
    ("POST", "/v1/accounts", Scope.ACCOUNTS_WRITE),
    ("GET", f"/v1/accounts/{ID}", Scope.ACCOUNTS_READ),
    ("PATCH", f"/v1/accounts/{ID}", Scope.ACCOUNTS_WRITE),
    ("POST", f"/v1/accounts/{ID}/close", Scope.ACCOUNTS_WRITE),
    ("POST", f"/v1/accounts/{ID}/reopen", Scope.ACCOUNTS_WRITE),
    ("POST", f"/v1/accounts/{ID}/pause", Scope.ACCOUNTS_WRITE),
    ("POST", f"/v1/accounts/{ID}/resume", Scope.ACCOUNTS_WRITE),
    ("POST", f"/v1/accounts/{ID}/take-back", Scope.ACCOUNTS_WRITE),
    ("POST", f"/v1/accounts/{ID}/trial", Scope.ACCOUNTS_WRITE),
    ("POST", f"/v1/accounts/{ID}/terms", Scope.ACCOUNTS_WRITE),
    ("POST", f"/v1/accounts/{ID}/terms/{ID}/withdraw", Scope.ACCOUNTS_WRITE),
    ("POST", f"/v1/accounts/{ID}/discount", Scope.ACCOUNTS_WRITE),
    ("POST", f"/v1/accounts/{ID}/discount/end", Scope.ACCOUNTS_WRITE),
    ("POST", f"/v1/accounts/{ID}/last-invoice", Scope.LEDGER_WRITE),
    ("GET", f"/v1/accounts/{ID}/history", Scope.ACCOUNTS_READ),
    ("POST", f"/v1/accounts/{ID}/items", Scope.ACCOUNTS_WRITE),
    ("GET", f"/v1/accounts/{ID}/items", Scope.ACCOUNTS_READ),
    ("GET", f"/v1/accounts/{ID}/items/{ID}", Scope.ACCOUNTS_READ),
    ("POST", f"/v1/accounts/{ID}/items/{ID}/remove", Scope.ACCOUNTS_WRITE),
    ("GET", f"/v1/accounts/{ID}/upcoming-invoice", Scope.LEDGER_READ),
    ("GET", f"/v1/accounts/{ID}/invoices", Scope.LEDGER_READ),
    ("GET", f"/v1/accounts/{ID}/ledger", Scope.LEDGER_READ),
    ("GET", f"/v1/accounts/{ID}/balance", Scope.LEDGER_READ),
    ("GET", f"/v1/accounts/{ID}/payments", Scope.LEDGER_READ),
    ("POST", f"/v1/accounts/{ID}/payments", Scope.LEDGER_WRITE),
    ("POST", f"/v1/accounts/{ID}/payment-method-session", Scope.ACCOUNTS_WRITE),
    ("GET", f"/v1/accounts/{ID}/payment-method-session/{ID}", Scope.ACCOUNTS_WRITE),
    ("POST", f"/v1/accounts/{ID}/payment-method-session/{ID}/complete", Scope.ACCOUNTS_WRITE),
    ("POST", f"/v1/accounts/{ID}/credits", Scope.LEDGER_WRITE),
    ("GET", "/v1/invoices", Scope.LEDGER_READ),
    ("GET", f"/v1/invoices/{ID}", Scope.LEDGER_READ),
    ("GET", f"/v1/invoices/{ID}/pdf", Scope.LEDGER_READ),
    ("POST", f"/v1/invoices/{ID}/credit-notes", Scope.LEDGER_WRITE),
    ("POST", f"/v1/invoices/{ID}/write-off", Scope.LEDGER_WRITE),
    ("POST", f"/v1/invoices/{ID}/pay", Scope.LEDGER_WRITE),
    ("GET", "/v1/credit-notes", Scope.LEDGER_READ),
    ("GET", f"/v1/credit-notes/{ID}", Scope.LEDGER_READ),
    ("GET", "/v1/ledger", Scope.LEDGER_READ),
    ("GET", f"/v1/ledger/{ID}", Scope.LEDGER_READ),
    ("POST", f"/v1/ledger/{ID}/reversals", Scope.LEDGER_WRITE),
    ("GET", "/v1/payments", Scope.LEDGER_READ),
    ("GET", f"/v1/payments/{ID}", Scope.LEDGER_READ),
    ("POST", f"/v1/payments/{ID}/reversal", Scope.LEDGER_WRITE),
    ("GET", f"/v1/payments/{ID}/refunds", Scope.LEDGER_READ),
    ("POST", f"/v1/payments/{ID}/refunds", Scope.LEDGER_WRITE),
    ("GET", "/v1/refunds", Scope.LEDGER_READ),
    ("GET", f"/v1/refunds/{ID}", Scope.LEDGER_READ),
    ("POST", f"/v1/refunds/{ID}/reversal", Scope.LEDGER_WRITE),
    ("GET", "/v1/rebillings", Scope.RUNS_READ),
    ("GET", f"/v1/rebillings/{ID}", Scope.RUNS_READ),
    ("GET", "/v1/runs", Scope.RUNS_READ),
    ("GET", f"/v1/runs/{ID}", Scope.RUNS_READ),
]


def _unauthorized(response: Any) -> str:
    problem = problem_of(response, status=401, slug="unauthorized")
    assert response["WWW-Authenticate"] == 'Bearer realm="billing"'
    return str(problem["detail"])


@rolled_back
class TestApiKey:
    @pytest.mark.parametrize(
        "header",
        [
            "",
            "Bearer",
            "Bearer ",
            "Bearer sk_",
            f"Bearer sk_{'a' * 43}",
            f"Bearer sk_{'a' * 42}",
            f"Bearer sk_{'a' * 100_000}",
            "Bearer sk_%s" % ("\u00e9" * 43),
            "Bearer sk_\0",
            "Basic c2s6",
            "sk_",
        ],
    )
    def test_is_refused_when_missing_wrong_or_malformed(self, api: ApiClient, header: str) -> None:
        with nothing_moves():
            _unauthorized(api.send("POST", "/v1/plans", body=PLAN, Authorization=header))

    def test_is_refused_with_one_message_whatever_is_wrong(self, api: ApiClient) -> None:
        missing = _unauthorized(api.send("GET", "/v1/plans", Authorization=""))
        wrong = _unauthorized(api.send("GET", "/v1/plans", Authorization=f"Bearer {api.secret[:-1]}-"))
        revoke_api_key(prefix_or_id=api.key.prefix, now=NOW)
        assert missing == wrong == _unauthorized(api.get("/v1/plans"))

    def test_is_refused_from_the_instant_on_which_it_expires(self, db: None) -> None:
        expiry = NOW + datetime.timedelta(hours=1)
        client = ApiClient(expires_at=expiry)
        with time_machine.travel(expiry - datetime.timedelta(microseconds=1), tick=False):
            assert client.get("/v1/plans").status_code == 200
        with time_machine.travel(expiry, tick=False), nothing_moves():
            _unauthorized(client.post("/v1/plans", PLAN))

    def test_is_refused_once_it_is_revoked(self, api: ApiClient) -> None:
        assert api.get("/v1/plans").status_code == 200
        revoke_api_key(prefix_or_id=str(api.key.id), now=NOW)
        with nothing_moves():
            _unauthorized(api.post("/v1/plans", PLAN))

    def test_is_known_by_any_spelling_of_its_scheme(self, api: ApiClient) -> None:
        assert api.send("GET", "/v1/plans", Authorization=f"bearer {api.secret}").status_code == 200

    def test_is_stored_as_a_hash_alone(self, api: ApiClient) -> None:
        row = ApiKey.objects.filter(id=api.key.id).values().get()
        assert api.secret not in repr(row)
        assert api.secret.startswith(row["prefix"])
        assert len(row["prefix"]) == 12

    def test_is_checked_before_the_body(self, api: ApiClient) -> None:
        _unauthorized(api.send("POST", "/v1/plans", raw=b"{", Authorization=""))

    def test_is_never_logged_and_neither_is_a_body(self, api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
        logged = io.StringIO()
        handler = logging.StreamHandler(logged)
        handler.setFormatter(JsonFormatter())
        monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
        body = PLAN | {"name": "very private"}
        api.post("/v1/plans", body)
        api.post("/v1/plans", body | {"unit_amount_minor": "very private"}, once="very private")
        api.send("POST", "/v1/plans", raw=b'{"very private"', Authorization=f"Bearer {api.secret}x")
        monkeypatch.setattr("api.v1.plans.create_plan", lambda **_: 1 // 0)
        assert api.post("/v1/plans", body).status_code == 500
        lines = [json.loads(line) for line in logged.getvalue().splitlines()]
        assert [line["level"] for line in lines] == ["WARNING", "WARNING", "ERROR"]
        assert "ZeroDivisionError" in lines[2]["exception"]
        assert "very private" not in logged.getvalue()
        assert api.secret not in logged.getvalue()


@rolled_back
class TestScope:
    @pytest.mark.parametrize(("method", "path", "scope"), SCOPES)
    def test_is_needed(self, db: None, method: str, path: str, scope: Scope) -> None:
        a_plan(code="pro")
        client = ApiClient(*(set(Scope) - {scope}))
        with nothing_moves():
            response = client.send(method, path, body=None if method == "GET" else {}, once="1")
            problem = problem_of(response, status=403, slug="missing-scope")
        assert scope in problem["detail"]

    @pytest.mark.parametrize(("method", "path", "scope"), SCOPES)
    def test_is_enough(self, db: None, method: str, path: str, scope: Scope) -> None:
        a_plan(code="pro")
        response = ApiClient(scope).send(method, path, body=None if method == "GET" else {}, once="1")
        assert response.status_code in (200, 400, 404)

    def test_is_declared_for_every_method_that_is_served(self) -> None:
        served = {
            (method, str(pattern.pattern))
            for pattern in _api_patterns()
            for method in _methods(pattern.callback.view_class)
        }
        declared = {
            (method, str(pattern.pattern))
            for pattern in _api_patterns()
            for method in pattern.callback.view_class.scopes
        }
        assert served == declared
        assert len(served) == len(SCOPES)

    def test_is_not_needed_for_health_and_documents(self, api: ApiClient) -> None:
        for path in ("/healthz", "/v1/openapi.json", "/v1/docs"):
            assert api.send("GET", path, Authorization="").status_code == 200
            assert api.send("GET", path, Authorization="Bearer wrong").status_code == 200


def _api_patterns() -> list[Any]:
    patterns = [pattern for include in get_resolver().url_patterns for pattern in getattr(include, "url_patterns", [])]
    return [
        pattern
        for pattern in patterns
        if issubclass(getattr(pattern.callback, "view_class", object), Endpoint)
        and str(pattern.pattern).startswith("v1/")
    ]


def _methods(view: type[Endpoint]) -> set[str]:
    return {method.upper() for method in view.http_method_names if method != "head" and hasattr(view, method)}
