"""Deadlines: what the gateway has not answered for in five days needs a person. An outcome is never guessed."""

import datetime
import logging

from django.conf import settings
from django.db import connection

from payments.models import Payment, Refund

logger = logging.getLogger(__name__)

OVERDUE = "its outcome is not known after"
"""How the reason of what is overdue begins; how many days it was then is told besides."""
MOST_AT_ONCE = 500

# In id order and skipping what is locked, so that nothing waits for what is being settled.
_HAND_OVER = """
    UPDATE {table} SET needs_person = true, needs_person_reason = %(reason)s
    WHERE id IN (
        SELECT id FROM {table}
        WHERE status IN ('SUBMITTED', 'UNKNOWN') AND NOT needs_person AND coalesce(asked_at, submitted_at) <= %(since)s
        ORDER BY id LIMIT %(most)s FOR NO KEY UPDATE SKIP LOCKED
    )
    RETURNING id, status
"""


def hand_over_overdue(*, now: datetime.datetime) -> int:
    """Mark each payment and refund whose outcome is open for `PAYMENT_UNKNOWN_DAYS`: it needs a person.

    The days count from when the gateway was first asked, or, if it never was, from the submission. Each is logged as
    an error. Returns how many were marked.
    """
    days = settings.PAYMENT_UNKNOWN_DAYS
    since, reason = now - datetime.timedelta(days=days), f"{OVERDUE} {days} days"
    return sum(_hand_over(model, since=since, reason=reason) for model in (Payment, Refund))


def _hand_over(model: type[Payment] | type[Refund], *, since: datetime.datetime, reason: str) -> int:
    statement, what = _HAND_OVER.format(table=model._meta.db_table), str(model._meta.model_name)
    marked = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(statement, {"since": since, "reason": reason, "most": MOST_AT_ONCE})
            rows = cursor.fetchall()
        for id_, status in rows:
            extra = {"event": f"{what}.overdue", what: str(id_), "status": status, "reason": reason}
            logger.error(f"a {what} needs a person", extra=extra)
        marked += len(rows)
        if len(rows) < MOST_AT_ONCE:
            return marked


def waiting_for_a_person() -> int:
    """How many payments and refunds need a person."""
    return sum(model.objects.filter(needs_person=True).count() for model in (Payment, Refund))
