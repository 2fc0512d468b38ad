"""What the gateway answered about a session, recorded: the one place that changes a session's state."""

import datetime
import logging

from django.db import transaction

from accounts.account_changes import UnableToChangeAccount
from accounts.locked_accounts import LockedAccount, lock_account
from accounts.models import Account
from payments.account_updates import update_account
from payments.gateways.sessions import SessionCompleted, SessionFailed, SessionOpened, SessionPending
from payments.models import PaymentMethodSession

logger = logging.getLogger(__name__)

GIVEN = "given by the customer in a payment method session"
"""The reason of the account's change."""
ACCOUNT_CLOSED = "account_closed"
NOT_KEPT = "account_not_changed"
NEVER_OPENED = "never_opened"

Answer = SessionOpened | SessionPending | SessionCompleted | SessionFailed


def record_answer(
    *,
    session: PaymentMethodSession,
    answer: Answer,
    asked_at: datetime.datetime,
    today: datetime.date,
    now: datetime.datetime,
) -> None:
    """Record what the gateway answered when it was asked at `asked_at`. Recorded before, nothing changes.

    COMPLETED, the account has the customer and the payment method from then on, as by any other change of it: the
    method can be used, and a declined invoice is tried at once. An account that was closed meanwhile keeps what it had,
    nothing is tried, and the session is FAILED.
    """
    with transaction.atomic():
        account = lock_account(session.account_id)
        # Read again under the lock: another delivery may have been here before.
        session = PaymentMethodSession.objects.get(id=session.id)
        if not session.is_open:
            return
        if isinstance(answer, SessionOpened):
            _keep_secret(session, answer)
        elif isinstance(answer, SessionPending):
            _note_look_up(session, asked_at=asked_at)
        elif isinstance(answer, SessionFailed):
            _fail(session, code=answer.code, is_over=asked_at >= session.expires_at, now=now)
        else:
            _complete(session, answer, account=account, today=today, now=now)


def _keep_secret(session: PaymentMethodSession, opened: SessionOpened) -> None:
    if session.gateway_reference:
        return
    session.gateway_reference, session.client_secret = opened.reference, opened.client_secret
    session.customer = opened.customer
    session.save(update_fields=["gateway_reference", "client_secret", "customer"])


def _note_look_up(session: PaymentMethodSession, *, asked_at: datetime.datetime) -> None:
    """Nobody waits any more, unless they asked after the gateway was."""
    if session.look_up_requested_at and session.look_up_requested_at <= asked_at:
        session.look_up_requested_at = None
        session.save(update_fields=["look_up_requested_at"])


def _fail(session: PaymentMethodSession, *, code: str, is_over: bool, now: datetime.datetime) -> None:
    if is_over:
        _end(session, PaymentMethodSession.Status.EXPIRED, now=now)
    else:
        _end(session, PaymentMethodSession.Status.FAILED, code=code, now=now)


def _complete(
    session: PaymentMethodSession,
    completed: SessionCompleted,
    *,
    account: LockedAccount,
    today: datetime.date,
    now: datetime.datetime,
) -> None:
    # What the customer gave is known at the gateway, whatever becomes of the session here.
    session.customer, session.payment_method = completed.customer, completed.payment_method
    if account.inactive_reason == Account.InactiveReason.CLOSED:
        _end(session, PaymentMethodSession.Status.FAILED, code=ACCOUNT_CLOSED, now=now)
        return
    try:
        # It locks and reads the account again: ours is out of date from here on.
        update_account(
            account_id=account.id,
            changes={"payment_customer": completed.customer, "payment_method": completed.payment_method},
            reason=GIVEN,
            author=session.created_by,
            now=now,
        )
    except UnableToChangeAccount as error:
        about = {"event": "session.not_kept", "session": str(session.id), "errors": error.errors}
        logger.error("an account can't have the payment method that its customer gave", extra=about)
        _end(session, PaymentMethodSession.Status.FAILED, code=NOT_KEPT, now=now)
        return
    _end(session, PaymentMethodSession.Status.COMPLETED, now=now)


def _end(
    session: PaymentMethodSession, status: PaymentMethodSession.Status, *, code: str = "", now: datetime.datetime
) -> None:
    session.status, session.failure_code = status.value, code
    session.client_secret, session.look_up_requested_at, session.completed_at = "", None, now
    session.save(
        update_fields=[
            *("status", "failure_code", "client_secret", "look_up_requested_at", "completed_at"),
            *("customer", "payment_method"),
        ]
    )
    about = {"event": "session.ended", "session": str(session.id), "status": session.status, "code": code}
    logger.info("a payment method session ended", extra=about | {"account": str(session.account_id)})
