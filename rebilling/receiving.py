"""Money that a customer paid outside any gateway: a transfer, a cheque. A person writes down that it came."""

import datetime
import uuid

from django.db import transaction

from accounts.amounts import amount_error
from accounts.ids import new_id
from accounts.locks import lock_account
from accounts.refusals import Conflict, Invalid, refined
from accounts.text import text_error
from ledger.balances import check_balance
from ledger.models import EntryType
from ledger.posting import Posting, post
from payments.models import OUTSIDE, Payment
from rebilling.allocation import allocate_credit
from rebilling.reasons import checked_reason
from rebilling.standing import refresh_standing

LONGEST_REFERENCE = 200


class UnableToReceive(Invalid):
    """The amount or the reference can't be what was received."""


class AlreadyReceived(Conflict):
    code = "already-received"


def receive_payment(
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
    """Write down money received: the account's unpaid charges are paid from it first, the rest is credit.

    `amount_minor` is in minor units of the account's currency; `reference` is what the bank statement says. An INACTIVE
    account may pay, too. A charge whose payment is in flight gets nothing of it until that is settled. Without an
    `idempotency_key` each call is another payment. Raises `UnknownAccount`, `UnableToReceive`, `ReasonMissing`,
    `BalanceOutOfBounds`, and `AlreadyReceived` for a key used before.
    """
    reason = checked_reason(reason)
    used = AlreadyReceived("This payment was recorded before.")
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
            gateway=OUTSIDE,
            gateway_reference=reference,
            submitted_at=now,
            settled_at=now,
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
        refresh_standing(account_ids=[account.id], author=author, now=now)
        return payment


def _checked(*, amount_minor: int, currency: str, reference: str) -> str:
    """The reference, stripped."""
    errors = {}
    if error := amount_error(amount_minor=amount_minor, currency=currency):
        errors["amount_minor"] = error
    stripped = reference.strip()
    if not 1 <= len(stripped) <= LONGEST_REFERENCE:
        errors["reference"] = f"Must have from 1 to {LONGEST_REFERENCE} characters."
    elif error := text_error(stripped):
        errors["reference"] = error
    if errors:
        raise UnableToReceive("No payment was recorded.", **errors)
    return stripped
