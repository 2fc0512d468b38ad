"""Submission: an attempt to collect is recorded before the gateway is called."""

import datetime
import uuid
from collections.abc import Sequence

from django.db import connection

from accounts.array_literals import plain_array, text_array, uuid_array
from accounts.ids import new_id
from accounts.locked_accounts import LockedAccount
from accounts.sql_files import query
from payments.models import Payment


def description_of(invoice_number: str) -> str:
    """What the gateway shows a payment of the invoice as."""
    return f"Invoice {invoice_number}"


def record_attempts(
    *,
    invoices: Sequence[tuple[LockedAccount, uuid.UUID, int]],
    cause: Payment.Cause,
    gateway: str,
    author: str,
    now: datetime.datetime,
    leased_until: datetime.datetime | None = None,
) -> list[uuid.UUID]:
    """Record a payment SUBMITTED for each account's invoice and amount in minor units, in one statement; their ids.
    Leased until then, they are the caller's to call the gateway for, once this is committed.

    The account's customer and payment method are the payment's own from here on: submitted again under its key, or
    looked up, it is what it was at first, whatever the account's are by then. The caller marks the invoices as in
    flight, in the same transaction.
    """
    if not invoices:
        return []
    ids = [new_id() for _ in invoices]
    accounts = [account for account, *_ in invoices]
    with connection.cursor() as cursor:
        cursor.execute(
            query(__file__, "insert_payments"),
            {
                "cause": cause.value,
                "gateway": gateway,
                "author": author,
                "now": now,
                "leased_until": leased_until,
                "first_called_at": now if leased_until else None,
                "ids": uuid_array(ids),
                "accounts": uuid_array([account.id for account in accounts]),
                "invoices": uuid_array([invoice_id for _, invoice_id, _ in invoices]),
                "amounts": plain_array([amount for *_, amount in invoices]),
                "currencies": plain_array([account.currency for account in accounts]),
                "customers": text_array([account.payment_customer for account in accounts]),
                "methods": text_array([account.payment_method for account in accounts]),
            },
        )
    return ids
