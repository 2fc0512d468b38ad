"""Recording payments' outcomes, in one transaction a batch: payments, entries, charges, credit, retries, statuses."""

import datetime
import uuid
from collections.abc import Mapping

from django.db import connection

from accounts.locks import lock_accounts
from accounts.sql_files import query
from payments.gateways.port import Outcome
from payments.models import Payment
from payments.outcomes import Written, write_payment_outcomes
from rebilling.account_statuses import AUTHOR, refresh_account_statuses
from rebilling.credit_allocation import allocate_credit
from rebilling.dunning import deactivate_unpaid, schedule_retries
from rebilling.outcome_recording import record_in_batches


def record_payment_outcomes(
    *, outcomes: Mapping[uuid.UUID, Outcome], as_of: datetime.date, now: datetime.datetime, author: str = AUTHOR
) -> list[tuple[Payment, Written]]:
    """Record the outcomes of payments that are SUBMITTED or UNKNOWN, and what follows; returns what was written.

    `as_of` is the billing day that the entries go by. An outcome that the database refuses needs review, and holds up
    no other.
    """

    def record(batch: Mapping[uuid.UUID, Outcome]) -> list[tuple[Payment, Written]]:
        return _record(outcomes=batch, as_of=as_of, now=now, author=author)

    return record_in_batches(model=Payment, outcomes=outcomes, record=record, now=now) if outcomes else []


def _record(
    *, outcomes: Mapping[uuid.UUID, Outcome], as_of: datetime.date, now: datetime.datetime, author: str
) -> list[tuple[Payment, Written]]:
    lock_accounts(Payment.objects.filter(id__in=outcomes).values_list("account_id", flat=True))
    recorded = write_payment_outcomes(outcomes=outcomes, as_of=as_of, author=author, now=now)
    payments = [payment for payment, _ in recorded]
    with connection.cursor() as cursor:
        cursor.execute(query(__file__, "apply_payments"), {"ids": [payment.id for payment in payments]})
        charges = cursor.fetchall()
    reallocate = {account_id for account_id, unpaid, has_credit in charges if unpaid or has_credit}
    if reallocate:
        allocate_credit(account_ids=reallocate, today=as_of)
    unpaid = any(unpaid for _, unpaid, _ in charges)
    spent = schedule_retries(payments=payments, outcomes=outcomes, as_of=as_of) if unpaid else set()
    refresh_account_statuses(account_ids={payment.account_id for payment in payments}, author=author, now=now)
    if spent:
        deactivate_unpaid(account_ids=spent, author=author, now=now)
    return recorded
