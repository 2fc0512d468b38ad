"""What people put right in the ledger: credits and reversals, each with its reason and author."""

import datetime
import uuid

from django.db import transaction
from django.db.models import Sum

from accounts.amounts import amount_error
from accounts.ids import new_id
from accounts.locks import lock_account
from accounts.refusals import Conflict, Invalid, Missing, refined
from ledger.balances import check_balance
from ledger.models import Entry, EntryType
from ledger.posting import Posting, post
from payments.models import Payment
from rebilling.allocation import allocate_credit, free_credit
from rebilling.models import Rebilling
from rebilling.reasons import checked_reason
from rebilling.retries import owe_again
from rebilling.standing import refresh_standing


class UnableToCredit(Invalid):
    """The amount can't be credited."""


class AlreadyPosted(Conflict):
    code = "already-posted"


class UnknownEntry(Missing):
    code = "unknown-entry"


class UnableToReverse(Conflict):
    """Entries of this type aren't reversed, or not now."""

    code = "unable-to-reverse"


class NotYetReversible(UnableToReverse):
    """A payment of the charge is on its way."""

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
    """Credit the account: its unpaid charges are paid from it first, what is left goes to the next charges.

    `amount_minor` is in minor units of the account's currency. Without an `idempotency_key` each call credits anew.
    Raises `UnknownAccount`, `UnableToCredit`, `ReasonMissing`, `BalanceOutOfBounds`, and `AlreadyPosted` for a key
    used before.
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
        return _post_and_follow(posting, author=author, today=today, now=now)


def reverse_entry(
    *, entry_id: uuid.UUID, reason: str, author: str, today: datetime.date, now: datetime.datetime
) -> Entry:
    """Undo a charge, a credit, a write-off or a reversal, once, by an entry that mirrors it.

    A charge reversed is VOIDED and what was paid for it is credit; a charge whose reversal, or whose write-off, is
    reversed is owed again. Raises `UnknownEntry`, `UnableToReverse` (a payment or a refund; a charge that is written
    off, or has a payment in flight; credit that a charge written off has used), `AlreadyReversed`, `BalanceOutOfBounds`
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
        _change_rebilling(original, today)
        entry = _post_and_follow(posting, author=author, today=today, now=now)
        _check_credit_was_given_back(original.account_id)
        return entry


def _check_reversible(entry: Entry) -> None:
    if entry.type not in REVERSIBLE:
        raise UnableToReverse(f"A {entry.type} is not reversed: send or receive the money instead.")
    if Entry.objects.filter(reverses=entry).exists():
        raise AlreadyReversed(f"The entry {entry.id} was reversed before.")


def _change_rebilling(entry: Entry, today: datetime.date) -> None:
    """Bring the rebilling in step with the reversal of `entry`, which may itself be a reversal, and so on.

    At the end of that chain is what was written first; each further reversal undoes it or makes it stand again. What
    is owed again is collected by the first sweep after `today`.
    """
    stands = False
    while entry.reverses is not None:
        entry, stands = entry.reverses, not stands
    if entry.type == EntryType.CHARGE:
        rebilling = Rebilling.objects.get(charge=entry)
        _check_nothing_in_flight(rebilling)
        _charge_stands(rebilling, stands)
    elif entry.type == EntryType.WRITE_OFF and entry.period_start:
        # One row: (account, period_start) is unique, SKIPPED rows aside.
        skipped = Rebilling.Status.SKIPPED
        rebilling = entry.account.rebillings.exclude(status=skipped).get(period_start=entry.period_start)
        _check_nothing_in_flight(rebilling)
        _write_off_stands(rebilling, stands, amount_minor=entry.amount_minor)
    else:
        return
    if rebilling.status == Rebilling.Status.UNPAID:
        owe_again(rebilling, today=today)
    else:
        rebilling.retry_on = None
    rebilling.save(update_fields=["status", "credit_minor", "retry_on", "declined_on"])


def _check_nothing_in_flight(rebilling: Rebilling) -> None:
    if Payment.objects.filter(charge_id=rebilling.charge_id, status__in=Payment.IN_FLIGHT).exists():
        raise NotYetReversible("A payment of this charge is on its way: wait until its outcome is known.")


def _charge_stands(rebilling: Rebilling, stands: bool) -> None:
    """A charge reversed is VOIDED, one restored is owed again."""
    if rebilling.status == Rebilling.Status.WRITTEN_OFF:
        raise UnableToReverse("This charge is written off: reverse the write-off first.")
    if stands:
        rebilling.status = _owed_or_paid(rebilling)
    else:
        # The credit it had taken is free again; its own payments are still its own, should it be restored.
        rebilling.status, rebilling.credit_minor = Rebilling.Status.VOIDED, 0


def _write_off_stands(rebilling: Rebilling, stands: bool, *, amount_minor: int) -> None:
    """A charge whose write-off is reversed is owed again; one whose write-off is restored is given up again."""
    before = Rebilling.Status.UNPAID if stands else Rebilling.Status.WRITTEN_OFF
    if rebilling.status != before:
        raise UnableToReverse(f"The charge that this is about is {rebilling.status}, not {before}.")
    if not stands:
        rebilling.status = _owed_or_paid(rebilling)
    elif rebilling.outstanding_minor == amount_minor:
        rebilling.status = Rebilling.Status.WRITTEN_OFF
    else:
        raise UnableToReverse("What is unpaid of the charge is another amount by now: write it off anew.")


def _owed_or_paid(rebilling: Rebilling) -> Rebilling.Status:
    return Rebilling.Status.UNPAID if rebilling.outstanding_minor else Rebilling.Status.PAID


def _check_credit_was_given_back(account_id: uuid.UUID) -> None:
    """Refuse what would leave the account owing more than its charges ask for, or will once payments are settled.

    That is so where credit goes that a charge had taken before the rest of it was written off.
    """
    missing = -free_credit(account_ids=[account_id])[account_id]
    if missing <= 0:
        return
    holding = Rebilling.objects.filter(
        account_id=account_id, status__in=[*Rebilling.OPEN, Rebilling.Status.PAID], credit_minor__gt=0
    )
    if missing > holding.aggregate(credit=Sum("credit_minor", default=0))["credit"]:
        raise UnableToReverse("A charge that is written off has used this credit: reverse that write-off first.")


def _post_and_follow(posting: Posting, *, author: str, today: datetime.date, now: datetime.datetime) -> Entry:
    """Post, then let the account's credit and status follow from it."""
    (entry,) = post(postings=[posting], author=author, now=now)
    check_balance(account_id=posting.account_id)
    allocate_credit(account_ids=[posting.account_id], today=today)
    refresh_standing(account_ids=[posting.account_id], author=author, now=now)
    return entry
