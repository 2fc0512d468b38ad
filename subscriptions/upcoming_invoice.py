"""The upcoming invoice: what an account is billed next, and when. It is issued by the code that will issue it, on the
day on which that happens, and rolled back.
"""

import datetime
import uuid

from django.db import models

from accounts.billing_calendar import DayOutOfRange, in_range
from accounts.bisection import ROW_ERRORS
from accounts.locked_accounts import LockedAccount, lock_account
from accounts.models import Account
from accounts.previews import Preview, preview
from accounts.terms import terms_of
from invoices.models import Invoice
from invoices.whole_invoices import WholeInvoice, whole_invoice
from payments.gateways.configuration import configured_gateway_name
from rebilling.next_invoice import charge_next
from subscriptions.due_changes import carry_out

MAX_DAYS = 10
"""On which something of an account may be pending: it is paused, resumed, billed or closed. More than there can be."""


class NoUpcomingInvoice(models.TextChoices):
    """Why no invoice is to come."""

    CLOSED = "closed"
    PAUSED = "paused"
    """Until a person resumes it."""
    UNPAID = "unpaid"
    """It is INACTIVE until it has paid."""
    IMPORTED = "imported"
    """It was imported as INACTIVE."""
    TO_BE_CLOSED = "to_be_closed"
    """Before another period begins."""
    TO_BE_PAUSED = "to_be_paused"
    """Before another period begins, and without an end."""
    PARKED = "parked"
    """Its next period is parked, or would be: a person decides first."""
    IN_FLIGHT = "in_flight"
    """Its period is to be cut, and what is then credited depends on a payment or a refund that is in flight."""
    OUT_OF_RANGE = "out_of_range"
    """Its next period isn't within the days that the calendar knows."""


def upcoming_invoice(
    *, account_id: uuid.UUID, today: datetime.date, now: datetime.datetime
) -> WholeInvoice | NoUpcomingInvoice:
    """The account's next invoice, if nothing is changed until then, which isn't in the database; or why there is none.

    It is of its rebilling date, or of `today` where periods are due already. Pending changes are carried out on their
    days before it: a closing may issue a last invoice, and after a pause billing goes on by the rule of resuming.
    Whether the volume check holds a run doesn't count. Nothing is written or sent; the account is locked for a moment.
    Raises `UnknownAccount`.
    """
    try:
        with preview() as made:
            return _next_invoice(made, lock_account(account_id), today=today, now=now)
    except DayOutOfRange:
        return NoUpcomingInvoice.OUT_OF_RANGE
    except ROW_ERRORS:
        # As the worker does with what the database refuses.
        return NoUpcomingInvoice.PARKED


def _next_invoice(
    made: Preview, account: LockedAccount, *, today: datetime.date, now: datetime.datetime
) -> WholeInvoice | NoUpcomingInvoice:
    """Live the days on which something of the account is to happen, until one brings an invoice."""
    issued, reason_before = account.invoices_issued, account.inactive_reason
    day = today
    for _ in range(MAX_DAYS):
        next_day = _next_day(account)
        if next_day is None:
            return _why_none(account, reason_before)
        day = in_range(max(day, next_day))
        waiting = carry_out([account], as_of=day, today=day, now=now).waiting
        if any(cut.is_in_flight for cut in waiting.values()):
            return NoUpcomingInvoice.IN_FLIGHT
        if account.invoices_issued == issued and account.rebilling_date <= day and _is_billed(account):
            charged = charge_next(made, account=account, gateway=configured_gateway_name(), day=day, now=now)
            if not charged:
                return NoUpcomingInvoice.PARKED
        if account.invoices_issued > issued:
            return whole_invoice(Invoice.objects.filter(account_id=account.id).latest("id").id)
    raise RuntimeError(f"nothing came of what is pending of the account {account.id}")


def _why_none(account: LockedAccount, reason_before: str) -> NoUpcomingInvoice:
    if account.inactive_reason == reason_before:
        return NoUpcomingInvoice(reason_before)
    closes = account.inactive_reason == Account.InactiveReason.CLOSED
    return NoUpcomingInvoice.TO_BE_CLOSED if closes else NoUpcomingInvoice.TO_BE_PAUSED


def _next_day(account: LockedAccount) -> datetime.date | None:
    """The next day on which it is billed, paused, resumed or closed, or its period cut; None where no such day is to
    come.
    """
    days = [account.closes_on, account.resumes_on if account.is_paused else account.pauses_on, _cut_on(account)]
    if _is_billed(account):
        days.append(account.rebilling_date)
    return min((day for day in days if day is not None), default=None)


def _cut_on(account: LockedAccount) -> datetime.date | None:
    cut = terms_of([account.id])[account.id].cut
    return cut.effective_from if cut else None


def _is_billed(account: LockedAccount) -> bool:
    """Whether its next period is billed, as things are."""
    return account.bills_from(account.rebilling_date)
