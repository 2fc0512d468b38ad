"""Settling: what collecting brought is written down, in one transaction a pack: payments, rebillings, statuses."""

import datetime
import uuid
from collections.abc import Mapping

from django.db import connection

from payments.gateways import Outcome
from payments.models import Payment
from payments.outcome_log import log_outcome
from payments.settlement import Written, settle_payments
from rebilling.allocation import allocate_credit
from rebilling.retries import deactivate_unpaid, schedule_retries
from rebilling.settling_apart import settled_apart
from rebilling.standing import AUTHOR, refresh_standing

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
) -> list[tuple[Payment, Written]]:
    """Write the outcomes of payments that aren't settled yet, and what follows from them; returns what was written.

    `as_of` is the billing day that the entries go by. An outcome that the database refuses needs a person, and keeps no
    other from being settled.
    """
    if not outcomes:
        return []
    settled = []
    for payment, written in settled_apart(
        model=Payment,
        account_id="account_id",
        outcomes=outcomes,
        settle=lambda part: _settle(outcomes=part, as_of=as_of, now=now, author=author),
        now=now,
    ):
        log_outcome(row=payment, written=written, account_id=payment.account_id, decline_code=payment.decline_code)
        settled.append((payment, written))
    return settled


def _settle(
    *, outcomes: Mapping[uuid.UUID, Outcome], as_of: datetime.date, now: datetime.datetime, author: str
) -> list[tuple[Payment, Written]]:
    settled = settle_payments(outcomes=outcomes, as_of=as_of, author=author, now=now)
    payments = [payment for payment, _ in settled]
    with connection.cursor() as cursor:
        cursor.execute(_SETTLE, {"ids": [payment.id for payment in payments]})
        touched = cursor.fetchall()
    reallocate = {account_id for account_id, unpaid, has_credit in touched if unpaid or has_credit}
    if reallocate:
        allocate_credit(account_ids=reallocate, today=as_of)
    unpaid = any(unpaid for _, unpaid, _ in touched)
    spent = schedule_retries(payments=payments, outcomes=outcomes, as_of=as_of) if unpaid else set()
    refresh_standing(account_ids={payment.account_id for payment in payments}, author=author, now=now)
    if spent:
        deactivate_unpaid(account_ids=spent, author=author, now=now)
    return settled
