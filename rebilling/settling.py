"""Settling: what collecting brought is written down, in one transaction a pack: payments, rebillings, statuses."""

import datetime
import logging
import uuid
from collections.abc import Mapping, Sequence

from django.db import connection, transaction

from accounts.locks import lock_accounts
from payments.gateways import Outcome
from payments.models import Payment
from payments.settlement import settle_payments
from rebilling.allocation import allocate_credit
from rebilling.standing import refresh_standing

logger = logging.getLogger(__name__)

AUTHOR = "system:rebilling"

# A payment that succeeded counts towards its charge; a charge that is then not covered, or whose payment was declined,
# is UNPAID. One whose outcome is unknown stays as it is. VOIDED ones keep their state, and their money is free credit.
_SETTLE = """
    UPDATE rebilling_rebilling AS row
    SET paid_minor = row.paid_minor + settled.paid,
        status = CASE
            WHEN row.status NOT IN ('CHARGED', 'UNPAID') THEN row.status
            WHEN row.credit_minor + row.paid_minor + settled.paid = row.amount_minor THEN 'PAID'
            ELSE 'UNPAID'
        END
    FROM (
        SELECT charge_id, sum(CASE status WHEN 'SUCCEEDED' THEN amount_minor ELSE 0 END)::bigint AS paid
        FROM payments_payment WHERE id = ANY(%(ids)s::uuid[]) AND status IN ('SUCCEEDED', 'DECLINED')
        GROUP BY charge_id
    ) AS settled
    WHERE row.charge_id = settled.charge_id
    RETURNING row.account_id, row.status = 'UNPAID' OR row.credit_minor > 0
"""


def settle(*, outcomes: Mapping[uuid.UUID, Outcome], as_of: datetime.date, now: datetime.datetime) -> None:
    """Write the outcomes of payments that aren't settled yet. `as_of` is the billing day that the entries go by."""
    if not outcomes:
        return
    with transaction.atomic():
        account_ids = set(Payment.objects.filter(id__in=outcomes).values_list("account_id", flat=True))
        lock_accounts(account_ids)
        payments = settle_payments(outcomes=outcomes, as_of=as_of, author=AUTHOR, now=now)
        with connection.cursor() as cursor:
            cursor.execute(_SETTLE, {"ids": [payment.id for payment in payments]})
            reallocate = {account_id for account_id, needed in cursor.fetchall() if needed}
        if reallocate:
            allocate_credit(account_ids=reallocate)
        refresh_standing(account_ids=account_ids, author=AUTHOR, now=now)
    _log(payments)


def _log(payments: Sequence[Payment]) -> None:
    for payment in payments:
        logger.info(
            "a payment was settled",
            extra={
                "event": "payment.settled",
                "payment": str(payment.id),
                "account": str(payment.account_id),
                "status": payment.status,
                "decline_code": payment.decline_code,
                "amount_minor": payment.amount_minor,
                "currency": payment.currency,
            },
        )
