"""Writing off: unpaid charges that a person gives up. Reversing the entry undoes it (`rebilling/adjustments.py`)."""

import datetime
import uuid
from collections.abc import Collection, Sequence

from django.db import transaction
from django.db.models import Count

from accounts.billing_calendar import Period
from accounts.locks import lock_account
from accounts.refusals import Conflict, Invalid
from ledger.models import Entry, EntryType
from ledger.posting import Posting, post
from payments.models import Payment
from rebilling.models import Rebilling
from rebilling.reasons import checked_reason
from rebilling.standing import refresh_standing


class UnknownCharge(Invalid):
    code = "unknown-charge"


class NothingUnpaid(Conflict):
    """There is nothing to give up."""

    code = "nothing-unpaid"


class NotYetUnpaid(NothingUnpaid):
    """The first payment of the charge is on its way."""

    passing = True


class UnableToWriteOff(Conflict):
    """Not now: a payment of the charge is on its way."""

    code = "unable-to-write-off"
    passing = True


def write_off(
    *,
    account_id: uuid.UUID,
    reason: str,
    author: str,
    today: datetime.date,
    now: datetime.datetime,
    charge_ids: Collection[uuid.UUID] | None = None,
) -> list[Entry]:
    """Give up what UNPAID charges still ask for: those named by their entries, or all of the account's.

    Each gets an entry of its own, in the order of the periods, and is WRITTEN_OFF: nothing tries again to collect it,
    and money that still comes is credit. All or none. Raises `UnknownAccount`, `ReasonMissing`, `UnknownCharge`,
    `NothingUnpaid` (also when one that is named isn't UNPAID), and `UnableToWriteOff` while a payment is in flight.
    """
    reason = checked_reason(reason)
    with transaction.atomic():
        account = lock_account(account_id)
        rows = _unpaid(account_id, charge_ids)
        times = _times_written_off(rows)
        postings = [
            Posting(
                type=EntryType.WRITE_OFF,
                account_id=account.id,
                amount_minor=row.outstanding_minor,
                currency=account.currency,
                effective_on=today,
                period=Period(start=row.period_start, end=row.period_end),
                description=reason,
                # Reversed, a charge may be written off anew; each time has its own key, and is once.
                idempotency_key=f"write_off:{row.charge_id}:{times.get(row.period_start, 0) + 1}",
            )
            for row in rows
        ]
        entries = post(postings=postings, author=author, now=now)
        Rebilling.objects.filter(id__in=[row.id for row in rows]).update(
            status=Rebilling.Status.WRITTEN_OFF, retry_on=None
        )
        # Free credit is as it was: what the open charges ask for and what the account owes went down by the same.
        refresh_standing(account_ids=[account.id], author=author, now=now)
        return entries


def _unpaid(account_id: uuid.UUID, charge_ids: Collection[uuid.UUID] | None) -> list[Rebilling]:
    """The rows to write off, oldest first; of an account locked by the caller."""
    rows = Rebilling.objects.filter(account_id=account_id).order_by("period_start", "id")
    if charge_ids is None:
        found = list(rows.filter(status=Rebilling.Status.UNPAID))
    else:
        found = list(rows.filter(charge_id__in=charge_ids))
        _check_named(found, charge_ids)
    if not found and rows.filter(status=Rebilling.Status.CHARGED).exists():
        raise NotYetUnpaid("The account's unpaid charge has a payment on its way: wait until its outcome is known.")
    if not found:
        raise NothingUnpaid("The account has no unpaid charge.")
    in_flight = Payment.objects.filter(charge_id__in=[row.charge_id for row in found], status__in=Payment.IN_FLIGHT)
    if in_flight.exists():
        raise UnableToWriteOff("A payment of such a charge is on its way: wait until its outcome is known.")
    return found


def _check_named(found: Sequence[Rebilling], charge_ids: Collection[uuid.UUID]) -> None:
    unknown = sorted(set(charge_ids) - {row.charge_id for row in found})
    if unknown:
        raise UnknownCharge("Nothing was written off.", charge=f"The account has no charge {unknown[0]}.")
    for row in found:
        if row.status == Rebilling.Status.CHARGED:
            raise NotYetUnpaid(f"The payment of the charge {row.charge_id} is on its way: wait for its outcome.")
        if row.status != Rebilling.Status.UNPAID:
            raise NothingUnpaid(f"The charge {row.charge_id} is {row.status}, not UNPAID.")


def _times_written_off(rows: Sequence[Rebilling]) -> dict[datetime.date, int]:
    """How often the periods were written off before, by their start; those that never were are left out."""
    before = Entry.objects.filter(
        account_id=rows[0].account_id,
        type=EntryType.WRITE_OFF,
        period_start__in=[row.period_start for row in rows],
    )
    return dict(before.values_list("period_start").annotate(times=Count("id")).order_by())
