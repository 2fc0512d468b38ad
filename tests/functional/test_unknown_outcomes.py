"""Unknown outcomes: looked up, submitted again only while the key is certainly kept, never guessed."""

import datetime
import logging
from typing import Any

import pytest

from accounts.models import Account
from accounts.reasons import InvalidReason
from ledger.balances import balance
from ledger.models import Entry
from payments.gateways.port import Declined, NotAttempted, NotFound, PaymentRequest, Succeeded, Unknown
from payments.messages.rows import message_of
from payments.models import Payment
from payments.payment_outcomes import record_payment_outcomes
from payments.reviews import UnableToResolve, mark_resolved
from rebilling.hourly_check import check_hourly
from rebilling.models import Run
from tests.builders import (
    NOW,
    TODAY,
    QueueInHand,
    ScriptedGateway,
    an_account,
    at,
    billed,
    delivered,
    sent_again,
    swept,
    takes,
)
from tests.support.databases import rolled_back
from tests.support.owing import rows, state_of
from tests.support.unchanged import nothing_moves

HOUR = datetime.timedelta(hours=1)
DAY = datetime.timedelta(days=1)
TIMED_OUT = Unknown(reason="timed out")

pytestmark = rolled_back


@pytest.fixture
def account() -> Account:
    """Charged at NOW, its payment's outcome unknown."""
    account = an_account(payment_customer="cus_1", payment_method="pm_1")
    billed(as_of=TODAY, gateway=ScriptedGateway(TIMED_OUT))
    assert Payment.objects.get().status == "UNKNOWN"
    return account


def called_again(*, after: datetime.timedelta, gateway: ScriptedGateway) -> Payment:
    """The hourly reconcile sends it, and the worker calls the gateway."""
    now, queue = NOW + after, QueueInHand()
    assert sent_again(queue=queue, now=now) == 1
    assert delivered(bodies=queue.take(), gateway=gateway, today=now.date(), now=now) == []
    return Payment.objects.get()


class TestUnknownOutcome:
    def test_found_taken_is_a_payment_without_another_call_for_money(self, account: Account) -> None:
        gateway = ScriptedGateway(found=[takes])
        payment = called_again(after=HOUR, gateway=gateway)
        assert (payment.status, payment.gateway_reference) == ("SUCCEEDED", f"taken-{payment.id}")
        assert gateway.requests == []
        assert rows(account) == [("PAID", 0, 1999)]
        assert balance(account_id=account.id) == 0

    def test_found_declined_leaves_the_invoice_open_and_the_account_past_due(self, account: Account) -> None:
        gateway = ScriptedGateway(found=[Declined(code="insufficient_funds")])
        payment = called_again(after=HOUR, gateway=gateway)
        assert (payment.status, payment.decline_code) == ("DECLINED", "insufficient_funds")
        assert state_of(account) == ("PAST_DUE", 1999, 0)

    def test_is_looked_up_with_the_customer_and_method_of_its_first_submission(self, account: Account) -> None:
        """Were it looked for under another customer, money that was taken would not be found, and taken again."""
        Account.objects.update(payment_customer="cus_other", payment_method="")
        gateway = ScriptedGateway(found=[NotFound()])
        payment = called_again(after=HOUR, gateway=gateway)
        asked = [(request.customer, request.payment_method) for request in gateway.looked_up + gateway.requests]
        assert asked == [("cus_1", "pm_1")] * 2
        assert (payment.status, payment.customer, payment.payment_method) == ("SUCCEEDED", "cus_1", "pm_1")

    def test_still_unknown_is_looked_up_again_the_next_hour(self, account: Account) -> None:
        for hours in (1, 2, 3):
            payment = called_again(after=hours * HOUR, gateway=ScriptedGateway(found=[TIMED_OUT]))
            assert payment.status == "UNKNOWN"
        assert rows(account) == [("OPEN", 0, 0)]

    @pytest.mark.parametrize("hours", [1, 22])
    def test_not_found_is_submitted_again_under_the_same_key(self, account: Account, hours: int) -> None:
        gateway = ScriptedGateway(found=[NotFound()])
        payment = called_again(after=hours * HOUR, gateway=gateway)
        assert [request.key for request in gateway.requests] == [payment.id]
        assert payment.status == "SUCCEEDED"

    @pytest.mark.parametrize("seconds", [23 * 3600, 24 * 3600 - 1])
    def test_not_found_while_a_last_call_may_be_on_its_way_stays_unknown(self, account: Account, seconds: int) -> None:
        gateway = ScriptedGateway(found=[NotFound()])
        payment = called_again(after=datetime.timedelta(seconds=seconds), gateway=gateway)
        assert (gateway.requests, payment.status, payment.needs_review) == ([], "UNKNOWN", False)
        assert rows(account) == [("OPEN", 0, 0)]

    def test_taken_after_a_look_up_that_found_nothing_is_not_collected_again(self, account: Account) -> None:
        """The last call times out, a twin of its message looks it up at once, and only then the money is taken."""
        second = datetime.timedelta(seconds=1)
        last = called_again(after=23 * HOUR - second, gateway=ScriptedGateway(TIMED_OUT, found=[NotFound()]))
        assert last.status == "UNKNOWN"
        called_again(after=23 * HOUR + second, gateway=ScriptedGateway(found=[NotFound()]))
        payment = called_again(after=24 * HOUR, gateway=ScriptedGateway(found=[takes]))
        assert (Payment.objects.count(), payment.status) == (1, "SUCCEEDED")
        assert rows(account) == [("PAID", 0, 1999)]

    @pytest.mark.parametrize("hours", [24, 100])
    def test_not_found_when_its_key_may_be_forgotten_was_never_received(self, account: Account, hours: int) -> None:
        gateway = ScriptedGateway(found=[NotFound()])
        payment = called_again(after=hours * HOUR, gateway=gateway)
        assert gateway.requests == []
        assert (payment.status, payment.decline_code) == ("DECLINED", "never_received")
        # No decline of the customer's: a person looks into it.
        assert payment.needs_review
        assert state_of(account) == ("PENDING", 1999, 0)

    def test_is_looked_up_by_each_sweep_too(self, account: Account) -> None:
        gateway = ScriptedGateway(found=[takes])
        billed(as_of=TODAY + DAY, gateway=gateway)
        assert [request.key for request in gateway.looked_up] == [Payment.objects.get().id]
        assert rows(account) == [("PAID", 0, 1999)]

    def test_is_looked_up_by_the_reference_that_the_gateway_gave(self) -> None:
        an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(Unknown(reason="processing", reference="pi_1")))
        gateway = ScriptedGateway(found=[TIMED_OUT, takes])
        called_again(after=HOUR, gateway=gateway)
        called_again(after=2 * HOUR, gateway=gateway)
        assert [request.reference for request in gateway.looked_up] == ["pi_1", "pi_1"]

    def test_needs_review_after_five_days_and_is_not_looked_up_any_more(
        self, account: Account, caplog: pytest.LogCaptureFixture
    ) -> None:
        check_hourly(queue=None, now=NOW + 5 * DAY - HOUR)
        assert not Payment.objects.get().needs_review
        check_hourly(queue=None, now=NOW + 5 * DAY)
        payment = Payment.objects.get()
        assert (payment.status, payment.needs_review) == ("UNKNOWN", True)
        assert payment.review_reason == "its outcome is not known after 5 days"
        errors = [record.message for record in caplog.records if record.levelno == logging.ERROR]
        assert errors == ["a payment needs review"]
        assert sent_again(queue=QueueInHand(), now=NOW + 5 * DAY) == 0

    def test_overdue_is_looked_up_once_a_day_by_the_sweep(self, account: Account) -> None:
        check_hourly(queue=None, now=NOW + 6 * DAY)
        gateway = ScriptedGateway(found=[takes])
        billed(as_of=TODAY + 6 * DAY, gateway=gateway)
        assert (len(gateway.looked_up), gateway.requests) == (1, [])
        assert (Payment.objects.get().status, Payment.objects.get().needs_review) == ("SUCCEEDED", False)

    def test_overdue_by_a_deadline_that_was_moved_since_is_looked_up_all_the_same(
        self, account: Account, settings: Any
    ) -> None:
        check_hourly(queue=None, now=NOW + 6 * DAY)
        settings.PAYMENT_UNKNOWN_DAYS = 14
        gateway = ScriptedGateway(found=[takes])
        billed(as_of=TODAY + 6 * DAY, gateway=gateway)
        assert (len(gateway.looked_up), Payment.objects.get().status) == (1, "SUCCEEDED")

    def test_known_at_last_needs_no_review(self, account: Account) -> None:
        payment = Payment.objects.get()
        gateway, queue = ScriptedGateway(found=[takes]), QueueInHand()
        sent_again(queue=queue, now=NOW + 5 * DAY - HOUR)
        check_hourly(queue=None, now=NOW + 5 * DAY)
        assert Payment.objects.get().needs_review
        assert delivered(bodies=queue.take(), gateway=gateway, now=NOW + 5 * DAY) == []
        payment.refresh_from_db()
        assert (payment.status, payment.needs_review, payment.review_reason) == ("SUCCEEDED", False, "")


def charged_and_cut_off(seconds_left: float = 900) -> tuple[Run, str]:
    an_account()
    queue = QueueInHand()
    run = swept(as_of=TODAY, queue=queue)
    return run, queue.take()[0]


class TestLostCall:
    """A worker was cut off between the call and the outcome's recording: the payment is SUBMITTED, and may be taken."""

    @pytest.fixture
    def lost(self) -> Payment:
        _, body = charged_and_cut_off()
        delivered(bodies=[body], seconds_left=0)
        Payment.objects.update(first_called_at=NOW, leased_until=NOW + datetime.timedelta(seconds=120))
        return Payment.objects.get()

    def test_is_submitted_again_within_the_time_for_which_its_key_is_kept(self, lost: Payment) -> None:
        gateway = ScriptedGateway()
        payment = called_again(after=22 * HOUR, gateway=gateway)
        assert ([request.key for request in gateway.requests], gateway.looked_up) == ([lost.id], [])
        assert payment.status == "SUCCEEDED"

    def test_is_only_looked_up_after_that(self, lost: Payment) -> None:
        gateway = ScriptedGateway(found=[takes])
        payment = called_again(after=23 * HOUR, gateway=gateway)
        assert ([request.key for request in gateway.looked_up], gateway.requests) == ([lost.id], [])
        assert payment.status == "SUCCEEDED"

    def test_that_was_never_made_is_made_however_late(self) -> None:
        _, body = charged_and_cut_off()
        delivered(bodies=[body], seconds_left=0)
        assert Payment.objects.get().first_called_at is None
        gateway = ScriptedGateway()
        payment = called_again(after=4 * DAY, gateway=gateway)
        assert (len(gateway.requests), gateway.looked_up, payment.status) == (1, [], "SUCCEEDED")


class TestLateSuccess:
    """The money was moved although the payment is DECLINED: as by a worker that has outlived its lease."""

    @pytest.fixture
    def declined(self) -> Payment:
        an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(Declined(code="insufficient_funds")))
        payment = Payment.objects.get()
        outcome = Succeeded(reference="pi_1", key=payment.id, amount_minor=1999, currency="USD")
        assert record_payment_outcomes(outcomes={payment.id: outcome}, today=TODAY, now=NOW).rows == []
        payment.refresh_from_db()
        return payment

    def test_needs_review_and_books_nothing(self, declined: Payment, caplog: pytest.LogCaptureFixture) -> None:
        assert (declined.status, declined.needs_review) == ("DECLINED", True)
        assert declined.review_reason == "the money was moved after all, as pi_1, and is not in the ledger"
        assert not Entry.objects.filter(type="payment").exists()
        errors = [record.message for record in caplog.get_records("setup") if record.levelno == logging.ERROR]
        assert errors == ["a payment needs review"]

    def test_is_marked_as_resolved_by_a_person(self, declined: Payment) -> None:
        with pytest.raises(InvalidReason):
            mark_resolved(row=declined, reason=" ", author="staff:anna")
        mark_resolved(row=declined, reason="sent back at the gateway", author="staff:anna")
        declined.refresh_from_db()
        assert (declined.status, declined.needs_review) == ("DECLINED", False)
        assert (declined.resolution, declined.resolved_by) == ("sent back at the gateway", "staff:anna")
        with pytest.raises(UnableToResolve):
            mark_resolved(row=declined, reason="again", author="staff:anna")

    def test_under_another_payments_reference_names_that_payment(self) -> None:
        for _ in range(2):
            an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(Declined(code="insufficient_funds"), Unknown(reason="timed out")))
        declined, unknown = Payment.objects.get(status="DECLINED"), Payment.objects.get(status="UNKNOWN")
        both = {
            payment.id: Succeeded(reference="pi_1", key=payment.id, amount_minor=1999, currency="USD")
            for payment in (declined, unknown)
        }
        record_payment_outcomes(outcomes=both, today=TODAY, now=NOW)
        for payment in (declined, unknown):
            payment.refresh_from_db()
        assert (unknown.status, unknown.needs_review, unknown.gateway_reference) == ("SUCCEEDED", False, "pi_1")
        assert (declined.status, declined.needs_review) == ("DECLINED", True)
        assert declined.review_reason == f"the gateway named pi_1, which is payment {unknown.id}"

    def test_has_no_like_in_a_late_decline_which_changes_nothing(self, declined: Payment) -> None:
        with nothing_moves():
            record_payment_outcomes(outcomes={declined.id: Declined(code="stolen_card")}, today=TODAY, now=NOW)

    def test_that_is_the_same_success_again_needs_no_review(self) -> None:
        an_account()
        billed(as_of=TODAY)
        payment = Payment.objects.get()
        outcome = Succeeded(reference=payment.gateway_reference, key=payment.id, amount_minor=1999, currency="USD")
        record_payment_outcomes(outcomes={payment.id: outcome}, today=TODAY, now=NOW)
        assert not Payment.objects.get().needs_review


class TestGatewayThatTakesNoRequests:
    @pytest.fixture
    def refused(self, settings: Any, caplog: pytest.LogCaptureFixture) -> tuple[str, ScriptedGateway]:
        """A batch of four; the second request is refused."""
        settings.PAYMENT_COLLECTORS = 1
        for _ in range(4):
            an_account()
        queue = QueueInHand()
        swept(as_of=TODAY, queue=queue)
        (body,) = queue.take()
        gateway = ScriptedGateway(takes, NotAttempted(reason="rate limit"))
        assert delivered(bodies=[body], gateway=gateway, queue=queue) == ["0"]
        assert queue.bodies == []
        return body, gateway

    def test_is_not_tried_with_the_rest_of_the_batch(self, refused: tuple[str, ScriptedGateway]) -> None:
        assert len(refused[1].requests) == 2
        assert sorted(Payment.objects.values_list("status", flat=True)) == ["SUBMITTED"] * 3 + ["SUCCEEDED"]
        assert Payment.objects.filter(status="SUBMITTED", first_called_at=None, leased_until=None).count() == 3

    def test_is_an_alarm(self, refused: tuple[str, ScriptedGateway], caplog: pytest.LogCaptureFixture) -> None:
        errors = [record.message for record in caplog.get_records("setup") if record.levelno == logging.ERROR]
        assert errors == ["the gateway takes no requests, 3 payments wait: rate limit"]

    def test_is_called_again_when_the_message_comes_back(self, refused: tuple[str, ScriptedGateway]) -> None:
        gateway = ScriptedGateway()
        assert delivered(bodies=[refused[0]], gateway=gateway) == []
        assert len(gateway.requests) == 3
        assert set(Payment.objects.values_list("status", flat=True)) == {"SUCCEEDED"}
        assert Entry.objects.filter(type="payment").count() == 4

    def test_called_at_last_has_its_own_five_days(self, refused: tuple[str, ScriptedGateway]) -> None:
        """What needs review because the gateway was down is looked up like any other once it is up again."""
        check_hourly(queue=None, now=NOW + 5 * DAY)
        later = NOW + 5 * DAY + HOUR
        gateway = ScriptedGateway(TIMED_OUT, TIMED_OUT, TIMED_OUT)
        assert delivered(bodies=[refused[0]], gateway=gateway, now=later, today=later.date()) == []
        assert Payment.objects.filter(status="UNKNOWN", needs_review=False).count() == 3
        check_hourly(queue=None, now=later + 5 * DAY - HOUR)
        assert not Payment.objects.filter(needs_review=True).exists()
        check_hourly(queue=None, now=later + 5 * DAY)
        assert Payment.objects.filter(needs_review=True).count() == 3

    def test_for_days_makes_what_waits_need_review(self, refused: tuple[str, ScriptedGateway]) -> None:
        check_hourly(queue=None, now=NOW + 5 * DAY)
        assert Payment.objects.filter(status="SUBMITTED", needs_review=True).count() == 3
        # It is sent on all the same: the gateway was never called for it.
        assert sent_again(queue=QueueInHand(), now=NOW + 5 * DAY) == 1


def another_amount(request: PaymentRequest) -> Succeeded:
    return Succeeded(reference="pi_1", key=request.key, amount_minor=500, currency=request.currency)


def another_currency(request: PaymentRequest) -> Succeeded:
    return Succeeded(reference="pi_1", key=request.key, amount_minor=1999, currency="EUR")


def another_payment(request: PaymentRequest) -> Succeeded:
    key = type(request.key)(int=request.key.int ^ 1)
    return Succeeded(reference="pi_1", key=key, amount_minor=1999, currency="USD")


class TestContradiction:
    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            (another_amount, "the gateway moved 5.00 USD; we asked for 19.99 USD"),
            (another_currency, "the gateway moved 19.99 EUR; we asked for 19.99 USD"),
            (another_payment, "which is another request"),
        ],
    )
    def test_needs_review_and_moves_nothing(self, answer: Any, reason: str, caplog: pytest.LogCaptureFixture) -> None:
        account, other = an_account(), an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(answer))
        payment = Payment.objects.get(needs_review=True)
        assert (payment.status, payment.gateway_reference) == ("UNKNOWN", "pi_1")
        assert reason in payment.review_reason
        assert sorted(rows(account) + rows(other)) == [("OPEN", 0, 0), ("PAID", 0, 1999)]
        assert Entry.objects.filter(type="payment").count() == 1
        errors = [record.message for record in caplog.records if record.levelno == logging.ERROR]
        assert errors == ["a payment needs review"]

    def test_in_what_is_found_needs_review_too(self, account: Account) -> None:
        payment = called_again(after=HOUR, gateway=ScriptedGateway(found=[another_amount]))
        assert (payment.status, payment.needs_review) == ("UNKNOWN", True)
        assert sent_again(queue=QueueInHand(), now=NOW + 2 * HOUR) == 0

    @pytest.mark.parametrize("together", [True, False])
    def test_one_reference_for_two_payments_is_booked_once(self, together: bool) -> None:
        def the_same(request: PaymentRequest) -> Succeeded:
            return Succeeded.of(request, reference="pi_1")

        an_account()
        if together:
            an_account()
            billed(as_of=TODAY, gateway=ScriptedGateway(the_same, the_same))
        else:
            billed(as_of=TODAY, gateway=ScriptedGateway(the_same))
            an_account(today=TODAY + DAY)
            billed(as_of=TODAY + DAY, gateway=ScriptedGateway(the_same))
        first, second = Payment.objects.order_by("id")
        assert (first.status, second.status, second.needs_review) == ("SUCCEEDED", "UNKNOWN", True)
        assert second.review_reason == f"the gateway named pi_1, which is payment {first.id}"
        assert Entry.objects.filter(type="payment").count() == 1

    def test_is_not_forgotten_by_a_later_answer_that_says_nothing(self) -> None:
        an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(another_amount))
        payment, queue = Payment.objects.get(), QueueInHand()
        queue.send([message_of(Payment, [payment.id])])
        assert delivered(bodies=queue.take(), gateway=ScriptedGateway(found=[TIMED_OUT]), now=at(TODAY) + HOUR) == []
        after = Payment.objects.get()
        assert (after.needs_review, after.review_reason) == (True, payment.review_reason)
