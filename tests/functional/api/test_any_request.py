"""Requests of any kind, allowed or not: each is answered as the description says, and none breaks a call."""

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from ledger.models import Entry
from tests.builders import TODAY, a_plan, an_account, billed
from tests.databases import rolled_back
from tests.functional.api.client import ApiClient

EXAMPLES_A_CALL = 15
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


@pytest.fixture
def calls(db: None) -> Iterator[list[Any]]:
    """The calls of the API, made through WSGI, which would else close the connection that the test's rows are on."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="No directory at", category=UserWarning)
        schema: Any = schemathesis.openapi.from_wsgi("/v1/openapi.json", get_wsgi_application())
    yield [result.ok() for result in schema.get_all_operations()]
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@rolled_back
class TestAnyRequest:
    @pytest.mark.parametrize("mode", list(GenerationMode))
    def test_is_answered_as_described(self, api: ApiClient, calls: list[Any], mode: GenerationMode) -> None:
        account = an_account(plan=a_plan(code="pro"))
        billed(as_of=TODAY)
        ids = {"account_id": str(account.id), "entry_id": str(Entry.objects.all()[0].id), "code": "pro"}
        for call in calls:
            if call.path != "/healthz":
                _try(call, api=api, mode=mode, ids=ids)


def _try(call: Any, *, api: ApiClient, mode: GenerationMode, ids: dict[str, str]) -> None:
    @settings(
        max_examples=EXAMPLES_A_CALL,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=call.as_strategy(generation_mode=mode))
    def attempt(case: Any) -> None:
        if mode == GenerationMode.POSITIVE:
            # Of things that are there.
            case.path_parameters |= {name: id_ for name, id_ in ids.items() if name in case.path_parameters}
        case.call_and_validate(checks=CHECKS, headers={"Authorization": f"Bearer {api.secret}"})

    attempt()
