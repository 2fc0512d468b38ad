"""Calls to the gateway: which worker makes them, how long they may take, and which answers can be kept."""

import datetime
import logging
import time
from typing import Any

import pytest
from django.core.checks import run_checks
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ledger.models import Entry
from payments.gateways.port import Answer, Declined, Finding, NotFound, Request, Succeeded, Unknown
from payments.leases import Lease, take_lease
from payments.messages.format import to_json
from payments.messages.rows import PaymentsMessage, RefundsMessage
from payments.models import Payment
from rebilling import worker
from rebilling.invoice_periods import Charged, invoice_periods
from rebilling.models import Run
from rebilling.reconciliation.presentation import verdict
from rebilling.reconciliation.reconcile import reconcile
from rebilling.reconciliation.summary import reconciliation_of
from rebilling.worker import Delivery, Surroundings, process_deliveries
from tests.builders import (
    NOW,
    TODAY,
    QueueInHand,
    ScriptedGateway,
    an_account,
    billed,
    delivered,
    sent_again,
    swept,
)
from tests.support.databases import rolled_back
from tests.support.owing import rows
from tests.support.refunds import paid, requested

HOUR = datetime.timedelta(hours=1)
LATER = NOW + datetime.timedelta(minutes=16)

pytestmark = rolled_back


class Timed(ScriptedGateway):
    """Records how many seconds each call may take. Each submission takes `lasts` seconds of `worked`."""

    def __init__(self, *, lasts: float = 0, **found: Any) -> None:
        super().__init__(**found)
        self.seconds: list[tuple[str, float]] = []
        self.worked, self.lasts = 0.0, lasts

    def submit(self, request: Request, *, timeout_seconds: float) -> Answer:
        self.seconds.append(("submit", timeout_seconds))
        self.worked += self.lasts
        return super().submit(request, timeout_seconds=timeout_seconds)

    def look_up(self, request: Request, *, timeout_seconds: float) -> Finding:
        self.seconds.append(("look up", timeout_seconds))
        return super().look_up(request, timeout_seconds=timeout_seconds)


def called_again(gateway: Timed) -> list[tuple[str, float]]:
    an_account()
    billed(as_of=TODAY, gateway=ScriptedGateway(Unknown(reason="timed out")))
    queue = QueueInHand()
    assert sent_again(queue=queue, now=NOW + HOUR) == 1
    assert delivered(bodies=queue.take(), gateway=gateway, now=NOW + HOUR) == []
    return gateway.seconds


class TestTwoCalls:
    def test_have_half_the_time_each(self, settings: Any) -> None:
        settings.PAYMENT_GATEWAY_TIMEOUT_SECONDS = 12
        assert called_again(Timed(found=[NotFound()])) == [("look up", 6), ("submit", 6)]

    def test_a_first_submission_has_all_of_it(self, settings: Any) -> None:
        settings.PAYMENT_GATEWAY_TIMEOUT_SECONDS = 12
        gateway = Timed()
        an_account()
        billed(as_of=TODAY, gateway=gateway)
        assert gateway.seconds == [("submit", 12)]


class TestLease:
    def worked(self, *, gateway: Timed, accounts: int) -> QueueInHand:
        """A batch of so many. What was sent on."""
        for _ in range(accounts):
            an_account()
        queue = QueueInHand()
        swept(as_of=TODAY, queue=queue)
        (body,) = queue.take()

        surroundings = Surroundings(
            gateway=gateway,
            queue=queue,
            clock=lambda: NOW + datetime.timedelta(seconds=gateway.worked),
            seconds_left=lambda: 900 - gateway.worked,
        )
        assert process_deliveries(deliveries=[Delivery("0", body)], surroundings=surroundings) == []
        return queue

    @pytest.mark.parametrize(("charging", "called"), [(99, True), (101, False)])
    def test_of_a_new_payment_counts_the_time_that_charging_took(
        self, settings: Any, monkeypatch: pytest.MonkeyPatch, charging: float, called: bool
    ) -> None:
        """It is committed with the payment. A call that might outlast it isn't made: the payment is released and sent
        on.
        """
        settings.PAYMENT_LEASE_SECONDS, settings.PAYMENT_GATEWAY_TIMEOUT_SECONDS = 120, 20
        gateway = Timed()

        def slow(**given: Any) -> Charged:
            gateway.worked += charging
            return invoice_periods(**given)

        monkeypatch.setattr(worker, "invoice_periods", slow)
        queue = self.worked(gateway=gateway, accounts=1)
        assert (len(gateway.seconds), len(queue.payments)) == ((1, 0) if called else (0, 1))
        assert not Payment.objects.filter(leased_until__isnull=False).exists()
        assert Payment.objects.filter(first_called_at__isnull=False).exists() == called

    def test_of_new_payments_needs_no_statement(self) -> None:
        for _ in range(3):
            an_account()
        queue = QueueInHand()
        swept(as_of=TODAY, queue=queue)
        with CaptureQueriesContext(connection) as captured:
            assert delivered(bodies=queue.take(), gateway=Timed()) == []
        written = [query["sql"] for query in captured if "payments_payment" in query["sql"]]
        assert [sql.split(maxsplit=1)[0] for sql in written if "SET leased_until" in sql] == []
        assert Payment.objects.filter(first_called_at=NOW, status="SUCCEEDED").count() == 3

    def test_of_refunds_begins_when_it_is_taken_too(self, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        settings.PAYMENT_LEASE_SECONDS = 120
        body = to_json(RefundsMessage(ids=(requested(paid()).id,)))
        leases, instants = [], iter([NOW])

        def recorded(**given: Any) -> Lease:
            leases.append(take_lease(**given))
            return leases[-1]

        monkeypatch.setattr(worker, "take_lease", recorded)
        surroundings = Surroundings(
            gateway=Timed(),
            queue=QueueInHand(),
            clock=lambda: next(instants, NOW + datetime.timedelta(seconds=10)),
            seconds_left=lambda: 900,
        )
        assert process_deliveries(deliveries=[Delivery("0", body)], surroundings=surroundings) == []
        assert [lease.until for lease in leases] == [NOW + datetime.timedelta(seconds=120)]

    def test_counts_the_time_that_taking_it_took(self, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        settings.PAYMENT_LEASE_SECONDS, settings.PAYMENT_GATEWAY_TIMEOUT_SECONDS = 120, 20
        charged_and_cut_off()
        gateway, queue = Timed(), QueueInHand()

        def slow(**given: Any) -> Lease:
            gateway.worked += 100.5
            return take_lease(**given)

        monkeypatch.setattr(worker, "take_lease", slow)
        body = to_json(PaymentsMessage(ids=(Payment.objects.get().id,)))
        surroundings = Surroundings(
            gateway=gateway,
            queue=queue,
            clock=lambda: NOW + datetime.timedelta(seconds=gateway.worked),
            seconds_left=lambda: 900 - gateway.worked,
        )
        assert process_deliveries(deliveries=[Delivery("0", body)], surroundings=surroundings) == []
        assert gateway.seconds == []
        assert len(queue.payments) == 1

    def test_is_used_to_the_last_whole_call_and_no_further(self, settings: Any) -> None:
        """Calls of 0.9 seconds in a lease of 3, each of which might have taken one: the last begins at 1.8."""
        settings.PAYMENT_COLLECTORS, settings.PAYMENT_LEASE_SECONDS, settings.PAYMENT_GATEWAY_TIMEOUT_SECONDS = 1, 3, 1
        gateway = Timed(lasts=0.9)
        queue = self.worked(gateway=gateway, accounts=6)
        assert len(gateway.seconds) == 3
        assert len(queue.payments) == 3


def charged_and_cut_off(accounts: int = 1) -> Run:
    """Periods that were charged, by a worker that was cut off before it collected."""
    for _ in range(accounts):
        an_account()
    queue = QueueInHand()
    run = swept(as_of=TODAY, queue=queue)
    assert delivered(bodies=queue.take(), seconds_left=1, queue=QueueInHand()) == []
    assert set(Payment.objects.values_list("status", flat=True)) == {"SUBMITTED"}
    return run


class TestLostPayment:
    def test_keeps_its_run_open_and_is_sent_again_and_collected(self) -> None:
        run = charged_and_cut_off(accounts=2)
        (found,) = reconcile(runs=[run], now=LATER)
        assert (found.status, found.clean) == ("OPEN", False)
        assert verdict(found) == "In progress: 2 payments still to be collected."
        queue = QueueInHand()
        assert sent_again(queue=queue, now=NOW) == 0
        assert sent_again(queue=queue, now=LATER) == 1
        gateway = ScriptedGateway()
        assert delivered(bodies=queue.take(), gateway=gateway) == []
        assert len(gateway.requests) == 2
        assert Entry.objects.filter(type="payment").count() == 2
        (found,) = reconcile(runs=[run], now=LATER)
        assert found.status == "RECONCILED"

    def test_is_left_alone_while_it_is_being_collected(self) -> None:
        charged_and_cut_off()
        Payment.objects.update(leased_until=LATER + datetime.timedelta(seconds=1))
        assert sent_again(queue=QueueInHand(), now=LATER) == 0


class TestUnusableAnswer:
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
    def test_of_the_gateway_is_unknown_and_the_rest_of_the_batch_is_recorded(
        self, answer: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        accounts = [an_account() for _ in range(3)]
        queue = QueueInHand()
        swept(as_of=TODAY, queue=queue)
        assert delivered(bodies=queue.take(), gateway=ScriptedGateway(answer)) == []
        states = sorted(status for account in accounts for status, *_ in rows(account))
        assert states == ["OPEN", "PAID", "PAID"]
        assert Payment.objects.filter(status="UNKNOWN").count() == 1
        assert [record.levelname for record in caplog.records if "the gateway" in record.message] == ["ERROR"]


class TestLeaseInRealTime:
    def test_no_call_begins_that_could_outlast_it(self, settings: Any) -> None:
        settings.PAYMENT_COLLECTORS, settings.PAYMENT_LEASE_SECONDS = 1, 2
        settings.PAYMENT_GATEWAY_TIMEOUT_SECONDS = 1
        for _ in range(4):
            an_account()
        queue, gateway = QueueInHand(), ScriptedGateway()
        swept(as_of=TODAY, queue=queue)
        began = time.monotonic()

        class Slow(ScriptedGateway):
            def submit(self, request: Any, *, timeout_seconds: float) -> Any:
                time.sleep(0.6)
                return gateway.submit(request, timeout_seconds=timeout_seconds)

        surroundings = Surroundings(
            gateway=Slow(),
            queue=queue,
            clock=lambda: NOW + datetime.timedelta(seconds=time.monotonic() - began),
            seconds_left=lambda: 900,
        )
        (body,) = queue.take()
        assert process_deliveries(deliveries=[Delivery("0", body)], surroundings=surroundings) == []
        assert len(gateway.requests) == 2
        assert (len(queue.payments), len(queue.bodies)) == (2, 1)
        assert Payment.objects.filter(status="SUBMITTED", leased_until=None).count() == 2

    def test_must_be_longer_than_the_gateways_deadline(self, settings: Any) -> None:
        settings.PAYMENT_LEASE_SECONDS = settings.PAYMENT_GATEWAY_TIMEOUT_SECONDS
        assert [error.id for error in run_checks()] == ["payments.E001"]


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
        assert reconciliation_of(run=run, now=LATER).clean
