"""Deadlines: what the gateway has not answered for in five days needs a person. An outcome is never guessed."""

import datetime
import logging

from django.conf import settings
from django.db import connection

from payments.models import Payment, Refund

logger = logging.getLogger(__name__)


_HAND_OVER = """
    UPDATE {table} SET needs_person = true, needs_person_reason = %(reason)s
    WHERE status IN ('SUBMITTED', 'UNKNOWN') AND NOT needs_person AND submitted_at <= %(since)s
    RETURNING id, status
"""


def hand_over_overdue(*, now: datetime.datetime) -> int:
    """Mark each payment and refund whose outcome is open for `PAYMENT_UNKNOWN_DAYS`: it needs a person.

    Each is logged as an error. Returns how many were marked.
    """
    days = settings.PAYMENT_UNKNOWN_DAYS
    since, reason = now - datetime.timedelta(days=days), f"its outcome is not known after {days} days"
    return sum(_hand_over(model, since=since, reason=reason) for model in (Payment, Refund))


def _hand_over(model: type[Payment] | type[Refund], *, since: datetime.datetime, reason: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_HAND_OVER.format(table=model._meta.db_table), {"since": since, "reason": reason})
        marked = cursor.fetchall()
    what = str(model._meta.model_name)
    for id_, status in marked:
        extra = {"event": f"{what}.overdue", what: str(id_), "status": status, "reason": reason}
        logger.error(f"a {what} needs a person", extra=extra)
    return len(marked)


def waiting_for_a_person() -> int:
    """How many payments and refunds need a person."""
    return sum(model.objects.filter(needs_person=True).count() for model in (Payment, Refund))
