"""Retries: a charge that was declined is tried again, on the days of a schedule, until it is paid or they are spent.

An UNPAID charge has the date of its next attempt, `retry_on`, or none when its retries are spent. Sweeps send what has
come due as they send new periods, and the processor makes the new payment: for what is then owed, after credits. The
date stays until that payment's outcome is known.
"""

import datetime
import logging
import uuid
from collections.abc import Collection, Mapping, Sequence

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, QuerySet, Sum

from accounts.locks import lock_accounts
from accounts.models import Account
from accounts.refusals import Conflict, Missing
from accounts.statuses import NewStatus, change_statuses
from payments.gateways import Declined, Outcome
from payments.models import Payment
from payments.submission import new_payment
from rebilling.message import PeriodKey
from rebilling.models import Rebilling, SkipReason
from rebilling.row_faults import in_halves, told
from rebilling.setting_aside import skip

logger = logging.getLogger(__name__)


class UnknownPayment(Missing):
    code = "unknown-payment"


class UnableToRetry(Conflict):
    """The payment wasn't declined, or its charge is not to be collected."""

    code = "unable-to-retry"


class NotYetRetriable(UnableToRetry):
    """The outcome of this payment, or of another one of its charge, is open."""

    passing = True


def next_retry(*, first_declined_on: datetime.date, as_of: datetime.date) -> datetime.date | None:
    """The first date of the schedule after `as_of`, or None when there is none left."""
    days = (first_declined_on + datetime.timedelta(days=days) for days in settings.PAYMENT_RETRY_DAYS)
    return next((day for day in days if day > as_of), None)


def schedule_retries(
    *, payments: Sequence[Payment], outcomes: Mapping[uuid.UUID, Outcome], as_of: datetime.date
) -> set[uuid.UUID]:
    """Set when the UNPAID charges of payments settled just now are tried again. Accounts are locked by the caller.

    After a decline on the next date of the schedule, after a hard one never; what a success left unpaid, since credit
    was reversed meanwhile, on the next day. An attempt that a person made between the schedule's dates, or when they
    were spent, changes nothing, unless its decline is hard. Returns the accounts with a charge whose retries are spent
    by this.
    """
    answers = {payment.charge_id: outcomes[payment.id] for payment in payments if payment.settled_at}
    rows = list(Rebilling.objects.filter(charge_id__in=answers, status=Rebilling.Status.UNPAID).order_by("id"))
    spent = set()
    for row in rows:
        running = row.retry_on is not None or row.declined_on is None
        _follow(row, answers[row.charge_id], as_of)
        if running and row.retry_on is None:
            spent.add(row.account_id)
    Rebilling.objects.bulk_update(rows, ["retry_on", "declined_on"])
    return spent


def _follow(row: Rebilling, outcome: Outcome, as_of: datetime.date) -> None:
    """Set the row's next attempt, unsaved, by what its last one brought."""
    if not isinstance(outcome, Declined):
        row.retry_on = _next_sweep(as_of)
        return
    first = row.declined_on is None
    row.declined_on = row.declined_on or as_of
    if outcome.hard:
        row.retry_on = None
    elif first or (row.retry_on is not None and row.retry_on <= as_of):
        row.retry_on = next_retry(first_declined_on=row.declined_on, as_of=as_of)


def owe_again(row: Rebilling, *, today: datetime.date) -> None:
    """Make a charge that asked for nothing UNPAID, unsaved: the first sweep after `today` begins to collect it."""
    row.status, row.retry_on, row.declined_on = Rebilling.Status.UNPAID, _next_sweep(today), None


def _next_sweep(today: datetime.date) -> datetime.date:
    """Not `today`, whose sweep is over: what is collected again is weighed by a sweep first, like what is due."""
    return today + datetime.timedelta(days=1)


def deactivate_unpaid(*, account_ids: Collection[uuid.UUID], author: str, now: datetime.datetime) -> None:
    """Make accounts (locked by the caller) that are PAST_DUE INACTIVE: the retries of a charge are spent.

    What they owe stays open. Their periods that are DUE or PARKED are skipped.
    """
    accounts = list(Account.objects.filter(id__in=account_ids, status=Account.Status.PAST_DUE).order_by("id"))
    changes = [
        NewStatus(account, Account.Status.INACTIVE, "retries are spent", Account.InactiveReason.UNPAID)
        for account in accounts
    ]
    change_statuses(changes=changes, author=author, now=now)
    waiting = Rebilling.objects.filter(account__in=accounts, status__in=[Rebilling.Status.DUE, Rebilling.Status.PARKED])
    skip(rebillings=waiting, reason=SkipReason.ACCOUNT_INACTIVE)


def retries_due(*, as_of: datetime.date) -> QuerySet[Rebilling]:
    """The charges whose next attempt has come, and that no payment is on its way for."""
    return _idle(Rebilling.objects.filter(retry_on__lte=as_of))


def amounts_of_retries(*, as_of: datetime.date) -> list[tuple[str, int, int]]:
    """Of these charges, by currency: its code, how many they are, and what is outstanding of them in minor units."""
    by_currency = (
        retries_due(as_of=as_of)
        .values_list("currency")
        .annotate(charges=Count("id"), amount=Sum(F("amount_minor") - F("credit_minor") - F("paid_minor")))
        .order_by("currency")
    )
    return [(currency, charges, int(amount)) for currency, charges, amount in by_currency]


def _idle(charges: QuerySet[Rebilling]) -> QuerySet[Rebilling]:
    in_flight = Payment.objects.filter(charge_id=OuterRef("charge_id"), status__in=Payment.IN_FLIGHT)
    return charges.filter(~Exists(in_flight))


def submit_retries(*, keys: Collection[PeriodKey], as_of: datetime.date, gateway: str, now: datetime.datetime) -> None:
    """Record a payment SUBMITTED for each of these periods' charges whose next attempt has come by `as_of`.

    One transaction, with the accounts locked; the payment's row makes the attempt happen once. Where the database
    refuses one, that one is logged as an error, and the others are submitted.
    """
    due, named = retries_due(as_of=as_of), set(keys)
    candidates = due.filter(account_id__in={key.account_id for key in named})
    wanted = {row.id: row.account_id for row in candidates if PeriodKey.of(row) in named}
    if not wanted:
        return

    def submit(ids: Sequence[uuid.UUID]) -> list[Payment]:
        accounts = lock_accounts(wanted[id_] for id_ in ids)
        return _submit(due.filter(id__in=ids), accounts=accounts, gateway=gateway, now=now)

    def refuse(id_: uuid.UUID, fault: Exception) -> list[Payment]:
        extra = {"event": "retry.refused", "rebilling": str(id_), "reason": told(fault)}
        logger.error("a charge can't be tried again", extra=extra)
        return []

    for _ in in_halves(items=sorted(wanted), work=submit, alone=refuse):
        pass


def retry_payment(*, payment_id: uuid.UUID, gateway: str, now: datetime.datetime) -> Payment:
    """Try a declined payment's charge again at once, for what is owed by now: a new payment, SUBMITTED.

    The caller has it sent (`rebilling.dispatch.send_when_committed`). An INACTIVE account's charge may be tried, too.
    Raises `UnknownPayment` and `UnableToRetry`.
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
                raise NotYetRetriable(f"The payment's charge is {row.status}: another payment of it is on its way.")
            raise UnableToRetry(f"The payment's charge is {row.status}: nothing to collect.")
        return submitted[0]


def _submit(
    due: QuerySet[Rebilling], *, accounts: Mapping[uuid.UUID, Account], gateway: str, now: datetime.datetime
) -> list[Payment]:
    """A new payment for each of the UNPAID charges of which none is in flight. The accounts are locked."""
    rows = _idle(due.filter(status=Rebilling.Status.UNPAID)).order_by("id")
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
