"""Amounts are checked again, under the accounts' locks, before a batch is leased to be called for. Money that comes
after that, in the seconds of the call, makes the payment's money excess.

A payment that asks for more than is outstanding of its invoice, and a refund that nothing has reserved, are never sent.
If the gateway may have heard of one before, what became of it is looked up.
"""

import uuid
from collections.abc import Collection
from dataclasses import dataclass, field

from django.db import connection

from accounts.array_literals import uuid_array
from accounts.locked_accounts import lock_accounts_only
from accounts.sql_files import query
from payments.gateways.port import Declined
from payments.models import GatewayAttempt, Payment

SUPERSEDED = "superseded"
"""The code of a payment whose invoice was paid in part or whole before it was sent. It is no decline."""
NOT_OUTSTANDING = "not_outstanding"
"""The code of a payment that asks for more than is outstanding, and nothing explains why."""
NOT_RESERVED = "not_reserved"
"""The code of a refund whose money was not reserved."""


@dataclass(frozen=True, slots=True)
class NotToBeSent:
    """Rows that must not be sent to the gateway, each with its outcome if the gateway never heard of it.

    `never_called`: it can't have heard of these. The others are looked up.
    """

    never_called: dict[uuid.UUID, Declined] = field(default_factory=dict)
    called_before: dict[uuid.UUID, Declined] = field(default_factory=dict)


def check_amounts(*, model: type[GatewayAttempt], ids: Collection[uuid.UUID]) -> NotToBeSent:
    """Those of the rows that must not be sent. Locks their accounts until the transaction ends."""
    lock_accounts_only(model, ids)
    found = NotToBeSent()
    if model is Payment:
        statement = query(__file__, "payments_past_their_invoices")
    else:
        statement = query(__file__, "unreserved_refunds")
    with connection.cursor() as cursor:
        cursor.execute(statement, {"ids": uuid_array(ids)})
        for id_, code, was_called in cursor.fetchall():
            (found.called_before if was_called else found.never_called)[id_] = Declined(code=code)
    return found
