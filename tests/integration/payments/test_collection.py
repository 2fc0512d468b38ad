"""Collecting: whose turn it is to ask the gateway, for how long, and what of its answers can be kept."""

import datetime
import logging
import time
from typing import Any

import pytest
from django.core.checks import run_checks

from ledger.models import Entry
from payments.gateways import Declined, NotFound, Succeeded
from payments.models import Payment
from rebilling.certificate import certificate
from rebilling.certify import certify
from rebilling.models import Run
from rebilling.presentation import verdict
from tests.builders import (
    NOW,
    TODAY,
    QueueInHand,
    ScriptedGateway,
    an_account,
    delivered,
    sent_again,
    statuses_of,
    swept,
)
from tests.databases import rolled_back

LATER = NOW + datetime.timedelta(minutes=16)


def charged_and_cut_off(accounts: int = 1) -> Run:
    """Periods that were charged, by a worker that was cut off before it collected."""
    for _ in range(accounts):
        an_account()
    queue = QueueInHand()
    run = swept(as_of=TODAY, queue=queue)
    assert delivered(bodies=queue.take(), seconds_left=1, queue=QueueInHand()) == []
    assert set(Payment.objects.values_list("status", flat=True)) == {"SUBMITTED"}
    return run


@rolled_back
class TestLostPayment:
    def test_keeps_its_run_open_and_is_sent_again_and_collected(self) -> None:
        run = charged_and_cut_off(accounts=2)
        (found,) = certify(runs=[run], now=LATER)
        assert (found.status, found.clean) == ("OPEN", False)
        assert verdict(found) == "In progress: 2 payments are still to be collected."
        queue = QueueInHand()
        assert sent_again(queue=queue, now=NOW) == 0
        assert sent_again(queue=queue, now=LATER) == 1
        gateway = ScriptedGateway()
        assert delivered(bodies=queue.take(), gateway=gateway) == []
        assert len(gateway.requests) == 2
        assert Entry.objects.filter(type="payment").count() == 2
        (found,) = certify(runs=[run], now=LATER)
        assert found.status == "CERTIFIED"

    def test_is_left_alone_while_it_is_being_collected(self) -> None:
        charged_and_cut_off()
        Payment.objects.update(leased_until=LATER + datetime.timedelta(seconds=1))
        assert sent_again(queue=QueueInHand(), now=LATER) == 0


@rolled_back
class TestGarbage:
    @pytest.mark.parametrize(
        "answer",
        [
            lambda request: Succeeded.of(request, reference=""),
            lambda request: Succeeded.of(request, reference="x" * 201),
            lambda request: Succeeded.of(request, reference="a\0b"),
            lambda request: Succeeded.of(request, reference=None),  # type: ignore[arg-type]
            NotFound(),
            Declined(code=""),
            Declined(code="x" * 101),
            None,
        ],
        ids=[
            "no_reference",
            "a_long_reference",
            "a_reference_with_a_null",
            "a_reference_that_is_no_text",
            "nothing_found",
            "no_code",
            "a_long_code",
            "nothing",
        ],
    )
    def test_of_the_gateway_is_unknown_and_the_rest_of_the_pack_is_settled(
        self, answer: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        accounts = [an_account() for _ in range(3)]
        queue = QueueInHand()
        swept(as_of=TODAY, queue=queue)
        assert delivered(bodies=queue.take(), gateway=ScriptedGateway(answer)) == []
        states = sorted(status for account in accounts for _, status in statuses_of(account))
        assert states == ["CHARGED", "PAID", "PAID"]
        assert Payment.objects.filter(status="UNKNOWN").count() == 1
        assert [record.levelname for record in caplog.records if "the gateway" in record.message] == ["ERROR"]


@rolled_back
class TestLease:
    def test_no_call_begins_that_could_outlast_it(self, settings: Any) -> None:
        settings.PAYMENT_COLLECTORS, settings.PAYMENT_LEASE_SECONDS = 1, 2
        settings.PAYMENT_GATEWAY_TIMEOUT_SECONDS = 1
        for _ in range(4):
            an_account()
        queue, gateway = QueueInHand(), ScriptedGateway()
        swept(as_of=TODAY, queue=queue)
        ends = time.monotonic() + 900

        class Slow(ScriptedGateway):
            def collect(self, request: Any, *, timeout_seconds: float) -> Any:
                time.sleep(0.6)
                return gateway.collect(request, timeout_seconds=timeout_seconds)

        from rebilling.processor import Delivery, Surroundings, process_deliveries

        surroundings = Surroundings(
            gateway=Slow(), queue=queue, seconds_left=lambda: ends - time.monotonic(), today=TODAY, now=NOW
        )
        (body,) = queue.take()
        assert process_deliveries(deliveries=[Delivery("0", body)], surroundings=surroundings) == []
        assert len(gateway.requests) == 2
        (message,) = queue.messages
        assert len(message.payments) == 2
        assert Payment.objects.filter(status="SUBMITTED", leased_until=None).count() == 2

    def test_must_be_longer_than_the_gateways_deadline(self, settings: Any) -> None:
        settings.PAYMENT_LEASE_SECONDS = settings.PAYMENT_GATEWAY_TIMEOUT_SECONDS
        assert [error.id for error in run_checks()] == ["payments.E001"]


@rolled_back
class TestGateways:
    def test_a_payment_goes_to_the_one_it_was_recorded_for_and_to_no_other(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        run = charged_and_cut_off()
        queue = QueueInHand()
        sent_again(queue=queue, now=LATER)

        class Another(ScriptedGateway):
            name = "another"

        other, own = Another(), ScriptedGateway()
        # Its message is done with, or it would be a dead letter each hour; its row is sent again.
        assert delivered(bodies=queue.bodies, gateway=other) == []
        assert other.requests == []
        assert [record.levelno for record in caplog.records if "another gateway" in record.message] == [logging.ERROR]
        assert delivered(bodies=queue.take(), gateway=own) == []
        assert len(own.requests) == 1
        assert certificate(run=run, now=LATER).clean
