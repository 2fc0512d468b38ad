"""Requests about payment method sessions: recorded first, and sent to the worker when they are committed."""

import datetime
import uuid

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts.errors import OperationError
from accounts.locked_accounts import UnknownAccount
from accounts.models import Account
from payments.messages import dispatch
from payments.messages.rows import SessionsMessage
from payments.method_sessions.requests import (
    MAX_OPEN,
    TooManyOpenSessions,
    UnableToOpenSession,
    UnknownSession,
    get_session,
    request_look_up,
    request_session,
)
from payments.models import PaymentMethodSession
from rebilling.messages.message import from_json
from subscriptions.lifecycle import close_account
from tests.builders import NOW, TODAY, QueueInHand, an_account, billed, sent_again
from tests.support.databases import rolled_back
from tests.support.method_sessions import completed_session, opened_session, requested_session
from tests.support.owing import DECLINED, answers
from tests.support.unchanged import nothing_moves

pytestmark = rolled_back

HOUR = datetime.timedelta(hours=1)


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> QueueInHand:
    queue = QueueInHand()
    monkeypatch.setattr(dispatch, "configured_queue", lambda: queue)
    return queue


def sent(queue: QueueInHand) -> list[uuid.UUID]:
    messages = [from_json(body) for body in queue.take()]
    return [id_ for message in messages if isinstance(message, SessionsMessage) for id_ in message.ids]


def refused(refusal: type[OperationError], account_id: uuid.UUID) -> OperationError:
    with nothing_moves(), pytest.raises(refusal) as caught:
        request_session(account_id=account_id, author="t", now=NOW)
    return caught.value


def closed(account: Account) -> Account:
    return close_account(account_id=account.id, reason="asked to", author="t", today=TODAY, now=NOW).account


class TestRequestSession:
    def test_records_it_and_sends_it_when_committed(
        self, queue: QueueInHand, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        account = an_account(payment_customer="cus_1", payment_method="pm_1")
        with django_capture_on_commit_callbacks(execute=True):
            session = requested_session(account)
            assert queue.bodies == []
        assert sent(queue) == [session.id]
        assert PaymentMethodSession.objects.values().get() == {
            "id": session.id,
            "account_id": account.id,
            "gateway": "logging",
            "status": "OPEN",
            "failure_code": "",
            "gateway_reference": "",
            "client_secret": "",
            "customer": "cus_1",
            "payment_method": "",
            "created_at": NOW,
            "expires_at": NOW + datetime.timedelta(hours=24),
            "look_up_requested_at": None,
            "completed_at": None,
            "created_by": "key:shop",
        }

    def test_of_a_closed_account_is_refused(self) -> None:
        assert refused(UnableToOpenSession, closed(an_account()).id).detail.endswith("is closed. Reopen it first.")

    def test_of_an_account_that_is_inactive_for_being_unpaid_is_not(self) -> None:
        account = an_account()
        for number in range(8):
            billed(as_of=TODAY + datetime.timedelta(days=number), gateway=answers(DECLINED))
        account.refresh_from_db()
        assert account.inactive_reason == "unpaid"
        assert requested_session(account).status == "OPEN"

    def test_of_an_unknown_account_is_refused(self) -> None:
        refused(UnknownAccount, uuid.uuid4())

    def test_is_refused_when_20_are_open_until_one_ends(self) -> None:
        account = an_account()
        ended = completed_session(account)
        for _ in range(MAX_OPEN):
            requested_session(account)
        assert isinstance(refused(TooManyOpenSessions, account.id), TooManyOpenSessions)
        assert TooManyOpenSessions.passing
        assert (MAX_OPEN, ended.status) == (20, "COMPLETED")
        requested_session(an_account())

    def test_whose_message_is_lost_is_sent_by_the_hourly_check(self, queue: QueueInHand) -> None:
        session = requested_session(an_account())
        completed_session(an_account())
        assert sent_again(queue=queue, now=NOW + datetime.timedelta(minutes=14)) == 0
        assert sent_again(queue=queue, now=NOW + HOUR) == 1
        assert sent(queue) == [session.id]

    def test_is_sent_with_at_most_49_others(self, queue: QueueInHand) -> None:
        for _ in range(3):
            account = an_account()
            for _ in range(17):
                requested_session(account)
        assert dispatch.send_open_sessions(queue=queue, now=NOW + HOUR) == 2
        messages = [from_json(body) for body in queue.bodies]
        assert [len(message.ids) for message in messages if isinstance(message, SessionsMessage)] == [50, 1]


class TestRequestLookUp:
    def test_sends_an_open_one_and_notes_that_somebody_waits(
        self, queue: QueueInHand, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        account = an_account()
        session = opened_session(account)
        assert not session.awaits_the_gateway
        with django_capture_on_commit_callbacks(execute=True):
            session = request_look_up(account_id=account.id, session_id=session.id, now=NOW + HOUR)
        assert (session.look_up_requested_at, session.awaits_the_gateway) == (NOW + HOUR, True)
        assert sent(queue) == [session.id]

    def test_of_one_that_has_ended_changes_nothing(
        self, queue: QueueInHand, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        account = an_account()
        session = completed_session(account)
        with nothing_moves(), django_capture_on_commit_callbacks(execute=True) as callbacks:
            assert request_look_up(account_id=account.id, session_id=session.id, now=NOW + HOUR) == session
        assert (callbacks, sent(queue)) == ([], [])

    def test_of_another_accounts_or_of_none_is_refused(self) -> None:
        session = opened_session(an_account())
        account = an_account()
        for session_id in (session.id, uuid.uuid4()):
            with nothing_moves(), pytest.raises(UnknownSession):
                request_look_up(account_id=account.id, session_id=session_id, now=NOW)
            with pytest.raises(UnknownSession):
                get_session(account_id=account.id, session_id=session_id)
        with nothing_moves(), pytest.raises(UnknownAccount):
            request_look_up(account_id=uuid.uuid4(), session_id=session.id, now=NOW)
