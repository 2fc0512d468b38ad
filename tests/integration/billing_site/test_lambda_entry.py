"""Lambda's entry point: each event to its handler, and anything else refused."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from billing_site.lambda_entry import handler
from billing_site.refusals import UnroutedEvent
from localcloud.invocation import LambdaContext
from localcloud.queue_endpoint import QueueEndpoint
from localcloud.sqs import client_of, local_sqs
from rebilling import queue
from rebilling.models import Rebilling, Run
from tests.builders import an_account
from tests.databases import rolled_back


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
    monkeypatch.setattr("billing_site.lambda_entry.close_old_connections", lambda: None)
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
        assert Rebilling.objects.get().status == "PAID"
        answer = handler({"command": "certify", "time": "2026-01-01T00:00:00Z"}, LambdaContext())
        assert answer == {"runs": 1, "unexplained": 0, "sent": 0}
        assert Run.objects.get().status == "CERTIFIED"

    def test_ends_a_sweep_that_is_held_as_any_other(self, endpoint: QueueEndpoint, settings: Any) -> None:
        """Failing, it would be started again, to no end. Each hour it is an error in the log instead."""
        settings.REBILLING_BRAKE_FIRST_PERIODS = 1
        for _ in range(2):
            an_account()
        answer = handler({"command": "sweep", "time": "2026-01-01T12:00:00Z"}, LambdaContext())
        run = Run.objects.get()
        assert (answer, run.status) == ({"run": str(run.id)}, "HELD")
        answer = handler({"command": "certify", "time": "2026-01-01T13:00:00Z"}, LambdaContext())
        assert answer == {"runs": 1, "unexplained": 0, "sent": 0}
        assert "Messages" not in client_of(endpoint_url=endpoint.endpoint_url).receive_message(
            QueueUrl=endpoint.queue_url
        )
        assert set(Rebilling.objects.values_list("status", flat=True)) == {"DUE"}

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
