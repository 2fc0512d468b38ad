"""One log line for each outcome that is recorded of a payment or a refund."""

import logging
from typing import Any

from payments.gateways.port import Unknown
from payments.models import GatewayAttempt, Refund
from payments.outcomes import Written

logger = logging.getLogger(__name__)


def log_outcome(*, model: type[GatewayAttempt], row: Any, written: Written) -> None:
    """An error where the row needs review, a warning where a refund failed."""
    if row.needs_review:
        level, message = logging.ERROR, f"a {model.NOUN} needs review"
    elif row.completed_at is None:
        level, message = logging.INFO, f"the outcome of a {model.NOUN} is unknown"
    else:
        level = logging.WARNING if row.status == Refund.Status.FAILED else logging.INFO
        message = f"the outcome of a {model.NOUN} was recorded"
    if not logger.isEnabledFor(level):
        return
    logger.log(
        level,
        message,
        extra={
            "event": f"{model.NOUN}.recorded" if row.completed_at else f"{model.NOUN}.unknown",
            model.NOUN: str(row.id),
            "status": row.status,
            "reason": written.outcome.reason if isinstance(written.outcome, Unknown) else "",
            "amount_minor": row.amount_minor,
            "currency": row.currency,
            model.CODE_COLUMN: getattr(row, model.CODE_COLUMN),
            "account": str(row.account_id),
        },
    )
