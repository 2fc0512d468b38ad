"""Money of one account moved in any order: charged, collected, retried, received, refunded, credited, written off,
reversed.

`MOVEMENTS_EXAMPLES=2000 pytest tests/integration/rebilling/test_movements_in_any_order.py` looks further.
"""

import datetime
import logging
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from accounts.errors import Conflict
from accounts.models import Account
from ledger.balances import balance, book_totals
from ledger.models import Entry
from payments.gateways.port import Answer, Declined, Outcome, PaymentRequest, RefundRequest, Succeeded, Unknown
from payments.models import Payment, Refund
from rebilling.adjustments import REVERSIBLE, grant_credit, reverse_entry
from rebilling.dunning import retry_payment
from rebilling.models import Rebilling
from rebilling.offline_payments import record_offline_payment
from rebilling.payment_outcomes import record_payment_outcomes
from rebilling.refund_outcomes import record_refund_outcomes
from rebilling.refund_requests import left_to_refund, request_refund
from rebilling.write_offs import write_off
from subscriptions.lifecycle import reopen_account
from tests.builders import a_plan, an_account, at, billed, sends_back, takes
from tests.support.databases import rolled_back
from tests.support.gateways import OnlyCollects

OUTCOMES: dict[str, Callable[[PaymentRequest], Answer]] = {
    "takes": takes,
    "declines": lambda request: Declined(code="insufficient_funds"),
    "does not know": lambda request: Unknown(reason="timed out"),
}
_outcomes = st.sampled_from(["declines", "declines", "takes", "does not know"])
_amounts = st.sampled_from([300, 1000])
_positions = st.integers(0, 2**16)
FIRST_DAY = datetime.date(2026, 1, 1)
LAST_DAY = datetime.date(2026, 2, 5)


class AllAlike(OnlyCollects):
    """A gateway that gives every request the same answer: the order in which threads ask is nobody's."""

    name = "all-alike"

    def __init__(self, answer: Callable[[PaymentRequest], Answer]) -> None:
        self.answer = answer

    def collect(self, request: PaymentRequest) -> Answer:
        return self.answer(request)

    def refund(self, request: RefundRequest) -> Answer:
        return sends_back(request)


class Movements(RuleBasedStateMachine):
    """One account of 1,000 a week. Its transaction is undone at the end of each example."""

    def __init__(self) -> None:
        super().__init__()
        self.today = FIRST_DAY
        self.undone = transaction.atomic()
        self.undone.__enter__()

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.undone.__exit__(None, None, None)

    @initialize(outcomes=st.lists(_outcomes, min_size=2, max_size=3))
    def open(self, outcomes: list[str]) -> None:
        self.account = an_account(plan=a_plan(interval_unit="week", unit_amount_minor=1000), today=self.today)
        for outcome in outcomes:
            self.a_week_passes(outcome)

    @property
    def signed(self) -> dict[str, Any]:
        return {"reason": "looked into", "author": "ann", "today": self.today, "now": at(self.today)}

    @property
    def unpaid(self) -> list[Rebilling]:
        return list(self.account.rebillings.filter(status="UNPAID").order_by("period_start"))

    @property
    def in_flight(self) -> list[Payment]:
        return list(Payment.objects.filter(status__in=Payment.IN_FLIGHT).order_by("id"))

    def a_week_passes(self, outcome: str) -> None:
        billed(as_of=self.today, gateway=AllAlike(OUTCOMES[outcome]))
        self.today += datetime.timedelta(days=7)

    @precondition(lambda self: self.today < LAST_DAY)
    @rule(outcome=_outcomes)
    def another_week_passes(self, outcome: str) -> None:
        self.a_week_passes(outcome)

    @rule(amount=_amounts)
    def credit(self, amount: int) -> None:
        grant_credit(account_id=self.account.id, amount_minor=amount, **self.signed)

    @rule(amount=_amounts)
    def receive(self, amount: int) -> None:
        record_offline_payment(account_id=self.account.id, amount_minor=amount, reference="SEPA", **self.signed)

    @precondition(lambda self: self.unpaid)
    @rule(which=st.none() | _positions)
    def write_off(self, which: int | None) -> None:
        charged = list(self.account.rebillings.exclude(charge=None).order_by("period_start"))
        # Most often one that is unpaid; any other is refused.
        among = self.unpaid * 3 + charged
        chosen = [among[which % len(among)].charge_id] if which is not None else None
        self.unless_refused(
            lambda: write_off(account_id=self.account.id, charge_ids=chosen, **self.signed)  # type: ignore[arg-type]
        )

    @rule(which=_positions, newest=st.booleans())
    def reverse(self, which: int, newest: bool) -> None:
        entries = list(Entry.objects.filter(type__in=REVERSIBLE, reversed_by=None).order_by("id"))
        if entries:
            entry = entries[-1] if newest else entries[which % len(entries)]
            self.unless_refused(lambda: reverse_entry(entry_id=entry.id, **self.signed))

    def unless_refused(self, change: Callable[[], object]) -> None:
        before = _everything()
        try:
            change()
        except Conflict:
            assert _everything() == before

    @precondition(lambda self: self.unpaid)
    @rule(which=_positions)
    def retry(self, which: int) -> None:
        """A person tries a declined payment's charge again; what is paid or in flight is refused."""
        payments = list(Payment.objects.filter(charge__rebilling__in=self.unpaid).order_by("id"))
        if payments:
            payment = payments[which % len(payments)]
            self.unless_refused(lambda: retry_payment(payment_id=payment.id, gateway="all-alike", now=at(self.today)))

    @precondition(lambda self: Account.objects.get().status == "INACTIVE")
    @rule()
    def reopen(self) -> None:
        reopen_account(account_id=self.account.id, **self.signed)

    @precondition(lambda self: self.in_flight)
    @rule(which=_positions, outcome=st.sampled_from(list(OUTCOMES)))
    def learn(self, which: int, outcome: str) -> None:
        """The outcome of a payment in flight becomes known."""
        payment = self.in_flight[which % len(self.in_flight)]
        outcomes: dict[str, Outcome] = {
            "takes": Succeeded(
                reference=str(payment.id),
                key=payment.id,
                amount_minor=payment.amount_minor,
                currency=payment.currency,
            ),
            "declines": Declined(code="insufficient_funds"),
            "does not know": Unknown(reason="timed out"),
        }
        record_payment_outcomes(outcomes={payment.id: outcomes[outcome]}, as_of=self.today, now=at(self.today))

    @rule(which=_positions, amount=st.none() | st.sampled_from([1, 300, 1000]), at_once=st.booleans())
    def refund(self, which: int, amount: int | None, at_once: bool) -> None:
        """A part of a payment, or all that is left of it; more than that is refused. Sent at once, or some time."""
        payments = list(Payment.objects.filter(status="SUCCEEDED").order_by("id"))
        if payments:
            payment = payments[which % len(payments)]
            asked = amount or left_to_refund(payment) or payment.amount_minor
            self.unless_refused(lambda: request_refund(payment_id=payment.id, amount_minor=asked, **self.signed))
            if at_once:
                self.learn_of_a_refund_that(which, "sends")

    @rule(which=_positions, sent=st.booleans())
    def reverse_a_charge_and_refund_it(self, which: int, sent: bool) -> None:
        """As for a charge that should never have been. Restored by `reverse`, it is owed again."""
        paid = Payment.objects.filter(status="SUCCEEDED", charge__reversed_by=None, charge__isnull=False)
        if payments := list(paid.order_by("id")):
            payment = payments[which % len(payments)]
            self.unless_refused(lambda: reverse_entry(entry_id=payment.charge_id, **self.signed))  # type: ignore[arg-type]
            self.unless_refused(
                lambda: request_refund(payment_id=payment.id, amount_minor=left_to_refund(payment) or 1, **self.signed)
            )
            if sent:
                self.learn_of_a_refund_that(-1, "sends")

    @precondition(lambda self: Refund.objects.filter(status__in=Refund.IN_FLIGHT).exists())
    @rule(which=_positions, outcome=st.sampled_from(["sends", "sends", "refuses", "does not know"]))
    def learn_of_a_refund(self, which: int, outcome: str) -> None:
        self.learn_of_a_refund_that(which, outcome)

    def learn_of_a_refund_that(self, which: int, outcome: str) -> None:
        refunds = list(Refund.objects.filter(status__in=Refund.IN_FLIGHT).order_by("id"))
        if not refunds:
            return
        refund = refunds[which % len(refunds)]
        outcomes: dict[str, Outcome] = {
            "sends": Succeeded(
                reference=str(refund.id), key=refund.id, amount_minor=refund.amount_minor, currency=refund.currency
            ),
            "refuses": Declined(code="charge_disputed"),
            "does not know": Unknown(reason="timed out"),
        }
        record_refund_outcomes(outcomes={refund.id: outcomes[outcome]}, as_of=self.today, now=at(self.today))

    @invariant()
    def is_sound(self) -> None:
        rows = list(Rebilling.objects.order_by("period_start"))
        in_flight = set(Payment.objects.filter(status__in=Payment.IN_FLIGHT).values_list("charge_id", flat=True))
        entries = list(Entry.objects.order_by("id"))
        assert [sum(books.values()) for books in book_totals().values()] == [0]
        _check_free_credit(self.account, rows, entries, in_flight)
        _check_write_offs(rows, entries)
        _check_payments(rows, entries)
        account = Account.objects.get(id=self.account.id)
        if account.status == "INACTIVE":
            # A charge's retries were spent, whatever came of it since.
            assert account.inactive_reason == "unpaid"
        else:
            assert (account.status == "PAST_DUE") == any(row.status == "UNPAID" for row in rows)
        for row in rows:
            # What is unpaid is retried, or its retries are exhausted; and only that is.
            assert row.retry_on is None or row.status == "UNPAID"


def _check_payments(rows: list[Rebilling], entries: list[Entry]) -> None:
    """Each payment and each refund that succeeded is booked once; a charge was paid what of it wasn't sent back."""
    paid: dict[Any, int] = defaultdict(int)
    for payment in Payment.objects.filter(status="SUCCEEDED"):
        booked = [entry.amount_minor for entry in entries if entry.payment_id == payment.id and entry.type == "payment"]
        assert booked == [payment.amount_minor]
        refunds = [refund.amount_minor for refund in payment.refunds.filter(status="SUCCEEDED")]
        sent = [entry.amount_minor for entry in entries if entry.payment_id == payment.id and entry.type == "refund"]
        assert sorted(sent) == sorted(refunds)
        assert sum(payment.refunds.exclude(status="FAILED").values_list("amount_minor", flat=True)) <= (
            payment.amount_minor
        )
        paid[payment.charge_id] += payment.amount_minor - sum(refunds)
    assert [row.paid_minor for row in rows] == [paid[row.charge_id] if row.charge_id else 0 for row in rows]


def _check_free_credit(account: Account, rows: list[Rebilling], entries: list[Entry], in_flight: set[Any]) -> None:
    """What was credited, received, or paid for charges since reversed, and not sent back; less what charges took."""
    offline = sum(
        payment.amount_minor - sum(payment.refunds.values_list("amount_minor", flat=True))
        for payment in Payment.objects.filter(account=account, charge=None, status="SUCCEEDED")
    )
    credited = sum(entry.amount_minor * ((entry.debit == "credits") - (entry.credit == "credits")) for entry in entries)
    voided = sum(row.paid_minor for row in rows if row.status == "VOIDED")
    free = credited + offline + voided - sum(row.credit_minor for row in rows)
    outstanding = sum(row.outstanding_minor for row in rows if row.status in ("CHARGED", "UNPAID"))
    assert balance(account_id=account.id) == outstanding - free
    # What is missing is given back by charges whose payments are in flight, once these have completed.
    assert -free <= sum(row.credit_minor for row in rows if row.charge_id in in_flight)
    reversed_charges = [row.charge_id for row in rows if row.status == "VOIDED" and row.charge_id]
    kept = Refund.objects.filter(payment__charge__in=reversed_charges, status__in=Refund.IN_FLIGHT)
    if free > sum(kept.values_list("amount_minor", flat=True)):
        assert not [row for row in rows if row.status == "UNPAID" and row.charge_id not in in_flight]


def _check_write_offs(rows: list[Rebilling], entries: list[Entry]) -> None:
    """Of each charge, what stands as bad debt is what is outstanding while it is WRITTEN_OFF, and else nothing."""
    by_id = {entry.id: entry for entry in entries}
    bad_debt: dict[Any, int] = defaultdict(int)
    for entry in entries:
        origin = entry
        while origin.reverses_id:
            origin = by_id[origin.reverses_id]
        if origin.type == "write_off":
            bad_debt[origin.period_start] += entry.amount_minor * (1 if entry.debit == "bad_debt" else -1)
    for row in rows:
        assert bad_debt[row.period_start] == (row.outstanding_minor if row.status == "WRITTEN_OFF" else 0)


def _everything() -> list[Any]:
    models: list[Any] = [Account, Entry, Payment, Refund, Rebilling]
    return [list(model._default_manager.order_by("id").values()) for model in models]


@pytest.fixture
def _quiet() -> Iterator[None]:
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@rolled_back
class TestMovementsInPlatformMachine:
    @pytest.mark.usefixtures("_quiet")
    def test_leave_balances_credit_and_write_offs_that_add_up(self) -> None:
        more = os.environ.get("MOVEMENTS_EXAMPLES")
        run_state_machine_as_test(
            Movements,
            settings=settings(
                max_examples=int(more or 30),
                stateful_step_count=25,
                derandomize=not more,
                database=None,
                deadline=None,
                print_blob=True,
                suppress_health_check=list(HealthCheck),
            ),
        )
