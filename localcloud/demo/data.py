"""Demonstration data: 1,000 accounts on three plans, made, swept and processed by the product's own operations.

An account's place in the list decides everything about it, so that a demonstration cut short goes on where it was.
"""

import datetime
from collections.abc import Callable
from dataclasses import dataclass

from django.db.models import Count

from accounts import clock
from accounts.account_opening import NewAccount, open_account
from accounts.billing_calendar import FIRST_DAY, LAST_DAY
from accounts.billing_day import billing_day
from accounts.models import Account, Plan
from accounts.plans import create_plan
from invoices.credits import grant_credit
from invoices.models import Invoice
from localcloud.errors import UnableToStart
from localcloud.sqs.poller import Poller
from payments.messages.queue import configured_queue
from payments.models import Payment
from rebilling.models import Rebilling, Run
from rebilling.reconciliation.reconcile import reconcile
from rebilling.reconciliation.summary import Reconciliation
from rebilling.sweep import find_due
from subscriptions.daily_run import run_day
from subscriptions.lifecycle import close_account

ACCOUNTS = 1000
AUTHOR = "command:demo"
NOT_DUE_EACH = 10
"""Every tenth account isn't due yet."""
WITH_STATEMENT = 2
"""Its invoice and its statement are shown: three weekly periods, and a credit that is used first."""
CREDIT_MINOR = 1000
BEHIND_EACH = 40
"""Every fortieth account comes with three weeks unbilled. Where more do, the volume check holds the run."""
NEVER_BILLED = 502
"""Comes with so many unbilled weeks that it is parked for a person."""
CLOSED_IN_FLIGHT = range(100, 105)
FIRST_TODAY = FIRST_DAY + datetime.timedelta(weeks=52)
LAST_TODAY = LAST_DAY - datetime.timedelta(days=366 + 28)

Progress = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class Offer:
    code: str
    name: str
    currency: str
    unit_amount_minor: int
    interval_unit: str


SOLO = Offer(code="solo-monthly", name="Solo", currency="USD", unit_amount_minor=1900, interval_unit="month")
TEAM = Offer(code="team-weekly", name="Team", currency="EUR", unit_amount_minor=450, interval_unit="week")
STUDIO = Offer(code="studio-yearly", name="Studio", currency="JPY", unit_amount_minor=49_000, interval_unit="year")
OFFERS = (SOLO, SOLO, TEAM, STUDIO)
"""Half of the accounts are on the first plan."""

_FIRST = ("Amber", "Birch", "Cobalt", "Dune", "Elm", "Fjord", "Granite", "Harbour", "Indigo", "Juniper")
_SECOND = ("Analytics", "Books", "Coffee", "Dental", "Energy", "Films", "Games", "Health", "Interiors", "Kitchens")


def ensure_room(*, today: datetime.date) -> None:
    """Raises UnableToStart for a day around which accounts would have periods outside the range of billing dates."""
    if not FIRST_TODAY <= today <= LAST_TODAY:
        raise UnableToStart(
            f"the demonstration can't begin on {today}: its accounts need a year before and after. Give it a day from "
            f"{FIRST_TODAY} to {LAST_TODAY} (--today, or TODAY= with make)"
        )


def open_accounts(*, progress: Progress) -> int:
    """Opens the plans and accounts that aren't there yet, and returns how many accounts that were.

    Raises UnableToStart.
    """
    codes = set(Plan.objects.values_list("code", flat=True))
    for offer in (SOLO, TEAM, STUDIO):
        if offer.code not in codes:
            _create_plan(offer)
    there = set(Account.objects.values_list("external_reference", flat=True))
    missing = [number for number in range(ACCOUNTS) if reference_of(number) not in there]
    if missing:
        ensure_room(today=billing_day(clock.now()))
    for done, number in enumerate(missing, start=1):
        now = clock.now()
        today = billing_day(now)
        account = open_account(new=_new_account(number=number, today=today), author=AUTHOR, today=today, now=now)
        if number == WITH_STATEMENT:
            grant_credit(
                account_id=account.id,
                amount_minor=CREDIT_MINOR,
                reason="Sorry for the outage last week",
                author=AUTHOR,
                today=today,
                now=now,
            )
        progress(done)
    return len(missing)


def has_work() -> bool:
    """Whether a sweep of today would find or send anything. Held runs don't count: they wait for a person."""
    now = clock.now()
    today = billing_day(now)
    due = Rebilling.objects.filter(status=Rebilling.Status.DUE).exclude(run__status=Run.Status.HELD)
    submitted = Payment.objects.filter(status=Payment.Status.SUBMITTED)
    if due.exists() or submitted.exists() or Account.objects.filter(dunning_on__lte=today).exists():
        return True
    return next(find_due(as_of=today, now=now), None) is not None


def accounts_by_status() -> dict[str, int]:
    return dict(Account.objects.values_list("status").annotate(count=Count("id")).order_by("status"))


def last_run() -> Run | None:
    """The newest run that found something."""
    return Run.objects.filter(rebillings__isnull=False, kind=Run.Kind.SWEEP).order_by("-as_of", "-id").first()


def sweep_today() -> Run:
    """One sweep as of today's billing date, as the daily schedule runs it."""
    now = clock.now()
    return run_day(as_of=billing_day(now), queue=configured_queue(), now=now)


def close_some() -> int:
    """Closes a few accounts whose messages are on their way, and returns how many."""
    now = clock.now()
    references = [reference_of(number) for number in CLOSED_IN_FLIGHT]
    accounts = Account.objects.filter(external_reference__in=references).exclude(status=Account.Status.INACTIVE)
    for account in accounts:
        close_account(account_id=account.id, reason="Moved away", author=AUTHOR, today=billing_day(now), now=now)
    return len(accounts)


def process(*, poller: Poller, progress: Progress) -> int:
    """Works the queue until it is empty, a message at a time, and returns how many messages failed."""
    received = failed = 0
    while poller.waiting():
        delivery = poller.poll(max_messages=1)
        received, failed = received + delivery.received, failed + delivery.failed
        progress(received)
    return failed


def reconciliation_of(*, run: Run) -> Reconciliation:
    """The run's reconciliation; a run in which everything is explained is RECONCILED by this."""
    return reconcile(runs=[run], now=clock.now())[0]


def reference_of(number: int) -> str:
    return f"demo-{number:04}"


def shown_account() -> Account:
    return Account.objects.get(external_reference=reference_of(WITH_STATEMENT))


def shown_invoice() -> Invoice | None:
    """The newest invoice of the shown account; None while its first one is held."""
    return Invoice.objects.filter(account=shown_account()).order_by("-id").first()


def _create_plan(offer: Offer) -> None:
    create_plan(
        code=offer.code,
        name=offer.name,
        currency=offer.currency,
        unit_amount_minor=offer.unit_amount_minor,
        interval_count=1,
        interval_unit=offer.interval_unit,
        now=clock.now(),
    )


def _new_account(*, number: int, today: datetime.date) -> NewAccount:
    """An account that fell due on one of the last three days, as if no sweep had run on them; a few of the weekly ones
    since two weeks earlier. Some fall due later, and one should have been billed long ago.
    """
    offer = OFFERS[number % len(OFFERS)]
    behind = number % BEHIND_EACH == WITH_STATEMENT
    anchor = today - datetime.timedelta(days=number % 3, weeks=2 if behind else 0)
    if number == NEVER_BILLED:
        anchor = today - datetime.timedelta(weeks=52)
    elif number % NOT_DUE_EACH == NOT_DUE_EACH - 1:
        anchor = today + datetime.timedelta(days=1 + number % 28)
    name = f"{_FIRST[number // 10 % 10]} {_SECOND[number % 10]} {number // 100 + 1}"
    return NewAccount(
        name=name,
        email=f"billing@{name.lower().replace(' ', '-')}.example",
        plan=offer.code,
        quantity=2 + number % 8 if offer is TEAM else 1,
        anchor_date=anchor,
        rebilling_date=anchor,
        external_reference=reference_of(number),
        payment_customer=f"cus_demo_{number:04}",
        payment_method=f"pm_demo_{number:04}",
    )
