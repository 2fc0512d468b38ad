"""Recording a batch's outcomes even if the database refuses what follows from one of them."""

import datetime
import logging
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Generic, TypeVar

from django.db import transaction

from accounts.bisection import ROW_ERRORS, FailedItem, bisect_batch
from accounts.locked_accounts import lock_accounts_of
from payments.gateways.port import Outcome, Unknown
from payments.models import GatewayAttempt
from payments.outcome_log import log_outcome
from payments.outcomes import Written, why_refused, write_outcomes

logger = logging.getLogger(__name__)


Row = TypeVar("Row")
"""A payment or a refund as it is after its outcome was written."""


@dataclass(slots=True)
class Recorded(Generic[Row]):
    """What was recorded, and the payments that were submitted because of it: they are to be sent."""

    rows: list[tuple[Row, Written]] = field(default_factory=list)
    submitted: list[uuid.UUID] = field(default_factory=list)


def record_with_bisection(
    *,
    model: type[GatewayAttempt],
    outcomes: Mapping[uuid.UUID, Outcome],
    record: Callable[[Mapping[uuid.UUID, Outcome]], Recorded[Row]],
    rows_of: Callable[[Collection[uuid.UUID]], Sequence[Row]],
    now: datetime.datetime,
) -> Recorded[Row]:
    """Have `record` write all outcomes in one transaction, or in parts where the database refuses; log each.

    A single one that the database refuses becomes UNKNOWN and needs review, and nothing follows from it. If even that
    is refused, the row stays as it is and is logged as an error; once the others are recorded, that error is raised.
    """
    recorded: Recorded[Row] = Recorded()
    unwritable: list[Exception] = []
    in_order = sorted(outcomes, key=attrgetter("int"))
    for part in bisect_batch(items=in_order, work=lambda ids: record({id_: outcomes[id_] for id_ in ids})):
        if isinstance(part, FailedItem):
            try:
                written = _write_for_review(model=model, failed=part, outcome=outcomes[part.item], now=now)
            except ROW_ERRORS as error:
                unwritable.append(error)
                continue
            found: Sequence[Any] = rows_of(written)
            rows = [(row, written[row.id]) for row in found]
        else:
            rows = part.rows
            recorded.submitted += part.submitted
        for row, as_written in rows:
            log_outcome(model=model, row=row, written=as_written)
        recorded.rows += rows
    if unwritable:
        # What was submitted isn't sent by the caller then: the hourly check sends it.
        raise unwritable[0]
    return recorded


def _write_for_review(
    *, model: type[GatewayAttempt], failed: FailedItem[uuid.UUID], outcome: Outcome, now: datetime.datetime
) -> dict[uuid.UUID, Written]:
    """Write an outcome that the database refused as UNKNOWN; the row needs review."""
    refused = failed.error
    # Whoever reviews it looks for its reference at the gateway; but that may be what the database refuses.
    for reference in dict.fromkeys((getattr(outcome, "reference", ""), "")):
        try:
            with transaction.atomic():
                accounts = lock_accounts_of(model, [failed.item])
                reason, is_anothers = why_refused(model, failed.item, outcome, failed.error)
                for_review = Unknown(reason=reason, needs_review=True, reference="" if is_anothers else reference)
                return write_outcomes(model=model, accounts=accounts, outcomes={failed.item: for_review}, now=now)
        except ROW_ERRORS as error:
            refused = error
    extra = {"event": f"{model.NOUN}.unwritable", model.NOUN: str(failed.item)}
    logger.error(f"the outcome of a {model.NOUN} can't be recorded", extra=extra, exc_info=refused)
    raise refused
