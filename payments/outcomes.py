"""Outcomes: what became of payments and refunds at the gateway, written once."""

import datetime
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import IntegrityError, connection

from accounts.array_literals import plain_array, text_array, uuid_array
from accounts.bisection import describe
from accounts.errors import violated_constraint
from accounts.locked_accounts import LockedAccount
from accounts.sql_files import query
from payments.amount_checks import NOT_OUTSTANDING, NOT_RESERVED
from payments.gateways.port import Declined, Outcome, Succeeded, Unknown
from payments.models import GatewayAttempt

logger = logging.getLogger(__name__)

MOVED_AFTER_ALL = "the money was moved after all"
"""Begins the review reason of what was refused although the gateway moved the money."""


@dataclass(frozen=True, slots=True)
class Written:
    """The outcome that was written. `changed` is False where the row was UNKNOWN and still is."""

    outcome: Outcome
    changed: bool


def write_outcomes(
    *,
    model: type[GatewayAttempt],
    accounts: Mapping[uuid.UUID, LockedAccount],
    outcomes: Mapping[uuid.UUID, Outcome],
    now: datetime.datetime,
) -> dict[uuid.UUID, Written]:
    """Write the outcomes of those of these accounts' payments or refunds that are SUBMITTED or UNKNOWN; returns what
    was written, by row.

    Raises one of `ROW_ERRORS` where the database refuses one of them; `why_refused` says why.
    """
    ids = list(outcomes)
    with connection.cursor() as cursor:
        cursor.execute(
            query(__file__, "write_outcomes", table=model._meta.db_table, code=model.CODE_COLUMN),
            {
                "ids": uuid_array(ids),
                "statuses": plain_array([_status(outcomes[id_], model) for id_ in ids]),
                "codes": text_array([getattr(outcomes[id_], "code", "") for id_ in ids]),
                "references": text_array([getattr(outcomes[id_], "reference", "") for id_ in ids]),
                "for_review": text_array([_review_reason(outcomes[id_]) for id_ in ids]),
                "now": now,
            },
        )
        rows = cursor.fetchall()
    if not all(account_id in accounts for _, account_id, _ in rows):
        raise ValueError(f"the account of a {model.NOUN} isn't locked")
    written = {id_: Written(outcomes[id_], changed=not as_before) for id_, _, as_before in rows}
    # What wasn't written is no longer in flight.
    _mark_late_successes(model, {id_: outcomes[id_] for id_ in outcomes.keys() - written.keys()})
    return written


def _mark_late_successes(model: type[GatewayAttempt], outcomes: Mapping[uuid.UUID, Outcome]) -> None:
    """Mark rows that were refused although the gateway moved the money: they need review, and nothing is booked.

    A worker that has outlived its lease may bring such an outcome, or a gateway that broke its word. What a person has
    booked late meanwhile is in the ledger.
    """
    for id_, outcome in outcomes.items():
        if not isinstance(outcome, Succeeded):
            continue
        refused = model._default_manager.filter(id=id_, status=model.REFUSED)
        booked = _booked_as(model, id_, outcome.reference)
        if booked and booked.late_for and booked.late_for.pk == id_:
            continue
        reason = f"{MOVED_AFTER_ALL}, as {outcome.reference}, and is not in the ledger"
        if booked:
            reason = _of_another(booked)
        if refused.update(needs_review=True, review_reason=reason):
            extra = {"event": f"{model.NOUN}.contradicted", model.NOUN: str(id_), "reason": reason}
            logger.error(f"a {model.NOUN} needs review", extra=extra)


def why_refused(model: type[GatewayAttempt], id_: uuid.UUID, outcome: Outcome, error: Exception) -> tuple[str, bool]:
    """Why the database refused the outcome of the model's row, for whoever reviews it, and whether its reference is
    another row's. `error` is one of `ROW_ERRORS`.

    Money that was moved under a reference that is another row's is no success: it was booked for that one.
    """
    is_booked = isinstance(error, IntegrityError) and violated_constraint(error) == f"{model.NOUN}_reference_once"
    booked = _booked_as(model, id_, outcome.reference) if is_booked and isinstance(outcome, Succeeded) else None
    reason = _of_another(booked) if booked else f"its outcome can't be recorded ({describe(error)})"
    return reason, booked is not None


def _booked_as(model: type[GatewayAttempt], id_: uuid.UUID, reference: str) -> GatewayAttempt | None:
    """The row that is booked under the reference at this row's gateway."""
    gateway = model._default_manager.filter(id=id_).values("gateway")
    rows = model._default_manager.filter(gateway__in=gateway, gateway_reference=reference, status=model.SUCCEEDED)
    return rows.exclude(id=id_).first()


def _of_another(booked: GatewayAttempt) -> str:
    return f"the gateway named {booked.gateway_reference}, which is {booked.NOUN} {booked.id}"


OUR_FAULT = {
    "never_received": "the gateway has no record of it, and it was too late to submit it again",
    "amount_not_expressible": "the gateway can't express this amount",
    "amount_too_large": "the gateway doesn't take so large an amount",
    "invalid_amount": "the gateway rejects the amount",
    "invalid_currency": "the gateway rejects the currency",
    "payment_method_unactivated": "our account at the gateway doesn't take this kind of payment method",
    "invalid_request": "the gateway rejects the request",
    NOT_OUTSTANDING: "it asks for more than is outstanding of its invoice, and nothing explains why; it was not sent",
    NOT_RESERVED: "nothing has reserved its money; it was not sent",
}
"""Codes of what no customer can do anything about, and why each needs review. They count as no decline."""


def _review_reason(outcome: Outcome) -> str:
    if isinstance(outcome, Declined):
        return OUR_FAULT.get(outcome.code, "")
    return outcome.reason[:500] if isinstance(outcome, Unknown) and outcome.needs_review else ""


def _status(outcome: Outcome, model: type[GatewayAttempt]) -> str:
    if isinstance(outcome, Succeeded):
        return model.SUCCEEDED
    return model.REFUSED if isinstance(outcome, Declined) else model.UNKNOWN
