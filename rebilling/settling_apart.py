"""Settling a pack although the database refuses what follows from one of its outcomes."""

import datetime
import logging
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from django.db import transaction

from accounts.locks import lock_accounts
from payments.gateways import Outcome, Unknown
from payments.models import Payment, Refund
from payments.settlement import Written, write_outcomes
from rebilling.row_faults import ROW_FAULTS, in_halves, told

logger = logging.getLogger(__name__)

Row = TypeVar("Row", Payment, Refund)


def settled_apart(
    *,
    model: type[Row],
    account_id: str,
    outcomes: Mapping[uuid.UUID, Outcome],
    settle: Callable[[Mapping[uuid.UUID, Outcome]], list[tuple[Row, Written]]],
    now: datetime.datetime,
) -> Iterator[tuple[Row, Written]]:
    """What `settle` has written of the outcomes, in one transaction, or in halves where the database refuses.

    `settle` is called with the rows' accounts locked, whose ids the model has as `account_id`. A row that is refused
    alone needs a person, and nothing follows from its outcome. Refused even so, it stays as it is and is logged as an
    error; once the others are done, that fault is raised.
    """
    unwritten: list[Exception] = []

    def lock(ids: Sequence[uuid.UUID]) -> None:
        lock_accounts(model._default_manager.filter(id__in=ids).values_list(account_id, flat=True))

    def settle_some(ids: Sequence[uuid.UUID]) -> list[tuple[Row, Written]]:
        lock(ids)
        return settle({id_: outcomes[id_] for id_ in ids})

    def hand_over(id_: uuid.UUID, fault: Exception) -> list[tuple[Row, Written]]:
        why = Unknown(reason=f"its outcome can't be written down ({told(fault)})", needs_person=True)
        try:
            with transaction.atomic():
                lock([id_])
                written = write_outcomes(model=model, outcomes={id_: why}, now=now)
        except ROW_FAULTS as error:
            what = str(model._meta.model_name)
            logger.exception(f"a {what} can't be settled", extra={"event": f"{what}.unwritable", what: str(id_)})
            unwritten.append(error)
            return []
        return [(row, written[row.id]) for row in model._default_manager.filter(id__in=written)]

    yield from in_halves(items=sorted(outcomes), work=settle_some, alone=hand_over)
    if unwritten:
        raise unwritten[0]
