"""An account's running period: where it ends, and giving back what was billed for it."""

import datetime

from django.db import models

from accounts.billing_calendar import first_start_on_or_after
from accounts.errors import Invalid
from accounts.locked_accounts import LockedAccount
from accounts.phrases import one_of
from accounts.terms import terms_of
from invoices.credit_note_shares import lines_of, shares_of
from invoices.credit_notes import CreditNoteDraft, CreditNotes
from invoices.items import remove_items
from invoices.locked_invoices import LockedInvoice
from invoices.models import InvoiceLine
from invoices.proration import prorate
from invoices.rounding import half_up
from invoices.taxes import amount_within, with_tax
from payments.line_refunds import refund_line
from rebilling.billed_periods import BilledPeriod, billed_period
from rebilling.models import Rebilling
from rebilling.period_states import cut_off
from subscriptions.waiting_prorations import add_deduction


class UnknownRefund(Invalid):
    """There is no such share of a period to give back."""

    code = "unknown-period-refund"


class PeriodRefund(models.TextChoices):
    """How much of the running period is given back when an account is closed."""

    NONE = "none"
    PRORATED = "prorated"
    FULL = "full"


def period_refund(text: str) -> PeriodRefund:
    """The share that this word names. Raises `UnknownRefund`."""
    if text not in PeriodRefund:
        raise UnknownRefund("Nothing was refunded.", refund=one_of(PeriodRefund.values))
    return PeriodRefund(text)


def end_of_running_period(account: LockedAccount, *, today: datetime.date) -> datetime.date:
    """The first day after the period that runs today, billed or still to be billed; before the first period, its day.
    A period that is to be cut ends on that day.

    Of an INACTIVE account no further period is billed: its running period is over where none was billed for today.
    """
    end = account.rebilling_date
    if account.is_inactive:
        return max(end, today)
    history = terms_of([account.id])[account.id]
    cut = history.cut
    if cut and cut.effective_from <= today:
        # The daily run didn't come, or waits: today is a day of the new period all the same.
        tomorrow = today + datetime.timedelta(days=1)
        return first_start_on_or_after(anchor=cut.anchor_date, interval=cut.interval, day=tomorrow)
    for period, _ in history.periods_due(since=end, as_of=today):
        end = period.end
    return min(end, cut.effective_from) if cut else end


def give_back_running_period(
    account: LockedAccount,
    refund: PeriodRefund,
    *,
    reason: str,
    author: str,
    today: datetime.date,
    now: datetime.datetime,
) -> None:
    """Cut the running period off today and give back what was billed for it: all that wasn't credited before, or the
    share of the days left. The account is unsaved, and its credit isn't given to open invoices yet.

    It goes to what is outstanding or was written off of its invoice, then back to the payments that were made at a
    gateway, newest first; what came from the credit balance, or was paid offline, becomes credit. Where no period runs,
    nothing is given back. Raises `PaymentInFlight` and `RefundInFlight`.
    """
    period = Rebilling.objects.filter(
        account_id=account.id, status=Rebilling.Status.CHARGED, period_start__lte=today, ended_on__gt=today
    ).first()
    if period is None:
        return
    billed = billed_period(account, period)
    left = max(0, billed.to_credit_minor + billed.waiting_minor)
    amount = left if refund == PeriodRefund.FULL else _for_the_days_left(billed, left, today=today)
    account.note(
        reason=reason,
        before={"period_end": period.ended_on.isoformat()},
        after={"period_end": today.isoformat()},
    )
    cut_off(accounts=[account], on=today)
    amount = _less_what_waits(account, billed, amount, reason=reason, author=author, today=today, now=now)
    for invoice, shares in billed.shares(amount):
        for line, share in shares.items():
            _credit(account, invoice, line, amount_minor=share, reason=reason, author=author, today=today, now=now)


def _for_the_days_left(billed: BilledPeriod, left_minor: int, *, today: datetime.date) -> int:
    """The share of what is left of it for the days left; where the price was changed within the period, what was billed
    for those days, with its tax.
    """
    start, end = billed.rebilling.period_start, billed.rebilling.ended_on
    if not billed.was_changed:
        return half_up(left_minor * (end - today).days, (end - start).days)
    nothing_more = prorate(
        start=start,
        end=end,
        segments=billed.segments,
        day=today,
        price_minor=0,
        billed_minor=billed.billed_minor,
        left_minor=billed.creditable_minor,
    )
    return min(left_minor, with_tax(nothing_more.credit_minor, billed.rate))


def _less_what_waits(
    account: LockedAccount,
    billed: BilledPeriod,
    amount_minor: int,
    *,
    reason: str,
    author: str,
    today: datetime.date,
    now: datetime.datetime,
) -> int:
    """What is left to credit of the period's invoices, once what waits of its changes is netted with what is given
    back: the items are removed, or, where they come to more, the last invoice has them with a deduction of it.
    """
    if billed.waiting_minor <= amount_minor:
        remove_items([(account, billed.waiting)], reason=reason, author=author, now=now)
        return amount_minor - billed.waiting_minor
    deduction = amount_within(amount_minor, billed.rate)
    if deduction:
        add_deduction(account, billed, deduction, on=today, reason=reason, author=author, now=now)
    return 0


def _credit(
    account: LockedAccount,
    invoice: LockedInvoice,
    line: InvoiceLine,
    *,
    amount_minor: int,
    reason: str,
    author: str,
    today: datetime.date,
    now: datetime.datetime,
) -> None:
    """Take so many minor units off the line; each refund has a credit note of its own once it succeeds."""
    owed = min(amount_minor, invoice.amounts.outstanding + invoice.amounts.written_off)
    sent = refund_line(
        account,
        invoice,
        line_id=line.id,
        amount_minor=amount_minor - owed,
        reason=reason,
        author=author,
        now=now,
    )
    if sent < amount_minor:
        lines = lines_of([invoice])[invoice.id]
        shares = shares_of(invoice, lines, amount_minor=None, named={line.id: amount_minor - sent})
        credit_notes = CreditNotes(today=today, now=now)
        credit_notes.add(CreditNoteDraft(account, invoice, lines, shares, reason, author))
        credit_notes.issue()
