"""Leases: who asks the gateway about a payment or a refund at present, so that two deliveries don't ask at once."""

import datetime
import uuid
from collections.abc import Collection
from dataclasses import dataclass

from django.conf import settings
from django.db import connection, transaction

from payments.models import Payment, Refund

# SKIP LOCKED: what is being settled this moment isn't waited for. A row goes to the gateway that it was recorded for
# and to no other, to which its key would be new.
_LEASE = """
    UPDATE {table} AS row
    SET leased_until = %(until)s, asked_at = coalesce(free.asked_at, %(now)s)
    FROM (
        SELECT id, asked_at FROM {table}
        WHERE id = ANY(%(ids)s::uuid[]) AND status IN ('SUBMITTED', 'UNKNOWN') AND gateway = %(gateway)s
            AND (leased_until IS NULL OR leased_until <= %(now)s)
        ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
    ) AS free
    WHERE row.id = free.id
    RETURNING row.id, free.asked_at, row.status = 'UNKNOWN'
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """Rows that are ours to ask about until `until`, each with when it was asked first; None: never before.

    `unknown` are those whose outcome is UNKNOWN.
    """

    model: type[Payment] | type[Refund]
    until: datetime.datetime
    asked_at: dict[uuid.UUID, datetime.datetime | None]
    unknown: frozenset[uuid.UUID]

    def give_up(self, ids: Collection[uuid.UUID]) -> None:
        """Let others ask about these, which were not asked about; but for a lease that has ended and is another's."""
        ours = self.model.objects.filter(id__in=ids, leased_until=self.until)
        never = [id_ for id_ in ids if self.asked_at[id_] is None]
        if never:
            ours.filter(id__in=never).update(leased_until=None, asked_at=None)
        if len(never) < len(ids):
            ours.exclude(id__in=never).update(leased_until=None)


def take_lease(
    *, model: type[Payment] | type[Refund], ids: Collection[uuid.UUID], gateway: str, now: datetime.datetime
) -> Lease:
    """Lease, for `PAYMENT_LEASE_SECONDS`, those of the rows whose outcome is open and that nobody is asking about."""
    until = now + datetime.timedelta(seconds=settings.PAYMENT_LEASE_SECONDS)
    statement = _LEASE.format(table=model._meta.db_table)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, {"ids": list(ids), "gateway": gateway, "now": now, "until": until})
        rows = cursor.fetchall()
    return Lease(
        model=model,
        until=until,
        asked_at={id_: first for id_, first, _ in rows},
        unknown=frozenset(id_ for id_, _, unknown in rows if unknown),
    )
