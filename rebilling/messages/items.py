"""Which items of a message exist. One that doesn't exist fails alone, however often it is delivered."""

import uuid
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from django.db import connection

from payments.models import Payment, Refund
from rebilling.messages.message import AnyMessage, Message, PeriodKey, RefundsMessage

_UNKNOWN_PERIODS = """
    SELECT key.account_id, key.period_start
    FROM unnest(%(accounts)s::uuid[], %(starts)s::date[]) AS key (account_id, period_start)
    WHERE NOT EXISTS (
        SELECT FROM rebilling_rebilling AS row
        WHERE row.account_id = key.account_id AND row.period_start = key.period_start
    )
"""


def known(message: Message) -> Message:
    """The message with only the items that exist; the others are among its `faults`."""
    periods, payments = _unknown_periods(message.rebillings), _unknown(Payment, message.payments)
    return replace(
        message,
        rebillings=tuple(key for key in message.rebillings if key not in periods),
        payments=tuple(id_ for id_ in message.payments if id_ not in payments),
        faults=(
            *message.faults,
            *(f"no sweep found the period {key}" for key in sorted(periods)),
            *(f"there is no payment {id_}" for id_ in sorted(payments)),
        ),
    )


def known_refunds(message: RefundsMessage) -> RefundsMessage:
    """As `known`."""
    refunds = _unknown(Refund, message.refunds)
    return replace(
        message,
        refunds=tuple(id_ for id_ in message.refunds if id_ not in refunds),
        faults=(*message.faults, *(f"there is no refund {id_}" for id_ in sorted(refunds))),
    )


def faults_of(message: AnyMessage) -> tuple[str, ...]:
    """What is wrong with items of the message: they can't be read, or don't exist."""
    return (known_refunds(message) if isinstance(message, RefundsMessage) else known(message)).faults


def _unknown_periods(keys: Collection[PeriodKey]) -> set[PeriodKey]:
    with connection.cursor() as cursor:
        cursor.execute(_UNKNOWN_PERIODS, columns_of(keys))
        return {PeriodKey(*row) for row in cursor.fetchall()}


def columns_of(keys: Collection[PeriodKey]) -> dict[str, list[Any]]:
    """The keys as the parameters `accounts` and `starts` of a statement."""
    return {"accounts": [key.account_id for key in keys], "starts": [key.period_start for key in keys]}


def _unknown(model: type[Payment] | type[Refund], ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    if not ids:
        return set()
    return set(ids).difference(model.objects.filter(id__in=ids).values_list("id", flat=True))
