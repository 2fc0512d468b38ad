"""A person retries or resolves a payment while deliveries and other people work on it."""

import datetime
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction

from accounts.locks import lock_account
from ledger.models import Entry
from payments.gateways.port import Answer, Declined, Finding, PaymentRequest, Request, Succeeded, Unknown
from payments.models import Payment
from rebilling.adjustments import grant_credit
from rebilling.dunning import UnableToRetry, retry_payment
from rebilling.messages.message import Message, to_json
from rebilling.models import Run
from rebilling.reviews import UnableToResolve, resolve_payment
from rebilling.write_offs import NothingUnpaid, UnableToWriteOff, write_off
from tests.builders import NOW, TODAY, QueueInHand, ScriptedGateway, an_account, at, billed, delivered, swept
from tests.concurrency.test_money_is_moved_twice_at_once import assert_sound, outcome_of
from tests.support.databases import committed
from tests.support.gateways import OnlyCollects
from tests.support.owing import rows
from tests.support.workers.threads import Gate, all_meet_before, threads, wait_until_blocked, wrapped

TOMORROW = TODAY + datetime.timedelta(days=1)
LEASE_OVER = NOW + datetime.timedelta(seconds=settings.PAYMENT_LEASE_SECONDS + 1)
NEEDS_REVIEW = Unknown(reason="the gateway moved 5 USD", needs_review=True)

Operation = Callable[..., Any]

pytestmark = committed


class DueAgain:
    """1,999 declined yesterday and due again today; its batch is delivered twice, and two people act on it."""

    def __init__(self) -> None:
        self.account = an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(Declined(code="insufficient_funds")))
        self.declined = Payment.objects.get()
        queue = QueueInHand()
        swept(as_of=TOMORROW, queue=queue)
        self.batch = queue.take()
        self.gateway = ScriptedGateway()
        self.named: dict[str, Operation] = {
            "retry": partial(retry_payment, payment_id=self.declined.id, gateway="scripted", now=at(TOMORROW)),
            "delivery": self.deliver,
            "twin": self.deliver,
            "credit": partial(grant_credit, amount_minor=500, **self._by_ann),
            "write-off": partial(write_off, **self._by_ann),
        }

    @property
    def _by_ann(self) -> dict[str, Any]:
        return {"account_id": self.account.id, "reason": "r", "author": "ann", "today": TOMORROW, "now": at(TOMORROW)}

    def deliver(self) -> list[str]:
        return delivered(bodies=self.batch, today=TOMORROW, gateway=self.gateway)

    def raced(self, order: str) -> dict[str, Any]:
        """All wait for the account's lock, in this order, before any has it. What each returned or refused."""
        with threads() as start:
            with transaction.atomic():
                lock_account(self.account.id)
                waiting = {}
                for number, name in enumerate(order.split(), start=1):
                    waiting[name] = start(partial(outcome_of, self.named[name]))
                    wait_until_blocked(sessions=number)
            ended = {name: future.result() for name, future in waiting.items()}
        # A delivery that found the lease held comes again.
        assert self.deliver() == []
        return ended

    def raced_behind_a_delivery(self, order: str) -> dict[str, Any]:
        """A delivery has the account's lock, and its new payment isn't committed, when the others come to the lock."""
        gate = Gate()

        def hold(new_payment: Callable[..., Payment], **kwargs: Any) -> Payment:
            gate.pass_through()
            return new_payment(**kwargs)

        with threads() as start, wrapped("rebilling.dunning.new_payment", hold):
            delivering = start(self.deliver)
            gate.wait_for_somebody()
            waiting = {}
            for number, name in enumerate(order.split(), start=1):
                waiting[name] = start(partial(outcome_of, self.named[name]))
                wait_until_blocked(sessions=number)
            gate.open()
            ended = {name: future.result() for name, future in waiting.items()}
            delivering.result()
        assert self.deliver() == []
        return ended

    def attempts(self) -> list[tuple[str, int]]:
        """The attempts after the first one, each submitted once."""
        later = Payment.objects.exclude(id=self.declined.id).order_by("id")
        assert [request.payment_id for request in self.gateway.requests] == [payment.id for payment in later]
        return list(later.values_list("status", "amount_minor"))


class TestARetryByAPerson:
    @pytest.mark.parametrize("order", ["retry delivery twin credit write-off", "retry credit write-off twin delivery"])
    def test_that_comes_first_is_what_the_deliveries_collect(self, order: str) -> None:
        due = DueAgain()
        ended = due.raced(order)
        assert due.attempts() == [("SUCCEEDED", 1999)]
        assert ended["retry"].id == Payment.objects.exclude(id=due.declined.id).get().id
        assert isinstance(ended["write-off"], UnableToWriteOff | NothingUnpaid)
        assert rows(due.account) == [("PAID", 0, 1999)]
        assert_sound(due.account, status="ACTIVE", owed_minor=-500)

    @pytest.mark.parametrize("order", ["retry credit write-off twin", "twin write-off credit retry"])
    def test_that_comes_after_a_delivery_is_refused(self, order: str) -> None:
        due = DueAgain()
        ended = due.raced_behind_a_delivery(order)
        assert due.attempts() == [("SUCCEEDED", 1999)]
        assert isinstance(ended["retry"], UnableToRetry)
        # By then its payment is on its way, or was taken.
        assert isinstance(ended["write-off"], UnableToWriteOff | NothingUnpaid)
        assert rows(due.account) == [("PAID", 0, 1999)]
        assert_sound(due.account, status="ACTIVE", owed_minor=-500)

    def test_that_comes_after_a_credit_collects_the_remainder(self) -> None:
        due = DueAgain()
        ended = due.raced("credit retry delivery write-off twin")
        assert due.attempts() == [("SUCCEEDED", 1499)]
        assert ended["retry"].amount_minor == 1499
        assert rows(due.account) == [("PAID", 500, 1499)]
        assert_sound(due.account, status="ACTIVE", owed_minor=0)

    @pytest.mark.parametrize(
        ("order", "credit_minor"),
        [("write-off retry delivery credit twin", 0), ("credit write-off retry delivery twin", 500)],
    )
    def test_that_comes_after_a_write_off_is_refused_and_nothing_is_collected(
        self, order: str, credit_minor: int
    ) -> None:
        due = DueAgain()
        ended = due.raced(order)
        assert due.attempts() == []
        assert isinstance(ended["retry"], UnableToRetry)
        assert [entry.amount_minor for entry in ended["write-off"]] == [1999 - credit_minor]
        assert rows(due.account) == [("WRITTEN_OFF", credit_minor, 0)]
        assert_sound(due.account, status="ACTIVE", owed_minor=credit_minor - 500)

    def test_at_the_same_time_as_two_deliveries_makes_one_attempt(self) -> None:
        due = DueAgain()
        with all_meet_before("rebilling.dunning.lock_accounts", parties=3), threads() as start:
            asked = [start(partial(outcome_of, due.named[name])) for name in ("retry", "delivery", "twin")]
        assert isinstance(asked[0].result(), Payment | UnableToRetry)
        assert due.deliver() == []
        assert due.attempts() == [("SUCCEEDED", 1999)]
        assert_sound(due.account, status="ACTIVE", owed_minor=0)


class GatedLookUps(OnlyCollects):
    """Holds whoever asks what became of a payment, then says that it was taken."""

    name = "scripted"

    def __init__(self) -> None:
        self.gate = Gate()

    def collect(self, request: PaymentRequest) -> Answer:
        raise AssertionError("it was submitted before")

    def look_up(self, request: Request, *, timeout_seconds: float) -> Finding:
        self.gate.pass_through()
        return Succeeded.of(request, reference=f"taken-{request.key}")


class Waiting:
    """A payment of 1,999 that needs review, and whose message comes while the person resolves it."""

    def __init__(self) -> None:
        self.account = an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(NEEDS_REVIEW))
        self.payment = Payment.objects.get()
        run = Run.objects.get()
        self.body = to_json(Message(run_id=run.id, as_of=run.as_of, payments=(self.payment.id,)))
        self.gateway = GatedLookUps()

    def deliver(self) -> list[str]:
        return delivered(bodies=[self.body], gateway=self.gateway)

    def resolve(self, *, taken: bool = True, now: datetime.datetime = NOW) -> Payment:
        said: dict[str, Any] = {"taken": taken, "reference": "pi_1" if taken else "", "reason": "r", "author": "bo"}
        return resolve_payment(payment_id=self.payment.id, today=TODAY, now=now, **said)

    def assert_booked_once(self, *, by: str, reference: str) -> None:
        entry = Entry.objects.get(type="payment")
        assert (entry.amount_minor, entry.created_by) == (1999, by)
        self.payment.refresh_from_db()
        assert (self.payment.status, self.payment.gateway_reference) == ("SUCCEEDED", reference)
        assert rows(self.account) == [("PAID", 0, 1999)]
        assert_sound(self.account, status="ACTIVE", owed_minor=0)


class TestAPersonsResolution:
    def test_is_refused_while_a_delivery_calls_the_gateway_and_afterwards(self) -> None:
        waiting = Waiting()
        with threads() as start:
            delivering = start(waiting.deliver)
            waiting.gateway.gate.wait_for_somebody()
            assert isinstance(outcome_of(waiting.resolve), UnableToResolve)
            waiting.gateway.gate.open()
            assert delivering.result() == []
        assert isinstance(outcome_of(partial(waiting.resolve, taken=False)), UnableToResolve)
        waiting.assert_booked_once(by="system:rebilling", reference=f"taken-{waiting.payment.id}")

    def test_that_was_found_in_order_sends_a_delivery_back_without_calling_the_gateway(self) -> None:
        waiting, gate = Waiting(), Gate()

        def hold(record: Operation, **kwargs: Any) -> Any:
            gate.pass_through()
            return record(**kwargs)

        with threads() as start, wrapped("rebilling.reviews.record_payment_outcomes", hold):
            resolving = start(waiting.resolve)
            gate.wait_for_somebody()
            # The gateway's gate is closed: a call would wait there.
            assert start(waiting.deliver).result() == ["0"]
            gate.open()
            resolving.result()
        assert waiting.deliver() == []
        waiting.assert_booked_once(by="bo", reference="pi_1")

    @pytest.mark.parametrize("taken", [True, False])
    def test_given_when_a_deliverys_lease_is_over_stands_against_its_answer(self, taken: bool) -> None:
        waiting = Waiting()
        with threads() as start:
            delivering = start(waiting.deliver)
            waiting.gateway.gate.wait_for_somebody()
            with transaction.atomic():
                waiting.resolve(taken=taken, now=LEASE_OVER)
                waiting.gateway.gate.open()
                wait_until_blocked()
                assert not delivering.done()
            assert delivering.result() == []
        if taken:
            waiting.assert_booked_once(by="bo", reference="pi_1")
        else:
            assert Payment.objects.get().decline_code == "resolved_by_person"
            assert rows(waiting.account) == [("UNPAID", 0, 0)]
            assert_sound(waiting.account, status="PAST_DUE", owed_minor=1999)

    def test_that_names_one_reference_for_two_payments_at_once_is_taken_for_one_of_them(self) -> None:
        for _ in range(2):
            an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(NEEDS_REVIEW, NEEDS_REVIEW))
        said: dict[str, Any] = {"taken": True, "reference": "pi_1", "reason": "seen there", "author": "bo"}
        resolve = partial(resolve_payment, today=TODAY, now=NOW, **said)
        with all_meet_before("rebilling.reviews.record_payment_outcomes", parties=2), threads() as start:
            racing = [start(partial(outcome_of, partial(resolve, payment_id=id_))) for id_ in in_flight()]
        refused = [each.result() for each in racing if not isinstance(each.result(), Payment)]
        assert [type(refusal) for refusal in refused] == [UnableToResolve]
        assert "payment_reference_once" in str(refused[0])
        assert sorted(Payment.objects.values_list("status", "review_reason")) == [
            ("SUCCEEDED", ""),
            ("UNKNOWN", NEEDS_REVIEW.reason),
        ]
        assert Entry.objects.filter(type="payment").count() == 1


def in_flight() -> list[uuid.UUID]:
    return list(Payment.objects.filter(status__in=Payment.IN_FLIGHT).order_by("id").values_list("id", flat=True))
