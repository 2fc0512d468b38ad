"""What an action would do to an account, in sentences. It is found by doing it and rolling it back."""

import datetime
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from accounts.currencies import display
from accounts.ids import new_id
from accounts.locked_accounts import lock_account
from accounts.models import Account, AccountChange
from accounts.phrases import day_in_words, period_in_words
from accounts.previews import preview
from backoffice.actions import Caller
from backoffice.money_sentences import issued_in_words, money_in_words, next_in_words
from backoffice.terms_forms import WAITS
from backoffice.upcoming_invoices import WHY_NONE
from invoices.models import PENDING
from rebilling.models import WAITING, Rebilling
from subscriptions.new_periods import BilledAccount
from subscriptions.upcoming_invoice import NoUpcomingInvoice, upcoming_invoice


@dataclass(frozen=True, slots=True)
class _Before:
    """The account as it was: rows that are written after have an id above `mark`."""

    account: Account
    mark: uuid.UUID
    items: list[uuid.UUID]
    periods: list[uuid.UUID]


def action_preview(
    perform: Callable[[Account, dict[str, Any], Caller], object],
    account: Account,
    data: dict[str, Any],
    caller: Caller,
    *,
    pending: Callable[[Account, dict[str, Any], Caller], Iterable[str]] | None = None,
) -> list[str]:
    """What `perform` does to the account, which isn't done: nothing is left behind or sent, and the account is locked
    for a moment. Raises what `perform` raises.

    Where it takes back something that waits, `pending` says what: then the invoice that comes next is shown as it
    stands, too, and as it will be, or why none will come.
    """
    with preview():
        lock_account(account.id)
        before = _before(account.id)
        as_it_is = [*pending(before.account, data, caller), _as_it_is(before.account, caller)] if pending else []
        result = perform(account, data, caller)
        return [*as_it_is, *_in_words(before, result, caller, also_none=pending is not None)]


def _as_it_is(account: Account, caller: Caller) -> str:
    found = upcoming_invoice(account_id=account.id, today=caller.today, now=caller.now)
    if isinstance(found, NoUpcomingInvoice):
        return f"As it is, no invoice is to come. {WHY_NONE[found]}"
    return f"As it is, the next invoice is issued on {issued_in_words(found)}."


def _before(account_id: uuid.UUID) -> _Before:
    """Under the account's lock."""
    account = Account.objects.get(id=account_id)
    return _Before(
        account=account,
        mark=new_id(),
        items=list(account.items.filter(PENDING).values_list("id", flat=True)),
        periods=list(account.rebillings.filter(status__in=WAITING).values_list("id", flat=True)),
    )


def _in_words(before: _Before, result: object, caller: Caller, *, also_none: bool) -> list[str]:
    account = Account.objects.get(id=before.account.id)
    new_period = result.new_period if isinstance(result, BilledAccount) else None
    waits = new_period.not_billed if new_period else None
    return [
        *_changes(before),
        *_skipped(before),
        *money_in_words(account, since=before.mark),
        *_removed(before),
        *_balance(before.account, account),
        *([WAITS[waits]] if waits else _next(before.account, account, caller, also_none=also_none)),
    ]


def _changes(before: _Before) -> Iterator[str]:
    """What the account becomes, by its history's new rows."""
    after: dict[str, Any] = {}
    for change in AccountChange.objects.filter(account_id=before.account.id, id__gt=before.mark).order_by("id"):
        after |= change.after
    if status := after.get("status"):
        reason = after.get("inactive_reason")
        yield f"The account becomes {status} ({reason})." if reason else f"The account becomes {status}."
    for name, (some, none) in _SENTENCES.items():
        if name in after:
            value = after[name]
            yield none if value is None else some.format(_shown(value))


_SENTENCES: dict[str, tuple[str, str]] = {
    "closes_on": ("It is to be closed on {}.", "The day on which it was to be closed is dropped."),
    "pauses_on": ("It is to be paused on {}.", "The day on which it was to be paused is dropped."),
    "resumes_on": ("It is to resume on {}.", "The day on which it was to resume is dropped."),
    "trial_ends_on": ("Its trial ends on {}.", ""),
    "anchor_date": ("Its periods are counted from {}.", ""),
    "period_end": ("Its running period ends on {}.", ""),
    "pending_terms": ("The terms that are pending are in force from {}.", "The terms that are pending are withdrawn."),
    "discount": ("It has a discount: {}.", "It has no discount any more."),
}
"""By field of the history, in the order in which they are shown: for a value, and for none."""


def _shown(value: str) -> str:
    """A day as people say it; words as they are."""
    try:
        return day_in_words(datetime.date.fromisoformat(value))
    except ValueError:
        return value


def _skipped(before: _Before) -> Iterator[str]:
    skipped = Rebilling.objects.filter(id__in=before.periods, status=Rebilling.Status.SKIPPED)
    for period in skipped.order_by("period_start", "id"):
        days = period_in_words(start=period.period_start, end=period.period_end)
        amount = display(amount_minor=period.amount_minor, currency=period.currency)
        yield f"The period {days} is skipped: {amount} isn't billed."


def _removed(before: _Before) -> Iterator[str]:
    """Items that are never invoiced, or whose rest isn't; also such as came up only now."""
    items = before.account.items.filter(Q(id__in=before.items) | Q(id__gt=before.mark), removed_at__isnull=False)
    for item in items.order_by("id"):
        left = display(amount_minor=item.amount_minor - item.invoiced_minor, currency=before.account.currency)
        yield f"{item.description}: {left} is removed, and isn't billed."


def _balance(before: Account, after: Account) -> Iterator[str]:
    if before.credit_balance_minor != after.credit_balance_minor:
        credit = display(amount_minor=after.credit_balance_minor, currency=after.currency)
        yield f"The account's credit is then {credit}."


def _next(before: Account, after: Account, caller: Caller, *, also_none: bool) -> Iterator[str]:
    """What comes next: the billing day and the step of dunning where they change, and the upcoming invoice; with
    `also_none` why there is none.
    """
    if after.dunning_on and after.dunning_on != before.dunning_on:
        yield f"The next step of dunning comes on {day_in_words(after.dunning_on)}."
    if after.status == Account.Status.INACTIVE and after.resumes_on is None and not also_none:
        return
    stops_on = after.billing_stops_on
    is_billed = after.status != Account.Status.INACTIVE and (stops_on is None or after.rebilling_date < stops_on)
    if is_billed and (before.rebilling_date != after.rebilling_date or before.status == Account.Status.INACTIVE):
        yield f"The next billing day is {day_in_words(after.rebilling_date)}."
    found = upcoming_invoice(account_id=after.id, today=caller.today, now=caller.now)
    yield from next_in_words(found)
    if also_none and isinstance(found, NoUpcomingInvoice):
        yield f"No invoice is to come then. {WHY_NONE[found]}"
