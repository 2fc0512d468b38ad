"""Refunds: money sent back against a payment, by a person or a client.

A refund is reserved under the account's lock, and sent by the worker; `payments/refund_outcomes.py` books it. From the
payment, its invoice gets a credit note for the same amount. From the balance, the account's credit is paid out.
"""

import datetime
import uuid

from django.db import transaction
from django.db.models import QuerySet, Sum

from accounts.amounts import amount_error
from accounts.currencies import display
from accounts.errors import Conflict, Invalid, refined
from accounts.locked_accounts import LockedAccount, save_accounts
from accounts.phrases import one_of
from accounts.reasons import checked_reason
from invoices.amounts import Amounts, amounts_of
from invoices.locked_invoices import LockedInvoice, invoices_by_id, save_invoices
from ledger.models import Entry, EntryType
from payments.locked_attempts import lock_payment
from payments.messages.dispatch import send_refund_when_committed
from payments.models import OFFLINE, Payment, Refund
from payments.refund_outcomes import book_refund
from payments.refund_reservations import reserve_refund

RESERVING = [Refund.Status.SUBMITTED, Refund.Status.UNKNOWN, Refund.Status.SUCCEEDED]
"""A refund in one of these states takes its amount from what is left of its payment; a FAILED one gives it back."""


class UnableToRefund(Invalid):
    """This can't be sent back of this payment, whatever its state."""

    code = "unable-to-refund"


class NothingToRefund(Conflict):
    """The payment took no money, or that much of it isn't left."""

    code = "nothing-to-refund"


class NotYetRefundable(NothingToRefund):
    """An outcome is open: the payment's, or that of a refund which may give its amount back."""

    passing = True


class AlreadyRefunded(Conflict):
    code = "already-refunded"


def request_refund(
    *,
    payment_id: uuid.UUID,
    amount_minor: int,
    reason: str,
    author: str,
    today: datetime.date,
    now: datetime.datetime,
    source: str = Refund.Source.PAYMENT.value,
    account_id: uuid.UUID | None = None,
    currency: str | None = None,
    refund_id: uuid.UUID | None = None,
) -> Refund:
    """Reserve a refund, SUBMITTED, of `amount_minor` minor units; once the transaction is committed it is sent.

    An INACTIVE account's payment may be refunded, too. A person sends offline money back offline: such a refund is
    SUCCEEDED at once. `account_id` and `currency`, where they are given, must be the payment's. `refund_id` is made
    by a client that may send the request twice. Raises `UnknownPayment`, `InvalidReason`, `UnableToRefund`,
    `NothingToRefund`, and `AlreadyRefunded` for an id used before.
    """
    reason = checked_reason(reason)
    used = AlreadyRefunded("This refund was requested before.")
    with refined({"payments_refund_pkey": used}), transaction.atomic():
        account, payment = lock_payment(payment_id)
        _check_sense(payment, amount_minor=amount_minor, source=source, account_id=account_id, currency=currency)
        if refund_id and Refund.objects.filter(id=refund_id).exists():
            # Before it could be said that its own refund has left too little.
            raise used
        invoice = invoice_of(account, payment)
        check_left(account, payment, invoice, source=source, amount_minor=amount_minor)
        refund = reserve_refund(
            account,
            payment,
            invoice,
            source=source,
            amount_minor=amount_minor,
            reason=reason,
            author=author,
            now=now,
            refund_id=refund_id,
        )
        if invoice:
            save_invoices([invoice])
        if payment.gateway == OFFLINE:
            book_refund(refund, account=account, today=today, now=now, author=author)
        else:
            save_accounts([account], author=author, now=now)
            send_refund_when_committed(refund_id=refund.id)
        return refund


def invoice_of(account: LockedAccount, payment: Payment) -> LockedInvoice | None:
    """The payment's invoice, of a locked account."""
    if payment.invoice_id is None:
        return None
    return invoices_by_id(accounts=[account], ids=[payment.invoice_id])[payment.invoice_id]


def refundable(payment: Payment) -> dict[Refund.Source, int]:
    """What may be sent back of the payment at present, in minor units by source, for people to see: without a lock.

    Give it a payment with its account and invoice.
    """
    amounts, balance = amounts_of(payment.invoice) if payment.invoice else None, payment.account.credit_balance_minor
    left = left_of_payment(payment)
    return {
        source: _left(payment, left, source=source, amounts=amounts, credit_balance_minor=balance)
        for source in Refund.Source
    }


def late_source(
    account: LockedAccount, payment: Payment, invoice: LockedInvoice | None, *, source: str, amount_minor: int
) -> str:
    """What money that was sent already is taken from: its source, where so much is left, or else the balance, however
    little is there. Raises `NothingToRefund` when the payment itself didn't bring so much that wasn't sent back.
    """
    left = left_of_payment(payment)
    if amount_minor <= left_under_lock(account, payment, invoice, left, source=source):
        return source
    if amount_minor > left:
        shown = display(amount_minor=left, currency=payment.currency)
        raise NothingToRefund(f"Of this payment, {shown} is left to refund.")
    return Refund.Source.BALANCE


def left_of_payment(payment: Payment) -> int:
    """What the payment brought and wasn't sent back, and isn't reserved by refunds in flight, in minor units."""
    if payment.status != Payment.Status.SUCCEEDED or was_reversed(payment):
        return 0
    return _not_sent_back(payment)


def _not_sent_back(payment: Payment) -> int:
    return payment.amount_minor - total_of(payment.refunds.filter(status__in=RESERVING))


def left_under_lock(
    account: LockedAccount, payment: Payment, invoice: LockedInvoice | None, left: int, *, source: str
) -> int:
    """What may still be sent back of the payment, in minor units; in-flight refunds have reserved their amounts."""
    amounts = invoice.amounts if invoice else None
    return _left(payment, left, source=source, amounts=amounts, credit_balance_minor=account.credit_balance_minor)


def _left(payment: Payment, left: int, *, source: str, amounts: Amounts | None, credit_balance_minor: int) -> int:
    """Of what is `left` of the payment, what may be sent back from this source."""
    if source == Refund.Source.BALANCE:
        return max(0, min(left, credit_balance_minor))
    if amounts is None:
        return 0
    from_payment = payment.applied_minor - total_of(
        payment.refunds.filter(status__in=RESERVING, source=Refund.Source.PAYMENT)
    )
    return max(0, min(left, from_payment, amounts.left_to_refund))


def was_reversed(payment: Payment) -> bool:
    """Whether the payment was taken back (`payments/reversed_money.py`): of it nothing is left to send back."""
    return Entry.objects.filter(type=EntryType.PAYMENT_REVERSED, payment_id=payment.id).exists()


def check_left(
    account: LockedAccount, payment: Payment, invoice: LockedInvoice | None, *, source: str, amount_minor: int
) -> None:
    """Raises `NothingToRefund` when so much isn't left of the payment."""
    if payment.status in Payment.IN_FLIGHT:
        raise NotYetRefundable(f"The payment is {payment.status}, not SUCCEEDED: wait until its outcome is known.")
    if payment.status != Payment.Status.SUCCEEDED:
        raise NothingToRefund(f"The payment is {payment.status}, not SUCCEEDED.")
    if was_reversed(payment):
        raise NothingToRefund("The money of this payment was taken back: nothing of it is left to refund.")
    if invoice is None and source == Refund.Source.PAYMENT:
        raise NothingToRefund("This payment has no invoice, and its money is credit: pay it out from the balance.")
    left = left_under_lock(account, payment, invoice, _not_sent_back(payment), source=source)
    if amount_minor <= left:
        return
    shown = display(amount_minor=left, currency=payment.currency)
    where = "to refund from the credit balance" if source == Refund.Source.BALANCE else "to refund"
    in_flight = total_of(payment.refunds.filter(status__in=Refund.IN_FLIGHT))
    if amount_minor <= left + in_flight:
        raise NotYetRefundable(f"Of this payment, {shown} is left {where} while another refund is in flight.")
    raise NothingToRefund(f"Of this payment, {shown} is left {where}.")


def _check_sense(
    payment: Payment, *, amount_minor: int, source: str, account_id: uuid.UUID | None, currency: str | None
) -> None:
    errors = {}
    if error := amount_error(amount_minor=amount_minor, currency=payment.currency):
        errors["amount_minor"] = error
    if source not in Refund.Source:
        errors["from"] = one_of(Refund.Source.values)
    if account_id not in (None, payment.account_id):
        errors["account"] = "The payment is another account's."
    if currency not in (None, payment.currency):
        errors["currency"] = f"The payment is in {payment.currency}."
    if errors:
        raise UnableToRefund("Nothing was refunded.", **errors)


def total_of(refunds: QuerySet[Refund]) -> int:
    """What the refunds come to, in minor units."""
    return int(refunds.aggregate(amount=Sum("amount_minor", default=0))["amount"])
