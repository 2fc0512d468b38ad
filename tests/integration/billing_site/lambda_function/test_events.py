"""Which events have a kind, which function serves each, and that everything else is refused."""

import json
from typing import Any

import pytest

from billing_site.errors import UnableToStart, UnroutedEvent
from billing_site.lambda_function.duties import Duty, duties
from billing_site.lambda_function.events import Kind, kind_of
from tests.support.lambdas.environments import request_event

REST = request_event("/v1/accounts")
HTTP_API = {
    "version": "2.0",
    "routeKey": "$default",
    "rawPath": "/v1/accounts",
    "rawQueryString": "",
    "headers": {"host": "billing.example.com"},
    "requestContext": {"stage": "$default", "http": {"method": "GET", "path": "/v1/accounts"}},
    "isBase64Encoded": False,
}
# A function URL has the same shape but for what its context names.
FUNCTION_URL = HTTP_API | {"requestContext": {"domainPrefix": "abc", "http": {"method": "GET", "path": "/v1/accounts"}}}
SWEEP = {"command": "sweep", "time": "2026-01-01T00:10:00Z"}
BATCH = {"Records": [{"messageId": "m0", "body": "{}"}]}
ROTATION = {
    "Step": "createSecret",
    "SecretId": "arn:aws:secretsmanager:us-east-1:1:secret:a",
    "ClientRequestToken": "t",
}
MANAGE = {"manage": "check"}

KNOWN: list[tuple[dict[str, Any], Kind, set[Duty]]] = [
    (REST, Kind.HTTP, {Duty.API}),
    (HTTP_API, Kind.HTTP, {Duty.API}),
    (FUNCTION_URL, Kind.HTTP, {Duty.API}),
    (SWEEP, Kind.SCHEDULE, {Duty.WORKER}),
    (SWEEP | {"command": "reconcile"}, Kind.SCHEDULE, {Duty.WORKER}),
    (BATCH, Kind.QUEUE, {Duty.WORKER}),
    (ROTATION, Kind.ROTATION, {Duty.MIGRATE}),
    (ROTATION | {"RotationToken": "r"}, Kind.ROTATION, {Duty.MIGRATE}),
    (MANAGE, Kind.MANAGE, set(Duty)),
]

UNKNOWN: list[Any] = [
    None,
    "sweep",
    [],
    {},
    # What Zappa would run.
    {"raw_command": "print(1)"},
    {"command": "os.getcwd"},
    {"command": "rebilling.sweep.sweep", "time": "2026-01-01T00:10:00Z"},
    {"command": "sweep"},
    SWEEP | {"raw_command": "print(1)"},
    MANAGE | {"raw_command": "print(1)"},
    {"manage": ["check"]},
    REST | {"raw_command": "print(1)"},
    REST | {"command": "os.getcwd"},
    HTTP_API | {"manage": "migrate"},
    REST | BATCH,
    REST | ROTATION,
    # What Zappa would drop without a word.
    {"Records": []},
    {"Records": "all"},
    {"source": "aws.events", "detail-type": "Scheduled Event", "resources": ["arn:aws:events:::rule/keep-warm"]},
    {"awslogs": {"data": ""}},
    {"bot": {}, "currentIntent": {}},
    {"type": "TOKEN", "authorizationToken": "x"},
    {"triggerSource": "PreSignUp_SignUp"},
    # Near misses of a request: a load balancer, a websocket, halves.
    REST | {"requestContext": {"elb": {"targetGroupArn": "arn"}}},
    {"requestContext": {"eventType": "CONNECT", "connectionId": "c"}},
    {name: value for name, value in REST.items() if name != "requestContext"},
    {name: value for name, value in REST.items() if name != "httpMethod"},
    REST | {"httpMethod": ""},
    {name: value for name, value in HTTP_API.items() if name != "version"},
    HTTP_API | {"requestContext": {"stage": "$default"}},
    ROTATION | {"command": "sweep"},
    {"Step": "createSecret", "SecretId": "arn"},
]


class TestKinds:
    @pytest.mark.parametrize("duty", Duty)
    @pytest.mark.parametrize(("event", "kind", "served_by"), KNOWN)
    def test_are_served_by_the_function_that_they_are_for_and_no_other(
        self, settings: Any, event: dict[str, Any], kind: Kind, served_by: set[Duty], duty: Duty
    ) -> None:
        settings.FUNCTION_DUTY = duty.value
        if duty in served_by:
            assert kind_of(event) is kind
        else:
            with pytest.raises(UnroutedEvent, match=f"{kind.value} isn't for a function with the duty {duty}"):
                kind_of(event)

    @pytest.mark.parametrize("event", UNKNOWN, ids=lambda value: json.dumps(value)[:60])
    def test_of_anything_else_there_is_none(self, event: Any) -> None:
        with pytest.raises(UnroutedEvent, match="no handler for an event with the keys"):
            kind_of(event)

    def test_name_the_keys_of_what_they_refuse_and_not_what_is_in_them(self) -> None:
        with pytest.raises(UnroutedEvent) as caught:
            kind_of({"raw_command": "print('a secret')"})
        assert str(caught.value) == "no handler for an event with the keys ['raw_command']"


class TestDuties:
    def test_of_a_machine_of_ones_own_are_all(self, settings: Any) -> None:
        settings.FUNCTION_DUTY = ""
        assert duties() == set(Duty)
        assert [kind_of(event) for event, _, _ in KNOWN] == [kind for _, kind, _ in KNOWN]

    @pytest.mark.parametrize(("name", "on_lambda"), [("", True), ("sweeper", True), ("sweeper", False), ("API", False)])
    def test_that_are_missing_on_lambda_or_unknown_start_nothing(
        self, settings: Any, monkeypatch: pytest.MonkeyPatch, name: str, on_lambda: bool
    ) -> None:
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "billing-production" if on_lambda else "")
        settings.FUNCTION_DUTY = name
        with pytest.raises(UnableToStart) as caught:
            duties()
        assert str(caught.value) == f"FUNCTION_DUTY is {name!r}: set it to api, worker, migrate"
