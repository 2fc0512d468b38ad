"""The worker's calls about payment method sessions, and what is recorded of the answers."""

import datetime
import logging
from typing import Any

import pytest
from django.db import IntegrityError, ProgrammingError, transaction

from accounts.account_changes import UnableToChangeAccount
from accounts.errors import violated_constraint
from accounts.models import Account, AccountChange
from payments.gateways.logging_gateway import LoggingGateway
from payments.gateways.sessions import (
    SessionCompleted,
    SessionFailed,
    SessionOpened,
    SessionPending,
    SessionUnanswered,
)
from payments.messages.rows import SessionsMessage
from payments.method_sessions.gateway_calls import MAX_CONSECUTIVE_UNANSWERED
from payments.method_sessions.requests import request_look_up
from payments.models import PaymentMethodSession
from rebilling.messages.message import from_json
from subscriptions.lifecycle import close_account
from tests.builders import NOW, TODAY, QueueInHand, an_account
from tests.support.databases import rolled_back
from tests.support.method_sessions import GivenMethods, given, opened_session, requested_session, worked_on
from tests.support.owing import HARD, owing
from tests.support.unchanged import nothing_moves

pytestmark = rolled_back

DAY = datetime.timedelta(days=1)
SIGNED: dict[str, Any] = {"reason": "asked to", "author": "t", "today": TODAY, "now": NOW}


def a_gateway(*found: Any) -> GivenMethods:
    gateway = GivenMethods()
    gateway.found_sessions = list(found)
    return gateway


def methods_of(account: Account) -> tuple[str, str, bool]:
    account.refresh_from_db()
    return account.payment_customer, account.payment_method, account.payment_method_unusable


def session_changes(account: Account) -> list[tuple[Any, Any, str, str]]:
    changes = AccountChange.objects.filter(account=account, reason__contains="session").order_by("id")
    return [(change.before, change.after, change.reason, change.author) for change in changes]


class TestOpening:
    def test_keeps_the_reference_the_secret_and_the_customer(self) -> None:
        account, gateway = an_account(), GivenMethods()
        session = requested_session(account)
        assert worked_on(session, gateway=gateway) == []
        assert (session.status, session.gateway_reference) == ("OPEN", f"opened-{session.id}")
        assert (session.client_secret, session.customer) == (f"secret-{session.id}", f"customer-{account.id}")
        ((call, request),) = gateway.session_calls
        assert (call, request.session_id, request.account_id) == ("open", session.id, account.id)
        assert (request.customer, request.reference) == ("", "")
        assert methods_of(account) == ("", "", False)

    def test_is_for_the_accounts_customer(self) -> None:
        gateway = GivenMethods()
        session = requested_session(an_account(payment_customer="cus_1", payment_method="pm_1"))
        assert worked_on(session, gateway=gateway) == []
        assert ([request.customer for _, request in gateway.session_calls], session.customer) == (["cus_1"], "cus_1")

    def test_that_is_refused_fails_it(self) -> None:
        gateway = GivenMethods(opening=SessionFailed("resource_missing"))
        session = requested_session(an_account())
        assert worked_on(session, gateway=gateway) == []
        assert (session.status, session.failure_code, session.completed_at) == ("FAILED", "resource_missing", NOW)

    @pytest.mark.parametrize(
        "opening",
        [
            SessionUnanswered("timed out"),
            TimeoutError("no"),
            SessionOpened(reference="", customer="cus_1", client_secret="s"),
            SessionOpened(reference="r", customer="c" * 201, client_secret="s"),
            SessionOpened(reference="r", customer="cus_1", client_secret="s\0"),
            SessionOpened(reference="r", customer="cus_1", client_secret="very-private" * 30),
        ],
    )
    def test_without_an_answer_that_can_be_kept_is_tried_again(
        self, opening: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        gateway = GivenMethods(opening=opening)
        session = requested_session(an_account())
        with nothing_moves():
            assert worked_on(session, gateway=gateway) == ["0"]
        assert "very-private" not in caplog.text
        gateway.opening = None
        assert worked_on(session, gateway=gateway) == []
        assert session.gateway_reference == f"opened-{session.id}"

    def test_twice_at_once_keeps_what_came_first(self) -> None:
        """As when two deliveries called at the same time, and one of them was answered something else."""
        session = requested_session(an_account())

        class OpensMeanwhile(GivenMethods):
            def open_session(self, request: Any, *, timeout_seconds: float) -> Any:
                assert worked_on(session.id) == []
                return SessionOpened(reference="another", customer="another", client_secret="another")

        assert worked_on(session, gateway=OpensMeanwhile()) == []
        assert (session.gateway_reference, session.client_secret) == (f"opened-{session.id}", f"secret-{session.id}")

    def test_never_logs_the_secret(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        session = opened_session(an_account(), GivenMethods())
        assert worked_on(session, gateway=a_gateway(given())) == []
        logged = caplog.text + "".join(str(record.__dict__) for record in caplog.records)
        assert str(session.id) in logged
        assert "secret-" not in logged
        assert session.status == "COMPLETED"


class TestLookingUp:
    def test_that_finds_nothing_yet_leaves_it_open_and_nobody_waits(self) -> None:
        session, gateway = opened_session(an_account()), a_gateway()
        request_look_up(account_id=session.account_id, session_id=session.id, now=NOW)
        assert worked_on(session, gateway=gateway) == []
        assert (session.status, session.awaits_the_gateway, gateway.calls) == ("OPEN", False, ["look up"])
        assert session.client_secret

    def test_that_began_before_somebody_asked_is_no_answer_to_them(self) -> None:
        session = opened_session(an_account())
        request_look_up(account_id=session.account_id, session_id=session.id, now=NOW + DAY / 2)
        assert worked_on(session, gateway=a_gateway(SessionPending())) == []
        assert session.awaits_the_gateway

    def test_that_finds_a_payment_method_gives_it_to_the_account(self) -> None:
        account = an_account(payment_customer="cus_1", payment_method="pm_1")
        session = opened_session(account)
        assert worked_on(session, gateway=a_gateway(given())) == []
        assert (session.status, session.customer, session.payment_method) == ("COMPLETED", "cus_new", "pm_new")
        assert (session.completed_at, session.client_secret, session.failure_code) == (NOW, "", "")
        assert methods_of(account) == ("cus_new", "pm_new", False)
        before = {"payment_customer": "cus_1", "payment_method": "pm_1"}
        after = {"payment_customer": "cus_new", "payment_method": "pm_new"}
        reason = "given by the customer in a payment method session"
        assert session_changes(account) == [(before, after, reason, "key:shop")]
        assert account.payments.count() == 0

    def test_that_finds_one_makes_a_declined_invoice_try_at_once(self) -> None:
        account = owing(HARD, payment_method="pm_stolen")
        assert methods_of(account)[2]
        session = opened_session(account)
        assert worked_on(session, gateway=a_gateway(given())) == []
        assert methods_of(account) == ("cus_new", "pm_new", False)
        payment = account.payments.latest("id")
        assert (payment.cause, payment.status, payment.amount_minor) == ("payment_method", "SUBMITTED", 1999)
        assert (payment.customer, payment.payment_method, payment.created_by) == ("cus_new", "pm_new", "key:shop")
        assert account.payments.count() == 2

    def test_twice_is_done_once(self) -> None:
        account = owing()
        session = opened_session(account)
        gateway = a_gateway(given(), given("cus_other", "pm_other"))
        assert worked_on(session, gateway=gateway) == []
        with nothing_moves():
            assert worked_on(session, gateway=gateway) == []
        assert gateway.calls == ["look up"]
        assert (account.payments.count(), len(session_changes(account))) == (2, 1)

    def test_twice_at_once_is_done_once(self) -> None:
        account = owing()
        session = opened_session(account)

        class FindsMeanwhile(GivenMethods):
            def look_up_session(self, request: Any, *, timeout_seconds: float) -> Any:
                assert worked_on(session.id, gateway=a_gateway(given())) == []
                return given("cus_late", "pm_late")

        assert worked_on(session, gateway=FindsMeanwhile()) == []
        assert (session.status, session.payment_method) == ("COMPLETED", "pm_new")
        assert methods_of(account) == ("cus_new", "pm_new", False)
        assert (account.payments.count(), len(session_changes(account))) == (2, 1)

    def test_of_an_account_that_was_closed_meanwhile_tries_nothing_and_says_so(self) -> None:
        account = owing(payment_customer="cus_1", payment_method="pm_1")
        session = opened_session(account)
        close_account(account_id=account.id, **SIGNED)
        assert worked_on(session, gateway=a_gateway(given())) == []
        assert (session.status, session.failure_code) == ("FAILED", "account_closed")
        assert (session.payment_method, session.client_secret) == ("pm_new", "")
        assert methods_of(account) == ("cus_1", "pm_1", False)
        assert (account.payments.count(), session_changes(account)) == (1, [])

    def test_that_finds_what_the_account_cannot_have_fails(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        account = owing()
        session = opened_session(account)

        def refuses(**_: Any) -> None:
            Account.objects.filter(id=account.id).update(name="changed")
            raise UnableToChangeAccount("The account was not changed.", payment_method="No.")

        monkeypatch.setattr("payments.account_updates.change_account", refuses)
        assert worked_on(session, gateway=a_gateway(given())) == []
        assert (session.status, session.failure_code) == ("FAILED", "account_not_changed")
        account.refresh_from_db()
        assert (account.name == "changed", account.payments.count()) == (False, 1)
        assert "an account can't have the payment method" in caplog.text

    def test_that_finds_it_canceled_fails_it(self) -> None:
        session = opened_session(an_account())
        assert worked_on(session, gateway=a_gateway(SessionFailed("canceled"))) == []
        assert (session.status, session.failure_code, session.client_secret) == ("FAILED", "canceled", "")

    @pytest.mark.parametrize(
        "found",
        [SessionUnanswered("timed out"), SessionCompleted(customer="", payment_method="pm"), "nonsense"],
    )
    def test_without_an_answer_leaves_it_as_it_is(self, found: Any) -> None:
        session = opened_session(an_account())
        with nothing_moves():
            assert worked_on(session, gateway=a_gateway(found)) == ["0"]


class TestExpiry:
    def test_ends_an_open_one_at_the_gateway(self) -> None:
        session, gateway = opened_session(an_account()), a_gateway()
        assert worked_on(session, gateway=gateway, now=NOW + DAY - datetime.timedelta(seconds=1)) == []
        assert session.status == "OPEN"
        assert worked_on(session, gateway=gateway, now=NOW + DAY) == []
        assert (session.status, session.failure_code, session.client_secret) == ("EXPIRED", "", "")
        assert (session.completed_at, gateway.calls) == (NOW + DAY, ["look up", "end"])

    def test_of_one_that_was_completed_in_time_completes_it(self) -> None:
        account = an_account()
        session = opened_session(account)
        assert worked_on(session, gateway=a_gateway(given()), now=NOW + DAY) == []
        assert (session.status, methods_of(account)[1]) == ("COMPLETED", "pm_new")

    def test_waits_while_the_gateway_is_working_on_it(self) -> None:
        session = opened_session(an_account())
        assert worked_on(session, gateway=a_gateway(SessionPending()), now=NOW + DAY) == []
        assert session.status == "OPEN"

    def test_of_one_that_was_never_opened_needs_no_call(self) -> None:
        session, gateway = requested_session(an_account()), a_gateway()
        assert worked_on(session, gateway=gateway, now=NOW + DAY) == []
        assert (session.status, gateway.calls) == ("EXPIRED", [])


class TestGateway:
    def test_of_another_name_is_not_called_until_it_expires(self, caplog: pytest.LogCaptureFixture) -> None:
        session, gateway = opened_session(an_account()), a_gateway()
        gateway.name = "another"
        with nothing_moves():
            assert worked_on(session, gateway=gateway) == []
        assert "a session of another gateway is waiting" in caplog.text
        assert worked_on(session, gateway=gateway, now=NOW + DAY) == []
        assert (session.status, gateway.calls) == ("EXPIRED", [])

    def test_that_answers_nothing_is_not_called_for_the_rest(self) -> None:
        sessions = [requested_session(an_account()) for _ in range(5)]
        gateway = GivenMethods(opening=SessionUnanswered("timed out"))
        with nothing_moves():
            assert worked_on(*sessions, gateway=gateway) == ["0"]
        assert len(gateway.calls) == MAX_CONSECUTIVE_UNANSWERED == 3

    def test_that_answers_again_is_called_for_the_rest(self) -> None:
        sessions = [opened_session(an_account()) for _ in range(5)]
        silence = SessionUnanswered("timed out")
        gateway = a_gateway(silence, silence, given("cus_1", "pm_1"), silence, silence)
        assert worked_on(*sessions, gateway=gateway) == ["0"]
        assert [session.status for session in sessions] == ["OPEN", "OPEN", "COMPLETED", "OPEN", "OPEN"]
        assert gateway.calls == ["look up"] * 5

    def test_is_not_called_without_time_and_the_rest_goes_on_as_a_message(self) -> None:
        sessions = [requested_session(an_account()) for _ in range(2)]
        gateway, queue = a_gateway(), QueueInHand()
        with nothing_moves():
            assert worked_on(*sessions, gateway=gateway, queue=queue, seconds_left=24.9) == []
        assert gateway.calls == []
        (message,) = map(from_json, queue.bodies)
        assert message == SessionsMessage(ids=tuple(session.id for session in sessions))

    def test_that_only_logs_takes_each_customer_to_have_given_a_method(self) -> None:
        account, gateway = an_account(), LoggingGateway()
        session = requested_session(account)
        assert worked_on(session, gateway=gateway) == []
        assert (session.status, bool(session.client_secret)) == ("OPEN", True)
        assert worked_on(session, gateway=gateway) == []
        assert session.status == "COMPLETED"
        assert methods_of(account) == (f"logged-customer-{account.id}", f"logged-method-{session.id}", False)


class TestRules:
    """The database's own, whoever writes: each refuses one change of a session, which stays as it was."""

    @pytest.mark.parametrize(
        ("change", "constraint"),
        [
            ({"status": "FAILED", "completed_at": NOW, "client_secret": ""}, "failure_has_a_code"),
            ({"failure_code": "canceled"}, "failure_has_a_code"),
            ({"completed_at": NOW}, "completed_when_over"),
            ({"status": "EXPIRED", "client_secret": ""}, "completed_when_over"),
            ({"status": "EXPIRED", "completed_at": NOW}, "keeps_no_secret"),
            ({"status": "COMPLETED", "completed_at": NOW, "client_secret": ""}, "completed_with_a_method"),
        ],
    )
    def test_hold_what_a_session_says(self, change: dict[str, Any], constraint: str) -> None:
        session = opened_session(an_account())
        with nothing_moves(), pytest.raises(IntegrityError) as refused, transaction.atomic():
            PaymentMethodSession.objects.filter(id=session.id).update(**change)
        assert violated_constraint(refused.value) == f"method_session_{constraint}"

    def test_let_no_two_sessions_have_one_reference(self) -> None:
        first, second = (opened_session(an_account()) for _ in range(2))
        with nothing_moves(), pytest.raises(IntegrityError) as refused, transaction.atomic():
            PaymentMethodSession.objects.filter(id=second.id).update(gateway_reference=first.gateway_reference)
        assert violated_constraint(refused.value) == "method_session_reference_once"

    @pytest.mark.parametrize("change", [{"gateway": "other"}, {"expires_at": NOW}, {"created_by": "t"}])
    def test_let_nobody_change_what_it_is_about_or_delete_it(self, change: dict[str, Any]) -> None:
        rows = PaymentMethodSession.objects.filter(id=opened_session(an_account()).id)
        for forbidden in (lambda: rows.update(**change), rows.delete):
            with nothing_moves(), pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
                forbidden()
