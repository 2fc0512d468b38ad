"""The queue over the real SQS protocol: batches within its limits, errors tried again, nothing lost."""

import datetime
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from localcloud.sqs.endpoint import QueueEndpoint
from localcloud.sqs.server import client_of, local_sqs
from payments.messages.queue import ATTEMPTS, QueueNotConfigured, SqsQueue, UnableToSend, configured_queue
from rebilling.messages.message import PeriodItem, PeriodsMessage, from_json

DAY = datetime.date(2026, 1, 1)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[QueueEndpoint]:
    with local_sqs() as made:
        yield made


class CountingClient:
    """Passes calls on to SQS, noting the sizes of the batches; can have entries refused, as SQS does."""

    def __init__(self, client: Any, *, refuse_times: int = 0) -> None:
        self.client = client
        self.refuse_times = refuse_times
        self.batches: list[tuple[int, int]] = []

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> Any:  # noqa: N803 (boto3's)
        self.batches.append((len(Entries), sum(len(entry["MessageBody"]) for entry in Entries)))
        if self.refuse_times:
            self.refuse_times -= 1
            refused, taken = Entries[0], Entries[1:]
            answer = self.client.send_message_batch(QueueUrl=QueueUrl, Entries=taken) if taken else {}
            answer["Failed"] = [{"Id": refused["Id"], "Code": "InternalError", "Message": "try again"}]
            return answer
        return self.client.send_message_batch(QueueUrl=QueueUrl, Entries=Entries)


def a_message(*, periods: int) -> PeriodsMessage:
    items = tuple(PeriodItem(uuid.uuid4(), uuid.uuid4(), DAY) for _ in range(periods))
    return PeriodsMessage(run_id=uuid.uuid4(), as_of=DAY, periods=items)


def received(endpoint: QueueEndpoint) -> list[PeriodsMessage]:
    client = client_of(endpoint_url=endpoint.endpoint_url)
    found: list[PeriodsMessage] = []
    while messages := client.receive_message(QueueUrl=endpoint.queue_url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            carried = from_json(message["Body"])
            assert isinstance(carried, PeriodsMessage)
            found.append(carried)
            client.delete_message(QueueUrl=endpoint.queue_url, ReceiptHandle=message["ReceiptHandle"])
    return found


class TestSend:
    def test_sends_each_message_once_in_batches_that_sqs_takes(self, endpoint: QueueEndpoint) -> None:
        client = CountingClient(client_of(endpoint_url=endpoint.endpoint_url))
        messages = [a_message(periods=500) for _ in range(4)] + [a_message(periods=1) for _ in range(12)]
        sent = SqsQueue(url=endpoint.queue_url, client=client).send(iter(messages))  # type: ignore[arg-type]
        assert sent == 16
        assert all(count <= 10 and size <= 262_144 for count, size in client.batches)
        assert sorted(message.run_id for message in received(endpoint)) == sorted(m.run_id for m in messages)

    def test_sends_what_was_refused_again_and_only_that(self, endpoint: QueueEndpoint) -> None:
        client = CountingClient(client_of(endpoint_url=endpoint.endpoint_url), refuse_times=1)
        messages = [a_message(periods=1) for _ in range(3)]
        assert SqsQueue(url=endpoint.queue_url, client=client).send(messages) == 3  # type: ignore[arg-type]
        assert [count for count, _ in client.batches] == [3, 1]
        assert len(received(endpoint)) == 3

    def test_gives_up_after_repeated_failures(self, endpoint: QueueEndpoint) -> None:
        client = CountingClient(client_of(endpoint_url=endpoint.endpoint_url), refuse_times=ATTEMPTS)
        with pytest.raises(UnableToSend, match="InternalError: try again"):
            SqsQueue(url=endpoint.queue_url, client=client).send([a_message(periods=1)])  # type: ignore[arg-type]
        assert received(endpoint) == []

    def test_says_so_when_the_queue_cannot_be_reached(self) -> None:
        client = client_of(endpoint_url="http://127.0.0.1:9")
        with pytest.raises(UnableToSend, match="can't be reached"):
            SqsQueue(url="http://127.0.0.1:9/1/rebilling", client=client).send([a_message(periods=1)])

    def test_of_nothing_calls_nobody(self, endpoint: QueueEndpoint) -> None:
        client = CountingClient(client_of(endpoint_url=endpoint.endpoint_url))
        assert SqsQueue(url=endpoint.queue_url, client=client).send([]) == 0  # type: ignore[arg-type]
        assert client.batches == []


class TestConfiguredQueue:
    def test_without_an_address_names_runlocal(self, settings: Any) -> None:
        settings.REBILLING_QUEUE_URL = ""
        with pytest.raises(QueueNotConfigured, match="runlocal"):
            configured_queue()
