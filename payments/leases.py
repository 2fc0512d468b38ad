"""Leases: the worker that holds a payment's or a refund's lease calls the gateway for it, and no other does."""

import datetime
import uuid
from collections.abc import Collection
from dataclasses import dataclass

from django.conf import settings
from django.db import connection, transaction

from accounts.array_literals import uuid_array
from accounts.sql_files import query
from payments.amount_checks import NotToBeSent, check_amounts
from payments.models import GatewayAttempt


@dataclass(frozen=True, slots=True)
class Lease:
    """Rows that we may call the gateway for until `until`, each with the time of its first call; None: never before.

    `unknown` are those whose outcome is UNKNOWN. Of those that are `not_to_be_sent`, the ones never called for
    aren't leased.
    """

    model: type[GatewayAttempt]
    until: datetime.datetime
    first_called_at: dict[uuid.UUID, datetime.datetime | None]
    unknown: frozenset[uuid.UUID]
    not_to_be_sent: NotToBeSent

    def release(self, ids: Collection[uuid.UUID]) -> None:
        """Release rows whose outcome isn't to be recorded: the gateway wasn't called, or rejected them and moved no
        money.

        A lease that has ended, and is another worker's, stays.
        """
        ours = self.model._default_manager.filter(id__in=ids, leased_until=self.until)
        never = [id_ for id_ in ids if self.first_called_at[id_] is None]
        if never:
            ours.filter(id__in=never).update(leased_until=None, first_called_at=None)
        if len(never) < len(ids):
            ours.exclude(id__in=never).update(leased_until=None)


def take_lease(
    *, model: type[GatewayAttempt], ids: Collection[uuid.UUID], gateway: str, now: datetime.datetime
) -> Lease:
    """Lease, for `PAYMENT_LEASE_SECONDS`, those of the rows that are in flight and that no worker holds a lease of."""
    until = now + datetime.timedelta(seconds=settings.PAYMENT_LEASE_SECONDS)
    statement = query(__file__, "take_lease", table=model._meta.db_table)
    with transaction.atomic(), connection.cursor() as cursor:
        not_to_be_sent = check_amounts(model=model, ids=ids)
        free = [id_ for id_ in ids if id_ not in not_to_be_sent.never_called]
        cursor.execute(statement, {"ids": uuid_array(free), "gateway": gateway, "now": now, "until": until})
        rows = cursor.fetchall()
    return Lease(
        model=model,
        until=until,
        first_called_at={id_: first for id_, first, _ in rows},
        unknown=frozenset(id_ for id_, _, unknown in rows if unknown),
        not_to_be_sent=not_to_be_sent,
    )
