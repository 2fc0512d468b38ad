"""Every change in `docs/states.md` is made by the product's own operations, and no other is."""

import datetime
import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from accounts.errors import violated_constraint
from accounts.models import Account
from invoices.credit_notes import issue_credit_note
from invoices.credits import reverse_entry
from invoices.models import Invoice
from invoices.write_offs import write_off_invoice
from ledger.models import Entry
from payments.gateways.port import Declined, Unknown
from payments.gateways.sessions import SessionFailed
from payments.late_money import book_late_refund
from payments.messages.format import to_json
from payments.messages.rows import RefundsMessage
from payments.models import Payment, Refund
from payments.offline_payments import record_offline_payment
from payments.refund_requests import request_refund
from payments.reversed_money import record_reversed_payment
from rebilling.models import Rebilling, Run
from rebilling.parked_periods import release_parked, skip_parked
from rebilling.reconciliation.reconcile import reconcile
from rebilling.run_review import cancel_run, release_run
from subscriptions.imports.import_accounts import import_accounts
from subscriptions.lifecycle import close_account, reopen_account
from tests.builders import (
    NOW,
    TODAY,
    QueueInHand,
    ScriptedGateway,
    a_plan,
    an_account,
    at,
    billed,
    delivered,
    sends_back,
    sent_again,
    swept,
    takes,
)
from tests.support.databases import committed, rolled_back
from tests.support.method_sessions import (
    GivenMethods,
    completed_session,
    opened_session,
    requested_session,
    worked_on,
)
from tests.support.state_triggers import TABLES, recorded, recorder
from tests.support.states_page import changes

DAY = datetime.timedelta(days=1)
FEB_1 = datetime.date(2026, 2, 1)
HOUR = datetime.timedelta(hours=1)
SOFT, HARD = Declined(code="insufficient_funds"), Declined(code="stolen_card", hard=True)
TIMED_OUT = Unknown(reason="timed out")

SAID: dict[str, Any] = {"reason": "asked to", "author": "t", "now": NOW}
SIGNED: dict[str, Any] = {**SAID, "today": TODAY}


def charged(answer: Any = None, **terms: Any) -> Account:
    """An account whose January the gateway answered so; without an answer it took the money. So it went for whoever
    else was billed with it."""
    account = an_account(**terms)
    billed(as_of=TODAY, gateway=ScriptedGateway(*([answer] * 100 if answer else [])))
    return account


def closed(account: Account) -> Account:
    return close_account(account_id=account.id, **SIGNED).account


def reopened(account: Account, *, on: datetime.date = TODAY) -> Account:
    return reopen_account(account_id=account.id, reason="asked to", author="t", today=on, now=at(on)).account


def invoice_of(account: Account) -> Invoice:
    return Invoice.objects.get(account=account)


def written_off(account: Account) -> Entry:
    return write_off_invoice(invoice_id=invoice_of(account).id, **SIGNED)


def credited(account: Account) -> None:
    issue_credit_note(invoice_id=invoice_of(account).id, **SIGNED)


def received(account: Account, amount_minor: int = 1999, *, invoice: Invoice | None = None) -> Payment:
    return record_offline_payment(
        account_id=account.id,
        amount_minor=amount_minor,
        reference="SEPA 17",
        invoice_id=invoice.id if invoice else None,
        **SIGNED,
    )


def refund(payment: Payment, amount_minor: int = 1999, **given: Any) -> Refund:
    return request_refund(payment_id=payment.id, amount_minor=amount_minor, **SIGNED, **given)


def sent(row: Refund, gateway: ScriptedGateway, *, now: datetime.datetime = NOW) -> None:
    body = to_json(RefundsMessage(ids=(row.id,)))
    assert delivered(bodies=[body], gateway=gateway, now=now) == []


def accounts_change() -> None:
    reopened(closed(an_account()))  # never paid
    reopened(closed(charged()))
    reopened(closed(charged(SOFT)))
    an_account(plan=a_plan(trial_days=10))
    trial = an_account(plan=a_plan(trial_days=31))
    # Whoever else is billed that day is declined, too.
    billed(as_of=trial.rebilling_date, gateway=ScriptedGateway(*[SOFT] * 100))
    late = charged(SOFT)
    received(late, invoice=invoice_of(late))
    rows = "external_reference,name,email,plan,anchor_date,status\nE1,Ada,ada@example.com,{},2026-01-15,INACTIVE\n"
    file = io.BytesIO(rows.format(a_plan().code).encode())
    import_accounts(file=file, as_of=TODAY, author="t", now=NOW)


def invoices_change() -> None:
    charged(unit_amount_minor=0)
    paid = charged()
    record_reversed_payment(payment_id=paid.payments.get().id, **SIGNED)
    credited(charged(SOFT))
    for follow in (credited, lambda account: received(account, invoice=invoice_of(account))):
        account = charged(SOFT)
        written_off(account)
        follow(account)
    reverse_entry(entry_id=written_off(charged(SOFT)).id, **SIGNED)


def rebillings_change() -> None:
    for person in (release_parked, skip_parked):
        start = TODAY - 60 * DAY
        behind = an_account(plan=a_plan(interval_unit="day"), anchor_date=start, rebilling_date=start)
        swept(as_of=TODAY, queue=QueueInHand())
        person(rebilling_id=behind.rebillings.get(status="PARKED").id, **SAID)
        closed(behind)
    moved, queue = an_account(), QueueInHand()
    swept(as_of=TODAY, queue=queue)
    Account.objects.filter(id=moved.id).update(rebilling_date=FEB_1)
    assert delivered(bodies=queue.take()) == []
    closed(moved)
    credited(charged(SOFT))


def payments_change() -> None:
    received(an_account())
    charged()
    charged(SOFT)
    for found in (takes, SOFT):
        charged(TIMED_OUT)
        queue, later = QueueInHand(), NOW + HOUR
        sent_again(queue=queue, now=later)
        assert delivered(bodies=queue.take(), gateway=ScriptedGateway(found=[found]), now=later) == []


def refunds_change() -> None:
    offline = received(an_account(), 500)
    assert refund(offline, 500, source="balance").status == "SUCCEEDED"
    payments = [charged().payments.get() for _ in range(4)]
    answers: list[Any] = [sends_back, SOFT, TIMED_OUT, TIMED_OUT]
    for payment, answer in zip(payments, answers, strict=True):
        sent(refund(payment), ScriptedGateway(refunds=[answer]))
    unknown = Refund.objects.filter(status="UNKNOWN").order_by("id")
    for row, found in zip(list(unknown), answers[:2], strict=True):
        sent(row, ScriptedGateway(refunds_found=[found]), now=NOW + HOUR)
    failed = Refund.objects.filter(status="FAILED").earliest("id")
    Refund.objects.filter(id=failed.id).update(needs_review=True, review_reason="it was sent after all")
    book_late_refund(refund_id=failed.id, reference="re_1", **SIGNED)


def sessions_change() -> None:
    account, later = an_account(), NOW + DAY
    completed_session(account)
    expired, refused = opened_session(account), requested_session(account)
    assert worked_on(expired, now=later) == []
    assert worked_on(refused, gateway=GivenMethods(opening=SessionFailed("resource_missing"))) == []


def runs_change(settings: Any) -> None:
    settings.VOLUME_CHECK_FIRST_PERIODS = 1
    day = datetime.date(2027, 1, 1)
    plan = a_plan(currency="JPY")
    for _ in range(2):
        an_account(plan=plan, today=day)
    held = swept(as_of=day, queue=QueueInHand())
    cancel_run(run_id=held.id, **SAID | {"now": at(day)})
    queue = QueueInHand()
    held = swept(as_of=day, queue=QueueInHand())
    release_run(run_id=held.id, queue=queue, **SAID | {"now": at(day)})
    sent_again(queue=queue, now=at(day) + HOUR)
    assert delivered(bodies=queue.take(), today=day) == []
    settings.VOLUME_CHECK_FIRST_PERIODS = 0

    start = day - 60 * DAY
    an_account(plan=a_plan(interval_unit="day"), today=day, anchor_date=start, rebilling_date=start)
    parking = billed(as_of=day)
    reconcile(runs=[parking], now=at(day) + HOUR)
    assert Run.objects.get(id=parking.id).status == "RECONCILED"
    release_parked(rebilling_id=parking.rebillings.get(status="PARKED").id, **SAID | {"now": at(day)})


class TestEveryDocumentedChange:
    @committed
    @pytest.mark.usefixtures("_recorded")
    @pytest.mark.parametrize("kind", TABLES)
    def test_is_made_by_the_products_own_operations(self, kind: str, settings: Any) -> None:
        drives: dict[str, Callable[[], None]] = {
            "account": accounts_change,
            "invoice": invoices_change,
            "rebilling": rebillings_change,
            "payment": payments_change,
            "refund": refunds_change,
            "session": sessions_change,
            "run": lambda: runs_change(settings),
        }
        drives[kind]()
        documented = {(before, after) for before, ends in changes(kind).items() for after in ends}
        assert recorded(kind) == documented

    @pytest.fixture
    def _recorded(self, transactional_db: None) -> Iterator[None]:
        with recorder():
            yield


@rolled_back
class TestAnyOtherChange:
    def test_of_a_charged_period_is_refused(self) -> None:
        row = Rebilling.objects.get(account=charged())
        self.assert_refused(row, "rebilling_rebilling_state", status="DUE", invoice=None)

    def test_of_a_skipped_period_is_refused(self) -> None:
        account = an_account()
        swept(as_of=TODAY, queue=QueueInHand())
        closed(account)
        self.assert_refused(account.rebillings.get(), "rebilling_rebilling_state", status="DUE", reason="")

    def test_of_an_invoice_is_refused(self) -> None:
        account = charged(SOFT)
        credited(account)
        self.assert_refused(invoice_of(account), "invoices_invoice_state", status="OPEN", credited_minor=0)

    def test_of_a_known_payment_is_refused(self) -> None:
        payment = charged(SOFT).payments.get()
        self.assert_refused(payment, "payments_payment_state", status="SUCCEEDED", decline_code="")

    def test_of_a_failed_refund_is_refused(self) -> None:
        row = refund(charged().payments.get())
        sent(row, ScriptedGateway(refunds=[SOFT]))
        self.assert_refused(row, "payments_refund_state", status="SUBMITTED", failure_code="", completed_at=None)

    def test_of_a_session_that_has_ended_is_refused(self) -> None:
        row = completed_session(an_account())
        self.assert_refused(row, "payments_paymentmethodsession_state", status="OPEN", completed_at=None)

    def test_of_an_account_is_refused(self) -> None:
        self.assert_refused(charged(), "accounts_account_state", status="PENDING")

    def test_of_a_cancelled_run_is_refused(self, settings: Any) -> None:
        settings.VOLUME_CHECK_FIRST_PERIODS = 1
        for _ in range(2):
            an_account()
        run = swept(as_of=TODAY, queue=QueueInHand())
        cancel_run(run_id=run.id, **SAID)
        self.assert_refused(run, "rebilling_run_state", status="OPEN")

    @staticmethod
    def assert_refused(row: Any, constraint: str, **change: Any) -> None:
        """As the application's role, by the state alone: the change keeps every other rule."""
        rows = type(row)._default_manager.filter(id=row.id)
        before = rows.values().get()
        with pytest.raises(IntegrityError) as refused, transaction.atomic():
            rows.update(**change)
        assert violated_constraint(refused.value) == constraint
        assert rows.values().get() == before
