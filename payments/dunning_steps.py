"""Taking the steps of dunning that have come: the daily sweep does, once its volume check has passed."""

import datetime
import uuid
from collections.abc import Iterator, Sequence

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet

from accounts.authors import SYSTEM
from accounts.billing_day import billing_day
from accounts.locked_accounts import lock_accounts, save_accounts
from accounts.models import Account
from accounts.sql_files import query
from invoices.dunning_schedule import plan_next_step
from invoices.locked_invoices import open_invoices
from invoices.models import Invoice
from payments.dunning import deactivate_if_over, next_declined, submit_and_mark
from payments.gateways.configuration import configured_gateway_name
from payments.messages.dispatch import send_payments
from payments.messages.queue import Queue
from payments.models import Payment

BATCH_ACCOUNTS = 500
"""Accounts whose step is taken in one transaction, and whose payments are one message."""


MAX_FAULTS = 3
"""Steps of an account that may fail by our own fault before a person has reviewed one of them."""


def send_dunning(*, queue: Queue, now: datetime.datetime) -> int:
    """Take the steps that have come by the billing day, and send their payments. Returns the number of messages.

    Cut off between the two, what was submitted is sent by the hourly check. Raises `UnableToSend`.
    """
    sent = 0
    for payments in take_steps(today=billing_day(now), gateway=configured_gateway_name(), now=now):
        sent += send_payments(payment_ids=payments, queue=queue)
    return sent


def steps_by_currency(*, today: datetime.date) -> list[tuple[str, int, int]]:
    """What the steps that have come would collect at most: by currency, how many invoices, and minor units."""
    with connection.cursor() as cursor:
        cursor.execute(query(__file__, "steps_by_currency"), {"today": today})
        return [(currency, invoices, int(amount)) for currency, invoices, amount in cursor.fetchall()]


def waits_for_review(*, account_id: uuid.UUID) -> bool:
    """Whether no step of the account is taken until a person has reviewed those that failed by our own fault."""
    return _faults(Payment.objects.filter(account_id=account_id)).count() >= MAX_FAULTS


def _faults(payments: QuerySet[Payment]) -> QuerySet[Payment]:
    """Those that were a step which failed by our own fault, nobody has reviewed, and are still to be collected."""
    return payments.filter(
        cause=Payment.Cause.DUNNING,
        status=Payment.Status.DECLINED,
        needs_review=True,
        invoice__status=Invoice.Status.OPEN,
    ).order_by("id")


def take_steps(*, today: datetime.date, gateway: str, now: datetime.datetime) -> Iterator[list[uuid.UUID]]:
    """Take the steps that have come by `today`, batch by batch. Yields the payments that were submitted, to be sent.

    A step that fails by our own fault counts for nothing, and is taken again the next day; after `MAX_FAULTS` of them
    an account's steps wait until a person has reviewed one. Their payments need review, which sets off an alarm.
    """
    last_id: uuid.UUID | None = None
    while True:
        # By id, which each of them is passed once: a step taken sets another day, or none.
        too_many = _faults(Payment.objects.filter(account=OuterRef("pk")))[MAX_FAULTS - 1 :]
        due = Account.objects.filter(~Exists(too_many), dunning_on__lte=today).order_by("id")
        if last_id is not None:
            due = due.filter(id__gt=last_id)
        ids = list(due.values_list("id", flat=True)[:BATCH_ACCOUNTS])
        if not ids:
            return
        last_id = ids[-1]
        yield take_steps_of(ids, today=today, gateway=gateway, now=now)


def take_steps_of(
    account_ids: Sequence[uuid.UUID], *, today: datetime.date, gateway: str, now: datetime.datetime
) -> list[uuid.UUID]:
    """Take the step of each of these accounts whose day has come, in one transaction; the payments submitted."""
    with transaction.atomic():
        accounts = [
            account
            for account in lock_accounts(account_ids).values()
            # Looked at again under the lock: another delivery may have taken it.
            if account.dunning_on is not None and account.dunning_on <= today
        ]
        by_account = open_invoices(accounts=accounts)
        attempts = []
        for account in accounts:
            invoice = next_declined(by_account[account.id])
            if invoice is None:
                continue
            account.dunning_steps += 1
            if account.payment_method_unusable:
                plan_next_step(account, today=today)
                deactivate_if_over(account, by_account[account.id])
            else:
                account.dunning_on = None
                attempts.append((account, invoice))
        payments = submit_and_mark(attempts, cause=Payment.Cause.DUNNING, gateway=gateway, author=SYSTEM, now=now)
        save_accounts(accounts, author=SYSTEM, now=now)
        return payments
