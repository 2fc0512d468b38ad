"""The whole platform, with everything in any order: opening, days, sweeps, deliveries, losses, money and crashes.

`ANY_ORDER_EXAMPLES=2000 pytest tests/functional/test_platform_in_any_order.py` tries more and other examples, and
shrinks what fails.
"""

import logging
import os
from collections.abc import Iterator

import pytest
from django.test import override_settings
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from payments.models import Payment
from tests.functional.platform_machine import PlatformMachine
from tests.functional.transaction_machine import FIRST_DAY
from tests.support.databases import rolled_back


@pytest.fixture
def _quiet() -> Iterator[None]:
    """Crashes are logged with their tracebacks, tens of thousands of lines of them."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@rolled_back
class TestPlatformInPlatformMachine:
    @pytest.mark.usefixtures("_quiet")
    @override_settings(UNPAID_DAYS=12, DUNNING_DAYS=[1, 3])
    def test_charges_each_period_once_and_explains_everything(self) -> None:
        more = os.environ.get("ANY_ORDER_EXAMPLES")
        run_state_machine_as_test(
            PlatformMachine,
            settings=settings(
                max_examples=int(more or 28),
                stateful_step_count=30,
                derandomize=not more,
                database=None,
                deadline=None,
                print_blob=True,
                # Making a failure smaller takes minutes.
                phases=list(Phase) if more else [Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )


@rolled_back
class TestCutOffBeforeItIsRecorded:
    def test_is_collected_when_its_lease_has_ended_though_a_sweep_ran_that_day(self) -> None:
        """Three messages carry the same four periods; the first is cut off after the gateway took the money."""
        machine = PlatformMachine()
        try:
            machine.open(machine.plans[0], anchor_date=FIRST_DAY, rebilling_date=FIRST_DAY)
            machine.days_pass_and_a_sweep_runs(days=3, times=2)
            machine.reconcile_hourly(minutes=100)
            assert len(machine.queue.bodies) == 3
            machine.cut_a_delivery_off(which=0, seam="rebilling.worker.record_payment_outcomes", answers=["takes"])
            assert Payment.objects.filter(status="SUBMITTED", leased_until__gt=machine.now).count() == 1
            machine.days_pass_and_a_sweep_runs(days=0, times=1)
            assert len(machine.queue.bodies) == 3
            machine.deliver_all()
            assert [payment.amount_minor for payment in Payment.objects.filter(status="SUCCEEDED")] == [400]
            assert list(machine.gateway.taken.values()) == [400]
        finally:
            machine.undone.__exit__(None, None, None)
