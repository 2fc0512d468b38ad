"""New periods: one that begins today, because an account is billed again or begins anew, is billed at once."""

import datetime
from dataclasses import dataclass

from accounts.locked_accounts import LockedAccount
from accounts.models import Account
from invoices.whole_invoices import WholeInvoice, whole_invoice
from payments.gateways.configuration import configured_gateway_name
from payments.messages.dispatch import send_payments_when_committed
from rebilling.on_demand_billing import NotBilled, bill_today


@dataclass(frozen=True, slots=True)
class NewPeriod:
    """A period that begins today: its invoice as it was issued, or why it wasn't billed at once."""

    invoice: WholeInvoice | None
    not_billed: NotBilled | None


@dataclass(frozen=True, slots=True)
class BilledAccount:
    """An account after a change, and the period that began with it, if one did."""

    account: Account
    new_period: NewPeriod | None


def bill_new_period(account: LockedAccount, *, today: datetime.date, now: datetime.datetime) -> NewPeriod | None:
    """Invoice the account's next period where it begins `today`, in the day's on-demand run, and have its payment sent
    when this is committed. None where it begins on another day.

    The account has been saved, and has to be read again.
    """
    if account.rebilling_date != today or not account.bills_from(today):
        return None
    billed = bill_today(account=account, gateway=configured_gateway_name(), today=today, now=now)
    send_payments_when_committed(payment_ids=billed.payments)
    return NewPeriod(whole_invoice(billed.invoice_id) if billed.invoice_id else None, billed.not_billed)
