"""Money that a customer paid without a gateway: a transfer, a check. A person records that it came."""

import datetime
import uuid

from django.db import transaction

from accounts.amounts import amount_error
from accounts.currencies import display
from accounts.errors import Conflict, Invalid, refined
from accounts.ids import new_id
from accounts.locked_accounts import LockedAccount, lock_account
from accounts.reasons import checked_reason
from accounts.text import text_error
from invoices.account_status import refresh_accounts
from invoices.locked_invoices import LockedInvoice, invoices_by_id, save_invoices
from invoices.models import Invoice
from invoices.payment_application import apply_payment
from ledger.balances import check_balance
from ledger.posting import post
from payments.gateways.texts import MAX_REFERENCE_LENGTH
from payments.models import OFFLINE, Payment
from payments.payment_entries import payment_postings


class UnableToRecordPayment(Invalid):
    """The amount, the reference or the invoice can't be what was received."""

    code = "unable-to-record-payment"


class AlreadyRecorded(Conflict):
    code = "already-recorded"


class PossibleDuplicate(Conflict):
    """The same reference and amount were recorded for this account before: it takes a confirmation."""

    code = "possible-duplicate"


def record_offline_payment(
    *,
    account_id: uuid.UUID,
    amount_minor: int,
    reference: str,
    reason: str,
    author: str,
    today: datetime.date,
    now: datetime.datetime,
    currency: str | None = None,
    invoice_id: uuid.UUID | None = None,
    is_another: bool = False,
    payment_id: uuid.UUID | None = None,
) -> Payment:
    """Record money received: for one invoice, or for none. The excess, or all of it, is credit, which goes to open
    invoices at once, oldest first.

    `amount_minor` is in minor units of the account's currency; `currency`, where it is given, must be that. `reference`
    is what the bank statement says: the same one with the same amount is taken for a duplicate unless `is_another`. An
    INACTIVE account may pay, too. `payment_id` is made by a client that may send the request twice. Raises
    `UnknownAccount`, `UnableToRecordPayment`, `InvalidReason`, `BalanceOutOfBounds`, `PossibleDuplicate`, and
    `AlreadyRecorded` for an id used before.
    """
    reason = checked_reason(reason)
    used = AlreadyRecorded("This payment was recorded before.")
    with refined({"payments_payment_pkey": used}), transaction.atomic():
        account = lock_account(account_id)
        if payment_id and Payment.objects.filter(id=payment_id).exists():
            raise used
        reference = _checked(account, amount_minor=amount_minor, currency=currency, reference=reference)
        invoice = _invoice(account, invoice_id)
        if not is_another:
            _check_duplicate(account, amount_minor=amount_minor, reference=reference)
        applied = apply_payment(account, invoice, amount_minor=amount_minor)
        payment = Payment.objects.create(
            id=payment_id or new_id(),
            account_id=account.id,
            invoice_id=invoice_id,
            cause=Payment.Cause.OFFLINE,
            amount_minor=amount_minor,
            currency=account.currency,
            status=Payment.Status.SUCCEEDED,
            excess_minor=applied.excess_minor,
            gateway=OFFLINE,
            gateway_reference=reference,
            submitted_at=now,
            completed_at=now,
            created_by=author,
        )
        postings = payment_postings(
            payment_id=payment.id,
            account=account,
            invoice=invoice,
            amount_minor=amount_minor,
            recovered_minor=applied.recovered_minor,
            description=reason,
        )
        post(postings=postings, effective_on=today, author=author)
        check_balance(account)
        if invoice:
            save_invoices([invoice])
        refresh_accounts(accounts=[account], today=today, author=author, now=now, received=[account.id])
        return payment


def _checked(account: LockedAccount, *, amount_minor: int, currency: str | None, reference: str) -> str:
    """The reference, stripped."""
    errors = {}
    if error := amount_error(amount_minor=amount_minor, currency=account.currency):
        errors["amount_minor"] = error
    if currency not in (None, account.currency):
        errors["currency"] = f"The account is in {account.currency}."
    stripped = reference.strip()
    if not 1 <= len(stripped) <= MAX_REFERENCE_LENGTH:
        errors["reference"] = f"Must have from 1 to {MAX_REFERENCE_LENGTH} characters."
    elif error := text_error(stripped):
        errors["reference"] = error
    if errors:
        raise UnableToRecordPayment("No payment was recorded.", **errors)
    return stripped


def _invoice(account: LockedAccount, invoice_id: uuid.UUID | None) -> LockedInvoice | None:
    if invoice_id is None:
        return None
    invoice = invoices_by_id(accounts=[account], ids=[invoice_id]).get(invoice_id)
    if invoice is None:
        raise UnableToRecordPayment("No payment was recorded.", invoice="This account has no such invoice.")
    if invoice.status == Invoice.Status.VOID:
        raise UnableToRecordPayment(
            "No payment was recorded.",
            invoice=f"The invoice {invoice.number} is VOID: record the money without an invoice, as credit.",
        )
    return invoice


def _check_duplicate(account: LockedAccount, *, amount_minor: int, reference: str) -> None:
    same = Payment.objects.filter(
        account_id=account.id, gateway=OFFLINE, gateway_reference=reference, amount_minor=amount_minor
    ).first()
    if same is not None:
        shown = display(amount_minor=amount_minor, currency=account.currency)
        raise PossibleDuplicate(
            f"{shown} with the reference {reference!r} was recorded before, on {same.submitted_at:%Y-%m-%d}. If this "
            "is another payment, confirm it."
        )
