"""Payments' outcomes: what each means for the charge and the account."""

import dataclasses
import datetime
import logging
from collections import Counter
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from django.db import DataError

from accounts.models import Account, StatusChange
from ledger.balances import balance
from ledger.models import Entry
from payments.gateways.port import Declined, PaymentRequest, Succeeded, Unknown
from payments.models import Payment
from rebilling import payment_outcomes, worker
from rebilling.account_statuses import refresh_account_statuses
from rebilling.adjustments import grant_credit, reverse_entry
from rebilling.models import Rebilling
from rebilling.payment_outcomes import record_payment_outcomes
from tests.builders import (
    NOW,
    TODAY,
    QueueInHand,
    ScriptedGateway,
    an_account,
    at,
    billed,
    delivered,
    statuses_of,
    swept,
    takes,
)
from tests.support.databases import committed, rolled_back


@rolled_back
class TestOutcomes:
    def test_a_payment_that_succeeds_pays_the_charge_and_activates_the_account(self) -> None:
        account = an_account()
        billed(as_of=TODAY)
        account.refresh_from_db()
        assert (account.status, balance(account_id=account.id)) == ("ACTIVE", 0)
        history = list(StatusChange.objects.order_by("id").values_list("from_status", "to_status", "reason", "author"))
        assert history == [
            ("", "PENDING", "opened", "test"),
            ("PENDING", "ACTIVE", "the first charge was paid", "system:rebilling"),
        ]

    def test_a_decline_leaves_the_charge_unpaid_and_the_account_past_due(self) -> None:
        account = an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(Declined(code="card_declined")))
        account.refresh_from_db()
        payment = Payment.objects.get()
        assert (payment.status, payment.decline_code, payment.completed_at) == ("DECLINED", "card_declined", NOW)
        assert statuses_of(account) == [(TODAY, "UNPAID")]
        assert (account.status, balance(account_id=account.id)) == ("PAST_DUE", 1999)
        assert Entry.objects.filter(type="payment").count() == 0

    def test_an_unknown_outcome_leaves_the_charge_open_and_is_not_submitted_again(self) -> None:
        account = an_account()
        gateway = ScriptedGateway(Unknown(reason="timed out"))
        queue = QueueInHand()
        swept(as_of=TODAY, queue=queue)
        assert delivered(bodies=queue.bodies * 2, gateway=gateway) == []
        account.refresh_from_db()
        payment = Payment.objects.get()
        assert (payment.status, payment.completed_at, payment.leased_until) == ("UNKNOWN", None, None)
        assert statuses_of(account) == [(TODAY, "CHARGED")]
        assert (account.status, len(gateway.requests)) == ("PENDING", 1)

    def test_a_gateway_that_raises_is_an_unknown_outcome(self) -> None:
        account = an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(ConnectionResetError("reset")))
        assert Payment.objects.get().status == "UNKNOWN"
        assert statuses_of(account) == [(TODAY, "CHARGED")]

    @pytest.mark.usefixtures("retries_far_ahead")
    def test_a_past_due_accounts_next_period_is_charged_all_the_same(self) -> None:
        account = an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(Declined(code="card_declined")))
        february = datetime.date(2026, 2, 1)
        billed(as_of=february)
        account.refresh_from_db()
        assert statuses_of(account) == [(TODAY, "UNPAID"), (february, "PAID")]
        assert (account.status, balance(account_id=account.id)) == ("PAST_DUE", 1999)


@rolled_back
class TestCreditWhilePaymentsAreOpen:
    def test_pays_an_unpaid_charge_and_the_account_is_active_again(self) -> None:
        account = an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(Declined(code="card_declined")))
        grant_credit(account_id=account.id, amount_minor=2500, reason="sorry", author="test", today=TODAY, now=NOW)
        account.refresh_from_db()
        rebilling = Rebilling.objects.get()
        assert (rebilling.status, rebilling.credit_minor) == ("PAID", 1999)
        assert (account.status, balance(account_id=account.id)) == ("ACTIVE", -501)

    def test_in_flight_leaves_the_charge_alone_and_waits_for_the_next(self) -> None:
        account = an_account()
        gateway = ScriptedGateway(Unknown(reason="timed out"))
        billed(as_of=TODAY, gateway=gateway)
        grant_credit(account_id=account.id, amount_minor=500, reason="sorry", author="test", today=TODAY, now=NOW)
        assert Rebilling.objects.get().credit_minor == 0
        billed(as_of=datetime.date(2026, 2, 1), gateway=ScriptedGateway(found=[Unknown(reason="still not known")]))
        taken = list(Rebilling.objects.order_by("period_start").values_list("status", "credit_minor", "paid_minor"))
        assert taken == [("CHARGED", 0, 0), ("PAID", 500, 1499)]

    def test_granted_in_flight_goes_to_the_charge_when_its_payment_is_declined(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        account = an_account()
        queue = QueueInHand()
        swept(as_of=TODAY, queue=queue)

        def record_after_a_credit(**arguments: Any) -> object:
            grant_credit(account_id=account.id, amount_minor=500, reason="sorry", author="test", today=TODAY, now=NOW)
            return record_payment_outcomes(**arguments)

        monkeypatch.setattr(worker, "record_payment_outcomes", record_after_a_credit)
        gateway = ScriptedGateway(Declined(code="card_declined"))
        assert delivered(bodies=queue.take(), gateway=gateway) == []
        rebilling = Rebilling.objects.get()
        assert (rebilling.status, rebilling.credit_minor, rebilling.outstanding_minor) == ("UNPAID", 500, 1499)

    def test_reversed_after_use_makes_the_charge_unpaid_again(self) -> None:
        account = an_account()
        credit = grant_credit(
            account_id=account.id, amount_minor=1999, reason="sorry", author="test", today=TODAY, now=NOW
        )
        billed(as_of=TODAY)
        reverse_entry(entry_id=credit.id, reason="by mistake", author="test", today=TODAY, now=at(TODAY))
        account.refresh_from_db()
        rebilling = Rebilling.objects.get()
        assert (rebilling.status, rebilling.credit_minor) == ("UNPAID", 0)
        assert (account.status, balance(account_id=account.id)) == ("PAST_DUE", 1999)


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
            (in_a_currency_named("EUR"), True, "the gateway moved 1999 EUR"),
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

        def refuse(*, account_ids: Any, **given: Any) -> None:
            refresh_account_statuses(account_ids=account_ids, **given)
            if accounts[2].rebillings.filter(status="PAID").exists():
                raise DataError("bad\nrow")

        monkeypatch.setattr(payment_outcomes, "refresh_account_statuses", refuse)
        return accounts[2]

    def test_needs_review_and_the_others_are_recorded(self, refused: Account, caplog: pytest.LogCaptureFixture) -> None:
        billed(as_of=TODAY)
        assert Counter(Payment.objects.values_list("status", flat=True)) == {"UNKNOWN": 1, "SUCCEEDED": 4}
        payment = refused.payments.get()
        assert payment.review_reason == "its outcome can't be recorded (DataError: bad)"
        assert statuses_of(refused) == [(TODAY, "CHARGED")]
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
            patched.setattr("rebilling.outcome_recording.write_outcomes", mock.Mock(side_effect=DataError("worse")))
            assert delivered(bodies=queue.bodies) == ["0"]
        assert Counter(Payment.objects.values_list("status", flat=True)) == {"SUBMITTED": 1, "SUCCEEDED": 4}
        assert "the outcome of a payment can't be recorded" in [record.message for record in caplog.records]
        monkeypatch.setattr(payment_outcomes, "refresh_account_statuses", refresh_account_statuses)
        Payment.objects.update(leased_until=None)
        assert delivered(bodies=queue.take()) == []
        assert Counter(Payment.objects.values_list("status", flat=True)) == {"SUCCEEDED": 5}


@rolled_back
class TestTimeIsShort:
    def test_what_is_not_reached_goes_on_as_a_payments_message(self) -> None:
        accounts = [an_account() for _ in range(3)]
        queue, gateway = QueueInHand(), ScriptedGateway()
        run = swept(as_of=TODAY, queue=queue)
        assert delivered(bodies=queue.take(), queue=queue, gateway=gateway, seconds_left=10) == []
        assert gateway.requests == []
        assert [statuses_of(account) for account in accounts] == [[(TODAY, "CHARGED")]] * 3
        (message,) = queue.messages
        assert message.rebillings == ()
        assert message.run_id == run.id
        assert set(message.payments) == set(Payment.objects.values_list("id", flat=True))
        assert delivered(bodies=queue.take(), queue=queue, gateway=gateway) == []
        assert len(gateway.requests) == 3
        assert [statuses_of(account) for account in accounts] == [[(TODAY, "PAID")]] * 3
