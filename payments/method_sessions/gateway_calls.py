"""The worker's calls about sessions: each is opened at the gateway, looked up, or ended when its time is over.

One call after the other, with no transaction open; each answer is recorded at once. No lease is needed: whoever else
opens a session at the same time opens the same one, by its key, and what was recorded once is not recorded again.
"""

import datetime
import logging
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from django.conf import settings

from accounts.billing_day import billing_day
from payments.gateways.port import Gateway, readable
from payments.gateways.sessions import (
    SessionAnswer,
    SessionFailed,
    SessionFinding,
    SessionRequest,
    SessionUnanswered,
    unkeepable_session,
)
from payments.method_sessions.outcomes import NEVER_OPENED, record_answer
from payments.models import PaymentMethodSession
from payments.send_to_gateway import RECORDING_SECONDS

logger = logging.getLogger(__name__)

MAX_CONSECUTIVE_UNANSWERED = 3
"""After so many sessions in a row without an answer, the gateway isn't called for the rest."""


@dataclass(slots=True)
class SessionResults:
    """`not_reached` are the sessions that there was no time for; `unanswered` counts those that stay as they are, since
    the gateway gave no answer, for the `reason` that it gave last.
    """

    not_reached: list[uuid.UUID] = field(default_factory=list)
    unanswered: int = 0
    reason: str = ""


def call_for_sessions(
    *,
    ids: Collection[uuid.UUID],
    gateway: Gateway,
    clock: Callable[[], datetime.datetime],
    seconds_left: Callable[[], float],
) -> SessionResults:
    """Call the gateway for each of the sessions that is OPEN, and record what it answers.

    `seconds_left` says how long the caller may still work. Those of another gateway are logged as errors, and left
    until they expire.
    """
    results, in_a_row = SessionResults(), 0
    timeout = settings.PAYMENT_GATEWAY_TIMEOUT_SECONDS
    open_ones = PaymentMethodSession.objects.filter(id__in=ids, status=PaymentMethodSession.Status.OPEN)
    for session in open_ones.order_by("id"):
        if seconds_left() < timeout + RECORDING_SECONDS:
            results.not_reached.append(session.id)
            continue
        now = clock()
        if in_a_row >= MAX_CONSECUTIVE_UNANSWERED:
            results.unanswered += 1
            continue
        answer = _checked_answer(session, gateway, now=now, timeout_seconds=timeout)
        if isinstance(answer, SessionUnanswered):
            results.unanswered, results.reason, in_a_row = results.unanswered + 1, answer.reason, in_a_row + 1
            continue
        in_a_row = 0
        if answer is not None:
            recorded_at = clock()
            record_answer(session=session, answer=answer, asked_at=now, today=billing_day(recorded_at), now=recorded_at)
    return results


def _checked_answer(
    session: PaymentMethodSession, gateway: Gateway, *, now: datetime.datetime, timeout_seconds: float
) -> SessionAnswer | SessionFinding | None:
    """What the gateway answered; None where nothing is to be done. A fault of the gateway, or an answer that the
    database can't keep, is none.
    """
    if session.gateway != gateway.name and now < session.expires_at:
        about = {"event": "session.foreign_gateway", "session": str(session.id), "gateway": gateway.name}
        logger.error("a session of another gateway is waiting, and is never opened at this one", extra=about)
        return None
    try:
        answer = _ask(session, gateway, now=now, timeout_seconds=timeout_seconds)
        problem = unkeepable_session(answer)
    except Exception as error:
        logger.exception("the gateway failed", extra={"event": "gateway.fault", "key": str(session.id)})
        return SessionUnanswered(f"{type(error).__name__} while the gateway was called")
    if problem:
        logger.error(problem, extra={"event": "gateway.garbage", "key": str(session.id)})
        return SessionUnanswered(problem)
    return SessionUnanswered(readable(answer.reason)) if isinstance(answer, SessionUnanswered) else answer


def _ask(
    session: PaymentMethodSession, gateway: Gateway, *, now: datetime.datetime, timeout_seconds: float
) -> SessionAnswer | SessionFinding:
    request = SessionRequest(
        session_id=session.id,
        account_id=session.account_id,
        customer=session.customer,
        reference=session.gateway_reference,
    )
    is_over = now >= session.expires_at
    if is_over and (not session.gateway_reference or session.gateway != gateway.name):
        # Nobody got its secret, or nobody is here to ask.
        return SessionFailed(NEVER_OPENED)
    if not session.gateway_reference:
        return gateway.open_session(request, timeout_seconds=timeout_seconds)
    if is_over:
        return gateway.end_session(request, timeout_seconds=timeout_seconds)
    return gateway.look_up_session(request, timeout_seconds=timeout_seconds)
