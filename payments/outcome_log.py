"""One log line for each outcome that is written down of a payment or a refund."""

import logging
import uuid

from payments.gateways import Unknown
from payments.models import Payment, Refund
from payments.settlement import Written

logger = logging.getLogger(__name__)


def log_outcome(*, row: Payment | Refund, written: Written, account_id: uuid.UUID, **about: str) -> None:
    """An error where a person is needed, a warning where a customer gets nothing back. `about` is told besides."""
    what = str(row._meta.model_name)
    if row.needs_person:
        level, message = logging.ERROR, f"a {what} needs a person"
    elif row.settled_at is None:
        level, message = logging.INFO, f"nobody knows what became of a {what}"
    else:
        level = logging.WARNING if row.status == Refund.Status.FAILED else logging.INFO
        message = f"a {what} was settled"
    logger.log(
        level,
        message,
        extra={
            "event": f"{what}.settled" if row.settled_at else f"{what}.unknown",
            what: str(row.id),
            "account": str(account_id),
            "status": row.status,
            "reason": written.outcome.reason if isinstance(written.outcome, Unknown) else "",
            "amount_minor": row.amount_minor,
            "currency": row.currency,
            **about,
        },
    )
