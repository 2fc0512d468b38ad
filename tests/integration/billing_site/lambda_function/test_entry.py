"""Lambda's entry point: each event to its handler, and anything else refused."""

import inspect
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest
from django.core.management import CommandError
from django.db import connection, transaction

from api.models import ApiKey
from billing_site.errors import UnroutedEvent
from billing_site.lambda_function import http as zappa_http
from billing_site.lambda_function.entry import handler
from localcloud.invocation import LambdaContext
from localcloud.sqs.endpoint import QueueEndpoint
from localcloud.sqs.server import client_of, local_sqs
from payments.messages import queue
from rebilling.models import Rebilling, Run
from tests.builders import an_account
from tests.support.databases import rolled_back
from tests.support.lambdas.environments import request_event


@pytest.fixture(scope="module")
def sqs() -> Iterator[QueueEndpoint]:
    with local_sqs() as made:
        yield made


@pytest.fixture
def endpoint(sqs: QueueEndpoint, settings: Any, monkeypatch: pytest.MonkeyPatch) -> QueueEndpoint:
    settings.REBILLING_QUEUE_URL = sqs.queue_url
    client = client_of(endpoint_url=sqs.endpoint_url)
    monkeypatch.setattr(queue, "_sqs", lambda url: queue.SqsQueue(url=url, client=client))
    # The handler closes old connections, and this test's transaction with them.
    monkeypatch.setattr("billing_site.lambda_function.entry.close_old_connections", lambda: None)
    return sqs


def records(endpoint: QueueEndpoint, *bodies: str) -> dict[str, Any]:
    name = endpoint.queue_url.rsplit("/", 1)[-1]
    return {
        "Records": [
            {
                "messageId": f"m{index}",
                "body": body,
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:us-east-1:123456789012:{name}",
            }
            for index, body in enumerate(bodies)
        ]
    }


@contextmanager
def _read_only_database() -> Iterator[None]:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
        yield


@rolled_back
class TestHandler:
    def test_sweeps_as_of_the_schedules_own_day_and_processes_what_the_queue_brings(
        self, endpoint: QueueEndpoint, settings: Any
    ) -> None:
        settings.BILLING_TIME_ZONE = "Pacific/Auckland"
        an_account()
        # Noon UTC on New Year's Eve is New Year's Day in Auckland.
        answer = handler({"command": "sweep", "time": "2025-12-31T12:00:00Z"}, LambdaContext())
        run = Run.objects.get()
        assert answer == {"run": str(run.id)}
        assert run.as_of.isoformat() == "2026-01-01"
        client = client_of(endpoint_url=endpoint.endpoint_url)
        (message,) = client.receive_message(QueueUrl=endpoint.queue_url)["Messages"]
        event = records(endpoint, "poison", message["Body"])
        assert handler(event, LambdaContext()) == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
        assert Rebilling.objects.get().status == "CHARGED"
        answer = handler({"command": "reconcile", "time": "2026-01-01T00:00:00Z"}, LambdaContext())
        assert answer == {"runs": 1, "unexplained": 0, "sent": 0}
        assert Run.objects.get().status == "RECONCILED"

    def test_leaves_what_it_has_no_time_to_begin_to_the_queue(self, endpoint: QueueEndpoint) -> None:
        """Cut off in the third message, Lambda would fail the first two with it."""

        class LittleTime:
            left = iter([300_000, 34_999])

            def get_remaining_time_in_millis(self) -> int:
                return next(self.left)

        answer = handler(records(endpoint, "poison", "poison", "poison", "poison"), LittleTime())
        # The first failed by itself; time was enough for a second.
        assert answer == {"batchItemFailures": [{"itemIdentifier": f"m{number}"} for number in range(4)]}

    def test_ends_a_sweep_that_is_held_as_any_other(self, endpoint: QueueEndpoint, settings: Any) -> None:
        """Failing, it would be started again, to no end. Each hour it is an error in the log instead."""
        settings.VOLUME_CHECK_FIRST_PERIODS = 1
        for _ in range(2):
            an_account()
        answer = handler({"command": "sweep", "time": "2026-01-01T12:00:00Z"}, LambdaContext())
        run = Run.objects.get()
        assert (answer, run.status) == ({"run": str(run.id)}, "HELD")
        answer = handler({"command": "reconcile", "time": "2026-01-01T13:00:00Z"}, LambdaContext())
        assert answer == {"runs": 1, "unexplained": 0, "sent": 0}
        assert "Messages" not in client_of(endpoint_url=endpoint.endpoint_url).receive_message(
            QueueUrl=endpoint.queue_url
        )
        assert set(Rebilling.objects.values_list("status", flat=True)) == {"DUE"}

    def test_fails_a_whole_batch_when_one_of_its_records_is_of_another_queue(self, endpoint: QueueEndpoint) -> None:
        event = records(endpoint, "poison", "poison")
        event["Records"][1]["eventSourceARN"] = "arn:aws:sqs:us-east-1:123456789012:another"
        with pytest.raises(UnroutedEvent, match="no handler for records of aws:sqs another"):
            handler(event, LambdaContext())

    def test_lets_out_what_ends_the_work_in_hand(
        self, endpoint: QueueEndpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Out of it, Lambda gives the whole batch back to the queue, and the scheduler tries again."""

        def fails(**_: Any) -> None:
            raise OSError("out of something")

        monkeypatch.setattr("billing_site.lambda_function.worker_events.process_deliveries", fails)
        monkeypatch.setattr("billing_site.lambda_function.worker_events.run_day", fails)
        for event in (records(endpoint, "any"), {"command": "sweep", "time": "2026-01-01T12:00:00Z"}):
            with pytest.raises(OSError, match="out of something"):
                handler(event, LambdaContext())

    def test_logs_in_one_line_what_a_command_refuses(
        self, endpoint: QueueEndpoint, settings: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        settings.FUNCTION_DUTY = "api"
        with pytest.raises(CommandError), _read_only_database():
            handler({"manage": "create_api_key crm --scope runs:read"}, LambdaContext())
        (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
        assert record.getMessage() == (
            "an event failed: The database is read-only. (cannot execute INSERT in a read-only transaction)"
        )
        assert (record.exc_info, record.__dict__["event"]) == (None, "lambda.failed")
        assert ApiKey.objects.count() == 0

    def test_takes_an_event_and_a_context_and_nothing_by_default(self) -> None:
        """Zappa would run a function with defaults again, and again, when a TypeError comes out of it."""
        parameters = inspect.signature(handler).parameters.values()
        assert [(each.name, each.default) for each in parameters] == [
            ("event", inspect.Parameter.empty),
            ("context", inspect.Parameter.empty),
        ]

    def test_gives_zappa_no_variables_of_a_stage(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It would put them into the environment, over the function's own."""
        zappa = mock.Mock()
        monkeypatch.setattr("billing_site.lambda_function.http._zappa", lambda: zappa)
        handler(request_event("/healthz") | {"stageVariables": {"FUNCTION_DUTY": "migrate"}}, LambdaContext())
        (given, _), _ = zappa.handler.call_args
        assert given == request_event("/healthz") | {"stageVariables": None}

    def test_keeps_its_log_level_whatever_zappas_own_settings_say(self, monkeypatch: pytest.MonkeyPatch) -> None:
        root = logging.getLogger()
        before = root.level
        monkeypatch.setattr("zappa.handler.LambdaHandler", lambda: root.setLevel(logging.DEBUG))
        zappa_http._zappa.cache_clear()
        zappa_http.load()
        zappa_http._zappa.cache_clear()
        assert root.level == before

    @pytest.mark.parametrize(
        "event",
        [
            {},
            {"command": "migrate", "time": "2026-01-01T00:00:00Z"},
            {"command": "sweep"},
            {"raw_command": "print(1)"},
            {"Records": [{"eventSource": "aws:s3"}]},
            {"Records": [{"eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:1:another"}]},
            {"source": "aws.events", "detail-type": "Scheduled Event"},
        ],
        ids=json.dumps,
    )
    def test_raises_on_what_it_does_not_know(self, endpoint: QueueEndpoint, event: dict[str, Any]) -> None:
        with pytest.raises(UnroutedEvent):
            handler(event, LambdaContext())
        assert Run.objects.count() == 0
