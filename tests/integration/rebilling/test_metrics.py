"""Metrics, as CloudWatch reads them: one JSON object a line, in its embedded metric format."""

import datetime
import io
import json
import logging
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from django.conf import settings

from billing_site.log_format import JsonFormatter
from payments.gateways.port import Declined, Unknown
from rebilling.hourly_check import check_hourly
from rebilling.metrics import emit
from tests.builders import (
    NOW,
    TODAY,
    QueueInHand,
    ScriptedGateway,
    a_plan,
    an_account,
    billed,
    delivered,
    sent_again,
    swept,
    takes,
)
from tests.support.databases import rolled_back

pytestmark = rolled_back


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What is logged, as a function's log shows it."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.addHandler(handler)
    yield written
    root.removeHandler(handler)


def metrics_in(lines: io.StringIO) -> list[dict[str, int]]:
    found = []
    for line in map(json.loads, lines.getvalue().splitlines()):
        if "_aws" in line:
            (directive,) = line["_aws"]["CloudWatchMetrics"]
            assert (directive["Namespace"], directive["Dimensions"]) == ("Billing", [[]])
            assert all(metric["Unit"] == "Count" for metric in directive["Metrics"])
            # CloudWatch looks each metric's name up at the top of the object.
            found.append({metric["Name"]: line[metric["Name"]] for metric in directive["Metrics"]})
    return found


def test_a_sweep_and_its_batches_are_counted(lines: io.StringIO, settings: Any) -> None:
    settings.PAYMENT_COLLECTORS = 1
    for _ in range(3):
        an_account()
    start = TODAY - datetime.timedelta(days=40)
    an_account(plan=a_plan(interval_unit="day"), anchor_date=start, rebilling_date=start)
    billed(as_of=TODAY, gateway=ScriptedGateway(takes, Declined(code="no"), Unknown(reason="timed out")))
    assert metrics_in(lines) == [
        {"due": 4, "parked": 1},
        {"charged": 3},
        {"succeeded": 1, "declined": 1, "unknown": 1},
    ]


def test_what_is_charged_is_counted_whatever_fails_after_it(
    lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    an_account()
    queue = QueueInHand()
    swept(as_of=TODAY, queue=queue)
    monkeypatch.setattr("rebilling.worker.call_gateway", mock.Mock(side_effect=MemoryError))
    assert delivered(bodies=queue.bodies) == ["0"]
    monkeypatch.undo()
    lease_is_over = NOW + datetime.timedelta(seconds=settings.PAYMENT_LEASE_SECONDS)
    assert delivered(bodies=queue.take(), now=lease_is_over) == []
    assert [found["charged"] for found in metrics_in(lines) if "charged" in found] == [1, 0]


def test_an_unknown_payment_is_counted_once_however_often_it_is_asked_about(lines: io.StringIO) -> None:
    an_account()
    still = Unknown(reason="timed out")
    billed(as_of=TODAY, gateway=ScriptedGateway(still))
    for hour in (1, 2):
        queue, now = QueueInHand(), NOW + datetime.timedelta(hours=hour)
        sent_again(queue=queue, now=now)
        delivered(bodies=queue.take(), gateway=ScriptedGateway(found=[still]), now=now)
    counted = [found["unknown"] for found in metrics_in(lines) if "unknown" in found]
    assert counted == [1, 0, 0]
    logged = [json.loads(line)["event"] for line in lines.getvalue().splitlines() if '"payment": ' in line]
    assert logged == ["payment.unknown"] * 3


def test_what_waits_for_somebody_is_counted_each_hour(lines: io.StringIO) -> None:
    an_account()
    billed(as_of=TODAY, gateway=ScriptedGateway(Unknown(reason="another amount", needs_review=True)))
    late = an_account(today=TODAY - datetime.timedelta(days=1))
    yesterday = NOW - datetime.timedelta(days=1)
    type(late).objects.filter(id=late.id).update(billing_since=yesterday, rebilling_date=TODAY)
    check_hourly(queue=None, now=NOW)
    assert metrics_in(lines)[-1] == {"unexplained": 1, "needs_review": 1}


def test_a_discrepancy_in_the_books_rings_as_an_unexplained_period_does(lines: io.StringIO) -> None:
    account = an_account()
    billed(as_of=TODAY)
    type(account).objects.filter(id=account.id).update(credit_balance_minor=5)
    check_hourly(queue=None, now=NOW)
    assert metrics_in(lines)[-1] == {"unexplained": 1, "needs_review": 0}


def test_a_line_says_when(lines: io.StringIO) -> None:
    emit(now=NOW, unexplained=0)
    (line,) = map(json.loads, lines.getvalue().splitlines())
    assert line["_aws"]["Timestamp"] == int(NOW.timestamp()) * 1000


def test_what_the_worker_parks_is_counted_once_committed(
    lines: io.StringIO, django_capture_on_commit_callbacks: Any
) -> None:
    account, queue = an_account(), QueueInHand()
    swept(as_of=TODAY, queue=queue)
    type(account).objects.filter(id=account.id).update(rebilling_date=TODAY + datetime.timedelta(days=31))
    with django_capture_on_commit_callbacks() as callbacks:
        delivered(bodies=queue.take())
    assert not any("parked" in found for found in metrics_in(lines)[1:])
    for callback in callbacks:
        callback()
    assert metrics_in(lines)[-1] == {"parked": 1}
