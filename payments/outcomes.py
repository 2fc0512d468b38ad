"""Outcomes: written once, beside the ledger entries of the money that was taken."""

import datetime
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import connection

from accounts.sql_files import query
from ledger.models import EntryType
from ledger.posting import Posting, post
from payments.gateways.port import Declined, Outcome, Succeeded, Unknown
from payments.models import OFFLINE, GatewayAttempt, Payment

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Written:
    """The outcome that was written. `changed`: the row isn't UNKNOWN as it was before."""

    outcome: Outcome
    changed: bool


def write_payment_outcomes(
    *, outcomes: Mapping[uuid.UUID, Outcome], as_of: datetime.date, author: str, now: datetime.datetime
) -> list[tuple[Payment, Written]]:
    """Write the outcomes of payments that are SUBMITTED or UNKNOWN, and the entries of those that succeeded.

    Returns these payments; completed ones are left as they are. In the caller's transaction, which has locked the
    payments' accounts. Entries are effective on `as_of`, the billing day.
    """
    written = write_outcomes(model=Payment, outcomes=outcomes, now=now)
    payments = list(Payment.objects.filter(id__in=written).order_by("id"))
    post(
        postings=[
            Posting(
                type=EntryType.PAYMENT,
                account_id=payment.account_id,
                amount_minor=payment.amount_minor,
                currency=payment.currency,
                effective_on=as_of,
                description=f"Payment by {payment.gateway}",
                idempotency_key=f"payment:{payment.id}",
                payment_id=payment.id,
            )
            for payment in payments
            if payment.status == Payment.Status.SUCCEEDED
        ],
        author=author,
        now=now,
    )
    return [(payment, written[payment.id]) for payment in payments]


def write_outcomes(
    *, model: type[GatewayAttempt], outcomes: Mapping[uuid.UUID, Outcome], now: datetime.datetime
) -> dict[uuid.UUID, Written]:
    """Write the outcomes of the model's rows that are SUBMITTED or UNKNOWN; returns what was written, by row.

    A success under a reference that is another row's is no success: it is UNKNOWN, and needs review.
    """
    outcomes = _with_unique_references(model, outcomes)
    ids = sorted(outcomes)
    with connection.cursor() as cursor:
        cursor.execute(
            query(__file__, "write_outcomes", table=model._meta.db_table, code=model.CODE_COLUMN),
            {
                "ids": ids,
                "statuses": [_status(outcomes[id_], model) for id_ in ids],
                "codes": [getattr(outcomes[id_], "code", "") for id_ in ids],
                "references": [getattr(outcomes[id_], "reference", "") for id_ in ids],
                "for_review": [_review_reason(outcomes[id_]) for id_ in ids],
                "now": now,
            },
        )
        written = {id_: Written(outcomes[id_], changed=not as_before) for id_, as_before in cursor.fetchall()}
    _report_late_successes(model, {id_: outcomes[id_] for id_ in outcomes.keys() - written.keys()})
    return written


def _report_late_successes(model: type[GatewayAttempt], outcomes: Mapping[uuid.UUID, Outcome]) -> None:
    """Mark rows that were refused although the gateway moved the money: they need review, and nothing is booked.

    A worker that has outlived its lease may bring such an outcome, or a gateway that broke its word.
    """
    for id_, outcome in outcomes.items():
        if not isinstance(outcome, Succeeded):
            continue
        refused = model._default_manager.filter(id=id_, status=model.REFUSED)
        reason = f"the money was moved after all, as {outcome.reference}, and is not in the ledger"
        if refused.update(needs_review=True, review_reason=reason):
            extra = {"event": f"{model.NOUN}.contradicted", model.NOUN: str(id_), "reason": reason}
            logger.error(f"a {model.NOUN} needs review", extra=extra)


def _with_unique_references(
    model: type[GatewayAttempt], outcomes: Mapping[uuid.UUID, Outcome]
) -> dict[uuid.UUID, Outcome]:
    """The outcomes; where two rows would be booked for one reference, the later is Unknown."""
    references = [outcome.reference for outcome in outcomes.values() if isinstance(outcome, Succeeded)]
    gateways = model._default_manager.filter(id__in=outcomes).exclude(gateway=OFFLINE).values("gateway")
    booked = model._default_manager.filter(
        gateway__in=gateways, gateway_reference__in=references, status=model.SUCCEEDED
    )
    owners: dict[str, uuid.UUID] = dict(booked.values_list("gateway_reference", "id"))
    checked: dict[uuid.UUID, Outcome] = {}
    for id_, outcome in sorted(outcomes.items()):
        checked[id_] = outcome
        if isinstance(outcome, Succeeded):
            owner = owners.setdefault(outcome.reference, id_)
            if owner != id_:
                reason = f"the gateway named {outcome.reference}, which is {model.NOUN} {owner}"
                checked[id_] = Unknown(reason=reason, needs_review=True)
    return checked


def _review_reason(outcome: Outcome) -> str:
    return outcome.reason[:500] if isinstance(outcome, Unknown) and outcome.needs_review else ""


def _status(outcome: Outcome, model: type[GatewayAttempt]) -> str:
    if isinstance(outcome, Succeeded):
        return model.SUCCEEDED
    return model.REFUSED if isinstance(outcome, Declined) else model.UNKNOWN
