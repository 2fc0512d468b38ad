"""Requests of a benchmark of the API, as they are on one database: what each takes."""

import time
import uuid
from collections.abc import Callable
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from benchmarks.database import superuser, vacuum

ENTRIES, PAGE_SIZE, PAGES = 10_000, 10, 1000
"""Of one account, so that it has a thousandth page."""
REPEATED = 200
BARE = "a bare view"


def seconds_of_requests() -> dict[str, list[float]]:
    """Every request's, by what is asked for: a bare view first, then ours, which take turns."""
    from django.test import override_settings

    account_id, requests = _requests()
    with override_settings(ROOT_URLCONF="benchmarks.bare_view", MIDDLEWARE=[]):
        bare = _bare_site()
        found = {BARE: [_seconds(lambda: bare.get(f"/accounts/{account_id}")) for _ in range(REPEATED)]}
    found |= {name: [] for name in requests}
    for _ in range(REPEATED):
        for name, request in requests.items():
            found[name].append(_seconds(request))
    return found


def _seconds(request: Callable[[], Any]) -> float:
    started = time.perf_counter()
    answer = request()
    seconds = time.perf_counter() - started
    assert answer.status_code in (200, 201), answer.content
    return seconds


@cache
def _bare_site() -> Any:
    from django.test import Client

    client = Client()
    client.handler.load_middleware()
    return client


@cache
def _requests() -> tuple[uuid.UUID, dict[str, Callable[[], Any]]]:
    """An account with many entries, and what is asked of the API."""
    from django.test.utils import setup_test_environment

    from accounts.models import Plan
    from tests.builders import an_account
    from tests.support.api_client import ApiClient

    setup_test_environment()
    plan = Plan.objects.get()
    account = an_account(plan=plan)
    _write_entries(account.id)
    vacuum()
    api = ApiClient()
    ledger = f"/v1/accounts/{account.id}/ledger"
    last = _last_page(api, ledger)

    def opened() -> Any:
        body = {"name": "Ann", "email": "ann@example.com", "plan": plan.code, "billing": "next_sweep"}
        return api.post("/v1/accounts", body, once=str(uuid.uuid4()))

    return account.id, {
        "an account": lambda: api.get(f"/v1/accounts/{account.id}"),
        "the first page of a ledger": lambda: api.get(ledger, page_size=PAGE_SIZE),
        "its thousandth page": lambda: api.get(last),
        "opening an account": opened,
    }


def _write_entries(account_id: uuid.UUID) -> None:
    from invoices.credits import grant_credit
    from tests.builders import NOW, TODAY

    entry = grant_credit(account_id=account_id, amount_minor=1, reason="bench", author="bench", today=TODAY, now=NOW)
    with superuser() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            "INSERT INTO ledger_entry (id, account_id, type, debit, credit, amount_minor, currency, effective_on, "
            "description, idempotency_key, created_at, created_by) "
            "SELECT uuidv7(), account_id, type, debit, credit, amount_minor, currency, effective_on, description, "
            "idempotency_key || n, created_at, created_by "
            "FROM ledger_entry CROSS JOIN generate_series(2, %s) AS n WHERE id = %s",
            [ENTRIES, str(entry.id)],
        )


def _last_page(api: Any, ledger: str) -> str:
    """The path of the thousandth page, which following `next` gets to."""
    page = api.get(ledger, page_size=PAGE_SIZE)
    for _ in range(PAGES - 1):
        parts = urlsplit(page.json()["next"])
        path = f"{parts.path}?{parts.query}"
        page = api.get(path)
    assert page.json()["next"] is None
    return path
