"""The gateway called at a rate: a 429 holds up nobody for long, and what has no time is sent on."""

import datetime
import logging
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from django.db import connections

from payments.gateways.port import NotAttempted
from payments.models import GatewayRate, Payment
from tests.builders import TODAY, QueueInHand, ScriptedGateway, an_account, at, delivered, swept, takes
from tests.support.databases import committed, rolled_back

TOO_OFTEN = NotAttempted("slow down", retry_after=datetime.timedelta(milliseconds=20))


@pytest.fixture(autouse=True)
def rate(settings: Any) -> None:
    settings.PAYMENT_GATEWAY_CALLS_PER_SECOND = 1000


def a_batch(accounts: int) -> str:
    queue = QueueInHand()
    for _ in range(accounts):
        an_account()
    swept(as_of=TODAY, queue=queue)
    (body,) = queue.take()
    return body


@rolled_back
def test_collects_all_and_says_when_the_next_call_may_be() -> None:
    body, gateway = a_batch(5), ScriptedGateway()
    assert delivered(bodies=[body], gateway=gateway) == []
    assert Payment.objects.filter(status="SUCCEEDED").count() == len(gateway.requests) == 5
    assert GatewayRate.objects.get().gateway == gateway.name


@rolled_back
def test_called_too_often_waits_and_collects_all(caplog: pytest.LogCaptureFixture) -> None:
    """Without a rate the whole message would come back, in half an hour."""
    body, gateway, queue = a_batch(5), ScriptedGateway(TOO_OFTEN, takes, TOO_OFTEN), QueueInHand()
    assert delivered(bodies=[body], gateway=gateway, queue=queue) == []
    assert Payment.objects.filter(status="SUCCEEDED").count() == 5
    assert (len(gateway.requests), queue.bodies) == (7, [])
    # Once, or again after a request that was taken in between.
    warnings = {record.message for record in caplog.records if record.levelno >= logging.WARNING}
    assert warnings == {"the gateway is called too often, and is waited for"}


@rolled_back
def test_without_a_rate_the_message_comes_back(settings: Any) -> None:
    settings.PAYMENT_GATEWAY_CALLS_PER_SECOND, settings.PAYMENT_COLLECTORS = 0, 1
    body, gateway = a_batch(5), ScriptedGateway(TOO_OFTEN)
    assert delivered(bodies=[body], gateway=gateway) == ["0"]
    assert len(gateway.requests) == 1


@rolled_back
def test_what_has_its_turn_after_the_lease_is_sent_on(settings: Any) -> None:
    settings.PAYMENT_GATEWAY_CALLS_PER_SECOND = 1
    body, gateway, queue = a_batch(3), ScriptedGateway(), QueueInHand()
    # The first call may begin in the half second that is left beside what a call and the recording may take.
    seconds_left = settings.PAYMENT_GATEWAY_TIMEOUT_SECONDS + 5.5
    assert delivered(bodies=[body], gateway=gateway, queue=queue, seconds_left=seconds_left) == []
    assert len(gateway.requests) == 1
    assert len(queue.payments) == 2
    assert Payment.objects.filter(status="SUBMITTED", first_called_at=None, leased_until=None).count() == 2


@committed
def test_no_transaction_is_open_while_calls_are_made() -> None:
    """An idle one would hold row locks, and keep vacuum from its work, as long as the gateway takes."""
    states: list[tuple[str]] = []

    class Watching(ScriptedGateway):
        def submit(self, request: Any, *, timeout_seconds: float) -> Any:
            with closing(psycopg2.connect(**parameters)) as watcher, watcher.cursor() as cursor:
                cursor.execute("SELECT state FROM pg_stat_activity WHERE pid = %s", [worker])
                states.extend(cursor.fetchall())
            return super().submit(request, timeout_seconds=timeout_seconds)

    body, parameters = a_batch(3), connections["default"].get_connection_params()
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (worker,) = cursor.fetchone()
    assert delivered(bodies=[body], gateway=Watching(), now=at(TODAY)) == []
    assert len(states) == 3
    assert {state for (state,) in states} <= {"idle", "active"}
