"""Goodwill credit, and taking back a credit or a write-off: what people correct in the ledger, each with its reason."""

import datetime
import uuid

from django.db import transaction

from accounts.amounts import amount_error
from accounts.errors import Conflict, Invalid, Missing, refined
from accounts.ids import new_id
from accounts.locked_accounts import LockedAccount, lock_account
from accounts.reasons import checked_reason
from invoices.account_status import refresh_accounts
from invoices.locked_invoices import invoices_by_id, save_invoices
from ledger.balances import check_balance
from ledger.models import REVERSIBLE, Entry, EntryType
from ledger.posting import Posting, post, reversal_of


class UnableToCredit(Invalid):
    """The amount can't be credited."""

    code = "unable-to-credit"


class AlreadyCredited(Conflict):
    code = "already-credited"


class UnknownEntry(Missing):
    code = "unknown-entry"


class UnableToReverse(Conflict):
    """Entries of this type aren't reversed, or the invoice has changed since."""

    code = "unable-to-reverse"


class AlreadyReversed(Conflict):
    code = "already-reversed"


def grant_credit(
    *,
    account_id: uuid.UUID,
    amount_minor: int,
    reason: str,
    author: str,
    today: datetime.date,
    now: datetime.datetime,
    entry_id: uuid.UUID | None = None,
) -> Entry:
    """Give the account credit: it goes to its open invoices first, oldest first, and what is left to the next ones.

    `amount_minor` is in minor units of the account's currency. `entry_id` is made by a client that may send the request
    twice; without one, each call credits anew. Raises `UnknownAccount`, `UnableToCredit`, `InvalidReason`,
    `BalanceOutOfBounds`, and `AlreadyCredited` for an id used before.
    """
    reason = checked_reason(reason)
    used = AlreadyCredited("This credit was granted before.")
    with refined({"ledger_entry_pkey": used}), transaction.atomic():
        account = lock_account(account_id)
        if entry_id and Entry.objects.filter(id=entry_id).exists():
            raise used
        if error := amount_error(amount_minor=amount_minor, currency=account.currency):
            raise UnableToCredit("Nothing was credited.", amount_minor=error)
        entry_id = entry_id or new_id()
        posting = credit_posting(account, amount_minor=amount_minor, description=reason, entry_id=entry_id)
        post(postings=[posting], effective_on=today, author=author)
        check_balance(account)
        account.credit_balance_minor += amount_minor
        refresh_accounts(accounts=[account], today=today, author=author, now=now)
        return Entry.objects.get(id=entry_id)


def credit_posting(
    account: LockedAccount, *, amount_minor: int, description: str, entry_id: uuid.UUID | None = None
) -> Posting:
    """The entry of credit that the account is given, in minor units."""
    entry_id = entry_id or new_id()
    return Posting(
        id=entry_id,
        type=EntryType.CREDIT,
        account_id=account.id,
        amount_minor=amount_minor,
        currency=account.currency,
        description=description,
        idempotency_key=f"credit:{entry_id}",
    )


def reverse_entry(
    *, entry_id: uuid.UUID, reason: str, author: str, today: datetime.date, now: datetime.datetime
) -> Entry:
    """Take back a credit or a write-off, once, by an entry that mirrors it.

    Credit that was used makes the balance negative: the next invoice brings it forward, and invoices that it paid stay
    PAID. An invoice whose write-off is taken back is OPEN again, for what is still written off of it. Raises
    `UnknownEntry`, `UnableToReverse`, `AlreadyReversed`, `BalanceOutOfBounds` and `InvalidReason`.
    """
    reason = checked_reason(reason)
    with transaction.atomic():
        entry = Entry.objects.filter(id=entry_id).first()
        if entry is None:
            raise UnknownEntry(f"There is no ledger entry {entry_id}.")
        account = lock_account(entry.account_id)
        if entry.type not in REVERSIBLE:
            raise UnableToReverse(
                f"A {entry.get_type_display().lower()} is not reversed: only a credit or a write-off is. Correct an "
                "invoice with a credit note, and money with a refund or a payment."
            )
        if Entry.objects.filter(reverses=entry).exists():
            raise AlreadyReversed(f"The entry {entry.id} was reversed before.")
        if entry.type == EntryType.CREDIT:
            account.credit_balance_minor -= entry.amount_minor
        else:
            _reopen_invoice(account, entry)
        (reversal_id,) = post(postings=[reversal_of(entry, description=reason)], effective_on=today, author=author)
        check_balance(account)
        refresh_accounts(accounts=[account], today=today, author=author, now=now)
        return Entry.objects.get(id=reversal_id)


def _reopen_invoice(account: LockedAccount, write_off: Entry) -> None:
    invoice_id = write_off.invoice_id
    if invoice_id is None:
        raise UnableToReverse("This write-off names no invoice: it gave up what was carried forward on closing.")
    invoice = invoices_by_id(accounts=[account], ids=[invoice_id])[invoice_id]
    if invoice.amounts.written_off < write_off.amount_minor:
        raise UnableToReverse("Some of what was written off was paid or credited since: what is left stays given up.")
    invoice.change(written_off=-write_off.amount_minor)
    save_invoices([invoice])
