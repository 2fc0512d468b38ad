"""Recording a batch's outcomes even if the database refuses what follows from one of them."""

import datetime
import logging
import uuid
from collections.abc import Callable, Mapping
from typing import TypeVar

from django.db import transaction

from accounts.bisection import ROW_ERRORS, FailedItem, bisect_batch, describe
from accounts.locks import lock_accounts
from payments.gateways.port import Outcome, Unknown
from payments.models import GatewayAttempt
from payments.outcome_log import log_outcome
from payments.outcomes import Written, write_outcomes

logger = logging.getLogger(__name__)

Attempt = TypeVar("Attempt", bound=GatewayAttempt)


def record_in_batches(
    *,
    model: type[Attempt],
    outcomes: Mapping[uuid.UUID, Outcome],
    record: Callable[[Mapping[uuid.UUID, Outcome]], list[tuple[Attempt, Written]]],
    now: datetime.datetime,
) -> list[tuple[Attempt, Written]]:
    """Have `record` write all outcomes in one transaction, or in parts where the database refuses; log each.

    A single one that the database refuses becomes UNKNOWN and needs review, and nothing follows from it. If even that
    is refused, the row stays as it is and is logged as an error; once the others are recorded, that error is raised.
    """
    recorded: list[tuple[Attempt, Written]] = []
    unwritable: list[Exception] = []
    for part in bisect_batch(items=sorted(outcomes), work=lambda ids: record({id_: outcomes[id_] for id_ in ids})):
        try:
            rows = _write_for_review(model=model, failed=part, now=now) if isinstance(part, FailedItem) else part
        except ROW_ERRORS as error:
            unwritable.append(error)
            continue
        for row, written in rows:
            log_outcome(row=row, written=written)
        recorded += rows
    if unwritable:
        raise unwritable[0]
    return recorded


def _write_for_review(
    *, model: type[Attempt], failed: FailedItem[uuid.UUID], now: datetime.datetime
) -> list[tuple[Attempt, Written]]:
    """Write an outcome that the database refused as UNKNOWN; the row needs review."""
    reason = f"its outcome can't be recorded ({describe(failed.error)})"
    row = model._default_manager.filter(id=failed.item)
    try:
        with transaction.atomic():
            lock_accounts(row.values_list(model.ACCOUNT_ID, flat=True))
            outcome = Unknown(reason=reason, needs_review=True)
            written = write_outcomes(model=model, outcomes={failed.item: outcome}, now=now)
    except ROW_ERRORS:
        extra = {"event": f"{model.NOUN}.unwritable", model.NOUN: str(failed.item)}
        logger.exception(f"the outcome of a {model.NOUN} can't be recorded", extra=extra)
        raise
    return [(found, written[found.id]) for found in row if found.id in written]
