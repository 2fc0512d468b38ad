"""The product's queue on a real SQS protocol, as a test sees it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localcloud.sqs.endpoint import QueueEndpoint
from localcloud.sqs.server import client_of, local_sqs
from payments.messages.queue import SqsQueue

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


@dataclass(frozen=True)
class LocalQueue:
    endpoint: QueueEndpoint
    client: "SQSClient"

    @property
    def product_queue(self) -> SqsQueue:
        """The product's own way to send to it."""
        return SqsQueue(url=self.endpoint.queue_url, client=self.client)

    def send(self, body: str, *, times: int = 1) -> None:
        for _ in range(times):
            self.client.send_message(QueueUrl=self.endpoint.queue_url, MessageBody=body)

    @property
    def visible(self) -> int:
        """Messages that a worker could receive now."""
        return self._counts()[0]

    @property
    def on_its_way(self) -> int:
        """Messages that aren't acknowledged, received or not."""
        return sum(self._counts())

    @property
    def dead(self) -> int:
        return sum(self._counts(self.endpoint.dead_letter_queue_url))

    def redrive(self) -> int:
        """Puts dead letters back, as an operator does. Returns how many."""
        bodies = [*self._take(self.endpoint.dead_letter_queue_url)]
        for body in bodies:
            self.send(body)
        return len(bodies)

    def clear(self) -> None:
        """Takes away every message that could be received now. (A purge is allowed once a minute.)"""
        for url in (self.endpoint.queue_url, self.endpoint.dead_letter_queue_url):
            for _ in self._take(url):
                pass

    def _take(self, url: str) -> Iterator[str]:
        while found := self.client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            for message in found:
                self.client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                yield message["Body"]

    def _counts(self, url: str = "") -> tuple[int, int]:
        answer = self.client.get_queue_attributes(
            QueueUrl=url or self.endpoint.queue_url,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )["Attributes"]
        return int(answer["ApproximateNumberOfMessages"]), int(answer["ApproximateNumberOfMessagesNotVisible"])


@contextmanager
def local_queue(*, visibility_timeout_seconds: int) -> Iterator[LocalQueue]:
    """A queue whose messages come back so long after they were received and not acknowledged."""
    with local_sqs(visibility_timeout_seconds=visibility_timeout_seconds) as endpoint:
        yield LocalQueue(endpoint, client_of(endpoint_url=endpoint.endpoint_url))
