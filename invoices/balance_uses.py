"""Using the credit balance for an invoice: credit pays, a debt is brought forward, a small rest is carried forward."""

import datetime
import uuid
from collections.abc import Sequence
from typing import NamedTuple

from django.db import connection

from accounts.array_literals import plain_array, uuid_array
from accounts.ids import new_id
from accounts.sql_files import query
from invoices.models import BalanceUse
from invoices.small_amounts import is_too_small


class Use(NamedTuple):
    """One move between the balance and an invoice, above zero, in minor units."""

    kind: BalanceUse.Kind
    amount_minor: int
    used_on: datetime.date


def uses_of(
    *, balance_minor: int, outstanding_minor: int, is_automatic: bool, currency: str, today: datetime.date
) -> list[Use]:
    """What is to go between this credit balance and an invoice of which so much is outstanding. Pure.

    A balance below zero is owed from before, and is collected with a new invoice.
    """
    uses = []
    if balance_minor < 0:
        uses.append(Use(BalanceUse.Kind.BROUGHT_FORWARD, -balance_minor, today))
    elif credit := min(balance_minor, outstanding_minor):
        uses.append(Use(BalanceUse.Kind.CREDIT, credit, today))
    rest = outstanding_minor - applied(uses)
    if is_automatic and is_too_small(amount_minor=rest, currency=currency):
        uses.append(Use(BalanceUse.Kind.CARRIED_FORWARD, rest, today))
    return uses


def applied(uses: Sequence[Use]) -> int:
    """What these make of an invoice's `balance_applied_minor`; the account's balance falls by as much."""
    return sum([-use.amount_minor if use.kind == BalanceUse.Kind.BROUGHT_FORWARD else use.amount_minor for use in uses])


def save_uses(uses: Sequence[tuple[uuid.UUID, Use]]) -> None:
    """Write down what invoices, by id, used; in one statement."""
    if not uses:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            query(__file__, "insert_balance_uses"),
            {
                "ids": uuid_array([new_id() for _ in uses]),
                "invoices": uuid_array([invoice_id for invoice_id, _ in uses]),
                "kinds": plain_array([use.kind.value for _, use in uses]),
                "amounts": plain_array([use.amount_minor for _, use in uses]),
                "days": plain_array([use.used_on for _, use in uses]),
            },
        )
