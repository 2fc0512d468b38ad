"""Money received offline (a transfer, a check), recorded by a person."""

import datetime
import uuid

from django.db import transaction

from accounts.amounts import amount_error
from accounts.errors import Conflict, Invalid, refined
from accounts.ids import new_id
from accounts.locks import lock_account
from accounts.reasons import checked_reason
from accounts.text import text_error
from ledger.balances import check_balance
from ledger.models import EntryType
from ledger.posting import Posting, post
from payments.models import OFFLINE, Payment
from rebilling.account_statuses import refresh_account_statuses
from rebilling.credit_allocation import allocate_credit

MAX_REFERENCE_LENGTH = 200


class UnableToRecordPayment(Invalid):
    """The amount or the reference isn't valid."""


class AlreadyRecorded(Conflict):
    code = "already-recorded"


def record_offline_payment(
    *,
    account_id: uuid.UUID,
    amount_minor: int,
    reference: str,
    reason: str,
    author: str,
    today: datetime.date,
    now: datetime.datetime,
    idempotency_key: str | None = None,
) -> Payment:
    """Record money received offline. It pays the account's unpaid charges first; the remainder is credit.

    `amount_minor` is in minor units of the account's currency; `reference` is what the bank statement says. INACTIVE
    accounts may pay, too. A charge with a payment in flight gets none of it until that payment has completed. Without
    an `idempotency_key` each call is another payment. Raises `UnknownAccount`, `UnableToRecordPayment`,
    `ReasonMissing`, `BalanceOutOfBounds`, and `AlreadyRecorded` for a key that was used before.
    """
    reason = checked_reason(reason)
    used = AlreadyRecorded("This payment was recorded before.")
    with refined({"entry_idempotency_key_once": used}), transaction.atomic():
        account = lock_account(account_id)
        reference = _checked(amount_minor=amount_minor, currency=account.currency, reference=reference)
        payment_id = new_id()
        payment = Payment.objects.create(
            id=payment_id,
            account=account,
            amount_minor=amount_minor,
            currency=account.currency,
            status=Payment.Status.SUCCEEDED,
            gateway=OFFLINE,
            gateway_reference=reference,
            submitted_at=now,
            completed_at=now,
        )
        posting = Posting(
            type=EntryType.PAYMENT,
            account_id=account.id,
            amount_minor=amount_minor,
            currency=account.currency,
            effective_on=today,
            description=reason,
            idempotency_key=f"payment:{idempotency_key or payment_id}",
            payment_id=payment_id,
        )
        post(postings=[posting], author=author, now=now)
        check_balance(account_id=account.id)
        allocate_credit(account_ids=[account.id], today=today)
        refresh_account_statuses(account_ids=[account.id], author=author, now=now)
        return payment


def _checked(*, amount_minor: int, currency: str, reference: str) -> str:
    """The reference, stripped."""
    errors = {}
    if error := amount_error(amount_minor=amount_minor, currency=currency):
        errors["amount_minor"] = error
    stripped = reference.strip()
    if not 1 <= len(stripped) <= MAX_REFERENCE_LENGTH:
        errors["reference"] = f"Must have from 1 to {MAX_REFERENCE_LENGTH} characters."
    elif error := text_error(stripped):
        errors["reference"] = error
    if errors:
        raise UnableToRecordPayment("No payment was recorded.", **errors)
    return stripped
