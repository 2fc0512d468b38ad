"""Dead letters over the real SQS protocol: shown, sent back on request, and never lost."""

import datetime
import io
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import ClientError
from django.core.management import CommandError, call_command

from payments.messages import queue as product_queue
from payments.messages.format import Message, to_json
from payments.messages.queue import SqsQueue
from payments.messages.rows import PaymentsMessage, RefundsMessage, SessionsMessage
from rebilling.management.commands import redrive_dlq
from rebilling.messages import dead_letters as redrive
from rebilling.messages.message import PeriodItem, PeriodsMessage
from rebilling.models import Rebilling
from tests.builders import TODAY, a_message, an_account, billed
from tests.support.databases import rolled_back
from tests.support.workers.queues import LocalQueue, local_queue

DAY = datetime.date(2026, 1, 1)
RUN = uuid.UUID("01940000-0000-7000-8000-000000000001")
KINDS: dict[str, Callable[[tuple[uuid.UUID, ...]], Message]] = {
    "payments": lambda ids: PaymentsMessage(ids=ids),
    "refunds": lambda ids: RefundsMessage(ids=ids),
    "payment method sessions": lambda ids: SessionsMessage(ids=ids),
}


@pytest.fixture(scope="module")
def sqs() -> Iterator[LocalQueue]:
    with local_queue(visibility_timeout_seconds=180) as made:
        yield made


@pytest.fixture
def local(sqs: LocalQueue, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalQueue]:
    settings.REBILLING_QUEUE_URL = sqs.endpoint.queue_url
    settings.REBILLING_DLQ_URL = sqs.endpoint.dead_letter_queue_url
    monkeypatch.setattr(product_queue, "_sqs", lambda url: SqsQueue(url=url, client=sqs.client))
    # The server of a test has nothing more to say after its first empty answer.
    monkeypatch.setattr(redrive, "WAIT_SECONDS", 0)
    yield sqs
    sqs.clear()


def good(*, periods: int = 2) -> str:
    items = tuple(PeriodItem(uuid.uuid4(), uuid.uuid4(), DAY) for _ in range(periods))
    return to_json(PeriodsMessage(run_id=RUN, as_of=DAY, periods=items))


def bury(local: LocalQueue, body: str) -> str:
    """Puts a dead letter in, and returns its id."""
    return local.client.send_message(QueueUrl=local.endpoint.dead_letter_queue_url, MessageBody=body)["MessageId"]


def ran(*arguments: str) -> list[str]:
    output = io.StringIO()
    call_command("redrive_dlq", *arguments, stdout=output)
    return output.getvalue().splitlines()


def refused(*arguments: str) -> str:
    with pytest.raises(CommandError) as caught:
        ran(*arguments)
    return str(caught.value)


def bodies(local: LocalQueue) -> list[str]:
    return sorted(local._take(local.endpoint.queue_url))


@pytest.fixture(autouse=True)
def _items_exist(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The letters' items are made up; `TestItems` has real ones, and asks the database."""
    if request.cls is not TestItems:
        monkeypatch.setattr(redrive, "faults_of", lambda message: message.faults)


class TestShow:
    def test_shows_what_each_carries_and_moves_nothing(self, local: LocalQueue) -> None:
        first = bury(local, good(periods=2))
        poison = bury(local, "poison")
        shown = ran()
        assert next(line for line in shown if line.startswith(first)).endswith(
            f"received 1x: run {RUN} as of 2026-01-01, 2 periods"
        )
        assert next(line for line in shown if line.startswith(poison)).endswith(
            "received 1x: MALFORMED, not JSON: Expecting value: line 1 column 1 (char 0)"
        )
        assert shown[-2:] == [
            "2 left in the dead-letter queue.",
            "Nothing was sent: --send sends back those without a fault.",
        ]
        assert (local.visible, local.dead) == (0, 2)
        # Not hidden from whoever looks next.
        assert sum("received 2x" in line for line in ran()) == 2

    @pytest.mark.parametrize("kind", KINDS)
    def test_knows_the_other_kinds_sends_them_back_and_does_not_discard_them(
        self, local: LocalQueue, kind: str
    ) -> None:
        ids = (uuid.uuid4(), uuid.uuid4())
        body = to_json(KINDS[kind](ids))
        letter = bury(local, body)
        assert ran()[0].endswith(f"received 1x: 2 {kind}")
        assert "has no fault" in refused("--discard", letter)
        assert (local.dead, bodies(local)) == (1, [])
        ran("--send")
        assert (local.dead, bodies(local)) == (0, [body])

    def test_shows_more_than_sqs_gives_at_once(self, local: LocalQueue) -> None:
        ids = {bury(local, good()) for _ in range(23)}
        shown = ran()
        assert {line.split()[0] for line in shown if f"run {RUN}" in line} == ids
        assert shown[-2] == "23 left in the dead-letter queue."

    def test_says_so_when_there_are_none(self, local: LocalQueue) -> None:
        assert ran() == ["0 left in the dead-letter queue."]

    def test_distinguishes_another_version_from_garbage(self, local: LocalQueue) -> None:
        bury(local, json.dumps({"schema": "rebilling/9", "anything": 1}))
        (shown,) = ran()[:1]
        assert "MALFORMED, schema is 'rebilling/9'; known are" in shown
        assert "known are 'rebilling/1', 'payments/1', 'refunds/1', 'sessions/1'" in shown


class TestSend:
    def test_sends_the_good_ones_as_they_are_and_keeps_the_malformed(self, local: LocalQueue) -> None:
        sent = sorted([good(), good(periods=500)])
        for body in [*sent, "poison"]:
            bury(local, body)
        assert ran("--send")[-1] == "2 sent back, 1 left in the dead-letter queue."
        assert local.dead == 1
        assert bodies(local) == sent

    def test_sends_only_the_message_that_is_named(self, local: LocalQueue) -> None:
        body = good()
        ids = [bury(local, body), bury(local, good())]
        shown = ran("--send", "--message", ids[0])
        assert [line.split()[0] for line in shown[:-1]] == [ids[0]]
        assert shown[-1] == "1 sent back, 1 left in the dead-letter queue."
        assert (local.dead, bodies(local)) == (1, [body])

    def test_of_an_unknown_message_does_nothing(self, local: LocalQueue) -> None:
        bury(local, good())
        assert refused("--send", "--message", "nobody") == "Nothing was done: not in the dead-letter queue now: nobody"
        assert (local.visible, local.dead) == (0, 1)
        assert ran()[-2] == "1 left in the dead-letter queue."

    def test_deletes_nothing_that_could_not_be_sent(self, local: LocalQueue) -> None:
        bury(local, good())
        failure = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "SendMessage")
        with mock.patch.object(local.client, "send_message", side_effect=failure):
            assert "can't be moved" in refused("--send")
        assert (local.visible, local.dead) == (0, 1)
        assert ran("--send")[-1] == "1 sent back, 0 left in the dead-letter queue."

    def test_cut_off_between_the_two_has_it_in_both(self, local: LocalQueue) -> None:
        """What is done twice is charged once; what is in neither is lost."""
        body = good()
        bury(local, body)
        cut = mock.patch.object(local.client, "delete_message", side_effect=KeyboardInterrupt)
        with cut, pytest.raises(KeyboardInterrupt):
            ran("--send")
        assert local.dead == 1
        assert bodies(local) == [body]


class TestDiscard:
    def test_deletes_a_malformed_message_that_is_named(self, local: LocalQueue) -> None:
        poison, _ = bury(local, "poison"), bury(local, "other poison")
        assert ran("--discard", poison)[-2] == "1 discarded, 1 left in the dead-letter queue."
        assert (local.visible, local.dead) == (0, 1)

    def test_refuses_one_that_can_be_read(self, local: LocalQueue) -> None:
        letter, poison = bury(local, good()), bury(local, "poison")
        why = refused("--discard", poison, "--discard", letter)
        assert why == f"The letter {letter} has no fault: send it, don't discard it."
        assert (local.visible, local.dead) == (0, 2)


@rolled_back
class TestItems:
    def test_that_do_not_exist_are_named_and_their_letter_is_discarded_and_never_sent(self, local: LocalQueue) -> None:
        account = an_account()
        run = billed(as_of=TODAY)
        row = account.rebillings.get()
        sound = a_message(run=run, rebillings=[row])
        other = Rebilling(id=uuid.uuid4(), account_id=account.id, period_start=TODAY.replace(day=2))
        bury(local, sound)
        letter = bury(local, a_message(run=run, rebillings=[row, other]))
        (shown,) = (line for line in ran() if line.startswith(letter))
        assert shown.endswith(f"2 periods, REFUSED ITEMS: no sweep found the period {account.id} from 2026-01-02")
        assert ran("--send")[-1] == "1 sent back, 1 left in the dead-letter queue."
        assert bodies(local) == [sound]
        assert ran("--discard", letter)[-1] == "1 discarded, 0 left in the dead-letter queue."

    def test_that_are_malformed_are_named(self, local: LocalQueue) -> None:
        body = to_json(RefundsMessage(ids=(uuid.UUID(int=7),)))
        letter = bury(local, body.replace('["', '["text","'))
        assert ran()[0].endswith(
            "1 refunds, REFUSED ITEMS: refunds[0] is not a UUID in its usual form: 'text'; there is no refund "
            "00000000-0000-0000-0000-000000000007"
        )
        assert ran("--discard", letter)[-1] == "1 discarded, 0 left in the dead-letter queue."


class TestRefused:
    @pytest.mark.parametrize("missing", ["REBILLING_DLQ_URL", "REBILLING_QUEUE_URL"])
    def test_names_the_missing_setting(self, local: LocalQueue, settings: Any, missing: str) -> None:
        bury(local, good())
        setattr(settings, missing, "")
        assert missing in refused("--send")
        assert (local.visible, local.dead) == (0, 1)

    def test_says_so_when_the_queue_cannot_be_read(self, local: LocalQueue) -> None:
        failure = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "ReceiveMessage")
        with mock.patch.object(local.client, "receive_message", side_effect=failure):
            assert refused().startswith("The dead-letter queue can't be read: ")

    def test_shows_at_most_so_many(self, local: LocalQueue, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in (redrive, redrive_dlq):
            monkeypatch.setattr(module, "MAX_LETTERS", 10)
        for _ in range(12):
            bury(local, good())
        assert ran("--send")[-2:] == [
            "There may be more: this shows at most 10 at a time.",
            "10 sent back, 0 left in the dead-letter queue.",
        ]
        assert local.dead == 2
