"""A payment or a refund with its account, both locked: releasing a lease doesn't lock the account."""

import uuid
from typing import Any

from accounts.errors import Missing
from accounts.locked_accounts import LockedAccount, lock_account
from payments.models import GatewayAttempt, Payment, Refund


class UnknownPayment(Missing):
    code = "unknown-payment"


class UnknownRefund(Missing):
    code = "unknown-refund"


def lock_payment(payment_id: uuid.UUID) -> tuple[LockedAccount, Payment]:
    """The account and the payment, locked until the transaction ends. Raises `UnknownPayment`."""
    return _lock(Payment, payment_id, missing=UnknownPayment)


def lock_refund(refund_id: uuid.UUID) -> tuple[LockedAccount, Refund]:
    """The account and the refund, locked until the transaction ends. Raises `UnknownRefund`."""
    return _lock(Refund, refund_id, missing=UnknownRefund)


def _lock(model: type[GatewayAttempt], id_: uuid.UUID, *, missing: type[Missing]) -> tuple[LockedAccount, Any]:
    rows = model._default_manager.filter(id=id_)
    account_id = rows.values_list("account_id", flat=True).first()
    if account_id is None:
        raise missing(f"There is no {model.NOUN} {id_}.")
    return lock_account(account_id), rows.select_for_update(no_key=True).get()
