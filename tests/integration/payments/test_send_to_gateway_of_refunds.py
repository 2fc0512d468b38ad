"""Sending money back: submitted under one key while that is kept, looked up from then on, reviewed in the end."""

import datetime
import logging
import time
import uuid
from typing import Any

import pytest

from ledger.models import Entry
from payments.gateways.port import Answer, Declined, Gateway, NotAttempted, NotFound, Request, Succeeded, Unknown
from payments.messages.format import MAX_ITEMS, to_json
from payments.messages.rows import RefundsMessage
from payments.models import Refund
from rebilling.hourly_check import check_hourly
from rebilling.messages.message import from_json
from rebilling.worker import Delivery, Surroundings, process_deliveries
from tests.builders import (
    NOW,
    QueueInHand,
    ScriptedGateway,
    a_plan,
    an_account,
    at,
    delivered,
    sends_back,
    sent_again,
    swept,
)
from tests.support.databases import rolled_back
from tests.support.owing import FEB_1, rows
from tests.support.refunds import LATER, entries_of, paid, requested, sent

HOUR = datetime.timedelta(hours=1)
DAY = datetime.timedelta(days=1)
TIMED_OUT = Unknown(reason="timed out")

pytestmark = rolled_back


@pytest.fixture
def unknown() -> Refund:
    """Requested and submitted at NOW, its outcome unknown."""
    refund = requested(paid())
    assert sent(refund, gateway=ScriptedGateway(refunds=[TIMED_OUT])) == []
    refund.refresh_from_db()
    assert refund.status == "UNKNOWN"
    return refund


def called_again(*, after: datetime.timedelta, gateway: Gateway) -> Refund:
    """The hourly reconcile sends it, and the worker calls the gateway."""
    now, queue = NOW + after, QueueInHand()
    assert sent_again(queue=queue, now=now) == 1
    assert delivered(bodies=queue.take(), gateway=gateway, today=now.date(), now=now) == []
    return Refund.objects.get()


class TestUnknownOutcome:
    def test_found_sent_is_booked_without_another_call_for_money(self, unknown: Refund) -> None:
        gateway = ScriptedGateway(refunds_found=[sends_back])
        refund = called_again(after=HOUR, gateway=gateway)
        assert (refund.status, refund.gateway_reference) == ("SUCCEEDED", f"sent-{refund.id}")
        assert gateway.refund_requests == []
        assert entries_of(refund.payment.account)[2:] == [("refund", 1999), ("credit_note", 1999)]

    def test_found_refused_has_failed(self, unknown: Refund) -> None:
        refund = called_again(after=HOUR, gateway=ScriptedGateway(refunds_found=[Declined(code="charge_disputed")]))
        assert (refund.status, refund.failure_code) == ("FAILED", "charge_disputed")
        assert rows(refund.payment.account) == [("PAID", 0, 1999)]

    def test_not_found_while_its_key_is_kept_is_submitted_again_under_it(self, unknown: Refund) -> None:
        gateway = ScriptedGateway()
        refund = called_again(after=23 * HOUR - datetime.timedelta(seconds=1), gateway=gateway)
        assert (len(gateway.refunds_looked_up), [request.key for request in gateway.refund_requests]) == (
            1,
            [refund.id],
        )
        assert refund.status == "SUCCEEDED"

    def test_not_found_while_a_last_call_may_be_on_its_way_stays_unknown(self, unknown: Refund) -> None:
        gateway = ScriptedGateway()
        refund = called_again(after=23 * HOUR, gateway=gateway)
        assert (gateway.refund_requests, refund.status, refund.needs_review) == ([], "UNKNOWN", False)

    def test_not_found_after_that_was_never_received(self, unknown: Refund) -> None:
        gateway = ScriptedGateway()
        refund = called_again(after=24 * HOUR, gateway=gateway)
        assert (len(gateway.refunds_looked_up), gateway.refund_requests) == (1, [])
        assert (refund.status, refund.failure_code) == ("FAILED", "never_received")
        assert entries_of(refund.payment.account) == [("charge", 1999), ("payment", 1999)]

    def test_is_looked_up_at_each_sweep_too(self, unknown: Refund) -> None:
        queue, gateway = QueueInHand(), ScriptedGateway(refunds_found=[sends_back])
        swept(as_of=FEB_1, queue=queue)
        assert queue.refunds == [unknown.id]
        assert delivered(bodies=queue.take(), gateway=gateway, today=FEB_1) == []
        assert Refund.objects.get().status == "SUCCEEDED"

    def test_needs_review_after_five_days_and_is_not_looked_up_any_more(
        self, unknown: Refund, caplog: pytest.LogCaptureFixture
    ) -> None:
        for days in range(1, 5):
            refund = called_again(after=days * DAY, gateway=ScriptedGateway(refunds_found=[TIMED_OUT]))
            assert (refund.status, refund.needs_review) == ("UNKNOWN", False)
            check_hourly(queue=None, now=NOW + 5 * DAY - datetime.timedelta(seconds=1))
        assert not Refund.objects.get().needs_review
        check_hourly(queue=None, now=NOW + 5 * DAY)
        refund = Refund.objects.get()
        assert (refund.status, refund.needs_review) == ("UNKNOWN", True)
        assert refund.review_reason == "its outcome is not known after 5 days"
        assert sent_again(queue=QueueInHand(), now=NOW + 5 * DAY) == 0
        errors = [record.message for record in caplog.records if record.levelno == logging.ERROR]
        assert errors == ["a refund needs review"]


class TestLeftOver:
    def test_is_sent_a_quarter_of_an_hour_after_it_was_reserved(self) -> None:
        refund, queue = requested(paid()), QueueInHand()
        assert sent_again(queue=queue, now=LATER - 2 * datetime.timedelta(minutes=1)) == 0
        assert sent_again(queue=queue, now=LATER) == 1
        assert queue.refunds == [refund.id]

    def test_is_left_alone_while_a_worker_holds_its_lease(self) -> None:
        requested(paid())
        Refund.objects.update(leased_until=LATER + datetime.timedelta(seconds=1))
        assert sent_again(queue=QueueInHand(), now=LATER) == 0

    def test_never_submitted_before_is_submitted_however_late(self) -> None:
        requested(paid())
        gateway = ScriptedGateway()
        refund = called_again(after=4 * DAY, gateway=gateway)
        assert (len(gateway.refund_requests), gateway.refunds_looked_up, refund.status) == (1, [], "SUCCEEDED")

    def test_submitted_a_day_ago_by_a_worker_that_was_cut_off_is_looked_up(self) -> None:
        refund = requested(paid())
        Refund.objects.update(first_called_at=NOW, leased_until=NOW)
        gateway = ScriptedGateway(refunds_found=[sends_back])
        refund = called_again(after=DAY, gateway=gateway)
        assert (gateway.refund_requests, len(gateway.refunds_looked_up)) == ([], 1)
        assert refund.status == "SUCCEEDED"

    def test_goes_in_messages_of_five_hundred(self) -> None:
        payment = paid()
        Refund.objects.bulk_create(
            Refund(
                account=payment.account,
                payment=payment,
                source="payment",
                amount_minor=1,
                currency="USD",
                status="SUBMITTED",
                reason="r",
                gateway="logging",
                submitted_at=NOW,
                created_by="t",
            )
            for _ in range(MAX_ITEMS + 1)
        )
        queue = QueueInHand()
        assert sent_again(queue=queue, now=LATER) == 2
        carried = [from_json(body) for body in queue.bodies]
        assert [len(message.ids) for message in carried if isinstance(message, RefundsMessage)] == [500, 1]
        assert queue.refunds == list(Refund.objects.order_by("id").values_list("id", flat=True))


class TestNotAttempted:
    def test_stays_submitted_fails_the_message_and_is_logged_as_an_error(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        refunds = [requested(paid(), 700), requested(paid(), 800)]
        gateway = ScriptedGateway(refunds=[NotAttempted(reason="wrong key")] * 2)
        assert sent(*refunds, gateway=gateway) == ["0"]
        assert set(Refund.objects.values_list("status", "first_called_at", "leased_until")) == {
            ("SUBMITTED", None, None)
        }
        assert Entry.objects.filter(type="refund").count() == 0
        errors = [record.message for record in caplog.records if record.levelno == logging.ERROR]
        assert errors == ["the gateway takes no requests, 2 refunds wait: wrong key"]
        assert sent(*refunds) == []
        assert set(Refund.objects.values_list("status", flat=True)) == {"SUCCEEDED"}


class TestMessage:
    def test_that_names_a_refund_that_is_not_there_sends_the_others(self, caplog: pytest.LogCaptureFixture) -> None:
        refund, gateway = requested(paid()), ScriptedGateway()
        unknown = uuid.uuid4()
        body = to_json(RefundsMessage(ids=(unknown, refund.id)))
        assert delivered(bodies=[body], gateway=gateway) == ["0"]
        assert (len(gateway.refund_requests), Refund.objects.get().status) == (1, "SUCCEEDED")
        assert f"1 items of the message were refused, the first: there is no refund {unknown}" in caplog.text

    def test_of_refunds_that_another_worker_sends_comes_back(self) -> None:
        refund, gateway = requested(paid()), ScriptedGateway()
        Refund.objects.update(leased_until=NOW + datetime.timedelta(seconds=60))
        assert sent(refund, gateway=gateway) == ["0"]
        assert gateway.refund_requests == []
        assert sent(refund, gateway=gateway, now=NOW + datetime.timedelta(seconds=60)) == []
        assert len(gateway.refund_requests) == 1

    def test_that_there_is_no_time_for_goes_on_as_another(self) -> None:
        refunds = [requested(paid(), 700) for _ in range(3)]
        queue, gateway = QueueInHand(), ScriptedGateway()
        assert sent(*refunds, gateway=gateway, queue=queue, seconds_left=10) == []
        assert gateway.refund_requests == []
        assert sorted(queue.refunds) == sorted(refund.id for refund in refunds)
        assert queue.messages == []
        assert delivered(bodies=queue.take(), gateway=gateway) == []
        assert len(gateway.refund_requests) == 3

    def test_half_reached_sends_the_rest_on(self, settings: Any) -> None:
        settings.PAYMENT_COLLECTORS, settings.PAYMENT_LEASE_SECONDS = 1, 2
        settings.PAYMENT_GATEWAY_TIMEOUT_SECONDS = 1
        refunds = [requested(paid(), 700) for _ in range(3)]
        queue, began = QueueInHand(), time.monotonic()

        class Slow(ScriptedGateway):
            def submit(self, request: Request, *, timeout_seconds: float) -> Answer:
                time.sleep(1.1)
                return super().submit(request, timeout_seconds=timeout_seconds)

        surroundings = Surroundings(
            gateway=Slow(),
            queue=queue,
            clock=lambda: NOW + datetime.timedelta(seconds=time.monotonic() - began),
            seconds_left=lambda: 900,
        )
        body = to_json(RefundsMessage(ids=tuple(refund.id for refund in refunds)))
        assert process_deliveries(deliveries=[Delivery("0", body)], surroundings=surroundings) == []
        states = sorted(Refund.objects.values_list("status", "leased_until"))
        assert states == [("SUBMITTED", None), ("SUBMITTED", None), ("SUCCEEDED", None)]
        left = Refund.objects.filter(status="SUBMITTED").values_list("id", flat=True)
        assert sorted(queue.refunds) == sorted(left)

    def test_to_another_gateway_than_the_payments_is_never_sent(self, caplog: pytest.LogCaptureFixture) -> None:
        class Another(ScriptedGateway):
            name = "another"

        refund, other = requested(paid()), Another()
        assert sent(refund, gateway=other) == []
        assert (other.refund_requests, Refund.objects.get().status) == ([], "SUBMITTED")
        assert "refunds of another gateway are waiting, and are never submitted to this one" in caplog.text


class TestUnusableAnswer:
    @pytest.mark.parametrize(
        "answer",
        [
            lambda request: Succeeded.of(request, reference=""),
            lambda request: Succeeded.of(request, reference="a\0b"),
            Declined(code=""),
            NotFound(),
            None,
        ],
        ids=["no_reference", "a_reference_with_a_null", "no_code", "nothing_found", "nothing"],
    )
    def test_of_the_gateway_is_unknown_and_the_others_are_recorded(self, answer: Any) -> None:
        refunds = [requested(paid(), 700) for _ in range(3)]
        assert sent(*refunds, gateway=ScriptedGateway(refunds=[answer])) == []
        assert sorted(Refund.objects.values_list("status", flat=True)) == ["SUCCEEDED", "SUCCEEDED", "UNKNOWN"]
        assert Entry.objects.filter(type="refund").count() == 2


def test_a_sweep_that_is_held_sends_no_refund(settings: Any) -> None:
    requested(paid())
    settings.VOLUME_CHECK_FIRST_PERIODS = 1
    yen = a_plan(currency="JPY", unit_amount_minor=500)
    for _ in range(2):
        an_account(plan=yen, anchor_date=FEB_1)
    queue = QueueInHand()
    run = swept(as_of=FEB_1, queue=queue)
    assert (run.status, queue.bodies) == ("HELD", [])
    assert sent_again(queue=queue, now=at(FEB_1)) == 1
