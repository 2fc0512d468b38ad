"""One rate for all workers, in the database."""

import datetime
import time

import pytest
from django.db import connection

from payments.call_rate import CallRate, Turns
from payments.models import GatewayRate
from tests.support.databases import rolled_back

NONE = datetime.timedelta()

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
