"""Recording refunds' outcomes, in one transaction a batch: refunds, entries, credit, charges, statuses.

The ledger has the customer owe again what was sent back. Free credit covers what it can of that, and the remainder is
credited in the same transaction, so that the customer doesn't owe it. The charge that the payment had paid is then
covered by credit.
"""

import datetime
import uuid
from collections.abc import Mapping, Sequence
from itertools import groupby

from django.db import connection

from accounts.locks import lock_accounts
from accounts.sql_files import query
from ledger.models import EntryType
from ledger.posting import Posting, post
from payments.gateways.port import Outcome
from payments.models import Refund
from payments.outcomes import Written, write_outcomes
from rebilling.account_statuses import AUTHOR, refresh_account_statuses
from rebilling.credit_allocation import allocate_credit, free_credit
from rebilling.outcome_recording import record_in_batches


def record_refund_outcomes(
    *, outcomes: Mapping[uuid.UUID, Outcome], as_of: datetime.date, now: datetime.datetime, author: str = ""
) -> list[tuple[Refund, Written]]:
    """Record the outcomes of refunds that are SUBMITTED or UNKNOWN, and what follows; returns what was written.

    `as_of` is the billing day that the entries go by; they name `author`, or else who requested the refund. The credit
    that was kept for a refund goes to unpaid charges when it has FAILED. An outcome that the database refuses needs
    review, and holds up no other.
    """

    def record(batch: Mapping[uuid.UUID, Outcome]) -> list[tuple[Refund, Written]]:
        return _record(outcomes=batch, as_of=as_of, now=now, author=author)

    return record_in_batches(model=Refund, outcomes=outcomes, record=record, now=now) if outcomes else []


def _record(
    *, outcomes: Mapping[uuid.UUID, Outcome], as_of: datetime.date, now: datetime.datetime, author: str
) -> list[tuple[Refund, Written]]:
    lock_accounts(Refund.objects.filter(id__in=outcomes).values_list("payment__account_id", flat=True))
    written = write_outcomes(model=Refund, outcomes=outcomes, now=now)
    refunds = list(Refund.objects.filter(id__in=written).select_related("payment").order_by("id"))
    succeeded = [refund for refund in refunds if refund.status == Refund.Status.SUCCEEDED]
    book(refunds=succeeded, as_of=as_of, now=now, author=author)
    freed = {refund.payment.account_id for refund in refunds if refund.status == Refund.Status.FAILED}
    if freed:
        allocate_credit(account_ids=freed, today=as_of)
        refresh_account_statuses(account_ids=freed, author=author or AUTHOR, now=now)
    return [(refund, written[refund.id]) for refund in refunds]


def book(*, refunds: Sequence[Refund], as_of: datetime.date, now: datetime.datetime, author: str = "") -> None:
    """Write the entries of refunds that have just succeeded, and update their charges.

    In the caller's transaction, which has locked their accounts. What the accounts owe stays the same, and so do their
    statuses: only free credit goes down, by what the refunds took of it.
    """
    if not refunds:
        return
    postings = _postings(refunds, as_of)
    signed = [(author or refund.created_by, posting) for refund, posting in postings]
    for name, group in groupby(sorted(signed, key=lambda pair: pair[0]), key=lambda pair: pair[0]):
        post(postings=[posting for _, posting in group], author=name, now=now)
    with connection.cursor() as cursor:
        cursor.execute(query(__file__, "move_refunds_to_credit"), {"ids": [refund.id for refund in refunds]})


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
