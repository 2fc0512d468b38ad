"""Money of one account moved in any order: invoiced, collected, dunned, received, refunded, credited, written off,
taken back.

`MOVEMENTS_EXAMPLES=2000 pytest tests/functional/test_movements_in_any_order.py` looks further.
"""

import datetime
import logging
import os
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
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

from accounts.models import Account
from accounts.tax_rates import create_tax_rate
from invoices.credit_notes import issue_credit_note
from invoices.credits import grant_credit, reverse_entry
from invoices.models import CreditNote, Invoice
from invoices.write_offs import write_off_invoice
from ledger.balances import book_totals
from ledger.models import REVERSIBLE, Entry
from payments.account_updates import update_account
from payments.gateways.port import Answer, Declined, Outcome, PaymentRequest, RefundRequest, Succeeded, Unknown
from payments.late_money import book_late_payment, book_late_refund
from payments.models import Payment, Refund
from payments.offline_payments import record_offline_payment
from payments.payment_outcomes import record_payment_outcomes
from payments.payment_requests import pay_invoice
from payments.refund_outcomes import record_refund_outcomes
from payments.refund_requests import request_refund
from payments.reversed_money import record_reversed_payment, record_reversed_refund
from subscriptions.discounts import give_discount
from subscriptions.last_invoice import bill_debt
from subscriptions.lifecycle import close_account, reopen_account
from tests.builders import a_plan, an_account, at, billed, sends_back, takes
from tests.support.databases import rolled_back
from tests.support.gateways import OnlyCollects
from tests.support.signatures import undated
from tests.support.soundness import Soundness
from tests.support.unchanged import unless_refused

DECLINED = Declined(code="insufficient_funds")
STOLEN = Declined(code="stolen_card", hard=True)
TOO_SMALL = Declined(code="amount_too_small")
OUTCOMES: dict[str, Callable[[PaymentRequest], Answer]] = {
    "takes": takes,
    "declines": lambda request: DECLINED,
    "declines for good": lambda request: STOLEN,
    "finds too small": lambda request: TOO_SMALL,
    "does not know": lambda request: Unknown(reason="timed out"),
}
_outcomes = st.sampled_from(["declines", "declines", "declines for good", "takes", "does not know"])
_amounts = st.sampled_from([300, 970, 1000])
_positions = st.integers(0, 2**16)
_statuses = st.sampled_from(["OPEN", "OPEN", "PAID", "UNCOLLECTIBLE"])
FIRST_DAY = datetime.date(2026, 1, 1)
LAST_DAY = datetime.date(2026, 2, 12)


class AllAlike(OnlyCollects):
    """A gateway that gives every request the same answer: the order in which threads call is nobody's."""

    name = "logging"

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
        self.soundness = Soundness()
        self.undone = transaction.atomic()
        self.undone.__enter__()

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.undone.__exit__(None, None, None)

    @initialize(
        outcomes=st.lists(_outcomes, min_size=2, max_size=4),
        tax=st.none() | st.tuples(st.sampled_from(["8.875", "19"]), st.booleans()),
        discount=st.sampled_from([None, None, "10"]),
    )
    def open(self, outcomes: list[str], tax: tuple[str, bool] | None, discount: str | None) -> None:
        rate = tax and create_tax_rate(name="VAT", percent=Decimal(tax[0]), inclusive=tax[1], now=at(self.today))
        self.account = an_account(
            plan=a_plan(interval_unit="week", unit_amount_minor=1000),
            today=self.today,
            tax_rate=rate.id if rate else None,
        )
        if discount:
            give_discount(account_id=self.account.id, percent=Decimal(discount), periods=3, **self.signed)
        for outcome in outcomes:
            self.days_pass(7, outcome)

    @property
    def signed(self) -> dict[str, Any]:
        return {"reason": "looked into", "author": "ann", "today": self.today, "now": at(self.today)}

    def days_pass(self, days: int, outcome: str) -> None:
        billed(as_of=self.today, gateway=AllAlike(OUTCOMES[outcome]))
        self.today += datetime.timedelta(days=days)

    @precondition(lambda self: self.today < LAST_DAY)
    @rule(days=st.sampled_from([1, 2, 7]), outcome=_outcomes)
    def more_days_pass(self, days: int, outcome: str) -> None:
        self.days_pass(days, outcome)

    def one_of(self, which: int, model: Any, **having: Any) -> Any:
        """A row, or None where there is none."""
        found = list(model.objects.filter(**having).order_by("id"))
        return found[which % len(found)] if found else None

    @rule(amount=_amounts)
    def credit(self, amount: int) -> None:
        grant_credit(account_id=self.account.id, amount_minor=amount, **self.signed)

    @rule(which=_positions, of=st.sampled_from([None, {}, {"status": "OPEN"}, {"in_flight": True}]), amount=_amounts)
    def receive(self, which: int, of: dict[str, Any] | None, amount: int) -> None:
        """Money for an invoice, or for none."""
        invoice = None if of is None else self.one_of(which, Invoice, **of)
        unless_refused(
            lambda: record_offline_payment(
                account_id=self.account.id,
                invoice_id=invoice.id if invoice else None,
                amount_minor=amount,
                reference="SEPA",
                is_another=True,
                **self.signed,
            )
        )

    @rule(which=_positions, status=_statuses, amount=st.none() | _amounts)
    def issue_a_credit_note(self, which: int, status: str, amount: int | None) -> None:
        if invoice := self.one_of(which, Invoice, status=status):
            unless_refused(lambda: issue_credit_note(invoice_id=invoice.id, amount_minor=amount, **self.signed))

    @rule(which=_positions, status=_statuses)
    def write_off(self, which: int, status: str) -> None:
        if invoice := self.one_of(which, Invoice, status=status):
            unless_refused(lambda: write_off_invoice(invoice_id=invoice.id, **self.signed))

    @rule(which=_positions)
    def reverse(self, which: int) -> None:
        if entry := self.one_of(which, Entry, type__in=REVERSIBLE):
            unless_refused(lambda: reverse_entry(entry_id=entry.id, **self.signed))

    @rule(which=_positions, status=_statuses)
    def pay(self, which: int, status: str) -> None:
        """A person has an invoice collected; what is paid or in flight is refused."""
        if invoice := self.one_of(which, Invoice, status=status):
            unless_refused(lambda: pay_invoice(invoice_id=invoice.id, author="ann", now=at(self.today)))

    @rule(number=st.integers(0, 2))
    def change_the_payment_method(self, number: int) -> None:
        update_account(account_id=self.account.id, changes={"payment_method": f"pm_{number}"}, **undated(self.signed))

    @rule()
    def close_or_reopen(self) -> None:
        if Account.objects.get().status == "INACTIVE":
            reopen_account(account_id=self.account.id, **self.signed)
        else:
            close_account(account_id=self.account.id, **self.signed)

    @precondition(lambda self: Payment.objects.filter(status__in=Payment.IN_FLIGHT).exists())
    @rule(which=_positions, outcome=st.sampled_from(list(OUTCOMES)))
    def learn(self, which: int, outcome: str) -> None:
        """The outcome of a payment in flight becomes known."""
        payment = self.one_of(which, Payment, status__in=Payment.IN_FLIGHT)
        outcomes: dict[str, Outcome] = {
            "takes": Succeeded(
                reference=str(payment.id),
                key=payment.id,
                amount_minor=payment.amount_minor,
                currency=payment.currency,
            ),
            "declines": DECLINED,
            "declines for good": STOLEN,
            "finds too small": TOO_SMALL,
            "does not know": Unknown(reason="timed out"),
        }
        record_payment_outcomes(outcomes={payment.id: outcomes[outcome]}, today=self.today, now=at(self.today))

    @rule(
        which=_positions,
        amount=st.none() | st.sampled_from([1, 300, 1000]),
        source=st.sampled_from(["payment", "payment", "balance"]),
        at_once=st.booleans(),
    )
    def refund(self, which: int, amount: int | None, source: str, at_once: bool) -> None:
        """A part of a payment, or all of it; more than is left is refused. Sent at once, or some time."""
        if payment := self.one_of(which, Payment, status="SUCCEEDED"):
            asked = amount or payment.amount_minor
            unless_refused(
                lambda: request_refund(payment_id=payment.id, amount_minor=asked, source=source, **self.signed)
            )
            if at_once:
                self.learn_of_a_refund_that(which, "sends")

    @rule(which=_positions, reference=st.sampled_from(["a", "b"]))
    def money_came_after_all(self, which: int, reference: str) -> None:
        """The gateway says so of a DECLINED payment, and a person books it; a second time is refused."""
        if payment := self.one_of(which, Payment, status="DECLINED"):
            self.learn_late(record_payment_outcomes, payment)
            unless_refused(
                lambda: book_late_payment(payment_id=payment.id, reference=f"{reference} {payment.id}", **self.signed)
            )

    @rule(which=_positions, reference=st.sampled_from(["a", "b"]))
    def a_refund_was_sent_after_all(self, which: int, reference: str) -> None:
        if refund := self.one_of(which, Refund, status="FAILED"):
            self.learn_late(record_refund_outcomes, refund)
            unless_refused(
                lambda: book_late_refund(refund_id=refund.id, reference=f"{reference} {refund.id}", **self.signed)
            )

    def learn_late(self, record: Callable[..., object], row: Payment | Refund) -> None:
        moved = Succeeded(reference="late", key=row.id, amount_minor=row.amount_minor, currency=row.currency)
        record(outcomes={row.id: moved}, today=self.today, now=at(self.today))

    @rule()
    def bill_the_debt(self) -> None:
        unless_refused(lambda: bill_debt(account_id=self.account.id, **self.signed))

    @rule(which=_positions)
    def money_is_taken_back(self, which: int) -> None:
        if payment := self.one_of(which, Payment, status="SUCCEEDED"):
            unless_refused(lambda: record_reversed_payment(payment_id=payment.id, **self.signed))

    @rule(which=_positions)
    def a_refund_comes_back(self, which: int) -> None:
        if refund := self.one_of(which, Refund, status="SUCCEEDED"):
            unless_refused(lambda: record_reversed_refund(refund_id=refund.id, **self.signed))

    @precondition(lambda self: Refund.objects.filter(status__in=Refund.IN_FLIGHT).exists())
    @rule(which=_positions, outcome=st.sampled_from(["sends", "sends", "refuses", "does not know"]))
    def learn_of_a_refund(self, which: int, outcome: str) -> None:
        self.learn_of_a_refund_that(which, outcome)

    def learn_of_a_refund_that(self, which: int, outcome: str) -> None:
        refund = self.one_of(which, Refund, status__in=Refund.IN_FLIGHT)
        if refund is None:
            return
        outcomes: dict[str, Outcome] = {
            "sends": Succeeded(
                reference=str(refund.id), key=refund.id, amount_minor=refund.amount_minor, currency=refund.currency
            ),
            "refuses": Declined(code="charge_disputed"),
            "does not know": Unknown(reason="timed out"),
        }
        record_refund_outcomes(outcomes={refund.id: outcomes[outcome]}, today=self.today, now=at(self.today))

    @invariant()
    def is_sound(self) -> None:
        with connection.cursor() as cursor:
            # Foreign keys that wait for the end of the transaction, which never comes here.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        self.soundness.check()
        _check_books()


def _check_books() -> None:
    """By the invoices' and payments' own rows: what was earned, what was collected, what was given up."""
    (books,) = book_totals().values()
    invoices, entries = list(Invoice.objects.all()), list(Entry.objects.all())
    credited = sum(
        each.credited_minor + each.credited_to_balance_minor + each.credited_to_refund_minor for each in invoices
    )
    assert books["revenue"] + books["tax_payable"] == credited - sum(each.total_minor for each in invoices)
    tax_credited = sum(CreditNote.objects.values_list("tax_minor", flat=True))
    assert books["tax_payable"] == tax_credited - sum(each.tax_minor for each in invoices)
    # What was carried forward and is too small to collect is given up on closing.
    given_up = sum(each.amount_minor for each in entries if each.type == "write_off" and each.invoice_id is None)
    assert books["bad_debt"] == given_up + sum(each.written_off_minor for each in invoices)
    came = sum(Payment.objects.filter(status="SUCCEEDED").values_list("amount_minor", flat=True))
    went = sum(Refund.objects.filter(status="SUCCEEDED").values_list("amount_minor", flat=True))
    taken_back = sum(each.amount_minor for each in entries if each.type == "payment_reversed")
    came_back = sum(each.amount_minor for each in entries if each.type == "refund_reversed")
    assert books["cash"] == came - went - taken_back + came_back
    reversed_ids = {each.reverses_id for each in entries if each.type == "reversal"}
    assert books["credits"] == sum(
        each.amount_minor for each in entries if each.type == "credit" and each.id not in reversed_ids
    )


@pytest.fixture
def _quiet() -> Iterator[None]:
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@rolled_back
class TestMovementsInAnyOrder:
    @pytest.mark.usefixtures("_quiet")
    def test_leave_invoices_credit_and_write_offs_that_add_up(self) -> None:
        more = os.environ.get("MOVEMENTS_EXAMPLES")
        run_state_machine_as_test(
            Movements,
            settings=settings(
                max_examples=int(more or 30),
                stateful_step_count=35,
                derandomize=not more,
                database=None,
                deadline=None,
                print_blob=True,
                suppress_health_check=list(HealthCheck),
            ),
        )
