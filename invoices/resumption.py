"""Billing accounts again: reopening them, and paying up after they were INACTIVE, follow one rule.

A running period goes on while enough of it stays paid, applied from credit or owed: what is left of its line, and of
its invoice, after all that was credited, refunded and written off, is an amount worth collecting (`MIN_COLLECTED_MINOR`
is the measure), or nothing was taken off at all. Otherwise a new period begins today: the anchor moves to today, and
what is left of the old period is cut off. Days between are not billed.
"""

import datetime
import uuid
from collections.abc import Collection

from django.db.models import Q

from accounts.billing_calendar import in_range
from accounts.locked_accounts import LockedAccount
from accounts.models import Account, AccountChange
from accounts.terms import add_terms, terms_of, withdraw
from invoices.amounts import amounts_of
from invoices.models import Invoice, InvoiceLine
from invoices.period_claims import period_claims
from invoices.small_amounts import is_too_small


def resume_billing(
    accounts: Collection[LockedAccount], *, reason: str, today: datetime.date, author: str, now: datetime.datetime
) -> None:
    """Bill INACTIVE accounts again, each from the end of its running period or from today; unsaved. The number of
    statements doesn't depend on how many accounts there are.

    ACTIVE, PAST_DUE or PENDING by what they owe and have paid. Raises `DayOutOfRange`.
    """
    if not accounts:
        return
    ids = [account.id for account in accounts]
    waiting = _for_their_first_period(accounts, today=today)
    going_on = waiting | _with_a_period_that_goes_on(accounts, today=today)
    _begin_periods(
        [account for account in accounts if account.id not in going_on],
        reason=reason,
        today=today,
        author=author,
        now=now,
    )
    Account.objects.filter(id__in=ids).update(billing_since=now)
    statuses = _statuses(accounts, waiting=waiting, today=today)
    for account in accounts:
        account.opened_on = today
        account.become(statuses[account.id], reason=reason)


def _begin_periods(
    accounts: Collection[LockedAccount], *, reason: str, today: datetime.date, author: str, now: datetime.datetime
) -> None:
    if not accounts:
        return
    anchored, pending = {}, {}
    for account_id, terms in terms_of([account.id for account in accounts]).items():
        anchored[account_id] = terms.in_force(today)._replace(effective_from=today, anchor_date=in_range(today))
        if agreed := terms.pending(today):
            pending[account_id] = agreed
    # What was agreed for a later period's first day has no such day any more.
    withdraw([(account, pending[account.id]) for account in accounts if account.id in pending], reason=reason, now=now)
    add_terms(terms=anchored, reason=reason, author=author, now=now)
    for account in accounts:
        account.begin_on(today, reason=reason)
    period_claims().cut_off(accounts=accounts, on=today)


def _for_their_first_period(accounts: Collection[LockedAccount], *, today: datetime.date) -> set[uuid.UUID]:
    """Those whose first period is still ahead: a trial, or a later start that was agreed."""
    ids = {account.id for account in accounts if _is_billed_ahead(account, today)}
    lines = InvoiceLine.objects.filter(invoice__account_id__in=ids)
    return ids - set(lines.values_list("invoice__account_id", flat=True).distinct())


def _with_a_period_that_goes_on(accounts: Collection[LockedAccount], *, today: datetime.date) -> set[uuid.UUID]:
    billed = [account for account in accounts if _is_billed_ahead(account, today)]
    lines = InvoiceLine.objects.filter(
        kind=InvoiceLine.Kind.PERIOD, rebilling_id__in=period_claims().running(accounts=billed, on=today)
    )
    return {line.invoice.account_id for line in lines.select_related("invoice") if _goes_on(line)}


def _is_billed_ahead(account: LockedAccount, today: datetime.date) -> bool:
    return account.rebilling_date > today and account.inactive_reason != Account.InactiveReason.IMPORTED


def _goes_on(line: InvoiceLine) -> bool:
    amounts = amounts_of(line.invoice)
    taken_off = amounts.credit_notes + amounts.written_off
    left = min(line.total_minor - line.credited_minor, max(0, amounts.total - taken_off))
    # An invoice that a deduction had taken down was paid by it.
    return not taken_off or (left > 0 and not is_too_small(amount_minor=left, currency=line.invoice.currency))


def _statuses(
    accounts: Collection[LockedAccount], *, waiting: Collection[uuid.UUID], today: datetime.date
) -> dict[uuid.UUID, Account.Status]:
    invoices = Invoice.objects.filter(account_id__in=[account.id for account in accounts])
    sent = Q(collection_method=Account.CollectionMethod.SEND_INVOICE, due_on__lt=today)
    past_due = invoices.filter(Q(declined_on__isnull=False) | sent, status=Invoice.Status.OPEN)
    owing = set(past_due.values_list("account_id", flat=True))
    active = set(invoices.filter(status=Invoice.Status.PAID).values_list("account_id", flat=True).distinct())
    # Before its first period an account is what it was opened as: on a trial it is ACTIVE.
    opened = AccountChange.objects.filter(account_id__in=waiting, before={}, after__status=Account.Status.ACTIVE)
    active.update(opened.values_list("account_id", flat=True))
    statuses = {}
    for account in accounts:
        if account.id in owing:
            statuses[account.id] = Account.Status.PAST_DUE
        elif not account.is_automatic or account.id in active:
            statuses[account.id] = Account.Status.ACTIVE
        else:
            statuses[account.id] = Account.Status.PENDING
    return statuses
