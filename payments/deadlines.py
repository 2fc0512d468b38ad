"""Deadlines: what the gateway has not answered for in five days needs a person. An outcome is never guessed."""

import datetime
import logging

from django.conf import settings
from django.db.models import QuerySet

from payments.models import Payment, Refund

logger = logging.getLogger(__name__)


def hand_over_overdue(*, now: datetime.datetime) -> int:
    """Mark each payment and refund whose outcome is open for `PAYMENT_UNKNOWN_DAYS`: it needs a person.

    Each is logged as an error. Returns how many were marked.
    """
    since = now - datetime.timedelta(days=settings.PAYMENT_UNKNOWN_DAYS)
    return sum(_hand_over(model.objects.all(), since=since) for model in (Payment, Refund))


def _hand_over(rows: QuerySet[Payment] | QuerySet[Refund], *, since: datetime.datetime) -> int:
    overdue = rows.filter(
        status__in=[Payment.Status.SUBMITTED, Payment.Status.UNKNOWN], needs_person=False, submitted_at__lte=since
    )
    marked = 0
    for row in overdue.order_by("id"):
        reason = f"its outcome is not known after {settings.PAYMENT_UNKNOWN_DAYS} days"
        # Asked once more, so that what was settled meanwhile isn't marked.
        if overdue.filter(id=row.id).update(needs_person=True, needs_person_reason=reason):
            marked += 1
            what = row._meta.model_name
            logger.error(
                f"a {what} needs a person",
                extra={"event": f"{what}.overdue", str(what): str(row.id), "status": row.status, "reason": reason},
            )
    return marked


def waiting_for_a_person() -> int:
    """How many payments and refunds need a person."""
    return sum(model.objects.filter(needs_person=True).count() for model in (Payment, Refund))
