"""What people put right in the ledger: credits and reversals, each with its reason and author."""

import datetime
import uuid

from django.db import transaction

from accounts.currencies import MOST_MINOR
from accounts.ids import new_id
from accounts.locks import lock_account
from accounts.refusals import Conflict, Invalid, Missing, refined
from ledger.models import Entry, EntryType
from ledger.posting import Posting, post
from payments.models import Payment
from rebilling.allocation import allocate_credit
from rebilling.models import Rebilling
from rebilling.reasons import checked_reason
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
    Raises `UnknownAccount`, `UnableToCredit`, `ReasonMissing`, and `AlreadyPosted` for a key used before.
    """
    reason = checked_reason(reason)
    if not 1 <= amount_minor <= MOST_MINOR:
        raise UnableToCredit("Nothing was credited.", amount_minor=f"Must be from 1 to {MOST_MINOR}.")
    used = AlreadyPosted("This credit was granted before.")
    with refined({"entry_idempotency_key_once": used}), transaction.atomic():
        account = lock_account(account_id)
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
        return _post_and_follow(posting, author=author, now=now)


def reverse_entry(
    *, entry_id: uuid.UUID, reason: str, author: str, today: datetime.date, now: datetime.datetime
) -> Entry:
    """Undo a charge, a credit, a write-off or a reversal, once, by an entry that mirrors it.

    A charge reversed is VOIDED and what was paid for it is credit; a charge whose reversal is reversed is owed again.
    Raises `UnknownEntry`, `UnableToReverse` (a payment or a refund; a charge with a payment in flight),
    `AlreadyReversed` and `ReasonMissing`.
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
        _change_charge(original)
        return _post_and_follow(posting, author=author, now=now)


def _check_reversible(entry: Entry) -> None:
    if entry.type not in REVERSIBLE:
        raise UnableToReverse(f"A {entry.type} is not reversed: send or receive the money instead.")
    if Entry.objects.filter(reverses=entry).exists():
        raise AlreadyReversed(f"The entry {entry.id} was reversed before.")
    if entry.payments.filter(status__in=Payment.IN_FLIGHT).exists():
        raise UnableToReverse("A payment of this charge is on its way: wait until its outcome is known.")


def _change_charge(entry: Entry) -> None:
    """Bring the rebilling in step with the reversal: a charge reversed is VOIDED, one restored is owed again."""
    restores = False
    while entry.reverses is not None:
        entry, restores = entry.reverses, not restores
    if entry.type != EntryType.CHARGE:
        return
    rebilling = Rebilling.objects.get(charge=entry)
    if rebilling.status == Rebilling.Status.WRITTEN_OFF:
        raise UnableToReverse("This charge is written off: reverse the write-off first.")
    if restores:
        owed = rebilling.outstanding_minor > 0
        rebilling.status = Rebilling.Status.UNPAID if owed else Rebilling.Status.PAID
    else:
        # The credit it had taken is free again; its own payments are still its own, should it be restored.
        rebilling.status, rebilling.credit_minor, rebilling.retry_on = Rebilling.Status.VOIDED, 0, None
    rebilling.save(update_fields=["status", "credit_minor", "retry_on"])


def _post_and_follow(posting: Posting, *, author: str, now: datetime.datetime) -> Entry:
    """Post, then let the account's credit and status follow from it."""
    (entry,) = post(postings=[posting], author=author, now=now)
    allocate_credit(account_ids=[posting.account_id])
    refresh_standing(account_ids=[posting.account_id], author=author, now=now)
    return entry
