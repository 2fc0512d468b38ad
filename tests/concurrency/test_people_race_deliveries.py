"""A person collects or resolves a payment while deliveries, the sweep and other people work on it."""

import datetime
import threading
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction

from invoices.credit_notes import issue_credit_note
from invoices.credits import grant_credit
from invoices.models import Invoice
from invoices.write_offs import PaymentInFlight, UnableToWriteOff, write_off_invoice
from ledger.models import Entry
from payments.account_updates import update_account
from payments.dunning_steps import take_steps_of
from payments.gateways.port import Answer, Finding, PaymentRequest, Request, Succeeded, Unknown
from payments.messages.format import to_json
from payments.messages.rows import PaymentsMessage
from payments.models import Payment
from payments.payment_requests import UnableToCollect, pay_invoice
from payments.reviews import UnableToResolve, resolve_payment
from subscriptions.lifecycle import close_account
from tests.builders import NOW, TODAY, ScriptedGateway, an_account, at, billed, delivered
from tests.concurrency.test_money_is_moved_twice_at_once import assert_state, outcome_of
from tests.support.databases import committed
from tests.support.gateways import OnlyCollects
from tests.support.owing import owing, received, rows
from tests.support.signatures import undated
from tests.support.workers.threads import Gate, GatedGateway, all_meet_before, threads, wait_until_blocked, wrapped

TOMORROW = TODAY + datetime.timedelta(days=1)
LEASE_OVER = NOW + datetime.timedelta(seconds=settings.PAYMENT_LEASE_SECONDS + 1)
NEEDS_REVIEW = Unknown(reason="the gateway moved 5 USD", needs_review=True)

Operation = Callable[..., Any]

pytestmark = committed


class DueAgain:
    """1,999 declined yesterday; its step of dunning comes today, and people act on it."""

    def __init__(self) -> None:
        self.account = owing()
        self.declined = Payment.objects.get()
        self.invoice_id = Invoice.objects.get().id
        self.gateway = ScriptedGateway()
        signed: dict[str, Any] = {"reason": "r", "author": "ann", "today": TOMORROW, "now": at(TOMORROW)}
        account_id, invoice_id = self.account.id, self.invoice_id
        step = partial(take_steps_of, [account_id], today=TOMORROW, gateway="logging", now=at(TOMORROW))
        self.named: dict[str, Operation] = {
            "pay": partial(pay_invoice, invoice_id=invoice_id, author="ann", now=at(TOMORROW)),
            "step": step,
            "twin": step,
            "method": partial(
                update_account, account_id=account_id, changes={"payment_method": "pm_2"}, **undated(signed)
            ),
            "credit": partial(grant_credit, account_id=account_id, amount_minor=500, **signed),
            "write-off": partial(write_off_invoice, invoice_id=invoice_id, **signed),
            "note": partial(issue_credit_note, invoice_id=invoice_id, **signed),
            "money": partial(received, self.account, 1999, invoice_id=invoice_id, today=TOMORROW, now=at(TOMORROW)),
            "close": partial(
                close_account, account_id=account_id, reason="r", author="ann", today=TOMORROW, now=at(TOMORROW)
            ),
        }

    def raced(self, order: str) -> dict[str, Any]:
        """All come to the account's lock before any has it, and get it in this order. What each returned or refused.

        PostgreSQL promises no order: after an UPDATE any of those that wait may be the next.
        """
        gates = {name: Gate() for name in order.split()}
        own = threading.local()

        def acted(name: str) -> Any:
            own.gate = gates[name]
            return outcome_of(self.named[name])

        def at_the_lock(original: Operation, *args: Any) -> Any:
            own.gate.pass_through()
            return original(*args)

        with threads() as start, wrapped("accounts.locked_accounts.query", at_the_lock):
            waiting = {}
            for name, gate in gates.items():
                waiting[name] = start(partial(acted, name))
                gate.wait_for_somebody()
            ended = {}
            for name, gate in gates.items():
                gate.open()
                ended[name] = waiting[name].result()
        self.deliver()
        return ended

    def deliver(self) -> None:
        """Two deliveries of whatever was submitted, one after the other."""
        for _ in range(2):
            if submitted := tuple(Payment.objects.filter(status="SUBMITTED").values_list("id", flat=True)):
                body = to_json(PaymentsMessage(ids=submitted))
                assert delivered(bodies=[body], today=TOMORROW, gateway=self.gateway) == []

    def attempts(self) -> list[tuple[str, str, int]]:
        """The attempts at the gateway after the first one: cause, status, amount. Each was submitted at most once."""
        later = Payment.objects.exclude(id=self.declined.id).exclude(gateway="offline").order_by("id")
        called = [request.payment_id for request in self.gateway.requests]
        assert called == [payment.id for payment in later if payment.decline_code != "superseded"]
        return list(later.values_list("cause", "status", "amount_minor"))


class TestAPaymentThatAPersonAsksFor:
    @pytest.mark.parametrize("order", ["pay step twin method credit", "pay credit method twin step"])
    def test_that_comes_first_is_the_only_attempt(self, order: str) -> None:
        due = DueAgain()
        ended = due.raced(order)
        assert due.attempts() == [("request", "SUCCEEDED", 1999)]
        assert isinstance(ended["pay"], Payment)
        assert rows(due.account) == [("PAID", 0, 1999)]
        assert_state(due.account, status="ACTIVE", credit=500)

    @pytest.mark.parametrize("order", ["step pay twin credit method", "step method twin pay credit"])
    def test_that_comes_after_a_step_is_refused(self, order: str) -> None:
        due = DueAgain()
        ended = due.raced(order)
        assert due.attempts() == [("dunning", "SUCCEEDED", 1999)]
        assert isinstance(ended["pay"], PaymentInFlight)
        assert_state(due.account, status="ACTIVE", credit=500)

    def test_that_comes_after_another_method_is_refused(self) -> None:
        due = DueAgain()
        ended = due.raced("method pay step twin")
        assert due.attempts() == [("payment_method", "SUCCEEDED", 1999)]
        assert isinstance(ended["pay"], PaymentInFlight)
        assert_state(due.account, status="ACTIVE")

    def test_that_comes_after_a_credit_collects_the_remainder(self) -> None:
        due = DueAgain()
        ended = due.raced("credit pay step write-off twin")
        assert due.attempts() == [("request", "SUCCEEDED", 1499)]
        assert isinstance(ended["write-off"], PaymentInFlight)
        assert rows(due.account) == [("PAID", 500, 1499)]
        assert_state(due.account, status="ACTIVE")

    @pytest.mark.parametrize(
        ("first", "row", "credit"),
        [
            ("write-off", ("UNCOLLECTIBLE", 0, 0), 0),
            ("note", ("VOID", 0, 0), 0),
            ("money", ("PAID", 0, 1999), 0),
        ],
    )
    def test_that_comes_when_nothing_is_outstanding_is_refused_and_nothing_is_collected(
        self, first: str, row: tuple[str, int, int], credit: int
    ) -> None:
        due = DueAgain()
        ended = due.raced(f"{first} pay step method twin")
        assert due.attempts() == []
        assert isinstance(ended["pay"], UnableToCollect)
        assert rows(due.account) == [row]
        assert_state(due.account, status="ACTIVE", credit=credit)

    def test_of_an_account_that_is_closed_meanwhile_is_collected(self) -> None:
        due = DueAgain()
        due.raced("close pay step twin")
        assert due.attempts() == [("request", "SUCCEEDED", 1999)]
        assert_state(due.account, status="INACTIVE")

    def test_at_the_same_time_as_two_steps_makes_one_attempt(self) -> None:
        due = DueAgain()
        with all_meet_before("accounts.locked_accounts.lock_accounts", parties=2), threads() as start:
            racing = [start(partial(outcome_of, due.named[name])) for name in ("pay", "method")]
        with threads() as start:
            racing += [start(due.named[name]) for name in ("step", "twin")]
        assert [future.exception() for future in racing] == [None] * 4
        due.deliver()
        assert [(status, amount) for _, status, amount in due.attempts()] == [("SUCCEEDED", 1999)]
        assert_state(due.account, status="ACTIVE")


class TestMoneyThatComesWhileAPaymentIsInFlight:
    @pytest.mark.parametrize("operation", ["write-off", "note"])
    def test_nothing_is_given_up(self, operation: str) -> None:
        due = DueAgain()
        ended = due.raced(f"step {operation} twin")
        assert isinstance(ended[operation], PaymentInFlight | UnableToWriteOff)
        assert rows(due.account) == [("PAID", 0, 1999)]

    def test_in_full_before_the_call_supersedes_the_payment(self) -> None:
        due = DueAgain()
        due.raced("step money twin pay")
        assert due.attempts() == [("dunning", "DECLINED", 1999)]
        assert Payment.objects.get(cause="dunning").decline_code == "superseded"
        assert due.gateway.requests == []
        assert rows(due.account) == [("PAID", 0, 1999)]
        assert_state(due.account, status="ACTIVE")

    def test_during_the_call_makes_the_gateways_money_credit(self) -> None:
        due, gate = DueAgain(), Gate()
        (payment_id,) = due.named["step"]()
        body = to_json(PaymentsMessage(ids=(payment_id,)))
        with threads() as start:
            gateway = GatedGateway(gate=gate)
            delivering = start(partial(delivered, bodies=[body], today=TOMORROW, gateway=gateway))
            gate.wait_for_somebody()
            due.named["money"]()
            gate.open()
            assert delivering.result() == []
        assert Payment.objects.values_list("status", "excess_minor").get(id=payment_id) == ("SUCCEEDED", 1999)
        assert rows(due.account) == [("PAID", 0, 1999)]
        assert_state(due.account, status="ACTIVE", credit=1999)


class GatedLookUps(OnlyCollects):
    """Holds whoever looks up what became of a payment, then says that it was taken."""

    name = "logging"

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
        self.account = owing(NEEDS_REVIEW)
        self.payment = Payment.objects.get()
        self.body = to_json(PaymentsMessage(ids=(self.payment.id,)))
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
        assert_state(self.account, status="ACTIVE")


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
        waiting.assert_booked_once(by="system:billing", reference=f"taken-{waiting.payment.id}")

    def test_that_was_found_in_order_keeps_a_delivery_from_calling_the_gateway(self) -> None:
        waiting, gate = Waiting(), Gate()

        def hold(record: Operation, **kwargs: Any) -> Any:
            gate.pass_through()
            return record(**kwargs)

        with threads() as start, wrapped("payments.reviews.record_payment_outcomes", hold):
            resolving = start(waiting.resolve)
            gate.wait_for_somebody()
            # It waits for the account's lock. The gateway's gate is closed: a call would wait there.
            delivering = start(waiting.deliver)
            wait_until_blocked()
            gate.open()
            resolving.result()
            assert delivering.result() == []
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
            return
        # It was no decline: what is outstanding was submitted anew. That the money came after all is for a person.
        first, second = Payment.objects.order_by("id")
        assert (first.status, first.decline_code, first.needs_review) == ("DECLINED", "resolved_by_person", True)
        assert (second.status, second.amount_minor) == ("SUBMITTED", 1999)
        assert_state(waiting.account, status="PENDING", outstanding=1999)

    def test_that_names_one_reference_for_two_payments_at_once_is_taken_for_one_of_them(self) -> None:
        for _ in range(2):
            an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(NEEDS_REVIEW, NEEDS_REVIEW))
        said: dict[str, Any] = {"taken": True, "reference": "pi_1", "reason": "seen there", "author": "bo"}
        resolve = partial(resolve_payment, today=TODAY, now=NOW, **said)
        with all_meet_before("payments.reviews.record_payment_outcomes", parties=2), threads() as start:
            racing = [start(partial(outcome_of, partial(resolve, payment_id=id_))) for id_ in in_flight()]
        refused = [each.result() for each in racing if not isinstance(each.result(), Payment)]
        assert [type(refusal) for refusal in refused] == [UnableToResolve]
        booked = Payment.objects.get(status="SUCCEEDED")
        assert str(refused[0]) == f"Nothing was recorded: the gateway named pi_1, which is payment {booked.id}."
        assert sorted(Payment.objects.values_list("status", "review_reason")) == [
            ("SUCCEEDED", ""),
            ("UNKNOWN", NEEDS_REVIEW.reason),
        ]
        assert Entry.objects.filter(type="payment").count() == 1


def in_flight() -> list[uuid.UUID]:
    return list(Payment.objects.filter(status__in=Payment.IN_FLIGHT).order_by("id").values_list("id", flat=True))
