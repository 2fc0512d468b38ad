"""Payment method sessions: requested, worked on by the worker, and a gateway whose customers give what a test says."""

import datetime
import uuid
from typing import Any

from accounts.models import Account
from payments.gateways.sessions import (
    SessionAnswer,
    SessionCompleted,
    SessionFinding,
    SessionRequest,
)
from payments.messages.format import to_json
from payments.messages.rows import SessionsMessage
from payments.method_sessions.requests import request_session
from payments.models import PaymentMethodSession
from tests.builders import NOW, ScriptedGateway, delivered


class GivenMethods(ScriptedGateway):
    """It opens each session, or answers `opening`; and finds what is in `found_sessions`, or that nothing was given."""

    def __init__(self, *answers: Any, opening: SessionAnswer | Exception | None = None) -> None:
        super().__init__(*answers)
        self.opening = opening
        self.found_sessions: list[SessionFinding] = []
        self.session_calls: list[tuple[str, SessionRequest]] = []

    def open_session(self, request: SessionRequest, *, timeout_seconds: float) -> SessionAnswer:
        self.session_calls.append(("open", request))
        if isinstance(self.opening, Exception):
            raise self.opening
        return self.opening or super().open_session(request, timeout_seconds=timeout_seconds)

    def look_up_session(self, request: SessionRequest, *, timeout_seconds: float) -> SessionFinding:
        self.session_calls.append(("look up", request))
        if self.found_sessions:
            return self.found_sessions.pop(0)
        return super().look_up_session(request, timeout_seconds=timeout_seconds)

    def end_session(self, request: SessionRequest, *, timeout_seconds: float) -> SessionFinding:
        self.session_calls.append(("end", request))
        if self.found_sessions:
            return self.found_sessions.pop(0)
        return super().end_session(request, timeout_seconds=timeout_seconds)

    @property
    def calls(self) -> list[str]:
        return [call for call, _ in self.session_calls]


def given(customer: str = "cus_new", payment_method: str = "pm_new") -> SessionCompleted:
    return SessionCompleted(customer=customer, payment_method=payment_method)


def requested_session(account: Account, *, now: datetime.datetime = NOW) -> PaymentMethodSession:
    return request_session(account_id=account.id, author="key:shop", now=now)


def worked_on(*sessions: PaymentMethodSession | uuid.UUID, **surroundings: Any) -> list[str]:
    """Have the worker open them or look them up, in one message; what failed."""
    ids = tuple(session if isinstance(session, uuid.UUID) else session.id for session in sessions)
    failed = delivered(bodies=[to_json(SessionsMessage(ids=ids))], **surroundings)
    for session in sessions:
        if isinstance(session, PaymentMethodSession):
            session.refresh_from_db()
    return failed


def opened_session(account: Account, gateway: ScriptedGateway | None = None) -> PaymentMethodSession:
    """Requested, and opened at the gateway."""
    session = requested_session(account)
    assert worked_on(session, gateway=gateway) == []
    assert (session.status, bool(session.client_secret)) == ("OPEN", True)
    return session


def completed_session(account: Account) -> PaymentMethodSession:
    """Opened, and the customer gave a payment method."""
    gateway = GivenMethods()
    session = opened_session(account, gateway)
    gateway.found_sessions = [given()]
    assert worked_on(session, gateway=gateway) == []
    assert session.status == "COMPLETED"
    return session
