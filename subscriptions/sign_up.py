"""Signing up: an account is opened and, where its first period begins today, invoiced and collected at once."""

import datetime
import uuid
from dataclasses import asdict, dataclass

from django.db import models, transaction

from accounts.account_opening import NewAccount, UnableToOpenAccount, open_account
from accounts.locked_accounts import lock_account
from accounts.models import Account
from accounts.phrases import one_of
from payments.authentications import allow_authentication
from payments.gateways.configuration import configured_gateway_name
from payments.messages.dispatch import send_payments_when_committed
from rebilling.on_demand_billing import NotBilled, bill_today
from subscriptions.discounts import NewDiscount, UnableToGiveDiscount, give_discount


class Billing(models.TextChoices):
    """When a sign-up's first period is billed, where it begins today."""

    NOW = "now"
    NEXT_SWEEP = "next_sweep"


class NoFirstInvoice(models.TextChoices):
    """Why a sign-up wasn't invoiced at once."""

    NEXT_SWEEP = "next_sweep"
    """It was asked to be left to the next sweep."""
    STARTS_LATER = "starts_later"
    """Its first period begins after today, as after a trial."""
    STARTED_EARLIER = "started_earlier"
    """Its rebilling date has passed: the next sweep catches up."""
    RUN_HELD = NotBilled.RUN_HELD.value
    PARKED = NotBilled.PARKED.value


@dataclass(frozen=True, slots=True)
class SignedUp:
    """The account, and its first invoice; or why there is none yet."""

    account: Account
    invoice_id: uuid.UUID | None = None
    no_invoice: NoFirstInvoice | None = None


def sign_up(
    *,
    new: NewAccount,
    discount: NewDiscount | None = None,
    billing: str = Billing.NOW,
    author: str,
    today: datetime.date,
    now: datetime.datetime,
) -> SignedUp:
    """Open an account, and give it the discount, which its first invoice has. A first period that begins `today` is
    invoiced, in the day's on-demand run; its payment is submitted, and sent when this is committed. The customer is
    there, and has 24 hours to authenticate it.

    All of it or nothing. What isn't billed now the next sweep bills. Raises `UnableToOpenAccount` (a discount's fields
    are named `discount.percent`), `InvalidReason`, `ExternalReferenceTaken`, and `AccountOpenedBefore` for an id used
    before.
    """
    if billing not in Billing:
        raise UnableToOpenAccount("The account was not opened.", billing=one_of(Billing.values))
    with transaction.atomic():
        account = open_account(new=new, author=author, today=today, now=now)
        if discount:
            _give_discount(account, discount, author=author, today=today, now=now)
        if waits := _why_it_waits(account, billing, today):
            return SignedUp(account, no_invoice=waits)
        billed = bill_today(account=lock_account(account.id), gateway=configured_gateway_name(), today=today, now=now)
        allow_authentication(payment_ids=billed.payments, now=now)
        send_payments_when_committed(payment_ids=billed.payments)
        account.refresh_from_db()
        why_not = NoFirstInvoice(billed.not_billed) if billed.not_billed else None
        return SignedUp(account, billed.invoice_id, why_not)


def _give_discount(
    account: Account, discount: NewDiscount, *, author: str, today: datetime.date, now: datetime.datetime
) -> None:
    try:
        give_discount(account_id=account.id, **asdict(discount), author=author, today=today, now=now)
    except UnableToGiveDiscount as error:
        errors = {f"discount.{name}": message for name, message in error.errors.items()}
        raise UnableToOpenAccount("The account was not opened.", **errors) from None
    account.refresh_from_db()


def _why_it_waits(account: Account, billing: str, today: datetime.date) -> NoFirstInvoice | None:
    if account.rebilling_date > today:
        return NoFirstInvoice.STARTS_LATER
    if account.rebilling_date < today:
        return NoFirstInvoice.STARTED_EARLIER
    return NoFirstInvoice.NEXT_SWEEP if billing == Billing.NEXT_SWEEP else None
