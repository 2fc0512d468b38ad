"""The gateway port's other half: sessions in which a customer gives a payment method, in the client's front end.

No money is moved. A session's id is its idempotency key: opened twice, it is one session at the gateway, with one
customer.
"""

import uuid
from dataclasses import dataclass, field
from typing import Protocol

from payments.gateways.texts import MAX_CODE_LENGTH, MAX_REFERENCE_LENGTH, unkeepable_text

MAX_SECRET_LENGTH = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRequest:
    """One session. `customer` is the account's at the gateway; empty, the gateway makes one for it. `reference` is the
    gateway's id of the session, once we know it.
    """

    session_id: uuid.UUID
    account_id: uuid.UUID
    customer: str
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOpened:
    """The customer may give a payment method. Whoever has the secret may do it for them, so it is never logged."""

    reference: str
    customer: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SessionPending:
    """The customer hasn't given a payment method yet, or the gateway is still working on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCompleted:
    """The customer gave this payment method, and it can be used when they aren't there."""

    customer: str
    payment_method: str


@dataclass(frozen=True, slots=True)
class SessionFailed:
    """No payment method will come of it. Another session may."""

    code: str


@dataclass(frozen=True, slots=True)
class SessionUnanswered:
    """The gateway gave no answer, or takes no requests: ask again later. `reason` is for people."""

    reason: str


SessionAnswer = SessionOpened | SessionFailed | SessionUnanswered
"""What a gateway may answer when a session is opened."""
SessionFinding = SessionPending | SessionCompleted | SessionFailed | SessionUnanswered
"""What it may answer to a look-up."""


class SessionGateway(Protocol):
    """Called with no transaction open; never touches the database. Each call is over within `timeout_seconds`."""

    def open_session(self, request: SessionRequest, *, timeout_seconds: float) -> SessionAnswer:
        """Open it, once for each id; the same again gives the same answer."""
        ...

    def look_up_session(self, request: SessionRequest, *, timeout_seconds: float) -> SessionFinding:
        """What became of a session that was opened. Changes nothing."""
        ...

    def end_session(self, request: SessionRequest, *, timeout_seconds: float) -> SessionFinding:
        """End a session that was opened, so that no payment method can be given any more, unless one was."""
        ...


def unkeepable_session(answer: object) -> str:
    """Why an answer can't be kept, or an empty string."""
    if isinstance(answer, SessionOpened):
        return (
            unkeepable_text("reference", answer.reference, max_length=MAX_REFERENCE_LENGTH)
            or unkeepable_text("customer", answer.customer, max_length=MAX_REFERENCE_LENGTH)
            or unkeepable_text("client secret", answer.client_secret, max_length=MAX_SECRET_LENGTH)
        )
    if isinstance(answer, SessionCompleted):
        return unkeepable_text("customer", answer.customer, max_length=MAX_REFERENCE_LENGTH) or unkeepable_text(
            "payment method", answer.payment_method, max_length=MAX_REFERENCE_LENGTH
        )
    if isinstance(answer, SessionFailed):
        return unkeepable_text("code", answer.code, max_length=MAX_CODE_LENGTH)
    if isinstance(answer, SessionPending | SessionUnanswered):
        return ""
    return f"the gateway answered with a {type(answer).__name__}"
