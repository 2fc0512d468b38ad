"""Texts that hide something, or break a line: refused wherever a client may write one, and nothing moves."""

from typing import Any

import pytest

from api.models import IdempotentAnswer
from tests.builders import TODAY, a_plan, an_account, billed
from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import rolled_back
from tests.support.unchanged import nothing_moves

TEXTS = {
    "Ada\nLovelace": "Holds a line break: write it in one line.",
    "Ada\x1b[31m": "Holds a control character (U+001B): take it out.",
    "Ada \u202eecalevoL": "Holds a character that changes the direction of text (U+202E): take it out.",
    "\u2066Ada\u2069": "Holds a character that changes the direction of text (U+2066): take it out.",
    "\u200b\u2060": "Holds nothing that can be seen: write some visible characters.",
}
PLAN = {
    "code": "new",
    "name": "New",
    "currency": "USD",
    "unit_amount_minor": 1,
    "interval_count": 1,
    "interval_unit": "month",
}
ADA = {"name": "Ada", "email": "ada@example.com", "plan": "pro", "external_reference": "crm-1"}


SLUGS = {
    ("POST", "/v1/plans"): "unable-to-create-plan",
    ("POST", "/v1/accounts"): "unable-to-open-account",
    ("PATCH", "/v1/accounts/{account}"): "unable-to-change-account",
    ("POST", "/v1/accounts/{account}/payments"): "unable-to-record-payment",
}


@pytest.fixture
def things(db: None) -> dict[str, str]:
    """Ids, by the name that a path has for them."""
    account = an_account(plan=a_plan(code="pro"))
    billed(as_of=TODAY)
    return {
        "account": str(account.id),
        "payment": str(account.payments.get().id),
        "invoice": str(account.invoices.get().id),
        "charge": str(account.entries.get(type="charge").id),
    }


@rolled_back
class TestText:
    @pytest.mark.parametrize(("text", "error"), TEXTS.items())
    @pytest.mark.parametrize(
        ("method", "path", "body", "field"),
        [
            ("POST", "/v1/plans", PLAN, "name"),
            ("POST", "/v1/accounts", ADA, "name"),
            ("POST", "/v1/accounts", ADA, "external_reference"),
            ("POST", "/v1/accounts", ADA, "payment_customer"),
            ("POST", "/v1/accounts", ADA, "payment_method"),
            ("PATCH", "/v1/accounts/{account}", {}, "name"),
            ("PATCH", "/v1/accounts/{account}", {}, "payment_customer"),
            ("PATCH", "/v1/accounts/{account}", {}, "payment_method"),
            ("POST", "/v1/accounts/{account}/close", {}, "reason"),
            ("POST", "/v1/accounts/{account}/reopen", {}, "reason"),
            ("PATCH", "/v1/accounts/{account}", {}, "reason"),
            ("POST", "/v1/invoices/{invoice}/credit-notes", {"amount_minor": 1}, "reason"),
            ("POST", "/v1/invoices/{invoice}/write-off", {}, "reason"),
            ("POST", "/v1/payments/{payment}/reversal", {}, "reason"),
            ("POST", "/v1/accounts/{account}/credits", {"amount_minor": 1}, "reason"),
            ("POST", "/v1/accounts/{account}/payments", {"amount_minor": 1, "reference": "SEPA"}, "reason"),
            ("POST", "/v1/accounts/{account}/payments", {"amount_minor": 1, "reason": "paid"}, "reference"),
            ("POST", "/v1/payments/{payment}/refunds", {"amount_minor": 1}, "reason"),
            ("POST", "/v1/ledger/{charge}/reversals", {}, "reason"),
        ],
    )
    def test_that_hides_something_is_refused(
        self,
        api: ApiClient,
        things: dict[str, str],
        method: str,
        path: str,
        body: dict[str, Any],
        field: str,
        text: str,
        error: str,
    ) -> None:
        body = body | {field: text}
        with nothing_moves(but=IdempotentAnswer):
            answer = api.send(method, path.format(**things), body=body, once="one")
        slug = "invalid-reason" if field == "reason" else SLUGS[method, path]
        assert problem_of(answer, status=422, slug=slug)["errors"] == {field: [error]}
