"""Every change in `docs/states.md` happens, by the product's own operations, and no other does (`state_changes.py`)."""

import datetime
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.db import ProgrammingError

from accounts.imports.import_accounts import import_accounts
from accounts.models import Account
from ledger.models import Entry, EntryType
from payments.gateways.port import Declined, Unknown
from payments.models import Refund
from rebilling.adjustments import grant_credit, reverse_entry
from rebilling.models import Rebilling, Run
from rebilling.parked_periods import release_parked, skip_parked
from rebilling.reconciliation.reconcile import reconcile
from rebilling.run_review import cancel_run, release_run
from rebilling.write_offs import write_off
from subscriptions.lifecycle import close_account, reopen_account
from tests.builders import (
    NOW,
    TODAY,
    QueueInHand,
    ScriptedGateway,
    a_plan,
    an_account,
    at,
    billed,
    delivered,
    sends_back,
    sent_again,
    swept,
    takes,
)
from tests.support.databases import rolled_back
from tests.support.owing import FEB_1, received
from tests.support.refunds import requested, sent
from tests.support.state_changes import TABLES, record, recorded
from tests.support.states_page import changes

DAY = datetime.timedelta(days=1)
HOUR = datetime.timedelta(hours=1)
SOFT, HARD = Declined(code="insufficient_funds"), Declined(code="stolen_card", hard=True)
TIMED_OUT = Unknown(reason="timed out")

SAID: dict[str, Any] = {"reason": "asked to", "author": "t", "now": NOW}
SIGNED: dict[str, Any] = {**SAID, "today": TODAY}

pytestmark = rolled_back


def charged(answer: Any = None, **terms: Any) -> Account:
    """An account whose January the gateway answered so; without an answer it took the money. So it went for whoever
    else was billed with it."""
    account = an_account(**terms)
    billed(as_of=TODAY, gateway=ScriptedGateway(*([answer] * 100 if answer else [])))
    return account


def closed(account: Account) -> Account:
    return close_account(account_id=account.id, **SAID)


def reopened(account: Account) -> Account:
    return reopen_account(account_id=account.id, **SIGNED)


def newest(account: Account, type_: EntryType) -> Entry:
    return Entry.objects.filter(account=account, type=type_).latest("id")


def reverse(account: Account, type_: EntryType) -> Entry:
    return reverse_entry(entry_id=newest(account, type_).id, **SIGNED)


def credit(account: Account, amount_minor: int = 1999) -> Entry:
    return grant_credit(account_id=account.id, amount_minor=amount_minor, **SIGNED)


def accounts_change() -> None:
    reopened(closed(an_account()))  # never paid
    reopened(closed(charged()))
    reopened(closed(charged(SOFT)))
    an_account(plan=a_plan(trial_days=10))
    trial = an_account(plan=a_plan(trial_days=31))
    # Whoever else is billed that day is declined, too.
    billed(as_of=trial.rebilling_date, gateway=ScriptedGateway(*[SOFT] * 100))
    received(charged(SOFT), 1999)
    charged(HARD)
    rows = "external_reference,name,email,plan,anchor_date,status\nE1,Ada,ada@example.com,{},2026-01-15,INACTIVE\n"
    file = io.BytesIO(rows.format(a_plan().code).encode())
    import_accounts(file=file, as_of=TODAY, author="t", now=NOW)


def rebillings_change() -> None:
    for person in (release_parked, skip_parked):
        start = TODAY - 60 * DAY
        behind = an_account(plan=a_plan(interval_unit="day"), anchor_date=start, rebilling_date=start)
        swept(as_of=TODAY, queue=QueueInHand())
        person(rebilling_id=behind.rebillings.get(status="PARKED").id, **SAID)
        closed(behind)
    moved, queue = an_account(), QueueInHand()
    swept(as_of=TODAY, queue=queue)
    Account.objects.filter(id=moved.id).update(rebilling_date=FEB_1)
    assert delivered(bodies=queue.take()) == []
    closed(moved)

    unpaid = charged(SOFT)
    write_off(account_id=unpaid.id, **SIGNED)
    reverse(unpaid, EntryType.WRITE_OFF)
    credit(unpaid)
    reverse(unpaid, EntryType.CREDIT)
    reverse(unpaid, EntryType.CHARGE)
    reverse(unpaid, EntryType.REVERSAL)
    paid_late = charged(SOFT)
    write_off(account_id=paid_late.id, **SIGNED)
    credit(paid_late)
    reverse(paid_late, EntryType.WRITE_OFF)
    paid = charged()
    reverse(paid, EntryType.CHARGE)
    reverse(paid, EntryType.REVERSAL)


def payments_change() -> None:
    received(an_account())
    charged()
    charged(SOFT)
    for found in (takes, SOFT):
        charged(TIMED_OUT)
        queue, later = QueueInHand(), NOW + HOUR
        sent_again(queue=queue, now=later)
        assert delivered(bodies=queue.take(), gateway=ScriptedGateway(found=[found]), now=later) == []


def refunds_change() -> None:
    offline = received(an_account(), 500)
    assert requested(offline, 500).status == "SUCCEEDED"
    payments = [charged().payments.get() for _ in range(4)]
    answers: list[Any] = [sends_back, SOFT, TIMED_OUT, TIMED_OUT]
    for payment, answer in zip(payments, answers, strict=True):
        assert sent(requested(payment), gateway=ScriptedGateway(refunds=[answer])) == []
    unknown = Refund.objects.filter(status="UNKNOWN").order_by("id")
    for refund, found in zip(list(unknown), answers[:2], strict=True):
        assert sent(refund, gateway=ScriptedGateway(refunds_found=[found]), now=NOW + HOUR) == []


def runs_change(settings: Any) -> None:
    settings.VOLUME_CHECK_FIRST_PERIODS = 1
    day = datetime.date(2027, 1, 1)
    plan = a_plan(currency="JPY")
    for _ in range(2):
        an_account(plan=plan, today=day)
    held = swept(as_of=day, queue=QueueInHand())
    cancel_run(run_id=held.id, **SAID | {"now": at(day)})
    queue = QueueInHand()
    held = swept(as_of=day, queue=QueueInHand())
    release_run(run_id=held.id, queue=queue, **SAID | {"now": at(day)})
    sent_again(queue=queue, now=at(day) + HOUR)
    assert delivered(bodies=queue.take(), today=day) == []
    settings.VOLUME_CHECK_FIRST_PERIODS = 0

    start = day - 60 * DAY
    an_account(plan=a_plan(interval_unit="day"), today=day, anchor_date=start, rebilling_date=start)
    parking = billed(as_of=day)
    reconcile(runs=[parking], now=at(day) + HOUR)
    assert Run.objects.get(id=parking.id).status == "RECONCILED"
    release_parked(rebilling_id=parking.rebillings.get(status="PARKED").id, **SAID | {"now": at(day)})


class TestEveryDocumentedChange:
    @pytest.mark.parametrize("kind", TABLES)
    def test_is_made_by_the_products_own_operations(self, kind: str, settings: Any) -> None:
        record()
        drives: dict[str, Callable[[], None]] = {
            "account": accounts_change,
            "rebilling": rebillings_change,
            "payment": payments_change,
            "refund": refunds_change,
            "run": lambda: runs_change(settings),
        }
        drives[kind]()
        documented = {(before, after) for before, ends in changes(kind).items() for after in ends}
        assert recorded(kind) == documented


class TestAnyOtherChange:
    @pytest.mark.parametrize("before", ["PAID", "SKIPPED"])
    def test_is_refused_by_the_tests_database(self, before: str) -> None:
        row = Rebilling.objects.get(account=charged()) if before == "PAID" else None
        if row is None:
            account = an_account()
            swept(as_of=TODAY, queue=QueueInHand())
            closed(account)
            row = account.rebillings.get()
        assert row.status == before
        with pytest.raises(ProgrammingError, match=f"no rebilling goes from {before} to DUE"):
            Rebilling.objects.filter(id=row.id).update(status="DUE", reason="", charge=None)
