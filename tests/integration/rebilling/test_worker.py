"""Messages that must charge nothing, and those beside them that must charge."""

import datetime
import json
import logging
import uuid
from typing import Any

import pytest

from ledger.models import Entry
from payments.models import Payment
from rebilling.messages.message import Message, PeriodKey, to_json
from rebilling.models import Rebilling, Run
from tests.builders import NOW, TODAY, QueueInHand, ScriptedGateway, an_account, at, delivered, statuses_of, swept
from tests.support.databases import rolled_back


def a_batch() -> tuple[Run, dict[str, Any]]:
    an_account()
    queue = QueueInHand()
    run = swept(as_of=TODAY, queue=queue)
    (body,) = queue.take()
    return run, json.loads(body)


def nothing_moved() -> bool:
    rows = set(Rebilling.objects.values_list("status", flat=True))
    return rows == {"DUE"} and not Entry.objects.exists() and not Payment.objects.exists()


@rolled_back
class TestRefusedMessages:
    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"schema": "rebilling/2"}, "schema is 'rebilling/2'"),
            ({"as_of": "2026-02-30"}, "as_of is not a date"),
            ({"rebillings": [], "payments": []}, "neither rebillings nor payments"),
            ({"extra": 1}, "unknown fields ['extra']"),
        ],
    )
    def test_of_another_shape_or_version(
        self, change: dict[str, Any], says: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        _, message = a_batch()
        assert delivered(bodies=[json.dumps(message | change)]) == ["0"]
        assert nothing_moved()
        errors = [record.message for record in caplog.records if record.levelno == logging.ERROR]
        assert [says in error for error in errors] == [True]

    @pytest.mark.parametrize("body", ["", "not JSON", "[]", "null", '{"schema": "rebilling/1"', "\ud800"])
    def test_that_are_no_json_object(self, body: str) -> None:
        a_batch()
        assert delivered(bodies=[body]) == ["0"]
        assert nothing_moved()

    def test_whose_key_is_not_that_of_its_account_and_period(self) -> None:
        _, message = a_batch()
        message["rebillings"][0]["idempotency_key"] = f"rebill:{uuid.uuid4()}:{TODAY}"
        assert delivered(bodies=[json.dumps(message)]) == ["0"]
        assert nothing_moved()

    def test_that_name_an_account_that_is_not_there_beside_one_that_is(self, caplog: pytest.LogCaptureFixture) -> None:
        run, message = a_batch()
        (real,) = message["rebillings"]
        keys = (
            PeriodKey(uuid.UUID(real["account_id"]), TODAY),
            PeriodKey(uuid.uuid4(), TODAY),
        )
        body = to_json(Message(run_id=run.id, as_of=run.as_of, rebillings=keys))
        assert delivered(bodies=[body]) == ["0"]
        # It fails alone: the other is charged, and the message ends as a dead letter.
        assert Rebilling.objects.get().status == "PAID"
        assert f"1 items of the message were refused, the first: no sweep found the period {keys[1]}" in caplog.text

    def test_that_name_a_period_that_no_sweep_found(self) -> None:
        run, _ = a_batch()
        account = an_account(rebilling_date=datetime.date(2026, 1, 1))
        body = to_json(Message(run_id=run.id, as_of=run.as_of, rebillings=(PeriodKey(account.id, TODAY),)))
        assert delivered(bodies=[body]) == ["0"]
        assert nothing_moved()

    def test_that_name_a_payment_that_is_not_there(self) -> None:
        run, _ = a_batch()
        body = to_json(Message(run_id=run.id, as_of=run.as_of, payments=(uuid.uuid4(),)))
        assert delivered(bodies=[body]) == ["0"]
        assert nothing_moved()

    def test_do_not_hold_up_the_good_ones_of_their_batch(self) -> None:
        _, message = a_batch()
        good = json.dumps(message)
        assert delivered(bodies=["poison", good, "poison"]) == ["0", "2"]
        assert Rebilling.objects.get().status == "PAID"


@rolled_back
class TestLeases:
    def test_a_payment_collected_by_another_delivery_fails_the_message_and_is_not_submitted(self) -> None:
        account = an_account()
        queue, gateway = QueueInHand(), ScriptedGateway()
        swept(as_of=TODAY, queue=queue)
        assert delivered(bodies=queue.bodies, seconds_left=1, queue=QueueInHand()) == []
        Payment.objects.update(leased_until=NOW + datetime.timedelta(seconds=60))
        assert delivered(bodies=queue.bodies, gateway=gateway) == ["0"]
        assert gateway.requests == []
        later = NOW + datetime.timedelta(seconds=61)
        assert delivered(bodies=queue.bodies, gateway=gateway, now=later) == []
        assert len(gateway.requests) == 1
        assert statuses_of(account) == [(TODAY, "PAID")]

    def test_time_that_runs_out_in_the_middle_leaves_the_rest_unleased(self) -> None:
        for _ in range(20):
            an_account()
        queue = QueueInHand()
        swept(as_of=TODAY, queue=queue)
        assert delivered(bodies=queue.take(), queue=queue, seconds_left=24.9) == []
        assert Payment.objects.filter(status="SUBMITTED", leased_until=None).count() == 20
        (message,) = queue.messages
        assert len(message.payments) == 20

    def test_a_message_of_completed_payments_is_done(self) -> None:
        an_account()
        queue = QueueInHand()
        run = swept(as_of=TODAY, queue=queue)
        delivered(bodies=queue.take())
        payment = Payment.objects.get()
        gateway = ScriptedGateway()
        body = to_json(Message(run_id=run.id, as_of=run.as_of, payments=(payment.id,)))
        assert delivered(bodies=[body], gateway=gateway, now=at(TODAY)) == []
        assert (gateway.requests, gateway.looked_up) == ([], [])
        assert Payment.objects.get().completed_at == payment.completed_at
