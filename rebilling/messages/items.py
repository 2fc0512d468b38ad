"""Which items of a message exist. One that doesn't exist fails alone, however often it is delivered."""

import uuid
from collections.abc import Collection
from dataclasses import replace
from typing import TypeVar

from django.db import connection

from accounts.array_literals import plain_array, uuid_array
from accounts.sql_files import query
from payments.messages.rows import RowsMessage
from rebilling.messages.message import AnyMessage, PeriodItem, PeriodsMessage

Rows = TypeVar("Rows", bound=RowsMessage)


def known_periods(message: PeriodsMessage, *, charged: Collection[uuid.UUID] = ()) -> PeriodsMessage:
    """The message with only the periods that exist; the others are among its `faults`. Those that were `charged` just
    now exist, and aren't looked for.
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


def known_rows(message: Rows) -> Rows:
    """The message with only the rows that exist; the others are among its `faults`."""
    model = message.MODEL
    unknown = set(message.ids).difference(
        model._default_manager.filter(id__in=message.ids).values_list("id", flat=True)
    )
    return replace(
        message,
        ids=tuple(id_ for id_ in message.ids if id_ not in unknown),
        faults=(*message.faults, *(f"there is no {model.NOUN} {id_}" for id_ in sorted(unknown))),
    )


def faults_of(message: AnyMessage) -> tuple[str, ...]:
    """What is wrong with items of the message: they can't be read, or don't exist."""
    known = known_periods(message) if isinstance(message, PeriodsMessage) else known_rows(message)
    return known.faults


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
