"""Requests that the gateway doesn't take: one for its own sake holds up no other, and many in a row are all."""

import datetime
import logging
import threading
from typing import Any

import pytest

from accounts.models import Account
from ledger.models import Entry
from payments.asking import MOST_ALONE
from payments.gateways import Answer, Declined, NotAttempted, NotFound, PaymentRequest, Unknown
from payments.models import Payment, Refund
from rebilling.hourly_check import check_hourly
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
    statuses_of,
    swept,
    takes,
)
from tests.databases import rolled_back
from tests.integration.rebilling.refunded import paid, requested, sent

HOUR = datetime.timedelta(hours=1)
ANOTHER_MODE = NotAttempted("the API key and the customer are not of one mode", alone=True)
NOT_THE_GATEWAYS = "the gateway doesn't take one request, and nothing was moved"

pytestmark = rolled_back


class Choosy(ScriptedGateway):
    """Takes no request of a customer whose name begins with `cus_bad`."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def collect(self, request: PaymentRequest, *, timeout_seconds: float) -> Answer:
        with self._lock:
            self.requests.append(request)
        return ANOTHER_MODE if request.customer.startswith("cus_bad") else takes(request)

    @property
    def asked(self) -> list[str]:
        return sorted(request.customer for request in self.requests)


def a_pack(*customers: str) -> tuple[str, list[Account]]:
    plan, queue = a_plan(), QueueInHand()
    accounts = [an_account(plan=plan, payment_customer=customer) for customer in customers]
    swept(as_of=TODAY, queue=queue)
    (body,) = queue.take()
    return body, accounts


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelno == logging.ERROR]


class TestOneAlone:
    def test_eight_at_the_head_of_a_pack_hold_up_nobody(self, caplog: pytest.LogCaptureFixture) -> None:
        body, accounts = a_pack(*[f"cus_bad{n}" for n in range(8)], *["cus_1"] * 32)
        gateway, queue = Choosy(), QueueInHand()
        assert delivered(bodies=[body], gateway=gateway, queue=queue) == []
        assert len(gateway.requests) == 40
        assert [statuses_of(account) for account in accounts[8:]] == [[(TODAY, "PAID")]] * 32
        assert [statuses_of(account) for account in accounts[:8]] == [[(TODAY, "CHARGED")]] * 8
        assert Entry.objects.filter(type="payment").count() == 32
        assert errors(caplog) == [NOT_THE_GATEWAYS] * 8
        assert queue.bodies == []

    def test_was_not_asked_for_and_is_free_for_the_next_delivery(self) -> None:
        body, _ = a_pack("cus_bad")
        assert delivered(bodies=[body], gateway=Choosy()) == []
        payment = Payment.objects.get()
        assert (payment.status, payment.asked_at, payment.leased_until) == ("SUBMITTED", None, None)

    def test_is_sent_each_hour_and_never_a_dead_letter_until_it_needs_a_person(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        body, _ = a_pack("cus_bad")
        assert delivered(bodies=[body], gateway=Choosy()) == []
        for hours in (1, 2, 119):
            gateway, queue, now = Choosy(), QueueInHand(), NOW + hours * HOUR
            check_hourly(queue=None, now=now)
            assert sent_again(queue=queue, now=now) == 1
            assert delivered(bodies=queue.take(), gateway=gateway, queue=queue, now=now) == []
            assert (gateway.asked, queue.bodies, Payment.objects.get().needs_person) == (["cus_bad"], [], False)
        assert errors(caplog) == [NOT_THE_GATEWAYS] * 4
        check_hourly(queue=None, now=NOW + 120 * HOUR)
        assert (Payment.objects.get().status, Payment.objects.get().needs_person) == ("SUBMITTED", True)

    def test_is_collected_once_it_has_been_put_right(self) -> None:
        body, (account,) = a_pack("cus_bad")
        delivered(bodies=[body], gateway=Choosy())
        queue = QueueInHand()
        sent_again(queue=queue, now=NOW + HOUR)
        assert delivered(bodies=queue.take(), now=NOW + HOUR) == []
        assert statuses_of(account) == [(TODAY, "PAID")]

    def test_that_was_asked_for_before_keeps_the_time_of_that(self) -> None:
        """The gateway may have heard of it then: its key isn't fresh."""
        an_account(payment_customer="cus_1")
        billed(as_of=TODAY, gateway=ScriptedGateway(Unknown(reason="timed out")))
        queue = QueueInHand()
        sent_again(queue=queue, now=NOW + HOUR)
        gateway = ScriptedGateway(ANOTHER_MODE, found=[NotFound()])
        assert delivered(bodies=queue.take(), gateway=gateway, now=NOW + HOUR) == []
        payment = Payment.objects.get()
        assert (payment.status, payment.asked_at, payment.leased_until) == ("UNKNOWN", NOW, None)

    def test_is_a_refund_too(self, caplog: pytest.LogCaptureFixture) -> None:
        refunds = [requested(paid(), 700), requested(paid(), 800)]
        assert sent(*refunds, gateway=ScriptedGateway(refunds=[ANOTHER_MODE])) == []
        found = sorted(Refund.objects.values_list("status", "leased_until"))
        assert found == [("SUBMITTED", None), ("SUCCEEDED", None)]
        assert errors(caplog) == [NOT_THE_GATEWAYS]


class TestManyInARow:
    @pytest.fixture(autouse=True)
    def one_by_one(self, settings: Any) -> None:
        settings.PAYMENT_COLLECTORS = 1

    def test_are_all_and_the_rest_is_not_tried(self, caplog: pytest.LogCaptureFixture) -> None:
        """As with a key of the other mode, or an API version that Stripe has done away with."""
        body, _ = a_pack(*["cus_bad"] * (MOST_ALONE + 5))
        gateway, queue = Choosy(), QueueInHand()
        assert delivered(bodies=[body], gateway=gateway, queue=queue) == ["0"]
        assert (len(gateway.requests), queue.bodies) == (20, [])
        assert Payment.objects.filter(status="SUBMITTED", asked_at=None, leased_until=None).count() == 25
        told = f"the gateway takes no requests, 25 payments wait: {ANOTHER_MODE.reason} (20 requests in a row)"
        assert errors(caplog) == [NOT_THE_GATEWAYS] * 20 + [told]

    def test_one_less_are_not(self) -> None:
        body, _ = a_pack(*["cus_bad"] * (MOST_ALONE - 1))
        assert delivered(bodies=[body], gateway=Choosy()) == []

    @pytest.mark.parametrize("between", [takes, Declined("insufficient_funds")])
    def test_begin_anew_after_one_that_was_taken(self, between: Any) -> None:
        body, _ = a_pack(*["cus_1"] * (2 * MOST_ALONE - 1))
        answers = [ANOTHER_MODE] * (MOST_ALONE - 1)
        gateway = ScriptedGateway(*answers, between, *answers)
        assert delivered(bodies=[body], gateway=gateway) == []
        assert len(gateway.requests) == 39

    def test_go_on_over_one_of_which_nothing_was_heard(self) -> None:
        body, _ = a_pack(*["cus_1"] * (MOST_ALONE + 2))
        answers = [ANOTHER_MODE] * (MOST_ALONE - 1)
        gateway = ScriptedGateway(*answers, Unknown(reason="timed out"), ANOTHER_MODE)
        assert delivered(bodies=[body], gateway=gateway) == ["0"]
        assert len(gateway.requests) == 21

    def test_of_accounts_that_were_imported_together_are_not_asked_in_a_row(self) -> None:
        body, _ = a_pack(*["cus_bad"] * MOST_ALONE, *["cus_1"] * 60)
        gateway = Choosy()
        assert delivered(bodies=[body], gateway=gateway) == []
        assert len(gateway.requests) == 80

    def test_are_told_beside_one_for_all_by_that_ones_reason(self, caplog: pytest.LogCaptureFixture) -> None:
        body, _ = a_pack(*["cus_1"] * 3)
        gateway = ScriptedGateway(ANOTHER_MODE, NotAttempted("rate limit"))
        assert delivered(bodies=[body], gateway=gateway) == ["0"]
        assert errors(caplog) == [NOT_THE_GATEWAYS, "the gateway takes no requests, 3 payments wait: rate limit"]
        assert Payment.objects.filter(status="SUBMITTED", asked_at=None, leased_until=None).count() == 3
