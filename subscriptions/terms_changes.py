"""Changing an account's terms: its plan, quantity and price, and the days on which its periods begin; now or later."""

import datetime
import uuid
from dataclasses import dataclass, replace
from typing import Any, Literal

from accounts.errors import Conflict
from accounts.locked_accounts import LockedAccount, lock_account, save_accounts
from accounts.models import Account, Plan, Terms
from accounts.previews import kept_unless
from accounts.reasons import checked_reason
from accounts.terms import TermsInForce, add_terms, terms_of
from rebilling.billed_periods import BilledPeriod, running_period
from rebilling.on_demand_runs import lock_billing_of_the_day
from rebilling.period_states import cut_off
from subscriptions.agreed_terms import Agreed, Effective, TermsChanges, UnableToChangeTerms, agreed_terms
from subscriptions.new_periods import NewPeriod, bill_new_period
from subscriptions.period_cuts import check_a_period_runs, foreseen_cut
from subscriptions.prorations import BilledChange, bill_change

ProrationMode = Literal["invoice", "next_invoice", "none"]


class AccountInactive(Conflict):
    """An INACTIVE account isn't billed, by whatever terms."""

    code = "account-inactive"


class TermsPending(Conflict):
    """Other terms are agreed for a later day."""

    code = "terms-pending"


class BillingStops(Conflict):
    """The account is to be closed or paused, and what is asked for reaches beyond that day."""

    code = "billing-stops"


class ChangedMeanwhile(Conflict):
    """Other terms were agreed while this change was on its way."""

    code = "changed-meanwhile"


@dataclass(frozen=True, slots=True)
class TermsChange:
    """A change of terms: before and after, the account's next billing date, what was billed of the running period
    at once, if anything, and the period that began today, if one did. `after.effective_from` is its first day.
    """

    account_id: uuid.UUID
    currency: str
    before: TermsInForce
    after: TermsInForce
    rebilling_date: datetime.date
    billed: BilledChange | None
    new_period: NewPeriod | None = None


def change_terms(
    *,
    account_id: uuid.UUID,
    changes: TermsChanges,
    effective: Effective = "now",
    proration: ProrationMode = "invoice",
    dry_run: bool = False,
    reason: str,
    author: str,
    today: datetime.date,
    now: datetime.datetime,
) -> TermsChange:
    """Change the terms from today on ("now"), from the end of the running period, or from a later period's first day.

    Now, what is left of the running period is billed anew at once, or, with `proration` "next_invoice", by two items
    that wait for the next invoice; with "none" it stays as it was billed. Another interval, or an anchor date, ends the
    running period today, credits its rest, and begins a new one, which is billed at once; on a later day within a
    period the daily run does so (`subscriptions/period_cuts.py`). On a trial, and before the first period, nothing is
    billed now. A `dry_run` does all that, answers, and is rolled back. Of a period that is cut on a later day it
    answers what would be credited then, if nothing else changes; nothing where that can't be said yet.

    Raises `UnknownAccount`, `InvalidReason`, `UnableToChangeTerms`, `AccountInactive`, `TermsPending`,
    `BillingStops`, `ChangedMeanwhile`, `PeriodNotCharged`, `PeriodGivenBack`, `PaymentInFlight`, `RefundInFlight` and
    `TooManyItems`.
    """
    reason = checked_reason(reason)
    seen = _newest_terms(account_id)
    with kept_unless(dry_run=dry_run):
        account = lock_account(account_id)
        if _newest_terms(account_id) != seen:
            raise ChangedMeanwhile("The account's terms were changed just now: look at them, and decide again.")
        change = _change(account, changes, effective, proration, reason=reason, author=author, today=today, now=now)
        if dry_run and change.after.cuts_period:
            change = replace(change, billed=foreseen_cut(account, change.after, now=now))
        return change


def _newest_terms(account_id: uuid.UUID) -> Any:
    """What tells whether other terms were agreed since: the newest row, and whether it was withdrawn."""
    return Terms.objects.filter(account_id=account_id).order_by("-id").values_list("id", "withdrawn_at").first()


def _change(
    account: LockedAccount,
    changes: TermsChanges,
    effective: Effective,
    proration: ProrationMode,
    *,
    reason: str,
    author: str,
    today: datetime.date,
    now: datetime.datetime,
) -> TermsChange:
    before, agreed = _agreed(account, changes, effective, today=today)
    after, begins_now = agreed.terms, agreed.begins_anew_on(today)
    is_billed_now = begins_now or (after.effective_from == today and proration != "none")
    period = running_period(account, today=today) if is_billed_now else None
    _check_mode(proration, ends_now=begins_now and period is not None, ends_later=after.cuts_period)
    if begins_now and not period and changes.anchor_date is None:
        # On a trial, and before the first period, that one is the first to have the new interval.
        after = after._replace(anchor_date=account.rebilling_date)
    (terms,) = add_terms(terms={account.id: after}, reason=reason, author=author, now=now)
    _note(account, before, after, reason=reason)
    billed = new_period = None
    if period:
        if begins_now:
            lock_billing_of_the_day(today=today, now=now)
        billed = bill_change(
            account,
            period,
            terms=terms,
            after=None if begins_now else after,
            on=today,
            waits=proration == "next_invoice",
            author=author,
            today=today,
            now=now,
        )
    if begins_now:
        _begin_anew(account, period, after, reason=reason)
    save_accounts([account], author=author, now=now)
    if begins_now:
        new_period = bill_new_period(account, today=today, now=now)
    return TermsChange(
        account_id=account.id,
        currency=account.currency,
        before=before,
        after=after._replace(id=terms.id),
        rebilling_date=_next_day(account.id, after),
        billed=billed,
        new_period=new_period,
    )


def _agreed(
    account: LockedAccount, changes: TermsChanges, effective: Effective, *, today: datetime.date
) -> tuple[TermsInForce, Agreed]:
    """The terms in force, and the new ones."""
    if account.is_inactive:
        raise AccountInactive("The account is INACTIVE: resume or reopen it first.")
    history = terms_of([account.id])[account.id]
    if pending := history.pending(today):
        raise TermsPending(f"Other terms are agreed for {pending.effective_from}: withdraw them first.")
    before = history.in_force(today)
    plans = {plan.code: plan for plan in Plan.objects.filter(code=changes.plan)}
    agreed = agreed_terms(account, before, changes=changes, plans=plans, effective=effective, today=today)
    after = agreed.terms
    _check_billing_goes_on(account, after, cuts=agreed.begins_anew_on(today) or after.cuts_period)
    if changes.anchor_date is not None and _is_on_trial(account, today):
        raise UnableToChangeTerms(
            "The terms were not changed.", anchor_date="The account is on a trial: move the trial's end instead."
        )
    if after.cuts_period:
        check_a_period_runs(account, after, field="effective" if changes.anchor_date is None else "anchor_date")
    return before, agreed


def _next_day(account_id: uuid.UUID, after: TermsInForce) -> datetime.date:
    """The account's next billing day: it may have been billed just now, and its period may be cut before its end."""
    day = Account.objects.values_list("rebilling_date", flat=True).get(id=account_id)
    return min(day, after.effective_from) if after.cuts_period else day


def _check_mode(proration: ProrationMode, *, ends_now: bool, ends_later: bool) -> None:
    """Where a period ends, its rest is credited. Raises `UnableToChangeTerms`."""
    if ends_later and proration != "invoice":
        error = "On that day the period ends, and its rest is credited then: it can't be left, nor wait."
    elif ends_now and proration == "none":
        error = "The running period ends, and its rest is credited: it can't be left as it was billed."
    else:
        return
    raise UnableToChangeTerms("The terms were not changed.", proration=error)


def _is_on_trial(account: LockedAccount, today: datetime.date) -> bool:
    return Account.objects.filter(id=account.id, trial_ends_on__gt=today).exists()


def _check_billing_goes_on(account: LockedAccount, after: TermsInForce, *, cuts: bool) -> None:
    """Terms aren't agreed for a day on which the account is closed, nor a period cut for a new one that would be cut by
    a pause or a closing. Raises `BillingStops`.
    """
    stops_on = account.billing_stops_on if cuts else account.closes_on
    if stops_on is not None and (cuts or after.effective_from >= stops_on):
        raise BillingStops(f"The account is to be closed or paused on {stops_on}. Take that back first.")


def _begin_anew(account: LockedAccount, period: BilledPeriod | None, after: TermsInForce, *, reason: str) -> None:
    """End the running period, if there is one, and begin another, which is billed at once."""
    if period:
        cut_off(accounts=[account], on=after.anchor_date)
    account.begin_on(after.anchor_date, reason=reason)


def _note(account: LockedAccount, before: TermsInForce, after: TermsInForce, *, reason: str) -> None:
    """What changed, for the history."""
    shown = {
        "plan": (before.plan_code, after.plan_code),
        "quantity": (before.quantity, after.quantity),
        "unit_amount_minor": (before.unit_amount_minor, after.unit_amount_minor),
        "anchor_date": (before.anchor_date.isoformat(), after.anchor_date.isoformat()),
    }
    changed = {name: pair for name, pair in shown.items() if pair[0] != pair[1]}
    account.note(
        reason=reason,
        before={name: was for name, (was, _) in changed.items()},
        after={name: now_it for name, (_, now_it) in changed.items()}
        | {"effective_from": after.effective_from.isoformat()},
    )
