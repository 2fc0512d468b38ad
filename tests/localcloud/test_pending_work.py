"""What waits for a person: nothing of it may be called done."""

import datetime
from pathlib import Path
from typing import Any

import pytest

from localcloud.pending_work import list_pending_work
from payments.gateways.port import Unknown
from payments.models import Payment
from rebilling.models import Rebilling
from tests.builders import TODAY, QueueInHand, ScriptedGateway, a_plan, an_account, billed, swept

pytestmark = pytest.mark.django_db


def due_today(count: int) -> None:
    plan = a_plan()
    for _ in range(count):
        an_account(plan=plan, anchor_date=TODAY, rebilling_date=TODAY, payment_customer="c", payment_method="m")


def test_is_nothing_once_all_is_charged() -> None:
    due_today(2)
    billed(as_of=TODAY)
    assert list_pending_work() == []


def test_is_a_held_run_with_the_commands_that_decide(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BILLING_DATA", str(tmp_path))
    settings.VOLUME_CHECK_SMALL_RUN, settings.VOLUME_CHECK_FIRST_PERIODS = 0, 1
    due_today(2)
    run = swept(as_of=TODAY, queue=QueueInHand())
    assert run.status == "HELD"
    release, cancel = (
        f"`.venv/bin/python manage.py {command} {run.id} --reason R --data {tmp_path.resolve()}`"
        for command in ("release_run", "cancel_run")
    )
    assert list_pending_work() == [
        f"Run {run.id} of {TODAY} is held, with 2 periods. Look into it and release it, with the platform running "
        f"({release}), or cancel it ({cancel})."
    ]


def test_is_a_parked_period() -> None:
    long_ago = TODAY - datetime.timedelta(weeks=52)
    an_account(plan=a_plan(interval_unit="week"), anchor_date=long_ago, rebilling_date=long_ago)
    billed(as_of=TODAY)
    assert Rebilling.objects.get().reason == "too_many_periods"
    assert list_pending_work() == ["1 period parked: release or skip in the admin, under Billing periods."]


def test_is_a_payment_whose_outcome_is_not_known() -> None:
    due_today(2)
    billed(as_of=TODAY, gateway=ScriptedGateway(*[Unknown(reason="timed out")] * 2))
    assert list_pending_work() == ["2 payments without a known outcome; 0 of them need review."]
    Payment.objects.filter(id=Payment.objects.earliest("id").id).update(needs_review=True)
    assert list_pending_work() == ["2 payments without a known outcome; 1 of them need review."]
