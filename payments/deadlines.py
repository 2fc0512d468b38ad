"""Deadlines: what the gateway has given no outcome for in five days needs review. An outcome is never guessed."""

import datetime
import logging

from django.conf import settings
from django.db import connection

from accounts.sql_files import query
from payments.models import GATEWAY_ATTEMPTS, GatewayAttempt

logger = logging.getLogger(__name__)

OVERDUE = "its outcome is not known after"
"""How the review reason of an overdue row begins; the number of days follows."""
MAX_AT_ONCE = 500


def mark_overdue(*, now: datetime.datetime) -> int:
    """Mark each payment and refund in flight for `PAYMENT_UNKNOWN_DAYS`: it needs review.

    The days count from the first call to the gateway or, if there was none, from the submission. Each row is logged as
    an error. Returns how many were marked.
    """
    days = settings.PAYMENT_UNKNOWN_DAYS
    since, reason = now - datetime.timedelta(days=days), f"{OVERDUE} {days} days"
    return sum(_mark_overdue(model, since=since, reason=reason) for model in GATEWAY_ATTEMPTS)


def _mark_overdue(model: type[GatewayAttempt], *, since: datetime.datetime, reason: str) -> int:
    statement = query(__file__, "mark_overdue", table=model._meta.db_table)
    marked = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(statement, {"since": since, "reason": reason, "limit": MAX_AT_ONCE})
            rows = cursor.fetchall()
        for id_, status in rows:
            extra = {"event": f"{model.NOUN}.overdue", model.NOUN: str(id_), "status": status, "reason": reason}
            logger.error(f"a {model.NOUN} needs review", extra=extra)
        marked += len(rows)
        if len(rows) < MAX_AT_ONCE:
            return marked


def awaiting_review() -> int:
    """How many payments and refunds need review."""
    return sum(model._default_manager.filter(needs_review=True).count() for model in GATEWAY_ATTEMPTS)
