"""Which items of a message exist. One that doesn't exist fails alone, however often it is delivered."""

import uuid
from collections.abc import Collection
from dataclasses import replace

from django.db import connection

from accounts.array_literals import plain_array, uuid_array
from accounts.sql_files import query
from payments.messages.attempts import PaymentsMessage, RefundsMessage
from payments.messages.sending import AnyModel
from payments.messages.sessions import SessionsMessage
from payments.models import Payment, PaymentMethodSession, Refund
from rebilling.messages.message import AnyMessage, PeriodItem, PeriodsMessage


def known_periods(message: PeriodsMessage, *, charged: Collection[uuid.UUID] = ()) -> PeriodsMessage:
    """The message with only the periods that exist; the others are among its `faults`. Those that were just `charged`
    do.
    """
    unknown = _unknown_periods([item for item in message.periods if item.rebilling_id not in charged])
    return replace(
        message,
        periods=tuple(item for item in message.periods if item.rebilling_id not in unknown),
        faults=(
            *message.faults,
            *(f"no sweep found the period {item}" for item in message.periods if item.rebilling_id in unknown),
        ),
    )


def known_payments(message: PaymentsMessage) -> PaymentsMessage:
    """The message with only the payments that exist; the others are among its `faults`."""
    unknown = _unknown(Payment, message.payments)
    return replace(
        message,
        payments=tuple(id_ for id_ in message.payments if id_ not in unknown),
        faults=(*message.faults, *(f"there is no payment {id_}" for id_ in sorted(unknown))),
    )


def known_refunds(message: RefundsMessage) -> RefundsMessage:
    """The message with only the refunds that exist; the others are among its `faults`."""
    unknown = _unknown(Refund, message.refunds)
    return replace(
        message,
        refunds=tuple(id_ for id_ in message.refunds if id_ not in unknown),
        faults=(*message.faults, *(f"there is no refund {id_}" for id_ in sorted(unknown))),
    )


def known_sessions(message: SessionsMessage) -> SessionsMessage:
    """The message with only the sessions that exist; the others are among its `faults`."""
    unknown = _unknown(PaymentMethodSession, message.sessions)
    return replace(
        message,
        sessions=tuple(id_ for id_ in message.sessions if id_ not in unknown),
        faults=(*message.faults, *(f"there is no session {id_}" for id_ in sorted(unknown))),
    )


def faults_of(message: AnyMessage) -> tuple[str, ...]:
    """What is wrong with items of the message: they can't be read, or don't exist."""
    if isinstance(message, PeriodsMessage):
        return known_periods(message).faults
    if isinstance(message, SessionsMessage):
        return known_sessions(message).faults
    return (known_refunds(message) if isinstance(message, RefundsMessage) else known_payments(message)).faults


def _unknown_periods(items: Collection[PeriodItem]) -> set[uuid.UUID]:
    if not items:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            query(__file__, "unknown_periods"),
            {
                "ids": uuid_array([item.rebilling_id for item in items]),
                "accounts": uuid_array([item.account_id for item in items]),
                "starts": plain_array([item.period_start for item in items]),
            },
        )
        return {id_ for (id_,) in cursor.fetchall()}


def _unknown(model: AnyModel, ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    return set(ids).difference(model._default_manager.filter(id__in=ids).values_list("id", flat=True))
