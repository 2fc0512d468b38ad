"""Booking refunds: what became of them is written down, and what follows for the ledger and the charges, together.

The money sent back is owed again by the ledger, and what of it no free credit covers is credited in the same
transaction: the customer doesn't owe it again. The charge that the payment had paid is then covered by credit.
"""

import datetime
import uuid
from collections.abc import Mapping, Sequence
from itertools import groupby

from django.db import connection

from ledger.models import EntryType
from ledger.posting import Posting, post
from payments.gateways import Outcome
from payments.models import Refund
from payments.outcome_log import log_outcome
from payments.settlement import Written, write_outcomes
from rebilling.allocation import allocate_credit, free_credit
from rebilling.settling_apart import settled_apart
from rebilling.standing import AUTHOR, refresh_standing

# What was paid for a charge and sent back is no longer paid, but covered by credit. A VOIDED one asks for nothing: what
# was paid for it is free credit, and less of that is left.
_MOVE_TO_CREDIT = """
    UPDATE rebilling_rebilling AS row
    SET paid_minor = row.paid_minor - refunded.amount,
        credit_minor = row.credit_minor + CASE row.status WHEN 'VOIDED' THEN 0 ELSE refunded.amount END
    FROM (
        SELECT payment.charge_id, sum(refund.amount_minor)::bigint AS amount
        FROM payments_refund AS refund JOIN payments_payment AS payment ON payment.id = refund.payment_id
        WHERE refund.id = ANY(%(ids)s::uuid[])
        GROUP BY payment.charge_id
    ) AS refunded
    WHERE row.charge_id = refunded.charge_id
"""


def settle_refunds(
    *, outcomes: Mapping[uuid.UUID, Outcome], as_of: datetime.date, now: datetime.datetime, author: str = ""
) -> list[tuple[Refund, Written]]:
    """Write the outcomes of refunds that are SUBMITTED or UNKNOWN, and book those that succeeded; returns what was
    written.

    `as_of` is the billing day that the entries go by; they name `author`, or else who requested the refund. The credit
    that was kept for a refund goes to unpaid charges when it has FAILED. An outcome that the database refuses needs a
    person, and keeps no other from being settled.
    """
    if not outcomes:
        return []
    settled = []
    for refund, written in settled_apart(
        model=Refund,
        account_id="payment__account_id",
        outcomes=outcomes,
        settle=lambda part: _settle(outcomes=part, as_of=as_of, now=now, author=author),
        now=now,
    ):
        log_outcome(
            row=refund,
            written=written,
            account_id=refund.payment.account_id,
            payment=str(refund.payment_id),
            failure_code=refund.failure_code,
        )
        settled.append((refund, written))
    return settled


def _settle(
    *, outcomes: Mapping[uuid.UUID, Outcome], as_of: datetime.date, now: datetime.datetime, author: str
) -> list[tuple[Refund, Written]]:
    written = write_outcomes(model=Refund, outcomes=outcomes, now=now)
    refunds = list(Refund.objects.filter(id__in=written).select_related("payment").order_by("id"))
    succeeded = [refund for refund in refunds if refund.status == Refund.Status.SUCCEEDED]
    book(refunds=succeeded, as_of=as_of, now=now, author=author)
    freed = {refund.payment.account_id for refund in refunds if refund.status == Refund.Status.FAILED}
    if freed:
        allocate_credit(account_ids=freed, today=as_of)
        refresh_standing(account_ids=freed, author=author or AUTHOR, now=now)
    return [(refund, written[refund.id]) for refund in refunds]


def book(*, refunds: Sequence[Refund], as_of: datetime.date, now: datetime.datetime, author: str = "") -> None:
    """Write the entries of refunds that have just succeeded, and bring their charges in step.

    In the caller's transaction, which has locked their accounts. What the accounts' charges ask for stays the same, and
    so do their statuses: free credit goes down by what of it the refunds took.
    """
    if not refunds:
        return
    postings = _postings(refunds, as_of)
    signed = [(author or refund.created_by, posting) for refund, posting in postings]
    for name, group in groupby(sorted(signed, key=lambda pair: pair[0]), key=lambda pair: pair[0]):
        post(postings=[posting for _, posting in group], author=name, now=now)
    with connection.cursor() as cursor:
        cursor.execute(_MOVE_TO_CREDIT, {"ids": [refund.id for refund in refunds]})


def _postings(refunds: Sequence[Refund], as_of: datetime.date) -> list[tuple[Refund, Posting]]:
    free = free_credit(account_ids={refund.payment.account_id for refund in refunds})
    postings = []
    for refund in refunds:
        account_id = refund.payment.account_id
        postings.append((refund, _refund_posting(refund, as_of)))
        covered = min(max(0, free[account_id]), refund.amount_minor)
        free[account_id] -= covered
        if covered < refund.amount_minor:
            postings.append((refund, _credit_posting(refund, refund.amount_minor - covered, as_of)))
    return postings


def _refund_posting(refund: Refund, as_of: datetime.date) -> Posting:
    return Posting(
        type=EntryType.REFUND,
        account_id=refund.payment.account_id,
        amount_minor=refund.amount_minor,
        currency=refund.currency,
        effective_on=as_of,
        description=refund.reason,
        idempotency_key=f"refund:{refund.id}",
        payment_id=refund.payment_id,
    )


def _credit_posting(refund: Refund, amount_minor: int, as_of: datetime.date) -> Posting:
    return Posting(
        type=EntryType.CREDIT,
        account_id=refund.payment.account_id,
        amount_minor=amount_minor,
        currency=refund.currency,
        effective_on=as_of,
        description=f"Not owed again after refund {refund.id}",
        idempotency_key=f"refund_credit:{refund.id}",
    )
