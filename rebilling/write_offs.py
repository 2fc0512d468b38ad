"""Write-offs: a person gives up unpaid charges. Reversing the entry undoes it (`rebilling/adjustments.py`)."""

import datetime
import uuid
from collections.abc import Collection, Sequence

from django.db import transaction
from django.db.models import Count

from accounts.billing_calendar import Period
from accounts.errors import Conflict, Invalid
from accounts.locks import lock_account
from accounts.reasons import checked_reason
from ledger.models import Entry, EntryType
from ledger.posting import Posting, post
from payments.models import Payment
from rebilling.account_statuses import refresh_account_statuses
from rebilling.models import Rebilling


class UnknownCharge(Invalid):
    code = "unknown-charge"


class NothingUnpaid(Conflict):
    """There is nothing to write off."""

    code = "nothing-unpaid"


class NotYetUnpaid(NothingUnpaid):
    """The first payment of the charge is in flight."""

    passing = True


class UnableToWriteOff(Conflict):
    """Not now: a payment of the charge is in flight."""

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
    """Write off what is outstanding of UNPAID charges: those named by their entries, or all of the account's.

    Each gets its own entry, in the order of the periods, and is WRITTEN_OFF: it isn't collected any more, and money
    that still comes in is credit. All or none. Raises `UnknownAccount`, `ReasonMissing`, `UnknownCharge`,
    `NothingUnpaid` (also if a named one isn't UNPAID), and `UnableToWriteOff` while a payment is in flight.
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
                # Once reversed, a charge may be written off again, under another key.
                idempotency_key=f"write_off:{row.charge_id}:{times.get(row.period_start, 0) + 1}",
            )
            for row in rows
        ]
        entries = post(postings=postings, author=author, now=now)
        Rebilling.objects.filter(id__in=[row.id for row in rows]).update(
            status=Rebilling.Status.WRITTEN_OFF, retry_on=None
        )
        # Free credit doesn't change: what open charges ask for and what the account owes went down by the same amount.
        refresh_account_statuses(account_ids=[account.id], author=author, now=now)
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
        raise NotYetUnpaid("A payment of the account's charge is in flight: wait until its outcome is known.")
    if not found:
        raise NothingUnpaid("The account has no unpaid charge.")
    in_flight = Payment.objects.filter(charge_id__in=[row.charge_id for row in found], status__in=Payment.IN_FLIGHT)
    if in_flight.exists():
        raise UnableToWriteOff("A payment of such a charge is in flight: wait until its outcome is known.")
    return found


def _check_named(found: Sequence[Rebilling], charge_ids: Collection[uuid.UUID]) -> None:
    unknown = sorted(set(charge_ids) - {row.charge_id for row in found})
    if unknown:
        raise UnknownCharge("Nothing was written off.", charge=f"The account has no charge {unknown[0]}.")
    for row in found:
        if row.status == Rebilling.Status.CHARGED:
            raise NotYetUnpaid(f"The payment of the charge {row.charge_id} is in flight: wait for its outcome.")
        if row.status != Rebilling.Status.UNPAID:
            raise NothingUnpaid(f"The charge {row.charge_id} is {row.status}, not UNPAID.")


def _times_written_off(rows: Sequence[Rebilling]) -> dict[datetime.date, int]:
    """How often the periods were written off before, by their start; those that never were don't appear."""
    before = Entry.objects.filter(
        account_id=rows[0].account_id,
        type=EntryType.WRITE_OFF,
        period_start__in=[row.period_start for row in rows],
    )
    return dict(before.values_list("period_start").annotate(times=Count("id")).order_by())
