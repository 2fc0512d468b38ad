"""Settling: outcomes are written, once, beside the ledger entries of the money that was taken."""

import datetime
import uuid
from collections.abc import Mapping

from django.db import connection

from ledger.models import EntryType
from ledger.posting import Posting, post
from payments.gateways import Declined, Outcome, Succeeded
from payments.models import Payment

_SETTLE = """
    UPDATE payments_payment AS payment
    SET status = outcome.status, decline_code = outcome.decline_code, gateway_reference = outcome.reference,
        settled_at = CASE WHEN outcome.status = 'UNKNOWN' THEN NULL ELSE %(now)s END, leased_until = NULL
    FROM unnest(%(ids)s::uuid[], %(statuses)s::text[], %(codes)s::text[], %(references)s::text[])
        AS outcome (id, status, decline_code, reference)
    WHERE payment.id = outcome.id AND payment.status IN ('SUBMITTED', 'UNKNOWN')
    RETURNING payment.id
"""


def settle_payments(
    *, outcomes: Mapping[uuid.UUID, Outcome], as_of: datetime.date, author: str, now: datetime.datetime
) -> list[Payment]:
    """Write the outcomes of payments that are SUBMITTED or UNKNOWN, and the entries of those that succeeded.

    Returns the payments that were settled; those settled before are left as they are. In the caller's transaction,
    which has locked their accounts. Entries are effective on `as_of`, the billing day.
    """
    ids = sorted(outcomes)
    with connection.cursor() as cursor:
        cursor.execute(
            _SETTLE,
            {
                "ids": ids,
                "statuses": [_status(outcomes[id_]).value for id_ in ids],
                "codes": [getattr(outcomes[id_], "code", "") for id_ in ids],
                "references": [getattr(outcomes[id_], "reference", "") for id_ in ids],
                "now": now,
            },
        )
        settled = [id_ for (id_,) in cursor.fetchall()]
    payments = list(Payment.objects.filter(id__in=settled).order_by("id"))
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
    return payments


def _status(outcome: Outcome) -> Payment.Status:
    if isinstance(outcome, Succeeded):
        return Payment.Status.SUCCEEDED
    return Payment.Status.DECLINED if isinstance(outcome, Declined) else Payment.Status.UNKNOWN
