"""Dunning: a declined charge is retried on the days of a schedule, until it is paid or no retry is left.

An UNPAID charge has the date of its next attempt, `retry_on`, or none when no retry is left. Sweeps send retries that
are due together with new periods, and the worker submits the new payment: for what is then outstanding, after credits.
The date stays until that payment's outcome is known.
"""

import datetime
import logging
import uuid
from collections.abc import Collection, Mapping, Sequence

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, QuerySet, Sum

from accounts.account_status import NewStatus, change_statuses
from accounts.bisection import FailedItem, bisect_batch, describe
from accounts.errors import Conflict, Missing
from accounts.locks import lock_accounts
from accounts.models import Account
from payments.gateways.port import Declined, Outcome
from payments.models import Payment
from payments.submission import new_payment
from rebilling.messages.message import PeriodKey
from rebilling.models import Rebilling, SkipReason
from rebilling.skip_and_park import skip

logger = logging.getLogger(__name__)


class UnknownPayment(Missing):
    code = "unknown-payment"


class UnableToRetry(Conflict):
    """The payment wasn't declined, or nothing of its charge is to be collected."""

    code = "unable-to-retry"


class NotYetRetriable(UnableToRetry):
    """The outcome of this payment, or of another one of its charge, isn't known yet."""

    passing = True


def next_retry(*, first_declined_on: datetime.date, as_of: datetime.date) -> datetime.date | None:
    """The first date of the schedule after `as_of`, or None when there is none left."""
    days = (first_declined_on + datetime.timedelta(days=days) for days in settings.PAYMENT_RETRY_DAYS)
    return next((day for day in days if day > as_of), None)


def schedule_retries(
    *, payments: Sequence[Payment], outcomes: Mapping[uuid.UUID, Outcome], as_of: datetime.date
) -> set[uuid.UUID]:
    """Schedule the next attempt of the UNPAID charges of payments that have just completed. The caller locks accounts.

    After a decline it is the next date of the schedule; after a hard decline there is none. What a success left unpaid,
    because credit was reversed meanwhile, is tried on the next day. An attempt that a person made between the dates
    of the schedule, or after the last one, changes nothing, unless its decline is hard. Returns the accounts with a
    charge that has no retry left by this.
    """
    answers = {payment.charge_id: outcomes[payment.id] for payment in payments if payment.completed_at}
    rows = list(Rebilling.objects.filter(charge_id__in=answers, status=Rebilling.Status.UNPAID).order_by("id"))
    spent = set()
    for row in rows:
        running = row.retry_on is not None or row.declined_on is None
        _schedule_next_attempt(row, answers[row.charge_id], as_of)
        if running and row.retry_on is None:
            spent.add(row.account_id)
    Rebilling.objects.bulk_update(rows, ["retry_on", "declined_on"])
    return spent


def _schedule_next_attempt(row: Rebilling, outcome: Outcome, as_of: datetime.date) -> None:
    """Set the row's next attempt from the outcome of the last one; unsaved."""
    if not isinstance(outcome, Declined):
        row.retry_on = _next_sweep(as_of)
        return
    first = row.declined_on is None
    row.declined_on = row.declined_on or as_of
    if outcome.hard:
        row.retry_on = None
    elif first or (row.retry_on is not None and row.retry_on <= as_of):
        row.retry_on = next_retry(first_declined_on=row.declined_on, as_of=as_of)


def mark_unpaid(row: Rebilling, *, today: datetime.date) -> None:
    """Make a charge with nothing outstanding UNPAID again; unsaved. The first sweep after `today` collects it."""
    row.status, row.retry_on, row.declined_on = Rebilling.Status.UNPAID, _next_sweep(today), None


def _next_sweep(today: datetime.date) -> datetime.date:
    """Not `today`, whose sweep is over: retries go through a sweep's volume check, as new periods do."""
    return today + datetime.timedelta(days=1)


def deactivate_unpaid(*, account_ids: Collection[uuid.UUID], author: str, now: datetime.datetime) -> None:
    """Make accounts (locked by the caller) that are PAST_DUE INACTIVE: a charge has no retry left.

    They still owe what is unpaid. Their periods that are DUE or PARKED are skipped.
    """
    accounts = list(Account.objects.filter(id__in=account_ids, status=Account.Status.PAST_DUE).order_by("id"))
    changes = [
        NewStatus(account, Account.Status.INACTIVE, "retries exhausted", Account.InactiveReason.UNPAID)
        for account in accounts
    ]
    change_statuses(changes=changes, author=author, now=now)
    waiting = Rebilling.objects.filter(account__in=accounts, status__in=[Rebilling.Status.DUE, Rebilling.Status.PARKED])
    skip(rebillings=waiting, reason=SkipReason.ACCOUNT_INACTIVE)


def retries_due(*, as_of: datetime.date) -> QuerySet[Rebilling]:
    """The charges whose next attempt is due and that have no payment in flight."""
    return _without_payment_in_flight(Rebilling.objects.filter(retry_on__lte=as_of))


def retries_by_currency(*, as_of: datetime.date) -> list[tuple[str, int, int]]:
    """These charges by currency: its code, how many there are, and what is outstanding in minor units."""
    by_currency = (
        retries_due(as_of=as_of)
        .values_list("currency")
        .annotate(charges=Count("id"), amount=Sum(F("amount_minor") - F("credit_minor") - F("paid_minor")))
        .order_by("currency")
    )
    return [(currency, charges, int(amount)) for currency, charges, amount in by_currency]


def _without_payment_in_flight(charges: QuerySet[Rebilling]) -> QuerySet[Rebilling]:
    in_flight = Payment.objects.filter(charge_id=OuterRef("charge_id"), status__in=Payment.IN_FLIGHT)
    return charges.filter(~Exists(in_flight))


def submit_retries(*, keys: Collection[PeriodKey], as_of: datetime.date, gateway: str, now: datetime.datetime) -> None:
    """Write a SUBMITTED payment for each of these periods' charges whose next attempt is due by `as_of`.

    One transaction, with the accounts locked; the payment's row makes the attempt happen once. If the database refuses
    one, it is logged as an error, and the others are submitted.
    """
    due, named = retries_due(as_of=as_of), set(keys)
    candidates = due.filter(account_id__in={key.account_id for key in named})
    wanted = {row.id: row.account_id for row in candidates if PeriodKey.of(row) in named}
    if not wanted:
        return

    def submit(ids: Sequence[uuid.UUID]) -> list[Payment]:
        accounts = lock_accounts(wanted[id_] for id_ in ids)
        return _submit(due.filter(id__in=ids), accounts=accounts, gateway=gateway, now=now)

    for part in bisect_batch(items=sorted(wanted), work=submit):
        if isinstance(part, FailedItem):
            extra = {"event": "retry.refused", "rebilling": str(part.item), "reason": describe(part.error)}
            logger.error("a charge can't be tried again", extra=extra)


def retry_payment(*, payment_id: uuid.UUID, gateway: str, now: datetime.datetime) -> Payment:
    """Retry a declined payment's charge at once, for what is outstanding now: a new payment, SUBMITTED.

    The caller sends it (`rebilling.messages.dispatch.send_when_committed`). An INACTIVE account's charge may be
    retried, too. Raises `UnknownPayment` and `UnableToRetry`.
    """
    with transaction.atomic():
        declined = Payment.objects.filter(id=payment_id).first()
        if declined is None:
            raise UnknownPayment(f"There is no payment {payment_id}.")
        accounts = lock_accounts([declined.account_id])
        declined.refresh_from_db()
        if declined.status in Payment.IN_FLIGHT:
            raise NotYetRetriable(f"The payment is {declined.status}, not DECLINED: wait until its outcome is known.")
        if declined.status != Payment.Status.DECLINED:
            raise UnableToRetry(f"The payment is {declined.status}, not DECLINED.")
        charge = Rebilling.objects.filter(charge_id=declined.charge_id)
        submitted = _submit(charge, accounts=accounts, gateway=gateway, now=now)
        if not submitted:
            row = charge.get()
            if row.status == Rebilling.Status.UNPAID:
                raise NotYetRetriable(f"The payment's charge is {row.status}: another payment of it is in flight.")
            raise UnableToRetry(f"The payment's charge is {row.status}: nothing to collect.")
        return submitted[0]


def _submit(
    due: QuerySet[Rebilling], *, accounts: Mapping[uuid.UUID, Account], gateway: str, now: datetime.datetime
) -> list[Payment]:
    """A new payment for each of the UNPAID charges with no payment in flight. The accounts are locked."""
    rows = _without_payment_in_flight(due.filter(status=Rebilling.Status.UNPAID)).order_by("id")
    return Payment.objects.bulk_create(
        new_payment(
            account=accounts[row.account_id],
            charge_id=row.charge_id,
            amount_minor=row.outstanding_minor,
            gateway=gateway,
            now=now,
        )
        for row in rows
    )
