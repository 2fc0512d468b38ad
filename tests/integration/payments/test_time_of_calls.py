"""How long calls may take: within the lease however long charging took, and two for one row within the time of one."""

import datetime
from typing import Any

import pytest

from payments import collection
from payments.gateways import Answer, Finding, NotFound, PaymentRequest, Unknown
from payments.leasing import Lease, take_lease
from payments.models import Payment
from rebilling.message import RefundsMessage, to_json
from rebilling.processor import Delivery, Surroundings, process_deliveries
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
    takes,
)
from tests.databases import rolled_back
from tests.integration.rebilling.refunded import paid, requested

HOUR = datetime.timedelta(hours=1)

pytestmark = rolled_back


class Timed(ScriptedGateway):
    """Records how many seconds it was given, and moves a clock on by `lasts` for each payment that it takes."""

    def __init__(self, *, lasts: float = 0, **found: Any) -> None:
        super().__init__(**found)
        self.seconds: list[tuple[str, float]] = []
        self.worked, self.lasts = 0.0, lasts

    def collect(self, request: PaymentRequest, *, timeout_seconds: float) -> Answer:
        self.seconds.append(("collect", timeout_seconds))
        self.worked += self.lasts
        return takes(request)

    def look_up(self, request: PaymentRequest, *, timeout_seconds: float) -> Finding:
        self.seconds.append(("look up", timeout_seconds))
        return super().look_up(request, timeout_seconds=timeout_seconds)


def asked_again(gateway: Timed) -> list[tuple[str, float]]:
    an_account()
    billed(as_of=TODAY, gateway=ScriptedGateway(Unknown(reason="timed out")))
    queue = QueueInHand()
    assert sent_again(queue=queue, now=NOW + HOUR) == 1
    assert delivered(bodies=queue.take(), gateway=gateway, now=NOW + HOUR) == []
    return gateway.seconds


class TestTwoCalls:
    def test_have_half_the_time_each(self, settings: Any) -> None:
        settings.PAYMENT_GATEWAY_TIMEOUT_SECONDS = 12
        assert asked_again(Timed(found=[NotFound()])) == [("look up", 6), ("collect", 6)]

    def test_a_first_submission_has_all_of_it(self, settings: Any) -> None:
        settings.PAYMENT_GATEWAY_TIMEOUT_SECONDS = 12
        gateway = Timed()
        an_account()
        billed(as_of=TODAY, gateway=gateway)
        assert gateway.seconds == [("collect", 12)]


class TestLease:
    def worked(self, *, charging: float, gateway: Timed, accounts: int) -> QueueInHand:
        """A pack of so many, of which the charging takes so many seconds. What was sent on."""
        for _ in range(accounts):
            an_account()
        queue = QueueInHand()
        swept(as_of=TODAY, queue=queue)
        (body,) = queue.take()

        def seconds_left() -> float:
            took = charging if Payment.objects.exists() else 0.0
            return 900 - took - gateway.worked

        surroundings = Surroundings(gateway=gateway, queue=queue, seconds_left=seconds_left, today=TODAY, now=NOW)
        assert process_deliveries(deliveries=[Delivery("0", body)], surroundings=surroundings) == []
        return queue

    def test_begins_when_the_charging_is_over(self, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """Counted from before, it would end while the last calls under it are being made."""
        settings.PAYMENT_LEASE_SECONDS = 120
        leases = []

        def recorded(**given: Any) -> Lease:
            leases.append(take_lease(**given))
            return leases[-1]

        monkeypatch.setattr(collection, "take_lease", recorded)
        gateway = Timed()
        self.worked(charging=300, gateway=gateway, accounts=1)
        assert [lease.until for lease in leases] == [NOW + datetime.timedelta(seconds=420)]
        assert len(gateway.seconds) == 1

    def test_of_refunds_begins_when_it_is_taken_too(self, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        settings.PAYMENT_LEASE_SECONDS = 120
        body = to_json(RefundsMessage(refunds=(requested(paid()).id,)))
        leases, left = [], iter([900.0])

        def recorded(**given: Any) -> Lease:
            leases.append(take_lease(**given))
            return leases[-1]

        monkeypatch.setattr(collection, "take_lease", recorded)
        surroundings = Surroundings(
            gateway=Timed(), queue=QueueInHand(), seconds_left=lambda: next(left, 890.0), today=TODAY, now=NOW
        )
        assert process_deliveries(deliveries=[Delivery("0", body)], surroundings=surroundings) == []
        assert [lease.until for lease in leases] == [NOW + datetime.timedelta(seconds=130)]

    def test_counts_the_time_that_taking_it_took(self, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        settings.PAYMENT_LEASE_SECONDS, settings.PAYMENT_GATEWAY_TIMEOUT_SECONDS = 120, 20
        gateway = Timed()

        def slow(**given: Any) -> Lease:
            gateway.worked += 100.5
            return take_lease(**given)

        monkeypatch.setattr(collection, "take_lease", slow)
        queue = self.worked(charging=0, gateway=gateway, accounts=1)
        assert gateway.seconds == []
        assert [len(message.payments) for message in queue.messages] == [1]

    def test_is_used_to_the_last_whole_call_and_no_further(self, settings: Any) -> None:
        """Calls of 0.9 seconds in a lease of 3, each of which might have taken one: the last begins at 1.8."""
        settings.PAYMENT_COLLECTORS, settings.PAYMENT_LEASE_SECONDS, settings.PAYMENT_GATEWAY_TIMEOUT_SECONDS = 1, 3, 1
        gateway = Timed(lasts=0.9)
        queue = self.worked(charging=0, gateway=gateway, accounts=6)
        assert len(gateway.seconds) == 3
        assert [len(message.payments) for message in queue.messages] == [3]
