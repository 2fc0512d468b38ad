"""The poller against a real SQS over its protocol: what is deleted, what comes again, what ends as a dead letter."""

import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from localcloud.errors import UnableToStart
from localcloud.sqs.endpoint import QueueEndpoint
from localcloud.sqs.poller import Delivery, MalformedResponse, Poller, failed_ids
from localcloud.sqs.server import MAX_RECEIVES, client_of, create_queues, delete_queues, local_sqs


class Recorder:
    """A handler that keeps its events and answers with `answer`, or with the ids of the messages that should fail."""

    def __init__(self, *, failing: set[str] | None = None, answer: Any = ...) -> None:
        self.failing = failing or set()
        self.answer = answer
        self.events: list[dict[str, Any]] = []
        self.contexts: list[Any] = []

    def __call__(self, event: dict[str, Any], context: Any) -> Any:
        self.events.append(event)
        self.contexts.append(context)
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is not ...:
            return self.answer
        failed = [record["messageId"] for record in event["Records"] if record["body"] in self.failing]
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}

    @property
    def bodies(self) -> list[list[str]]:
        return [sorted(record["body"] for record in event["Records"]) for event in self.events]


@pytest.fixture(scope="module")
def endpoint_url() -> Iterator[str]:
    with local_sqs() as made:
        yield made.endpoint_url


@pytest.fixture
def endpoint(endpoint_url: str) -> QueueEndpoint:
    """New queues, whose messages come back at once when they aren't deleted."""
    delete_queues(endpoint_url=endpoint_url)
    return create_queues(endpoint_url=endpoint_url, visibility_timeout_seconds=0)


def poller(endpoint: QueueEndpoint, handler: Recorder) -> Poller:
    return Poller(client=client_of(endpoint_url=endpoint.endpoint_url), queue_url=endpoint.queue_url, handler=handler)


def send(endpoint: QueueEndpoint, *bodies: str) -> None:
    client = client_of(endpoint_url=endpoint.endpoint_url)
    for body in bodies:
        client.send_message(QueueUrl=endpoint.queue_url, MessageBody=body)


def dead_letters(endpoint: QueueEndpoint) -> list[str]:
    answer = client_of(endpoint_url=endpoint.endpoint_url).receive_message(
        QueueUrl=endpoint.dead_letter_queue_url, MaxNumberOfMessages=10
    )
    return [message["Body"] for message in answer.get("Messages", [])]


class TestPoll:
    def test_deletes_what_the_handler_finished(self, endpoint: QueueEndpoint) -> None:
        send(endpoint, "a", "b", "c")
        handler = Recorder()
        subject = poller(endpoint, handler)
        assert subject.poll() == Delivery(received=3, failed=0)
        assert handler.bodies == [["a", "b", "c"]]
        assert (subject.waiting(), subject.poll(wait_seconds=0)) == (0, Delivery(received=0, failed=0))

    def test_leaves_what_failed_and_nothing_else(self, endpoint: QueueEndpoint) -> None:
        send(endpoint, "a", "b", "c")
        handler = Recorder(failing={"b"})
        subject = poller(endpoint, handler)
        assert subject.poll() == Delivery(received=3, failed=1)
        assert subject.poll() == Delivery(received=1, failed=1)
        assert handler.bodies == [["a", "b", "c"], ["b"]]

    @pytest.mark.parametrize(
        "answer",
        [
            RuntimeError("the function broke"),
            {"batchItemFailures": [{"itemIdentifier": ""}]},
            {"batchItemFailures": [{"itemIdentifier": "unknown"}]},
            {"batchItemFailures": [{"wrong": "key"}]},
            "not an object",
        ],
    )
    def test_leaves_the_whole_batch_when_the_handler_breaks(self, endpoint: QueueEndpoint, answer: Any) -> None:
        send(endpoint, "a", "b")
        subject = poller(endpoint, Recorder(answer=answer))
        assert subject.poll() == Delivery(received=2, failed=2)
        assert subject.waiting() == 2

    def test_ends_as_a_dead_letter_after_five_receives(self, endpoint: QueueEndpoint) -> None:
        send(endpoint, "good", "bad")
        handler = Recorder(failing={"bad"})
        subject = poller(endpoint, handler)
        for _ in range(MAX_RECEIVES + 1):
            subject.poll(wait_seconds=0)
        assert handler.bodies == [["bad", "good"]] + [["bad"]] * (MAX_RECEIVES - 1)
        assert subject.waiting() == 0
        assert dead_letters(endpoint) == ["bad"]

    def test_takes_ten_messages_at_the_most(self, endpoint: QueueEndpoint) -> None:
        send(endpoint, *(f"{n:02}" for n in range(12)))
        subject = poller(endpoint, Recorder())
        assert [subject.poll().received, subject.poll(max_messages=1).received] == [10, 1]
        assert subject.waiting() == 1

    def test_hands_over_what_lambda_hands_over(self, endpoint: QueueEndpoint) -> None:
        send(endpoint, '{"n": 1}')
        handler = Recorder()
        poller(endpoint, handler).poll()
        (record,) = handler.events[0]["Records"]
        assert handler.events[0].keys() == {"Records"}
        assert record.keys() == {
            "messageId",
            "receiptHandle",
            "body",
            "attributes",
            "messageAttributes",
            "md5OfBody",
            "eventSource",
            "eventSourceARN",
            "awsRegion",
        }
        assert record["body"] == '{"n": 1}'
        assert record["attributes"]["ApproximateReceiveCount"] == "1"
        assert record["eventSource"] == "aws:sqs"
        assert re.fullmatch(r"arn:aws:sqs:us-east-1:\d{12}:rebilling", record["eventSourceARN"])
        assert record["awsRegion"] == "us-east-1"
        context = handler.contexts[0]
        assert 100_000 < context.get_remaining_time_in_millis() <= 120_000
        assert context.aws_request_id

    def test_goes_on_until_it_is_stopped(self, endpoint: QueueEndpoint) -> None:
        stopping = threading.Event()
        handled = threading.Event()

        def handler(event: dict[str, Any], context: Any) -> None:
            handled.set()

        client = client_of(endpoint_url=endpoint.endpoint_url)
        subject = Poller(client=client, queue_url=endpoint.queue_url, handler=handler)
        thread = threading.Thread(target=subject.run, kwargs={"stopping": stopping})
        thread.start()
        try:
            for body in ("first", "second"):
                send(endpoint, body)
                assert handled.wait(timeout=10)
                handled.clear()
        finally:
            stopping.set()
            thread.join(timeout=10)
        assert not thread.is_alive()
        assert subject.waiting() == 0


class TestFailedIds:
    IDS = frozenset({"a", "b"})

    @pytest.mark.parametrize("response", [None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}])
    def test_are_none_in_an_empty_answer(self, response: object) -> None:
        assert failed_ids(response=response, ids=self.IDS) == frozenset()

    def test_are_those_that_are_named(self) -> None:
        assert failed_ids(response={"batchItemFailures": [{"itemIdentifier": "b"}]}, ids=self.IDS) == {"b"}

    @pytest.mark.parametrize("failures", [[{"itemIdentifier": None}], [{}], ["a"], 7, [{"itemIdentifier": "c"}]])
    def test_refuses_an_answer_that_names_no_message_of_the_batch(self, failures: object) -> None:
        with pytest.raises(MalformedResponse):
            failed_ids(response={"batchItemFailures": failures}, ids=self.IDS)


class TestQueues:
    def test_are_not_made_with_a_time_that_is_none(self, endpoint_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LOCAL_VISIBILITY_TIMEOUT_SECONDS", "3min")
        with pytest.raises(UnableToStart) as caught:
            create_queues(endpoint_url=endpoint_url)
        assert str(caught.value) == "LOCAL_VISIBILITY_TIMEOUT_SECONDS must be a whole number, 0 or more."
