"""Requests of a client: a session in which a customer gives a payment method, and to look up what became of it.

Only the worker calls the gateway, so a request is recorded, and sent to the worker when it is committed. Should the
queue not take it, the hourly check sends it.
"""

import datetime
import uuid

from django.db import transaction

from accounts.errors import Conflict, Missing
from accounts.locked_accounts import get_account, lock_account
from accounts.models import Account
from payments.gateways.configuration import configured_gateway_name
from payments.messages.dispatch import send_session_when_committed
from payments.models import PaymentMethodSession

LASTS = datetime.timedelta(hours=24)
"""How long the customer has. Within that time the gateway keeps the session's key, too."""
MAX_OPEN = 20
"""Sessions of one account that are open at once."""


class UnknownSession(Missing):
    code = "unknown-payment-method-session"


class UnableToOpenSession(Conflict):
    """The account is closed: it has no use for a payment method."""

    code = "unable-to-open-session"


class TooManyOpenSessions(Conflict):
    """Some of them have to end first, by themselves at the latest."""

    code = "too-many-open-sessions"
    passing = True


def request_session(*, account_id: uuid.UUID, author: str, now: datetime.datetime) -> PaymentMethodSession:
    """Record a session, OPEN; once this is committed the worker opens it at the gateway, and it has a client secret.

    An account that is INACTIVE for being unpaid may have one, too: with another payment method it can pay. Raises
    `UnknownAccount`, `UnableToOpenSession` and `TooManyOpenSessions`.
    """
    with transaction.atomic():
        account = lock_account(account_id)
        if account.inactive_reason == Account.InactiveReason.CLOSED:
            raise UnableToOpenSession(f"The account {account_id} is closed. Reopen it first.")
        status = PaymentMethodSession.Status.OPEN
        if PaymentMethodSession.objects.filter(account=account.id, status=status).count() >= MAX_OPEN:
            raise TooManyOpenSessions(f"The account {account_id} has {MAX_OPEN} open sessions.")
        session = PaymentMethodSession.objects.create(
            account_id=account.id,
            gateway=configured_gateway_name(),
            customer=account.payment_customer,
            created_at=now,
            expires_at=now + LASTS,
            created_by=author,
        )
        send_session_when_committed(session_id=session.id)
        return session


def request_look_up(*, account_id: uuid.UUID, session_id: uuid.UUID, now: datetime.datetime) -> PaymentMethodSession:
    """Have the worker look up at once what became of a session. One that has ended stays as it is.

    Raises `UnknownAccount` and `UnknownSession`.
    """
    with transaction.atomic():
        lock_account(account_id)
        session = get_session(account_id=account_id, session_id=session_id)
        if session.is_open:
            session.look_up_requested_at = now
            session.save(update_fields=["look_up_requested_at"])
            send_session_when_committed(session_id=session.id)
        return session


def get_session(*, account_id: uuid.UUID, session_id: uuid.UUID) -> PaymentMethodSession:
    """The account's session, as it is now. Raises `UnknownAccount` and `UnknownSession`."""
    account = get_account(account_id)
    session = PaymentMethodSession.objects.filter(id=session_id, account=account.id).first()
    if session is None:
        raise UnknownSession(f"The account {account_id} has no payment method session {session_id}.")
    return session
