"""Requests of any kind, allowed or not: each is answered as the description says, and none breaks a call."""

import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, connection, transaction
from hypothesis import HealthCheck, assume, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from invoices.models import CreditNote
from tests.builders import TODAY, a_plan, an_account, billed
from tests.support.api_client import ApiClient
from tests.support.databases import rolled_back
from tests.support.method_sessions import completed_session
from tests.support.refunds import refunded

EXAMPLES_A_CALL = 15
OF_ANY_STATUS = [status_code_conformance, content_type_conformance, response_schema_conformance]
CHECKS = [not_a_server_error, *OF_ANY_STATUS, negative_data_rejection]


@pytest.fixture
def calls(db: None) -> Iterator[list[Any]]:
    """The calls of the API, made through WSGI, which would else close the connection that the test's rows are on."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="No directory at", category=UserWarning)
        schema: Any = schemathesis.openapi.from_wsgi("/v1/openapi.json", get_wsgi_application())
    described = [result.ok() for result in schema.get_all_operations()]
    # The health takes nothing that could be wrong.
    yield [call for call in described if call.path != "/healthz"]
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def ids(db: None) -> dict[str, str]:
    """Of things that are there, by the names that paths have for them."""
    account = an_account(plan=a_plan(code="pro"))
    run = billed(as_of=TODAY)
    payment = account.payments.get()
    refund = refunded(payment, 1)
    return {
        "account_id": str(account.id),
        "code": "pro",
        "credit_note_id": str(CreditNote.objects.get(refund_id=refund.id).id),
        "entry_id": str(account.entries.order_by("id")[0].id),
        "invoice_id": str(payment.invoice_id),
        "payment_id": str(payment.id),
        "rebilling_id": str(account.rebillings.get().id),
        "refund_id": str(refund.id),
        "run_id": str(run.id),
        # It has ended, so that none waits for it: waiting lets go of the connection that the test's rows are on.
        "session_id": str(completed_session(account).id),
    }


@rolled_back
class TestAnyRequest:
    @pytest.mark.parametrize("mode", list(GenerationMode))
    def test_is_answered_as_described(
        self, api: ApiClient, calls: list[Any], ids: dict[str, str], mode: GenerationMode
    ) -> None:
        for call in calls:
            _try(call, api=api, mode=mode, ids=ids)

    @pytest.mark.parametrize("mode", list(GenerationMode))
    def test_that_meets_the_databases_trouble_is_503_or_no_error_of_the_server(
        self, api: ApiClient, calls: list[Any], ids: dict[str, str], mode: GenerationMode
    ) -> None:
        """The database takes no changes, as after a failover, until the end of the savepoint."""
        seen: Counter[int] = Counter()
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
            for call in calls:
                _try(call, api=api, mode=mode, ids=ids, unavailable=seen)
            transaction.set_rollback(True)
        assert {status for status in seen if status >= 500} == {503}
        assert seen[503] > 0


def _never_any_other_error_of_the_server(seen: Counter[int]) -> Callable[..., None]:
    def check(ctx: Any, response: Any, case: Any) -> None:
        seen[response.status_code] += 1
        assert response.status_code < 500 or response.status_code == 503, (case.formatted_path, response.content)

    return check


def _try(
    call: Any, *, api: ApiClient, mode: GenerationMode, ids: dict[str, str], unavailable: Counter[int] | None = None
) -> None:
    checks = CHECKS if unavailable is None else [_never_any_other_error_of_the_server(unavailable), *OF_ANY_STATUS]

    @settings(
        max_examples=EXAMPLES_A_CALL,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=call.as_strategy(generation_mode=mode))
    def attempt(case: Any) -> None:
        # A parameter that is an empty list or object isn't sent at all: what is sent may be valid.
        assume(not any(value in ([], {}) for value in (case.query or {}).values()))
        if mode == GenerationMode.POSITIVE:
            # Of things that are there.
            case.path_parameters |= {name: id_ for name, id_ in ids.items() if name in case.path_parameters}
        case.call_and_validate(checks=checks, headers={"Authorization": f"Bearer {api.secret}"})

    attempt()
