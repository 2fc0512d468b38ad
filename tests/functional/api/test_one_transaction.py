"""The work of a call and its answer are one transaction: what fails while the answer is written was not done."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from rest_framework.renderers import JSONRenderer

from invoices.credits import grant_credit
from payments.gateways.port import Declined
from payments.messages import dispatch
from payments.models import Payment, Refund
from subscriptions.lifecycle import close_account
from tests.builders import NOW, TODAY, ScriptedGateway, a_plan, an_account, billed
from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import committed
from tests.support.refunds import refunded
from tests.support.unchanged import nothing_moves

PLAN = {"code": "new", "name": "New", "currency": "USD", "unit_amount_minor": 1} | {
    "interval_count": 1,
    "interval_unit": "month",
}
ADA = {"name": "Ada", "email": "ada@example.com", "plan": "pro", "external_reference": "crm-1"}
WHY = {"reason": "A mistake."}
PART = WHY | {"amount_minor": 500}

CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/v1/plans", PLAN),
    ("POST", "/v1/plans/pro/retire", {}),
    ("POST", "/v1/accounts", ADA),
    ("PATCH", "/v1/accounts/{paid}", {"net_days": 7}),
    ("POST", "/v1/accounts/{paid}/close", WHY),
    ("POST", "/v1/accounts/{closed}/reopen", WHY),
    ("POST", "/v1/accounts/{paid}/terms", WHY | {"quantity": 7}),
    ("POST", "/v1/accounts/{paid}/credits", PART),
    ("POST", "/v1/accounts/{paid}/payments", PART | {"reference": "SEPA 17"}),
    ("POST", "/v1/invoices/{invoice}/credit-notes", PART),
    ("POST", "/v1/invoices/{invoice}/write-off", WHY),
    ("POST", "/v1/invoices/{invoice}/pay", {}),
    ("POST", "/v1/ledger/{goodwill}/reversals", WHY),
    ("POST", "/v1/payments/{payment}/reversal", WHY),
    ("POST", "/v1/refunds/{refund}/reversal", WHY),
    ("POST", "/v1/payments/{payment}/refunds", PART),
]
KEYLESS = CALLS[:6]
"""Those that may come without an Idempotency-Key."""


@pytest.fixture
def things(transactional_db: None) -> dict[str, str]:
    """What the calls are about, by the names that their paths have."""
    plan = a_plan(code="pro")
    owing = an_account(plan=plan)
    billed(as_of=TODAY, gateway=ScriptedGateway(Declined(code="card_declined")))
    paid, closed = an_account(plan=plan), an_account(plan=plan)
    billed(as_of=TODAY)
    close_account(account_id=closed.id, reason="left", author="test", today=TODAY, now=NOW)
    goodwill = grant_credit(account_id=paid.id, amount_minor=100, reason="sorry", author="test", today=TODAY, now=NOW)
    return {
        "owing": str(owing.id),
        "paid": str(paid.id),
        "closed": str(closed.id),
        "goodwill": str(goodwill.id),
        "payment": str(paid.payments.get().id),
        "invoice": str(owing.invoices.get().id),
        "refund": str(refunded(closed.payments.get(), 1).id),
    }


@contextmanager
def _broken_renderer(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def broken(*args: Any, **kwargs: Any) -> bytes:
        raise RuntimeError("the answer can't be written")

    with monkeypatch.context() as patch:
        patch.setattr(JSONRenderer, "render", broken)
        yield


@committed
class TestAnswerThatCanNotBeWritten:
    @pytest.mark.parametrize(
        ("method", "path", "body", "once"), [*((*call, "one") for call in CALLS), *((*call, None) for call in KEYLESS)]
    )
    def test_leaves_nothing_done(
        self,
        things: dict[str, str],
        monkeypatch: pytest.MonkeyPatch,
        method: str,
        path: str,
        body: dict[str, Any],
        once: str | None,
    ) -> None:
        api, path = ApiClient(), path.format(**things)
        with _broken_renderer(monkeypatch), nothing_moves():
            problem = problem_of(api.send(method, path, body=body, once=once), status=500, slug="internal-error")
        assert problem["detail"] == "The server failed; nothing was changed."
        assert api.send(method, path, body=body, once=once).status_code in (200, 201, 202)


@committed
class TestQueueThatFailsAfterTheCommit:
    @pytest.mark.parametrize("path", ["/v1/payments/{payment}/refunds", "/v1/invoices/{invoice}/pay"])
    def test_does_not_make_an_error_of_what_was_done(
        self,
        things: dict[str, str],
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        path: str,
    ) -> None:
        def broken() -> Any:
            raise RuntimeError("no region")

        monkeypatch.setattr(dispatch, "configured_queue", broken)
        body = PART if path.endswith("refunds") else {}
        answer = ApiClient().post(path.format(**things), body, once="one")
        assert (answer.status_code, answer.json()["status"]) == (202, "SUBMITTED")
        model = Refund if path.endswith("refunds") else Payment
        assert model._default_manager.filter(id=answer.json()["id"], status="SUBMITTED").count() == 1
        (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
        assert record.__dict__["event"] == f"{model._meta.model_name}.unsent"
        assert record.getMessage() == f"a {model._meta.model_name} was not sent; the hourly check sends it"
