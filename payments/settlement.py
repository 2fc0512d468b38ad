"""Settling: outcomes are written, once, beside the ledger entries of the money that was taken."""

import datetime
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import connection

from ledger.models import EntryType
from ledger.posting import Posting, post
from payments.gateways import Declined, Outcome, Succeeded, Unknown
from payments.models import OUTSIDE, Payment, Refund

logger = logging.getLogger(__name__)

# The status of what the gateway refused, and the column of its code.
_REFUSED: dict[type[Payment] | type[Refund], tuple[str, str]] = {
    Payment: (Payment.Status.DECLINED.value, "decline_code"),
    Refund: (Refund.Status.FAILED.value, "failure_code"),
}

# What waits for a person still does while its outcome is unknown, whatever is answered; but for what waited because the
# gateway wasn't asked for days, and has been now.
_SETTLE = """
    UPDATE {table} AS row
    SET status = outcome.status, {code} = outcome.code, leased_until = NULL,
        gateway_reference = CASE outcome.reference WHEN '' THEN row.gateway_reference ELSE outcome.reference END,
        settled_at = CASE outcome.status WHEN 'UNKNOWN' THEN NULL ELSE %(now)s END,
        needs_person = outcome.status = 'UNKNOWN'
            AND (outcome.for_person <> '' OR row.status = 'UNKNOWN' AND row.needs_person),
        needs_person_reason = CASE
            WHEN outcome.for_person <> '' THEN outcome.for_person
            WHEN outcome.status = 'UNKNOWN' AND row.status = 'UNKNOWN' THEN row.needs_person_reason
            ELSE ''
        END
    FROM unnest(
        %(ids)s::uuid[], %(statuses)s::text[], %(codes)s::text[], %(references)s::text[], %(for_person)s::text[]
    ) AS outcome (id, status, code, reference, for_person)
    JOIN {table} AS before USING (id)
    WHERE row.id = outcome.id AND row.status IN ('SUBMITTED', 'UNKNOWN')
    RETURNING row.id, before.status = 'UNKNOWN' AND row.status = 'UNKNOWN'
"""


@dataclass(frozen=True, slots=True)
class Written:
    """What was written down of one row. `news`: it isn't UNKNOWN as it was before."""

    outcome: Outcome
    news: bool


def settle_payments(
    *, outcomes: Mapping[uuid.UUID, Outcome], as_of: datetime.date, author: str, now: datetime.datetime
) -> list[tuple[Payment, Written]]:
    """Write the outcomes of payments that are SUBMITTED or UNKNOWN, and the entries of those that succeeded.

    Returns these payments; those settled before are left as they are. In the caller's transaction, which has locked
    their accounts. Entries are effective on `as_of`, the billing day.
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
    *, model: type[Payment] | type[Refund], outcomes: Mapping[uuid.UUID, Outcome], now: datetime.datetime
) -> dict[uuid.UUID, Written]:
    """Write the outcomes of the model's rows that are SUBMITTED or UNKNOWN; returns what was written, by row.

    A success under a reference that is another row's is no success: it is UNKNOWN, and needs a person.
    """
    outcomes = _with_their_own_references(model, outcomes)
    ids = sorted(outcomes)
    refused, code = _REFUSED[model]
    with connection.cursor() as cursor:
        cursor.execute(
            _SETTLE.format(table=model._meta.db_table, code=code),
            {
                "ids": ids,
                "statuses": [_status(outcomes[id_], refused) for id_ in ids],
                "codes": [getattr(outcomes[id_], "code", "") for id_ in ids],
                "references": [getattr(outcomes[id_], "reference", "") for id_ in ids],
                "for_person": [_for_person(outcomes[id_]) for id_ in ids],
                "now": now,
            },
        )
        written = {id_: Written(outcomes[id_], news=not as_before) for id_, as_before in cursor.fetchall()}
    _tell_of_late_successes(model, {id_: outcomes[id_] for id_ in outcomes.keys() - written.keys()}, refused)
    return written


def _tell_of_late_successes(
    model: type[Payment] | type[Refund], outcomes: Mapping[uuid.UUID, Outcome], refused: str
) -> None:
    """Money that was moved although it is settled that none was: nothing is booked, and a person is told.

    A processor that has outlived its lease may bring such an outcome, or a gateway that broke its word.
    """
    for id_, outcome in outcomes.items():
        if not isinstance(outcome, Succeeded):
            continue
        reason = f"the money was moved after all, as {outcome.reference}, and is not in the ledger"
        if model.objects.filter(id=id_, status=refused).update(needs_person=True, needs_person_reason=reason):
            what = str(model._meta.model_name)
            extra = {"event": f"{what}.contradicted", what: str(id_), "reason": reason}
            logger.error(f"a {what} needs a person", extra=extra)


def _with_their_own_references(
    model: type[Payment] | type[Refund], outcomes: Mapping[uuid.UUID, Outcome]
) -> dict[uuid.UUID, Outcome]:
    """The outcomes; where two rows would be booked for one reference, the later is Unknown."""
    references = [outcome.reference for outcome in outcomes.values() if isinstance(outcome, Succeeded)]
    gateways = model.objects.filter(id__in=outcomes).exclude(gateway=OUTSIDE).values("gateway")
    booked = model.objects.filter(
        gateway__in=gateways, gateway_reference__in=references, status=Payment.Status.SUCCEEDED
    )
    owners = dict(booked.values_list("gateway_reference", "id"))
    checked: dict[uuid.UUID, Outcome] = {}
    for id_, outcome in sorted(outcomes.items()):
        checked[id_] = outcome
        if isinstance(outcome, Succeeded):
            owner = owners.setdefault(outcome.reference, id_)
            if owner != id_:
                reason = f"the gateway named {outcome.reference}, which is {model._meta.model_name} {owner}"
                checked[id_] = Unknown(reason=reason, needs_person=True)
    return checked


def _for_person(outcome: Outcome) -> str:
    return outcome.reason[:500] if isinstance(outcome, Unknown) and outcome.needs_person else ""


def _status(outcome: Outcome, refused: str) -> str:
    if isinstance(outcome, Succeeded):
        return Payment.Status.SUCCEEDED.value
    return refused if isinstance(outcome, Declined) else Payment.Status.UNKNOWN.value
