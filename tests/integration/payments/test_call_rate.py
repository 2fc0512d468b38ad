"""One rate for all workers, in the database; and the gateway called at it: a 429 holds up nobody for long, and what has
no time is sent on.
"""

import datetime
import logging
import time
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from django.db import connection, connections

from payments.call_rate import CallRate, Turns
from payments.gateways.port import NotAttempted
from payments.models import GatewayRate, Payment
from tests.builders import TODAY, QueueInHand, ScriptedGateway, an_account, at, delivered, swept, takes
from tests.support.databases import committed, rolled_back

NONE = datetime.timedelta()
TOO_OFTEN = NotAttempted("slow down", retry_after=datetime.timedelta(milliseconds=20))

pytestmark = rolled_back


def rate(gateway: str = "stripe", *, calls_per_second: int = 1) -> CallRate:
    return CallRate(gateway=gateway, calls_per_second=calls_per_second)


def test_turns_follow_one_another_whoever_asks() -> None:
    """A second apart, less what passed between the statements."""
    delays = [rate().reserve(1).delay.total_seconds() for _ in range(4)]
    assert delays[0] == 0
    assert [wanted - 0.5 < delay <= wanted for wanted, delay in enumerate(delays[1:], start=1)] == [True] * 3


def test_a_quarter_of_a_second_is_reserved_at_once_at_most() -> None:
    assert rate(calls_per_second=100).reserve(500) == Turns(25, NONE, datetime.timedelta(milliseconds=10))
    assert rate(calls_per_second=100).reserve(2).calls == 2
    assert rate(calls_per_second=3).reserve(500).calls == 1


def test_a_rate_that_was_not_used_saves_nothing_up() -> None:
    rate(calls_per_second=1000).reserve(1)
    time.sleep(0.02)
    assert rate(calls_per_second=10).reserve(2) == Turns(2, NONE, datetime.timedelta(milliseconds=100))
    assert 0.1 < rate(calls_per_second=10).reserve(1).delay.total_seconds() <= 0.2


def test_a_pause_holds_up_everybody() -> None:
    rate().reserve(1)
    rate().pause(datetime.timedelta(seconds=30))
    assert 29 < rate().reserve(1).delay.total_seconds() <= 30


def test_a_short_pause_shortens_nothing() -> None:
    rate().pause(datetime.timedelta(seconds=30))
    rate().pause(datetime.timedelta(seconds=1))
    assert 29 < rate().reserve(1).delay.total_seconds() <= 30


def test_each_gateway_has_its_own() -> None:
    rate("stripe").pause(datetime.timedelta(seconds=30))
    assert rate("logging").reserve(1).delay.total_seconds() == 0
    assert sorted(GatewayRate.objects.values_list("gateway", flat=True)) == ["logging", "stripe"]


def test_a_reservation_is_one_statement(django_assert_num_queries: pytest.FixtureRequest) -> None:
    with django_assert_num_queries(1):  # type: ignore[operator]
        rate().reserve(1)


def test_its_table_is_not_logged() -> None:
    """A reservation needs no flush to the disk."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT relpersistence FROM pg_class WHERE relname = %s", [GatewayRate._meta.db_table])
        assert cursor.fetchone() == ("u",)


@pytest.fixture
def worker_rate(settings: Any) -> None:
    settings.PAYMENT_GATEWAY_CALLS_PER_SECOND = 1000


def a_batch(accounts: int) -> str:
    queue = QueueInHand()
    for _ in range(accounts):
        an_account()
    swept(as_of=TODAY, queue=queue)
    (body,) = queue.take()
    return body


@pytest.mark.usefixtures("worker_rate")
class TestWorker:
    def test_collects_all_and_says_when_the_next_call_may_be(self) -> None:
        body, gateway = a_batch(5), ScriptedGateway()
        assert delivered(bodies=[body], gateway=gateway) == []
        assert Payment.objects.filter(status="SUCCEEDED").count() == len(gateway.requests) == 5
        assert GatewayRate.objects.get().gateway == gateway.name

    def test_called_too_often_waits_and_collects_all(self, caplog: pytest.LogCaptureFixture) -> None:
        """Without a rate the whole message would come back, in half an hour."""
        body, gateway, queue = a_batch(5), ScriptedGateway(TOO_OFTEN, takes, TOO_OFTEN), QueueInHand()
        assert delivered(bodies=[body], gateway=gateway, queue=queue) == []
        assert Payment.objects.filter(status="SUCCEEDED").count() == 5
        assert (len(gateway.requests), queue.bodies) == (7, [])
        # Once, or again after a request that was taken in between.
        warnings = {record.message for record in caplog.records if record.levelno >= logging.WARNING}
        assert warnings == {"the gateway is called too often, and is waited for"}

    def test_without_a_rate_the_message_comes_back(self, settings: Any) -> None:
        settings.PAYMENT_GATEWAY_CALLS_PER_SECOND, settings.PAYMENT_COLLECTORS = 0, 1
        body, gateway = a_batch(5), ScriptedGateway(TOO_OFTEN)
        assert delivered(bodies=[body], gateway=gateway) == ["0"]
        assert len(gateway.requests) == 1

    def test_what_has_its_turn_after_the_lease_is_sent_on(self, settings: Any) -> None:
        settings.PAYMENT_GATEWAY_CALLS_PER_SECOND = 1
        body, gateway, queue = a_batch(3), ScriptedGateway(), QueueInHand()
        # The first call may begin in the half second that is left beside what a call and the recording may take.
        seconds_left = settings.PAYMENT_GATEWAY_TIMEOUT_SECONDS + 5.5
        assert delivered(bodies=[body], gateway=gateway, queue=queue, seconds_left=seconds_left) == []
        assert len(gateway.requests) == 1
        assert len(queue.payments) == 2
        assert Payment.objects.filter(status="SUBMITTED", first_called_at=None, leased_until=None).count() == 2

    @committed
    def test_no_transaction_is_open_while_calls_are_made(self) -> None:
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
