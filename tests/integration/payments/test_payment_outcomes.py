"""Payments' outcomes: what each means for the invoice, the account and the ledger."""

import dataclasses
import datetime
import logging
from collections import Counter
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from django.db import DataError, transaction

from accounts.locked_accounts import lock_account
from accounts.models import Account, AccountChange
from invoices.account_status import refresh_accounts
from invoices.credits import grant_credit
from invoices.write_offs import write_off_invoice
from ledger.balances import book_totals
from ledger.models import Book, Entry
from payments import payment_outcomes
from payments.account_updates import update_account
from payments.gateways.port import Declined, PaymentRequest, Succeeded, Unknown
from payments.models import Payment
from payments.outcomes import OUR_FAULT, write_outcomes
from payments.payment_outcomes import record_payment_outcomes
from rebilling import worker
from subscriptions.lifecycle import close_account
from tests.builders import (
    NOW,
    TODAY,
    QueueInHand,
    ScriptedGateway,
    an_account,
    billed,
    delivered,
    sent_again,
    statuses_of,
    swept,
    takes,
)
from tests.support.databases import committed, rolled_back
from tests.support.owing import (
    DECLINED,
    FEB_1,
    HARD,
    answers,
    invoices_of,
    owing,
    owing_two_months,
    received,
    rows,
    state_of,
)
from tests.support.payments import collected, recorded
from tests.support.refunds import entries_of
from tests.support.signatures import undated
from tests.support.unchanged import nothing_moves

DAY = datetime.timedelta(days=1)
TIMED_OUT = Unknown(reason="timed out")
SIGNED: dict[str, Any] = {"reason": "sorry", "author": "t", "today": TODAY, "now": NOW}


def charged(**terms: Any) -> tuple[Account, str]:
    """Invoiced today, its payment SUBMITTED and not collected yet; with the message that collects it."""
    account, queue = an_account(**terms), QueueInHand()
    swept(as_of=TODAY, queue=queue)
    (body,) = queue.take()
    assert delivered(bodies=[body], seconds_left=1) == []
    assert account.payments.get().status == "SUBMITTED"
    return account, body


@rolled_back
class TestASuccess:
    def test_pays_the_invoice_and_activates_the_account(self) -> None:
        account = owing(takes)  # type: ignore[arg-type]
        payment = account.payments.get()
        assert (payment.status, payment.completed_at, payment.cause) == ("SUCCEEDED", NOW, "invoice")
        assert (payment.applied_minor, payment.excess_minor) == (1999, 0)
        (invoice,) = invoices_of(account)
        assert (invoice.status, invoice.in_flight, invoice.paid_minor) == ("PAID", False, 1999)
        assert state_of(account) == ("ACTIVE", 0, 0)
        change = AccountChange.objects.filter(account=account).latest("id")
        assert (change.before, change.after) == ({"status": "PENDING"}, {"status": "ACTIVE"})
        assert (change.reason, change.author) == ("its first invoice was paid", "system:billing")

    def test_is_booked_as_one_entry_that_names_it(self) -> None:
        account = owing(takes)  # type: ignore[arg-type]
        payment, entry = account.payments.get(), Entry.objects.get(type="payment")
        assert (entry.debit, entry.credit, entry.amount_minor) == ("cash", "receivable", 1999)
        assert (entry.payment_id, entry.invoice_id) == (payment.id, invoices_of(account)[0].id)
        assert (entry.idempotency_key, entry.effective_on) == (f"payment:{payment.id}", TODAY)
        assert entry.description == f"Payment of invoice {invoices_of(account)[0].number} by logging"
        assert entry.created_by == "system:billing"

    def test_of_a_later_period_leaves_an_older_declined_invoice_to_its_step(self) -> None:
        account = owing_two_months()
        gateway = ScriptedGateway()
        billed(as_of=FEB_1.replace(month=3), gateway=gateway)
        assert rows(account) == [("OPEN", 0, 0), ("OPEN", 0, 0), ("PAID", 0, 1999)]
        assert state_of(account) == ("PAST_DUE", 3998, 0)

    def test_brings_what_is_left_over_where_other_money_was_faster(self) -> None:
        """A transfer came while the gateway was being called."""
        account, body = charged()
        Payment.objects.update(first_called_at=NOW)
        received(account, 1500, invoice_id=invoices_of(account)[0].id)
        gateway = ScriptedGateway(found=[takes])
        assert delivered(bodies=[body], gateway=gateway) == []
        assert (gateway.requests, len(gateway.looked_up)) == ([], 1)
        payment = account.payments.exclude(gateway="offline").get()
        assert (payment.status, payment.excess_minor, payment.applied_minor) == ("SUCCEEDED", 1500, 499)
        assert rows(account) == [("PAID", 0, 1999)]
        assert state_of(account) == ("ACTIVE", 0, 1500)

    def test_of_what_was_written_off_is_a_recovery(self) -> None:
        """A person gave it up while no payment was in flight, and another attempt was made all the same."""
        account = owing()
        (invoice,) = invoices_of(account)
        write_off_invoice(invoice_id=invoice.id, **SIGNED)
        received(account, 1000, invoice_id=invoice.id)
        assert entries_of(account)[1:] == [("write_off", 1999), ("payment", 1000), ("recovery", 1000)]
        recovery = Entry.objects.get(type="recovery")
        assert recovery.description == "Recovered of what was written off: by transfer"
        assert recovery.idempotency_key == f"recovery:payment:{Payment.objects.get(gateway='offline').id}"
        assert book_totals()["USD"] == dict.fromkeys(Book.values, 0) | {
            "revenue": -1999, "cash": 1000, "bad_debt": 999,
        }  # fmt: skip

    def test_recorded_twice_is_booked_once(self) -> None:
        account = owing(TIMED_OUT)
        payment = account.payments.get()
        success = Succeeded(reference="pi_1", key=payment.id, amount_minor=1999, currency="USD")
        assert [written.changed for _, written in recorded(success, payment).rows] == [True]
        assert recorded(success, payment).rows == []
        assert entries_of(account) == [("charge", 1999), ("payment", 1999)]
        assert state_of(account) == ("ACTIVE", 0, 0)

    def test_of_nothing_records_nothing(self) -> None:
        found = record_payment_outcomes(outcomes={}, today=TODAY, now=NOW)
        assert (found.rows, found.submitted) == ([], [])

    def test_of_a_closed_account_leaves_it_closed_and_goes_on(self) -> None:
        account = owing_two_months()
        close_account(account_id=account.id, reason="left", author="t", today=TODAY, now=NOW)
        Account.objects.filter(id=account.id).update(dunning_on=FEB_1 + DAY)
        billed(as_of=FEB_1 + DAY)
        assert rows(account) == [("PAID", 0, 1999), ("PAID", 0, 1999)]
        assert (state_of(account), account.inactive_reason) == (("INACTIVE", 0, 0), "closed")


@rolled_back
class TestADecline:
    def test_leaves_the_invoice_open_and_the_account_past_due(self) -> None:
        account = owing()
        payment = account.payments.get()
        assert (payment.status, payment.decline_code, payment.completed_at) == ("DECLINED", "card_declined", NOW)
        (invoice,) = invoices_of(account)
        assert (invoice.status, invoice.in_flight, invoice.declined_on) == ("OPEN", False, TODAY)
        assert state_of(account) == ("PAST_DUE", 1999, 0)
        assert (account.dunning_on, account.dunning_steps) == (TODAY + DAY, 0)
        assert not account.payment_method_unusable
        assert entries_of(account) == [("charge", 1999)]

    def test_that_is_hard_makes_the_method_unusable(self) -> None:
        account = owing(HARD)
        assert state_of(account) == ("PAST_DUE", 1999, 0)
        assert account.payment_method_unusable

    def test_keeps_the_day_of_the_first(self) -> None:
        account = owing()
        billed(as_of=TODAY + DAY, gateway=ScriptedGateway(DECLINED))
        assert invoices_of(account)[0].declined_on == TODAY

    def test_gives_the_invoice_the_credit_that_was_granted_meanwhile(self, monkeypatch: pytest.MonkeyPatch) -> None:
        account = an_account()

        def record_after_a_credit(**arguments: Any) -> object:
            grant_credit(account_id=account.id, amount_minor=500, **SIGNED)
            return record_payment_outcomes(**arguments)

        monkeypatch.setattr(worker, "record_payment_outcomes", record_after_a_credit)
        billed(as_of=TODAY, gateway=ScriptedGateway(DECLINED))
        assert rows(account) == [("OPEN", 500, 0)]
        assert state_of(account) == ("PAST_DUE", 1499, 0)


@rolled_back
class TestAnUnknownOutcome:
    def test_leaves_the_invoice_in_flight_and_is_not_submitted_again(self) -> None:
        account, queue = an_account(), QueueInHand()
        gateway = ScriptedGateway(TIMED_OUT)
        swept(as_of=TODAY, queue=queue)
        assert delivered(bodies=queue.bodies * 2, gateway=gateway) == []
        payment = Payment.objects.get()
        assert (payment.status, payment.completed_at, payment.leased_until) == ("UNKNOWN", None, None)
        (invoice,) = invoices_of(account)
        assert (invoice.status, invoice.in_flight) == ("OPEN", True)
        assert (state_of(account), len(gateway.requests)) == (("PENDING", 1999, 0), 1)

    def test_is_what_a_gateway_that_raises_gives(self) -> None:
        account = owing(ConnectionResetError("reset"))  # type: ignore[arg-type]
        assert Payment.objects.get().status == "UNKNOWN"
        assert statuses_of(account) == [(TODAY, "CHARGED")]

    def test_keeps_credit_for_the_next_invoice(self) -> None:
        account = owing(TIMED_OUT)
        grant_credit(account_id=account.id, amount_minor=500, **SIGNED)
        billed(as_of=FEB_1, gateway=ScriptedGateway(found=[Unknown(reason="still not known")]))
        assert rows(account) == [("OPEN", 0, 0), ("PAID", 500, 1499)]


@rolled_back
class TestOurOwnFault:
    @pytest.mark.parametrize("code", ["never_received", "amount_not_expressible", "invalid_request"])
    def test_needs_review_and_counts_for_nothing(self, code: str) -> None:
        account = owing(Declined(code=code))
        payment = account.payments.get()
        assert (payment.status, payment.decline_code, payment.needs_review) == ("DECLINED", code, True)
        assert payment.review_reason == OUR_FAULT[code]
        (invoice,) = invoices_of(account)
        assert (invoice.status, invoice.in_flight, invoice.declined_on) == ("OPEN", False, None)
        assert state_of(account) == ("PENDING", 1999, 0)
        assert (account.dunning_on, account.dunning_steps) == (None, 0)
        gateway = ScriptedGateway()
        for number in range(1, 10):
            billed(as_of=TODAY + number * DAY, gateway=gateway)
        assert (gateway.requests, state_of(account)[0]) == ([], "PENDING")

    def test_at_a_step_undoes_it_and_the_step_comes_again_tomorrow(self) -> None:
        account = owing()
        for number in range(1, 3):
            billed(as_of=TODAY + number * DAY, gateway=answers(Declined(code="invalid_request")))
            account.refresh_from_db()
            assert (account.status, account.dunning_steps) == ("PAST_DUE", 0)
            assert account.dunning_on == TODAY + (number + 1) * DAY
        billed(as_of=TODAY + 3 * DAY)
        assert state_of(account) == ("ACTIVE", 0, 0)


@rolled_back
class TestWriteOutcomes:
    def test_refuses_a_payment_of_an_account_that_is_not_locked(self) -> None:
        account, _ = charged()
        other = an_account()
        payment = account.payments.get()
        outcomes = {payment.id: Declined(code="card_declined")}
        with nothing_moves(), transaction.atomic():
            locked = {other.id: lock_account(other.id)}
            with pytest.raises(ValueError, match=r"^the account of a payment isn't locked$"), transaction.atomic():
                write_outcomes(model=Payment, accounts=locked, outcomes=outcomes, now=NOW)
        payment.refresh_from_db()
        assert payment.status == "SUBMITTED"


@rolled_back
class TestSuperseded:
    """Money came for the invoice before its payment was sent: the gateway isn't called for too much."""

    @pytest.mark.parametrize(("came", "rest"), [(1500, 499), (1, 1998), (1999, 0), (2500, 0)])
    def test_is_declined_for_nothing_and_the_rest_is_submitted_anew(self, came: int, rest: int) -> None:
        account, body = charged()
        received(account, came, invoice_id=invoices_of(account)[0].id)
        queue, gateway = QueueInHand(), ScriptedGateway()
        assert delivered(bodies=[body], queue=queue, gateway=gateway) == []
        first = account.payments.filter(cause="invoice").earliest("id")
        assert (first.status, first.decline_code, first.needs_review) == ("DECLINED", "superseded", False)
        assert gateway.requests == []
        assert delivered(bodies=queue.take(), gateway=gateway) == []
        assert [request.amount_minor for request in gateway.requests] == ([rest] if rest else [])
        assert rows(account) == [("PAID", 0, 1999)]
        assert state_of(account) == ("ACTIVE", 0, max(0, came - 1999))
        assert account.dunning_on is None

    def test_uses_credit_that_waited_before_it_submits_the_rest(self) -> None:
        account, body = charged()
        grant_credit(account_id=account.id, amount_minor=300, **SIGNED)
        received(account, 1000, invoice_id=invoices_of(account)[0].id)
        queue, gateway = QueueInHand(), ScriptedGateway()
        delivered(bodies=[body], queue=queue)
        delivered(bodies=queue.take(), gateway=gateway)
        assert [request.amount_minor for request in gateway.requests] == [699]
        assert rows(account) == [("PAID", 300, 1699)]
        assert state_of(account) == ("ACTIVE", 0, 0)

    def test_at_a_step_goes_on_with_the_next_invoice_even_at_the_last(self) -> None:
        account = owing_two_months()
        Account.objects.filter(id=account.id).update(dunning_on=FEB_1 + DAY, dunning_steps=3)
        queue = QueueInHand()
        swept(as_of=FEB_1 + DAY, queue=queue)
        received(account, 1999, invoice_id=invoices_of(account)[0].id, today=FEB_1 + DAY, now=NOW + 32 * DAY)
        assert delivered(bodies=queue.take(), queue=queue, today=FEB_1 + DAY) == []
        assert rows(account) == [("PAID", 0, 1999), ("OPEN", 0, 0)]
        assert state_of(account) == ("PAST_DUE", 1999, 0)
        assert delivered(bodies=queue.take(), queue=queue, today=FEB_1 + DAY) == []
        assert rows(account) == [("PAID", 0, 1999), ("PAID", 0, 1999)]
        assert state_of(account) == ("ACTIVE", 0, 0)

    def test_once_the_gateway_was_called_it_is_only_looked_up(self) -> None:
        """The call timed out, and a transfer came before the look-up found nothing."""
        account = owing(TIMED_OUT)
        received(account, 1999, invoice_id=invoices_of(account)[0].id)
        queue, gateway = QueueInHand(), ScriptedGateway()
        for hours in (2, 30):
            sent_again(queue=queue, now=NOW + datetime.timedelta(hours=hours))
            bodies = queue.take()
            assert delivered(bodies=bodies, gateway=gateway, now=NOW + datetime.timedelta(hours=hours)) == []
        assert (gateway.requests, len(gateway.looked_up)) == ([], 2)
        payment = account.payments.exclude(gateway="offline").get()
        assert (payment.status, payment.decline_code, payment.needs_review) == ("DECLINED", "superseded", False)
        assert rows(account) == [("PAID", 0, 1999)]
        assert state_of(account) == ("ACTIVE", 0, 0)

    def test_of_a_method_declined_for_good_is_not_tried_again(self) -> None:
        account, body = charged()
        received(account, 1500, invoice_id=invoices_of(account)[0].id)
        Account.objects.filter(id=account.id).update(payment_method_unusable=True)
        queue, gateway = QueueInHand(), ScriptedGateway()
        assert delivered(bodies=[body], queue=queue, gateway=gateway) == []
        assert (gateway.requests, queue.bodies) == ([], [])
        assert state_of(account) == ("PAST_DUE", 499, 0)
        assert account.dunning_on == TODAY + DAY

    def test_of_two_invoices_at_once_is_one_change_of_the_account(self) -> None:
        account, queue = an_account(), QueueInHand()
        for day in (TODAY, FEB_1):
            swept(as_of=day, queue=queue)
            assert delivered(bodies=queue.take(), today=day, seconds_left=1) == []
        Account.objects.filter(id=account.id).update(status="ACTIVE", payment_method_unusable=True)
        payments = list(account.payments.filter(status="SUBMITTED"))
        assert len(payments) == 2
        before = AccountChange.objects.count()
        assert recorded(Declined(code="superseded"), *payments).submitted == []
        assert state_of(account) == ("PAST_DUE", 3998, 0)
        change = AccountChange.objects.latest("id")
        assert (AccountChange.objects.count() - before, change.reason) == (1, "an invoice was declined")


@rolled_back
class TestADeclineOfAMethodThatWasReplaced:
    """The customer gave another card while the old one was at the gateway."""

    @pytest.mark.parametrize("answer", [DECLINED, HARD])
    def test_is_none_of_the_new_one_which_is_tried_at_once(self, answer: Declined) -> None:
        account = owing(TIMED_OUT, payment_method="pm_old")
        update_account(account_id=account.id, changes={"payment_method": "pm_new"}, **undated(SIGNED))
        queue, gateway = QueueInHand(), ScriptedGateway(found=[answer])
        sent_again(queue=queue, now=NOW + datetime.timedelta(hours=2))
        while bodies := queue.take():
            assert delivered(bodies=bodies, queue=queue, gateway=gateway, now=NOW + datetime.timedelta(hours=2)) == []
        assert [request.payment_method for request in gateway.requests] == ["pm_new"]
        assert [payment.cause for payment in account.payments.order_by("id")] == ["invoice", "payment_method"]
        assert rows(account) == [("PAID", 0, 1999)]
        assert state_of(account) == ("ACTIVE", 0, 0)
        assert not account.payment_method_unusable

    def test_counts_where_no_new_one_was_given(self) -> None:
        account = owing(TIMED_OUT, payment_method="pm_old")
        update_account(account_id=account.id, changes={"payment_method": ""}, **undated(SIGNED))
        recorded(HARD, account.payments.get())
        assert state_of(account) == ("PAST_DUE", 1999, 0)
        assert account.payment_method_unusable


@rolled_back
class TestWhatNothingExplains:
    @pytest.mark.parametrize("amount", [2000, 500_000])
    def test_asks_for_too_much_is_never_sent_and_alarms(self, amount: int, caplog: pytest.LogCaptureFixture) -> None:
        """Planted on a paid invoice, past every operation."""
        account = owing(takes)  # type: ignore[arg-type]
        planted = Payment.objects.create(
            account=account,
            invoice=invoices_of(account)[0],
            cause="request",
            amount_minor=amount,
            currency="USD",
            status="SUBMITTED",
            gateway="logging",
            submitted_at=NOW,
            created_by="nobody",
        )
        gateway = ScriptedGateway()
        assert collected(planted.id, gateway=gateway) == [planted.id]
        planted.refresh_from_db()
        assert (gateway.requests, planted.status, planted.decline_code) == ([], "DECLINED", "not_outstanding")
        assert planted.needs_review
        assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == [
            "a payment needs review"
        ]
        assert entries_of(account) == [("charge", 1999), ("payment", 1999)]
        assert state_of(account) == ("ACTIVE", 0, 0)


def in_a_currency_named(currency: str) -> Callable[[PaymentRequest], Succeeded]:
    return lambda request: dataclasses.replace(takes(request), currency=currency)


@rolled_back
class TestAnOutcomeThatCannotBeKept:
    """It holds up no other outcome of its batch, neither at once nor when it is looked up again."""

    @pytest.mark.parametrize(
        ("answer", "needs_review", "reason"),
        [
            (in_a_currency_named("us\0"), False, ""),
            (in_a_currency_named("us\ud800"), False, ""),
            (in_a_currency_named("US DOLLARS"), False, ""),
            (in_a_currency_named("EUR"), True, "the gateway moved 19.99 EUR; we asked for 19.99 USD"),
            (Unknown(reason="it said \0\ud800\n", needs_review=True), True, r"it said \x00\ud800\n"),
        ],
        ids=["a_null", "a_surrogate", "no_currency", "another_currency", "a_reason_of_any_kind"],
    )
    def test_is_unknown_whatever_the_gateway_says(self, answer: Any, needs_review: bool, reason: str) -> None:
        for _ in range(3):
            an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(answer))
        assert Counter(Payment.objects.values_list("status", flat=True)) == {"UNKNOWN": 1, "SUCCEEDED": 2}
        payment = Payment.objects.get(status="UNKNOWN")
        assert payment.needs_review == needs_review
        assert payment.review_reason.startswith(reason)
        assert Entry.objects.filter(type="payment").count() == 2


# In real transactions, as the worker has them.
@committed
class TestAnOutcomeThatTheDatabaseRefuses:
    @pytest.fixture
    def refused(self, monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> Account:
        """The third of five accounts: the database refuses what follows from its payment."""
        accounts = sorted((an_account() for _ in range(5)), key=lambda account: account.id)

        def refuse(*, accounts: Any, **given: Any) -> None:
            refresh_accounts(accounts=accounts, **given)
            if bad.invoices.filter(status="PAID").exists():
                raise DataError("bad\nrow")

        bad = accounts[2]
        monkeypatch.setattr(payment_outcomes, "refresh_accounts", refuse)
        return bad

    def test_needs_review_and_the_others_are_recorded(self, refused: Account, caplog: pytest.LogCaptureFixture) -> None:
        billed(as_of=TODAY)
        assert Counter(Payment.objects.values_list("status", flat=True)) == {"UNKNOWN": 1, "SUCCEEDED": 4}
        payment = refused.payments.get()
        assert payment.review_reason == "its outcome can't be recorded (DataError: bad)"
        # By which it is found at the gateway.
        assert payment.gateway_reference == f"taken-{payment.id}"
        assert [(each.status, each.in_flight) for each in invoices_of(refused)] == [("OPEN", True)]
        assert Entry.objects.filter(type="payment").count() == 4
        errors = [record.message for record in caplog.records if record.levelno == logging.ERROR]
        assert errors == ["a payment needs review"]
        messages = [record.message for record in caplog.records]
        assert messages.count("the outcome of a payment was recorded") == 4

    def test_that_cannot_even_be_written_for_review_is_an_error_and_the_others_are_recorded(
        self, refused: Account, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        queue = QueueInHand()
        swept(as_of=TODAY, queue=queue)
        with monkeypatch.context() as patched:
            patched.setattr("payments.outcome_bisection.write_outcomes", mock.Mock(side_effect=DataError("worse")))
            assert delivered(bodies=queue.bodies) == ["0"]
        assert Counter(Payment.objects.values_list("status", flat=True)) == {"SUBMITTED": 1, "SUCCEEDED": 4}
        assert "the outcome of a payment can't be recorded" in [record.message for record in caplog.records]
        monkeypatch.setattr(payment_outcomes, "refresh_accounts", refresh_accounts)
        Payment.objects.update(leased_until=None)
        assert delivered(bodies=queue.take()) == []
        assert Counter(Payment.objects.values_list("status", flat=True)) == {"SUCCEEDED": 5}
        assert Entry.objects.filter(type="payment").count() == 5


@rolled_back
class TestTimeIsShort:
    def test_what_is_not_reached_goes_on_as_a_payments_message(self) -> None:
        accounts = [an_account() for _ in range(3)]
        queue, gateway = QueueInHand(), ScriptedGateway()
        swept(as_of=TODAY, queue=queue)
        assert delivered(bodies=queue.take(), queue=queue, gateway=gateway, seconds_left=10) == []
        assert gateway.requests == []
        assert [statuses_of(account) for account in accounts] == [[(TODAY, "CHARGED")]] * 3
        assert queue.messages == []
        assert set(queue.payments) == set(Payment.objects.values_list("id", flat=True))
        assert delivered(bodies=queue.take(), queue=queue, gateway=gateway) == []
        assert len(gateway.requests) == 3
        assert [rows(account) for account in accounts] == [[("PAID", 0, 1999)]] * 3
