"""Settling: what collecting brought is written down, in one transaction a pack: payments, rebillings, statuses."""

import datetime
import logging
import uuid
from collections.abc import Mapping

from django.db import connection, transaction

from accounts.locks import lock_accounts
from payments.gateways import Outcome, Unknown
from payments.models import Payment
from payments.settlement import settle_payments
from rebilling.allocation import allocate_credit
from rebilling.retries import deactivate_unpaid, schedule_retries
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
        END,
        retry_on = CASE
            WHEN row.credit_minor + row.paid_minor + settled.paid < row.amount_minor THEN row.retry_on
        END
    FROM (
        SELECT charge_id, sum(CASE status WHEN 'SUCCEEDED' THEN amount_minor ELSE 0 END)::bigint AS paid
        FROM payments_payment WHERE id = ANY(%(ids)s::uuid[]) AND status IN ('SUCCEEDED', 'DECLINED')
        GROUP BY charge_id
    ) AS settled
    WHERE row.charge_id = settled.charge_id
    RETURNING row.account_id, row.status = 'UNPAID', row.credit_minor > 0
"""


def settle(
    *, outcomes: Mapping[uuid.UUID, Outcome], as_of: datetime.date, now: datetime.datetime, author: str = AUTHOR
) -> list[Payment]:
    """Write the outcomes of payments that aren't settled yet, and what follows from them; returns those payments.

    `as_of` is the billing day that the entries go by.
    """
    if not outcomes:
        return []
    with transaction.atomic():
        account_ids = set(Payment.objects.filter(id__in=outcomes).values_list("account_id", flat=True))
        lock_accounts(account_ids)
        payments = settle_payments(outcomes=outcomes, as_of=as_of, author=author, now=now)
        with connection.cursor() as cursor:
            cursor.execute(_SETTLE, {"ids": [payment.id for payment in payments]})
            touched = cursor.fetchall()
        reallocate = {account_id for account_id, unpaid, has_credit in touched if unpaid or has_credit}
        if reallocate:
            allocate_credit(account_ids=reallocate, today=as_of)
        unpaid = any(unpaid for _, unpaid, _ in touched)
        spent = schedule_retries(payments=payments, outcomes=outcomes, as_of=as_of) if unpaid else set()
        refresh_standing(account_ids=account_ids, author=author, now=now)
        if spent:
            deactivate_unpaid(account_ids=spent, author=author, now=now)
    for payment in payments:
        _log(payment, outcomes[payment.id])
    return payments


def _log(payment: Payment, outcome: Outcome) -> None:
    """One line for each outcome; an error where a person is needed."""
    logger.log(
        logging.ERROR if payment.needs_person else logging.INFO,
        "a payment needs a person" if payment.needs_person else "a payment was settled",
        extra={
            "event": "payment.settled",
            "payment": str(payment.id),
            "account": str(payment.account_id),
            "status": payment.status,
            "decline_code": payment.decline_code,
            "reason": outcome.reason if isinstance(outcome, Unknown) else "",
            "amount_minor": payment.amount_minor,
            "currency": payment.currency,
        },
    )
