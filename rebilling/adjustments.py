"""Ledger adjustments by people: credits and reversals, each with a reason and an author."""

import datetime
import uuid

from django.db import transaction
from django.db.models import Sum

from accounts.amounts import amount_error
from accounts.errors import Conflict, Invalid, Missing, refined
from accounts.ids import new_id
from accounts.locks import lock_account
from accounts.reasons import checked_reason
from ledger.balances import check_balance
from ledger.models import Entry, EntryType
from ledger.posting import Posting, post
from payments.models import Payment
from rebilling.account_statuses import refresh_account_statuses
from rebilling.credit_allocation import allocate_credit, free_credit
from rebilling.dunning import mark_unpaid
from rebilling.models import Rebilling


class UnableToCredit(Invalid):
    """The amount can't be credited."""


class AlreadyPosted(Conflict):
    code = "already-posted"


class UnknownEntry(Missing):
    code = "unknown-entry"


class UnableToReverse(Conflict):
    """The entry can't be reversed, or not now."""

    code = "unable-to-reverse"


class NotYetReversible(UnableToReverse):
    """A payment of the charge is in flight."""

    passing = True


class AlreadyReversed(Conflict):
    code = "already-reversed"


REVERSIBLE = [EntryType.CHARGE, EntryType.CREDIT, EntryType.WRITE_OFF, EntryType.REVERSAL]


def grant_credit(
    *,
    account_id: uuid.UUID,
    amount_minor: int,
    reason: str,
    author: str,
    today: datetime.date,
    now: datetime.datetime,
    idempotency_key: str | None = None,
) -> Entry:
    """Credit the account. The credit pays unpaid charges first; the remainder goes to the next charges.

    `amount_minor` is in minor units of the account's currency. Without an `idempotency_key` each call grants another
    credit. Raises `UnknownAccount`, `UnableToCredit`, `ReasonMissing`, `BalanceOutOfBounds`, and `AlreadyPosted` for a
    key that was used before.
    """
    reason = checked_reason(reason)
    used = AlreadyPosted("This credit was granted before.")
    with refined({"entry_idempotency_key_once": used}), transaction.atomic():
        account = lock_account(account_id)
        if error := amount_error(amount_minor=amount_minor, currency=account.currency):
            raise UnableToCredit("Nothing was credited.", amount_minor=error)
        entry_id = new_id()
        posting = Posting(
            id=entry_id,
            type=EntryType.CREDIT,
            account_id=account.id,
            amount_minor=amount_minor,
            currency=account.currency,
            effective_on=today,
            description=reason,
            idempotency_key=f"credit:{idempotency_key or entry_id}",
        )
        return _post_and_update(posting, author=author, today=today, now=now)


def reverse_entry(
    *, entry_id: uuid.UUID, reason: str, author: str, today: datetime.date, now: datetime.datetime
) -> Entry:
    """Reverse a charge, a credit, a write-off or a reversal, once, with an entry that mirrors it.

    A reversed charge is VOIDED, and what was paid for it becomes credit. Reversing that reversal, or a write-off, makes
    the charge owed again. Raises `UnknownEntry`, `UnableToReverse` (a payment or a refund; a charge that is written
    off or has a payment in flight; credit that a written-off charge has used), `AlreadyReversed`, `BalanceOutOfBounds`
    and `ReasonMissing`.
    """
    reason = checked_reason(reason)
    with transaction.atomic():
        original = Entry.objects.filter(id=entry_id).first()
        if original is None:
            raise UnknownEntry(f"There is no ledger entry {entry_id}.")
        lock_account(original.account_id)
        _check_reversible(original)
        posting = Posting(
            type=EntryType.REVERSAL,
            account_id=original.account_id,
            amount_minor=original.amount_minor,
            currency=original.currency,
            effective_on=today,
            description=reason,
            idempotency_key=f"reversal:{original.id}",
            reverses=original,
        )
        _update_rebilling(original, today)
        entry = _post_and_update(posting, author=author, today=today, now=now)
        _check_credit_is_free(original.account_id)
        return entry


def _check_reversible(entry: Entry) -> None:
    if entry.type not in REVERSIBLE:
        raise UnableToReverse(f"A {entry.type} is not reversed: send or receive the money instead.")
    if Entry.objects.filter(reverses=entry).exists():
        raise AlreadyReversed(f"The entry {entry.id} is already reversed.")


def _update_rebilling(entry: Entry, today: datetime.date) -> None:
    """Update the rebilling for the reversal of `entry`, which may itself be a reversal, and so on.

    At the end of that chain is the original entry; each further reversal cancels or restores it. What is owed again is
    collected by the first sweep after `today`.
    """
    restored = False
    while entry.reverses is not None:
        entry, restored = entry.reverses, not restored
    if entry.type == EntryType.CHARGE:
        rebilling = Rebilling.objects.get(charge=entry)
        _check_nothing_in_flight(rebilling)
        _void_or_restore_charge(rebilling, restored=restored)
    elif entry.type == EntryType.WRITE_OFF and entry.period_start:
        # One row: (account, period_start) is unique, SKIPPED rows aside.
        skipped = Rebilling.Status.SKIPPED
        rebilling = entry.account.rebillings.exclude(status=skipped).get(period_start=entry.period_start)
        _check_nothing_in_flight(rebilling)
        _cancel_or_restore_write_off(rebilling, restored=restored, amount_minor=entry.amount_minor)
    else:
        return
    if rebilling.status == Rebilling.Status.UNPAID:
        mark_unpaid(rebilling, today=today)
    else:
        rebilling.retry_on = None
    rebilling.save(update_fields=["status", "credit_minor", "retry_on", "declined_on"])


def _check_nothing_in_flight(rebilling: Rebilling) -> None:
    if Payment.objects.filter(charge_id=rebilling.charge_id, status__in=Payment.IN_FLIGHT).exists():
        raise NotYetReversible("A payment of this charge is in flight: wait until its outcome is known.")


def _void_or_restore_charge(rebilling: Rebilling, *, restored: bool) -> None:
    """A reversed charge is VOIDED; a restored one is owed again."""
    if rebilling.status == Rebilling.Status.WRITTEN_OFF:
        raise UnableToReverse("This charge is written off: reverse the write-off first.")
    if restored:
        rebilling.status = _unpaid_or_paid(rebilling)
    else:
        # The credit it had taken is free again. Its own payments stay with it, in case it is restored.
        rebilling.status, rebilling.credit_minor = Rebilling.Status.VOIDED, 0


def _cancel_or_restore_write_off(rebilling: Rebilling, *, restored: bool, amount_minor: int) -> None:
    """A charge is owed again once its write-off is reversed, and WRITTEN_OFF again once the write-off is restored."""
    before = Rebilling.Status.UNPAID if restored else Rebilling.Status.WRITTEN_OFF
    if rebilling.status != before:
        raise UnableToReverse(f"The charge of this entry is {rebilling.status}, not {before}.")
    if not restored:
        rebilling.status = _unpaid_or_paid(rebilling)
    elif rebilling.outstanding_minor == amount_minor:
        rebilling.status = Rebilling.Status.WRITTEN_OFF
    else:
        raise UnableToReverse("The unpaid amount of the charge has changed since: write it off again.")


def _unpaid_or_paid(rebilling: Rebilling) -> Rebilling.Status:
    return Rebilling.Status.UNPAID if rebilling.outstanding_minor else Rebilling.Status.PAID


def _check_credit_is_free(account_id: uuid.UUID) -> None:
    """Refuse what would leave the account owing more than its charges ask for, now or once its payments complete.

    That happens when the credit being reversed was taken by a charge whose remainder was written off.
    """
    missing = -free_credit(account_ids=[account_id])[account_id]
    if missing <= 0:
        return
    holding = Rebilling.objects.filter(
        account_id=account_id, status__in=[*Rebilling.OPEN, Rebilling.Status.PAID], credit_minor__gt=0
    )
    if missing > holding.aggregate(credit=Sum("credit_minor", default=0))["credit"]:
        raise UnableToReverse("A charge that is written off has used this credit: reverse that write-off first.")


def _post_and_update(posting: Posting, *, author: str, today: datetime.date, now: datetime.datetime) -> Entry:
    """Post the entry, then update the account's credit and status."""
    (entry,) = post(postings=[posting], author=author, now=now)
    check_balance(account_id=posting.account_id)
    allocate_credit(account_ids=[posting.account_id], today=today)
    refresh_account_statuses(account_ids=[posting.account_id], author=author, now=now)
    return entry
