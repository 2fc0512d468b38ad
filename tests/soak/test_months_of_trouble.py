"""Half a year with a provider where everything goes wrong, and with workers that are killed.

`make soak` is the long form: `SOAK_ACCOUNTS=5000 SOAK_KILLS=50`. `SOAK_SEED` repeats a run's choices.
"""

import datetime
import logging
import os
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from accounts.models import Account
from invoices.models import CreditNote, Invoice
from localcloud.simulated_stripe.faults import Fault, FaultPlan, Kind
from localcloud.simulated_stripe.provider import SimulatedProvider
from localcloud.simulated_stripe.server import serving
from payments.gateways import configuration
from payments.models import Payment, Refund
from rebilling.models import Rebilling
from tests.builders import a_plan, an_account
from tests.soak.clock import Clock
from tests.soak.dunning_checks import (
    assert_dunned_as_the_schedule_says,
    assert_only_accounts_that_were_dunned_are_inactive,
    assert_outcomes_were_learned_after_the_key_was_forgotten,
)
from tests.soak.final_checks import (
    assert_all_is_sound,
    assert_each_period_was_charged_once,
    assert_every_outcome_is_known,
    assert_nobody_paid_twice,
    assert_the_books_are_the_providers,
)
from tests.soak.months import Months
from tests.soak.people import People
from tests.soak.provider_outage import Outages
from tests.soak.subscriber_checks import assert_subscribers_were_billed_what_was_agreed
from tests.soak.subscribers import ACTS, Subscribers
from tests.support.databases import committed
from tests.support.workers.processes import Workers, worker_processes
from tests.support.workers.queues import local_queue

ACCOUNTS = int(os.environ.get("SOAK_ACCOUNTS", "300"))
KILLS = int(os.environ.get("SOAK_KILLS", "10"))
MONTHS = 6
FIRST_DAY = datetime.date(2026, 1, 1)
ANCHORED = (0, 5, 11, 17, 23, 30)
"""Days after the first one on which accounts are anchored, the 31st of January among them."""
TOUCHED_EACH = 5
"""Every fifth account is worked on by people, too."""
SUBSCRIBERS = max(60, ACCOUNTS // 100)
"""Of the accounts, those that sign up while the months pass, and that more is agreed with."""
TIMEOUT_SECONDS = 0.15
"""Most of the time that the months take is spent in waiting for this."""
GATEWAY = {
    "PAYMENT_GATEWAY": "payments.gateways.stripe.gateway.StripeGateway",
    "PAYMENT_GATEWAY_TIMEOUT_SECONDS": TIMEOUT_SECONDS,
    "PAYMENT_COLLECTORS": 12,
    "VOLUME_CHECK_MULTIPLE": 0,
}

TROUBLE = {
    Fault(kind=Kind.TIMEOUT_BEFORE): 10,
    Fault(kind=Kind.TIMEOUT_AFTER): 7,
    Fault(kind=Kind.TIMEOUT_LATE): 3,
    Fault(kind=Kind.RESET_BEFORE): 5,
    Fault(kind=Kind.RESET_AFTER): 5,
    Fault(kind=Kind.DECLINE, code="insufficient_funds"): 9,
    Fault(kind=Kind.DECLINE, code="stolen_card"): 1,
    Fault(kind=Kind.RATE_LIMIT): 5,
}
"""Of a hundred calls that move money; the others go well."""
LOOK_UP_TROUBLE = {
    Fault(kind=Kind.TIMEOUT_BEFORE): 10,
    Fault(kind=Kind.RESET_BEFORE): 5,
    Fault(kind=Kind.RATE_LIMIT): 5,
}
"""Of a hundred look-ups."""


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime.datetime.combine(FIRST_DAY, datetime.time(5), datetime.UTC))


@pytest.fixture
def seed() -> int:
    seed = int(os.environ.get("SOAK_SEED") or random.SystemRandom().randrange(10**9))
    print(f"SOAK_SEED={seed}")  # noqa: T201 - shown when the test fails
    return seed


@pytest.fixture
def provider(clock: Clock, seed: int, settings: Any) -> Iterator[SimulatedProvider]:
    faults = FaultPlan(seed=seed, percent=TROUBLE, reading_percent=LOOK_UP_TROUBLE)
    # Held for longer than anybody waits, and no longer than that: each answer that is held keeps a thread.
    provider = SimulatedProvider(clock=clock, faults=faults, hold_seconds=2 * TIMEOUT_SECONDS)
    with serving(provider) as url:
        for name, value in GATEWAY.items():
            setattr(settings, name, value)
        settings.STRIPE_API_KEY, settings.STRIPE_API_BASE = provider.api_key, url
        configuration._gateway.cache_clear()
        yield provider
    configuration._gateway.cache_clear()


@pytest.fixture
def workers(provider: SimulatedProvider, settings: Any, tmp_path: Path) -> Iterator[Workers]:
    configuration = {name: str(value) for name, value in GATEWAY.items()}
    configuration |= {"STRIPE_API_KEY": settings.STRIPE_API_KEY, "STRIPE_API_BASE": settings.STRIPE_API_BASE}
    with (
        local_queue(visibility_timeout_seconds=1) as queue,
        worker_processes(queue=queue, folder=tmp_path, **configuration) as running,
    ):
        yield running


@pytest.fixture
def _quiet() -> Iterator[None]:
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@committed
@pytest.mark.fault
class TestMonthsOfTrouble:
    @pytest.mark.usefixtures("_quiet")
    def test_end_with_each_period_charged_once_and_paid_once(
        self, clock: Clock, provider: SimulatedProvider, workers: Workers, seed: int
    ) -> None:
        open_accounts()
        days = (FIRST_DAY.replace(month=1 + MONTHS) - FIRST_DAY).days
        last_day = FIRST_DAY + datetime.timedelta(days=days - 1)
        choices = random.Random(seed)
        touched = list(Account.objects.order_by("id").values_list("id", flat=True))[::TOUCHED_EACH]
        subscribers = Subscribers(clock=clock, choices=choices, number=SUBSCRIBERS)
        months = Months(
            clock=clock,
            workers=workers,
            outages=Outages(provider=provider, choices=choices),
            choices=choices,
            people=People(clock=clock, choices=choices, accounts=touched),
            subscribers=subscribers,
            kills=KILLS,
            days=days,
        )
        months.pass_by()
        provider.end_processing()
        assert_nobody_paid_twice(provider.records)
        assert_every_outcome_is_known(now=clock.now)
        assert_the_books_are_the_providers(provider.records)
        assert_subscribers_were_billed_what_was_agreed(subscribers, provider.records, last_day=last_day)
        assert_all_is_sound()
        worked_on = [*touched, *subscribers.bills]
        untouched = list(Account.objects.exclude(id__in=worked_on).order_by("id"))
        assert_each_period_was_charged_once(untouched, last_day=last_day)
        inactive = assert_dunned_as_the_schedule_says(untouched, last_day=last_day)
        assert_only_accounts_that_were_dunned_are_inactive(untouched, inactive)
        learned = assert_outcomes_were_learned_after_the_key_was_forgotten(provider.records)
        assert months.counts["kills"] >= KILLS
        assert subscribers.counts.keys() >= set(ACTS)
        report(months, provider, learned)


def open_accounts() -> None:
    """Each pays from a customer of its own, on one of six days of the month, in one of two currencies."""
    plans = [a_plan(unit_amount_minor=1999), a_plan(unit_amount_minor=500, currency="EUR")]
    for number in range(ACCOUNTS - SUBSCRIBERS):
        anchor = FIRST_DAY + datetime.timedelta(days=ANCHORED[number % len(ANCHORED)])
        an_account(
            plan=plans[number % 2],
            today=FIRST_DAY,
            anchor_date=anchor,
            payment_customer=f"cus_{number}",
            payment_method=f"pm_{number}",
        )


def report(months: Months, provider: SimulatedProvider, learned: Mapping[str, int]) -> None:
    """The figures of docs/payments.md."""
    payments = {status: Payment.objects.filter(status=status).count() for status in Payment.Status.values}
    refunds = {status: Refund.objects.filter(status=status).count() for status in Refund.Status.values}
    lines = {
        "accounts": ACCOUNTS,
        "inactive as unpaid": Account.objects.filter(status="INACTIVE").count(),
        "periods charged": Rebilling.objects.exclude(invoice=None).count(),
        "invoices": Invoice.objects.count(),
        "credit notes": CreditNote.objects.count(),
        **{f"payments {status}": count for status, count in payments.items() if count},
        **{f"refunds {status}": count for status, count in refunds.items() if count},
        "requests to the provider": sum(provider.records.calls.values()),
        "of them to move money": provider.records.calls["payment.create"],
        "collected by the provider's records": len(provider.records.taken),
        "sent back by the provider's records": len(provider.records.sent_back),
        "times that the provider was away": months.outages.times,
        **learned,
        **months.counts,
        **months.people.counts,
        **{f"subscribers: {act.replace('_', ' ')}": times for act, times in months.subscribers.counts.items()},
    }
    print("\n".join(f"{name}: {number:,}" for name, number in lines.items()))  # noqa: T201 - read with `make soak`
