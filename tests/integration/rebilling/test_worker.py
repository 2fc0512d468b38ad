"""Messages that must charge nothing, those beside them that must charge, and what a delivery leaves to others."""

import datetime
import json
import logging
import uuid
from typing import Any

import pytest

from accounts.billing_day import billing_day
from accounts.models import Account
from invoices.models import CreditNote, Invoice
from ledger.models import Entry
from payments.gateways.port import Answer, Declined, NotAttempted, Request, Unknown
from payments.messages.format import to_json
from payments.messages.rows import PaymentsMessage, RefundsMessage
from payments.models import Payment
from rebilling.models import Rebilling, Run
from rebilling.worker import Delivery, Surroundings, process_deliveries
from tests.builders import (
    NOW,
    TODAY,
    QueueInHand,
    ScriptedGateway,
    a_message,
    an_account,
    at,
    billed,
    delivered,
    statuses_of,
    swept,
)
from tests.support.databases import rolled_back
from tests.support.refunds import paid, requested

pytestmark = rolled_back


def a_batch() -> tuple[Run, dict[str, Any]]:
    an_account()
    queue = QueueInHand()
    run = swept(as_of=TODAY, queue=queue)
    (body,) = queue.take()
    return run, json.loads(body)


def nothing_moved() -> bool:
    rows = set(Rebilling.objects.values_list("status", flat=True))
    written = [model.objects.exists() for model in (Invoice, Entry, Payment)]
    return rows == {"DUE"} and written == [False] * 3


def errors_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelno == logging.ERROR]


class TestRefusedMessages:
    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"schema": "rebilling/2"}, "schema is 'rebilling/2'"),
            ({"as_of": "2026-02-30"}, "as_of is not a date"),
            ({"periods": []}, "it carries no periods"),
            ({"extra": 1}, "unknown fields ['extra']"),
        ],
    )
    def test_of_another_shape_or_version(
        self, change: dict[str, Any], says: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        _, message = a_batch()
        assert delivered(bodies=[json.dumps(message | change)]) == ["0"]
        assert nothing_moved()
        assert [says in error for error in errors_in(caplog)] == [True]

    @pytest.mark.parametrize("body", ["", "not JSON", "[]", "null", '{"schema": "rebilling/1"', "\ud800"])
    def test_that_are_no_json_object(self, body: str) -> None:
        a_batch()
        assert delivered(bodies=[body]) == ["0"]
        assert nothing_moved()

    @pytest.mark.parametrize(
        "change",
        [
            {"idempotency_key": f"rebill:{uuid.uuid4()}"},
            {"account_id": str(uuid.uuid4())},
            {"period_start": "2026-01-02"},
        ],
        ids=["key", "account", "first day"],
    )
    def test_whose_period_is_not_the_rebilling_that_its_key_names(self, change: dict[str, str]) -> None:
        _, message = a_batch()
        message["periods"][0] |= change
        assert delivered(bodies=[json.dumps(message)]) == ["0"]
        assert nothing_moved()

    def test_that_name_a_period_that_no_sweep_found_beside_one_that_it_did(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        run, _ = a_batch()
        real, other = Rebilling.objects.get(), an_account()
        unknown = Rebilling(id=uuid.uuid4(), account_id=other.id, period_start=TODAY)
        assert delivered(bodies=[a_message(run=run, rebillings=[real, unknown])]) == ["0"]
        # It fails alone: the other is charged, and the message ends as a dead letter.
        assert Rebilling.objects.get().status == "CHARGED"
        assert Payment.objects.get().status == "SUCCEEDED"
        says = f"1 items of the message were refused, the first: no sweep found the period {other.id} from {TODAY}"
        assert says in caplog.text

    def test_whose_accounts_are_swapped_charge_neither(self) -> None:
        """Both accounts are locked, and have these very periods DUE; but not as the message says."""
        an_account()
        run, _ = a_batch()
        first, second = Rebilling.objects.order_by("id")
        first.account_id, second.account_id = second.account_id, first.account_id
        assert delivered(bodies=[a_message(run=run, rebillings=[first, second])]) == ["0"]
        assert nothing_moved()

    @pytest.mark.parametrize(
        "message",
        [PaymentsMessage(ids=(uuid.uuid4(),)), RefundsMessage(ids=(uuid.uuid4(),))],
        ids=["payment", "refund"],
    )
    def test_that_name_what_is_not_there(self, message: PaymentsMessage | RefundsMessage) -> None:
        a_batch()
        gateway = ScriptedGateway()
        assert delivered(bodies=[to_json(message)], gateway=gateway) == ["0"]
        assert nothing_moved()
        assert (gateway.requests, gateway.refund_requests) == ([], [])

    def test_do_not_hold_up_the_good_ones_of_their_batch(self) -> None:
        _, message = a_batch()
        assert delivered(bodies=["poison", json.dumps(message), "poison"]) == ["0", "2"]
        assert Rebilling.objects.get().status == "CHARGED"


class TestRedelivery:
    def test_of_what_was_charged_and_collected_does_nothing(self) -> None:
        _, message = a_batch()
        body, gateway = json.dumps(message), ScriptedGateway()
        for _ in range(3):
            assert delivered(bodies=[body, body], gateway=gateway) == []
        assert len(gateway.requests) == 1
        assert [model.objects.count() for model in (Invoice, Payment)] == [1, 1]
        assert sorted(Entry.objects.values_list("type", "amount_minor")) == [("charge", 1999), ("payment", 1999)]

    def test_of_what_was_charged_and_not_collected_collects_it(self) -> None:
        _, message = a_batch()
        body, gateway = json.dumps(message), ScriptedGateway()
        assert delivered(bodies=[body], gateway=gateway, seconds_left=1) == []
        (payment,) = Payment.objects.all()
        assert (gateway.requests, payment.status) == ([], "SUBMITTED")
        assert delivered(bodies=[body], gateway=gateway) == []
        assert [request.payment_id for request in gateway.requests] == [payment.id]
        assert Payment.objects.get().status == "SUCCEEDED"

    def test_of_a_decline_does_not_try_again(self) -> None:
        _, message = a_batch()
        body, gateway = json.dumps(message), ScriptedGateway(Declined(code="insufficient_funds"))
        for _ in range(2):
            assert delivered(bodies=[body], gateway=gateway) == []
        assert len(gateway.requests) == 1
        assert Payment.objects.get().status == "DECLINED"

    def test_of_an_unknown_outcome_leaves_it_to_the_hourly_check(self) -> None:
        _, message = a_batch()
        body, gateway = json.dumps(message), ScriptedGateway(Unknown(reason="timed out"))
        for _ in range(2):
            assert delivered(bodies=[body], gateway=gateway) == []
        assert (len(gateway.requests), gateway.looked_up) == (1, [])


class TestAGatewayThatTakesNoRequests:
    def test_sends_the_message_back_with_its_payments_submitted_and_free(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        _, message = a_batch()
        body, queue = json.dumps(message), QueueInHand()
        down = ScriptedGateway(NotAttempted(reason="its servers are down"))
        assert delivered(bodies=[body], gateway=down, queue=queue) == ["0"]
        assert "the gateway takes no requests, 1 payments wait: its servers are down" in errors_in(caplog)
        assert Payment.objects.values_list("status", "leased_until", "first_called_at").get() == (
            "SUBMITTED",
            None,
            None,
        )
        assert queue.bodies == []
        assert delivered(bodies=[body]) == []
        assert Payment.objects.get().status == "SUCCEEDED"


class TestLeases:
    def test_a_payment_collected_by_another_delivery_fails_the_message_and_is_not_submitted(self) -> None:
        account = an_account()
        queue, gateway = QueueInHand(), ScriptedGateway()
        swept(as_of=TODAY, queue=queue)
        assert delivered(bodies=queue.bodies, seconds_left=1, queue=QueueInHand()) == []
        Payment.objects.update(leased_until=NOW + datetime.timedelta(seconds=60))
        assert delivered(bodies=queue.bodies, gateway=gateway) == ["0"]
        assert gateway.requests == []
        later = NOW + datetime.timedelta(seconds=61)
        assert delivered(bodies=queue.bodies, gateway=gateway, now=later) == []
        assert len(gateway.requests) == 1
        assert statuses_of(account) == [(TODAY, "CHARGED")]
        assert Invoice.objects.get().status == "PAID"

    def test_time_that_runs_out_in_the_middle_leaves_the_rest_unleased(self) -> None:
        for _ in range(20):
            an_account()
        queue = QueueInHand()
        swept(as_of=TODAY, queue=queue)
        assert delivered(bodies=queue.take(), queue=queue, seconds_left=24.9) == []
        assert Payment.objects.filter(status="SUBMITTED", leased_until=None).count() == 20
        assert sorted(queue.payments) == sorted(Payment.objects.values_list("id", flat=True))

    def test_a_message_of_completed_payments_is_done(self) -> None:
        an_account()
        billed(as_of=TODAY)
        payment = Payment.objects.get()
        gateway = ScriptedGateway()
        body = to_json(PaymentsMessage(ids=(payment.id,)))
        assert delivered(bodies=[body], gateway=gateway, now=at(TODAY)) == []
        assert (gateway.requests, gateway.looked_up) == ([], [])
        assert Payment.objects.get().completed_at == payment.completed_at


class TestMidnightDuringACall:
    """A message is begun a second before midnight in the billing time zone, and the gateway answers a second after."""

    BEFORE = datetime.datetime(2026, 1, 1, 22, 59, 59, tzinfo=datetime.UTC)
    """In Berlin, whose day ends at 23:00 UTC."""
    NEXT_DAY = TODAY + datetime.timedelta(days=1)

    @pytest.fixture(autouse=True)
    def berlin(self, settings: Any) -> None:
        settings.BILLING_TIME_ZONE = "Europe/Berlin"

    def deliver(self, message: str, answer: Any = None) -> None:
        """Deliver it to a gateway that gives the answer, or takes what it is asked for."""
        now = self.BEFORE

        class Slow(ScriptedGateway):
            def submit(self, request: Request, *, timeout_seconds: float) -> Answer:
                nonlocal now
                now += datetime.timedelta(seconds=2)
                return answer or super().submit(request, timeout_seconds=timeout_seconds)

        surroundings = Surroundings(gateway=Slow(), queue=QueueInHand(), clock=lambda: now, seconds_left=lambda: 900)
        assert process_deliveries(deliveries=[Delivery("0", message)], surroundings=surroundings) == []

    def a_message(self) -> str:
        an_account()
        queue = QueueInHand()
        swept(as_of=TODAY, queue=queue)
        return queue.take()[0]

    def test_books_the_charge_on_the_day_that_ends_and_the_payment_on_the_next(self) -> None:
        self.deliver(self.a_message())
        booked = Entry.objects.order_by("id").values_list("type", "effective_on")
        assert list(booked) == [("charge", TODAY), ("payment", self.NEXT_DAY)]
        assert billing_day(Payment.objects.get().completed_at or NOW) == self.NEXT_DAY

    def test_counts_the_days_of_dunning_from_the_next_day(self) -> None:
        self.deliver(self.a_message(), Declined(code="card_declined"))
        assert Invoice.objects.get().declined_on == self.NEXT_DAY
        assert Account.objects.get().dunning_on == self.NEXT_DAY + datetime.timedelta(days=1)

    def test_books_a_refund_and_its_credit_note_on_the_next_day(self) -> None:
        refund = requested(paid())
        self.deliver(to_json(RefundsMessage(ids=(refund.id,))))
        booked = Entry.objects.filter(type__in=["refund", "credit_note"]).values_list("effective_on", flat=True)
        assert list(booked) == [self.NEXT_DAY] * 2
        assert CreditNote.objects.get().issued_on == self.NEXT_DAY
