"""A change of terms and, in another process, what bills its account: each day is billed once, by the old or by the new
terms.

`TERM_RACES` is the number of races; `RACE_SEED` repeats a run's choices.
"""

import datetime
import itertools
import os
import random
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from accounts.billing_day import billing_day
from accounts.models import Account, Plan, Terms
from invoices.models import Invoice
from payments.models import Payment
from rebilling.books import discrepancies
from rebilling.models import Rebilling
from rebilling.reconciliation.missing_periods import missing_periods
from subscriptions.agreed_terms import TermsChanges
from subscriptions.daily_run import run_day
from subscriptions.terms_changes import change_terms
from tests.builders import a_plan, an_account
from tests.support.billed_days import assert_each_day_is_billed_once
from tests.support.databases import committed
from tests.support.workers.processes import Meeting, Workers, workers_on_a_queue
from tests.support.workers.terms_orders import DONE, start, start_sign_up

RACES = int(os.environ.get("TERM_RACES", "21"))
DAY = datetime.timedelta(days=1)
MAX_PAUSE_SECONDS = 0.02
"""After they met, one of the two waits up to so long: it is open who comes first."""

CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "up": ({"plan": "dear"}, "now"),
    "down": ({"plan": "cheap"}, "now"),
    "quantity": ({"quantity": 3}, "now"),
    "interval": ({"plan": "weekly"}, "now"),
    "at_period_end": ({"quantity": 2}, "period_end"),
}
KINDS = [*CHANGES, "withdrawn", "cut_or_withdrawn"]
OPPONENTS = {
    "sweep": ["rebilling.sweep.lock_accounts"],
    "message": ["rebilling.invoice_periods.lock_accounts", "payments.payment_outcomes.lock_accounts_of"],
    "sign_up": ["rebilling.worker.take_lease", "payments.payment_outcomes.lock_accounts_of"],
}
"""Before which of its functions it meets the change."""
PASSING = {"period-not-charged", "payment-in-flight"}


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    with workers_on_a_queue(tmp_path, {"REBILLING_RESEND_MINUTES": "0", "VOLUME_CHECK_MULTIPLE": "0"}) as running:
        yield running


class Race:
    """One account that is changed by one process, and billed by another."""

    def __init__(self, workers: Workers, folder: Path, *, kind: str, opponent: str) -> None:
        self.workers, self.kind, self.opponent = workers, kind, opponent
        self.folder = folder / str(uuid.uuid4())
        self.folder.mkdir()
        self.now = timezone.now()
        self.today = billing_day(self.now)
        self.account, self.since = self._account()
        self.order = self._order()

    def _account(self) -> tuple[Account, datetime.date]:
        """And the first day of its first period. Before a message it is due since ten days."""
        if self.opponent == "sign_up":
            reference = str(uuid.uuid4())
            assert start_sign_up(self.workers, plan="pro", reference=reference).wait() == 0
            return Account.objects.get(external_reference=reference), self.today
        since = self.today - (10 if self.opponent == "message" or self.kind == "cut_or_withdrawn" else 0) * DAY
        plan, opened = Plan.objects.get(code="pro"), self.now - datetime.timedelta(hours=2)
        account = an_account(plan=plan, today=self.today, now=opened, anchor_date=since, rebilling_date=since)
        if self.opponent == "message" or self.kind == "cut_or_withdrawn":
            run_day(as_of=self.today, queue=self.workers.queue.product_queue, now=self.now)
        if self.opponent == "sweep" and self.kind == "cut_or_withdrawn":
            self.drain()
        return account, since

    def _order(self) -> dict[str, Any]:
        order = {"account": str(self.account.id), "answer": str(self.folder.with_suffix(".answer"))}
        if self.kind == "withdrawn":
            return order | {"withdraw": self._agreed("period_end", quantity=2, today=self.today)}
        if self.kind == "cut_or_withdrawn":
            # Agreed yesterday for today; what isn't charged yet is cut tomorrow.
            day = self.today if self.opponent == "sweep" else self.today + DAY
            agreed = self._agreed(day, anchor_date=day, today=day - DAY)
            return order | {"withdraw": agreed}
        to, effective = CHANGES[self.kind]
        return order | {"to": to, "effective": effective}

    def _agreed(self, effective: Any, *, today: datetime.date, **to: Any) -> str:
        agreed = change_terms(
            account_id=self.account.id,
            changes=TermsChanges(**to),
            effective=effective,
            reason="asked for",
            author="test",
            today=today,
            now=self.now,
        )
        return str(agreed.after.id)

    def run(self, choices: random.Random) -> str:
        """Both at once. Returns what became of the change."""
        withdraws = self.kind in ("withdrawn", "cut_or_withdrawn")
        lock = f"subscriptions.{'terms_withdrawals' if withdraws else 'terms_changes'}.lock_account"
        met = choices.choice(OPPONENTS[self.opponent])
        if self.kind == "cut_or_withdrawn" and self.opponent == "sweep":
            met = "subscriptions.due_changes.lock_accounts"
        first, second = choices.choice([(0.0, 1.0), (1.0, 0.0)])
        pause = choices.uniform(0, MAX_PAUSE_SECONDS)
        changing = start(self.workers, order=self.order, meeting=Meeting(lock, self.folder, first * pause))
        argv = ["sweep", "--as-of", str(self.today)]
        if self.opponent != "sweep":
            argv = ["process_queue", "--max-messages", "1"]
        billing = self.workers.start(*argv, meeting=Meeting(met, self.folder, second * pause))
        ended = changing.wait(), billing.wait()
        assert ended == (0, 0), self.workers.log.read_text()[-4000:]
        assert len(os.listdir(self.folder)) == 2, f"{self.kind} and the {self.opponent} never met at {met}"
        return self._answer()

    def _answer(self) -> str:
        return Path(self.order["answer"]).read_text()

    def again(self) -> str:
        """What a client does when the refusal will pass."""
        assert start(self.workers, order=self.order).wait() == 0
        return self._answer()

    def drain(self) -> None:
        if not self.workers.queue.on_its_way:
            return
        assert self.workers.run("process_queue", "--until-empty") == 0, self.workers.log.read_text()[-4000:]
        assert self.workers.queue.on_its_way == 0

    def assert_sound(self) -> None:
        assert_each_day_is_billed_once(self.account, since=self.since)
        assert discrepancies(accounts=[self.account.id]) == []
        assert not Invoice.objects.filter(account=self.account, in_flight=True).exists()
        assert not Rebilling.objects.filter(account=self.account, status__in=["DUE", "PARKED"]).exists()


@committed
@pytest.mark.fault
def test_each_day_is_billed_once_by_the_old_or_the_new_terms(workers: Workers, tmp_path: Path) -> None:
    seed = int(os.environ.get("RACE_SEED") or random.SystemRandom().randrange(10**9))
    print(f"RACE_SEED={seed}")  # noqa: T201 - shown when the test fails
    choices = random.Random(seed)
    for code, price, unit in (("pro", 3100, "month"), ("dear", 5900, "month"), ("cheap", 700, "month")):
        a_plan(code=code, unit_amount_minor=price, interval_unit=unit)
    a_plan(code="weekly", unit_amount_minor=900, interval_unit="week")
    found: Counter[tuple[str, str, str]] = Counter()
    races = []
    for opponent, kind in itertools.islice(itertools.cycle(itertools.product(OPPONENTS, KINDS)), RACES):
        race = Race(workers, tmp_path, kind=kind, opponent=opponent)
        outcome = race.run(choices)
        found[opponent, kind, outcome] += 1
        race.drain()
        if outcome in PASSING:
            assert race.again() == DONE
            race.drain()
        if kind in CHANGES:
            assert Terms.objects.filter(account=race.account).count() == 2
        race.assert_sound()
        races.append(race)
    print(*sorted(found.items()), sep="\n")  # noqa: T201
    _assert_the_next_months_are_sound(workers, races)


def _assert_the_next_months_are_sound(workers: Workers, races: list[Race]) -> None:
    # One more for what waited to be cut, then week by week: many accounts that catch up would hold the run.
    for days in (1, 2, 8, 15, 22, 29, 36):
        later = timezone.now() + days * DAY
        assert workers.run("sweep", "--as-of", str(billing_day(later)), now=later) == 0
        assert workers.run("process_queue", "--until-empty", now=later) == 0
    for race in races:
        race.assert_sound()
    assert discrepancies() == []
    assert list(missing_periods(as_of=billing_day(later))) == []
    paid = {str(id_): amount for id_, amount in Payment.objects.values_list("id", "amount_minor")}
    assert workers.book.taken == paid
    assert set(Payment.objects.values_list("status", flat=True)) == {"SUCCEEDED"}
