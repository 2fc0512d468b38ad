"""Requests that the gateway rejects: one by itself holds up no other, and after many in a row the rest isn't tried."""

import datetime
import logging
import threading
from typing import Any

import pytest

from accounts.models import Account
from ledger.models import Entry
from payments.circuit_breaker import MAX_CONSECUTIVE_REJECTIONS
from payments.gateways.port import Answer, Declined, NotAttempted, NotFound, PaymentRequest, Request, Unknown
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
    swept,
    takes,
)
from tests.support.databases import rolled_back
from tests.support.owing import rows
from tests.support.refunds import paid, requested, sent

HOUR = datetime.timedelta(hours=1)
ANOTHER_MODE = NotAttempted("the API key and the customer are not of one mode", this_request_only=True)
ONE_REJECTED = "the gateway rejected one request, and no money was moved"

pytestmark = rolled_back


class Choosy(ScriptedGateway):
    """Rejects the payments of customers whose name begins with `cus_bad`."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def submit(self, request: Request, *, timeout_seconds: float) -> Answer:
        with self._lock:
            answer = super().submit(request, timeout_seconds=timeout_seconds)
        return ANOTHER_MODE if self._is_bad(request) else answer

    def _is_bad(self, request: Request) -> bool:
        return isinstance(request, PaymentRequest) and request.customer.startswith("cus_bad")

    @property
    def customers(self) -> list[str]:
        return sorted(request.customer for request in self.requests)


def a_batch(*customers: str) -> tuple[str, list[Account]]:
    plan, queue = a_plan(), QueueInHand()
    accounts = [an_account(plan=plan, payment_customer=customer) for customer in customers]
    swept(as_of=TODAY, queue=queue)
    (body,) = queue.take()
    return body, accounts


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelno == logging.ERROR]


class TestOneRejection:
    def test_eight_at_the_head_of_a_batch_hold_up_nobody(self, caplog: pytest.LogCaptureFixture) -> None:
        body, accounts = a_batch(*[f"cus_bad{n}" for n in range(8)], *["cus_1"] * 32)
        gateway, queue = Choosy(), QueueInHand()
        assert delivered(bodies=[body], gateway=gateway, queue=queue) == []
        assert len(gateway.requests) == 40
        assert [rows(account) for account in accounts[8:]] == [[("PAID", 0, 1999)]] * 32
        assert [rows(account) for account in accounts[:8]] == [[("OPEN", 0, 0)]] * 8
        assert Entry.objects.filter(type="payment").count() == 32
        assert errors(caplog) == [ONE_REJECTED] * 8
        assert queue.bodies == []

    def test_counts_as_no_call_and_is_free_for_the_next_delivery(self) -> None:
        body, _ = a_batch("cus_bad")
        assert delivered(bodies=[body], gateway=Choosy()) == []
        payment = Payment.objects.get()
        assert (payment.status, payment.first_called_at, payment.leased_until) == ("SUBMITTED", None, None)

    def test_is_sent_each_hour_and_never_a_dead_letter_until_it_needs_review(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        body, _ = a_batch("cus_bad")
        assert delivered(bodies=[body], gateway=Choosy()) == []
        for hours in (1, 2, 119):
            gateway, queue, now = Choosy(), QueueInHand(), NOW + hours * HOUR
            check_hourly(queue=None, now=now)
            assert sent_again(queue=queue, now=now) == 1
            assert delivered(bodies=queue.take(), gateway=gateway, queue=queue, now=now) == []
            assert (gateway.customers, queue.bodies, Payment.objects.get().needs_review) == (["cus_bad"], [], False)
        assert errors(caplog) == [ONE_REJECTED] * 4
        check_hourly(queue=None, now=NOW + 120 * HOUR)
        assert (Payment.objects.get().status, Payment.objects.get().needs_review) == ("SUBMITTED", True)

    def test_is_collected_once_the_cause_is_fixed(self) -> None:
        body, (account,) = a_batch("cus_bad")
        delivered(bodies=[body], gateway=Choosy())
        queue = QueueInHand()
        sent_again(queue=queue, now=NOW + HOUR)
        assert delivered(bodies=queue.take(), now=NOW + HOUR) == []
        assert rows(account) == [("PAID", 0, 1999)]

    def test_after_an_earlier_call_keeps_the_time_of_that(self) -> None:
        """The gateway may have received it then: its key isn't new."""
        an_account(payment_customer="cus_1")
        billed(as_of=TODAY, gateway=ScriptedGateway(Unknown(reason="timed out")))
        queue = QueueInHand()
        sent_again(queue=queue, now=NOW + HOUR)
        gateway = ScriptedGateway(ANOTHER_MODE, found=[NotFound()])
        assert delivered(bodies=queue.take(), gateway=gateway, now=NOW + HOUR) == []
        payment = Payment.objects.get()
        assert (payment.status, payment.first_called_at, payment.leased_until) == ("UNKNOWN", NOW, None)

    def test_is_a_refund_too(self, caplog: pytest.LogCaptureFixture) -> None:
        refunds = [requested(paid(), 700), requested(paid(), 800)]
        assert sent(*refunds, gateway=ScriptedGateway(refunds=[ANOTHER_MODE])) == []
        found = sorted(Refund.objects.values_list("status", "leased_until"))
        assert found == [("SUBMITTED", None), ("SUCCEEDED", None)]
        assert errors(caplog) == [ONE_REJECTED]


class TestManyRejectionsInARow:
    @pytest.fixture(autouse=True)
    def one_by_one(self, settings: Any) -> None:
        settings.PAYMENT_COLLECTORS = 1

    def test_mean_all_and_the_rest_is_not_tried(self, caplog: pytest.LogCaptureFixture) -> None:
        """As with an API key of the other mode, or an API version that Stripe has retired."""
        body, _ = a_batch(*["cus_bad"] * (MAX_CONSECUTIVE_REJECTIONS + 5))
        gateway, queue = Choosy(), QueueInHand()
        assert delivered(bodies=[body], gateway=gateway, queue=queue) == ["0"]
        assert (len(gateway.requests), queue.bodies) == (20, [])
        assert Payment.objects.filter(status="SUBMITTED", first_called_at=None, leased_until=None).count() == 25
        message = f"the gateway takes no requests, 25 payments wait: {ANOTHER_MODE.reason} (20 requests in a row)"
        assert errors(caplog) == [ONE_REJECTED] * 20 + [message]

    def test_one_fewer_do_not(self) -> None:
        body, _ = a_batch(*["cus_bad"] * (MAX_CONSECUTIVE_REJECTIONS - 1))
        assert delivered(bodies=[body], gateway=Choosy()) == []

    @pytest.mark.parametrize("between", [takes, Declined("insufficient_funds")])
    def test_are_counted_from_zero_after_one_that_was_taken(self, between: Any) -> None:
        body, _ = a_batch(*["cus_1"] * (2 * MAX_CONSECUTIVE_REJECTIONS - 1))
        answers = [ANOTHER_MODE] * (MAX_CONSECUTIVE_REJECTIONS - 1)
        gateway = ScriptedGateway(*answers, between, *answers)
        assert delivered(bodies=[body], gateway=gateway) == []
        assert len(gateway.requests) == 39

    def test_are_counted_on_after_an_unknown_outcome(self) -> None:
        body, _ = a_batch(*["cus_1"] * (MAX_CONSECUTIVE_REJECTIONS + 2))
        answers = [ANOTHER_MODE] * (MAX_CONSECUTIVE_REJECTIONS - 1)
        gateway = ScriptedGateway(*answers, Unknown(reason="timed out"), ANOTHER_MODE)
        assert delivered(bodies=[body], gateway=gateway) == ["0"]
        assert len(gateway.requests) == 21

    def test_of_accounts_that_were_imported_together_do_not_come_in_a_row(self) -> None:
        body, _ = a_batch(*["cus_bad"] * MAX_CONSECUTIVE_REJECTIONS, *["cus_1"] * 60)
        gateway = Choosy()
        assert delivered(bodies=[body], gateway=gateway) == []
        assert len(gateway.requests) == 80

    def test_beside_one_that_means_all_give_that_ones_reason(self, caplog: pytest.LogCaptureFixture) -> None:
        body, _ = a_batch(*["cus_1"] * 3)
        gateway = ScriptedGateway(ANOTHER_MODE, NotAttempted("rate limit"))
        assert delivered(bodies=[body], gateway=gateway) == ["0"]
        assert errors(caplog) == [ONE_REJECTED, "the gateway takes no requests, 3 payments wait: rate limit"]
        assert Payment.objects.filter(status="SUBMITTED", first_called_at=None, leased_until=None).count() == 3
