"""What waits for a person: nothing of it may be called done."""

import datetime
from pathlib import Path
from typing import Any

import pytest

from localcloud.waiting import what_waits
from payments.gateways import Unknown
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
    assert what_waits() == []


def test_is_a_held_run_with_the_commands_that_decide(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BILLING_DATA", str(tmp_path))
    settings.REBILLING_BRAKE_SMALL_RUN, settings.REBILLING_BRAKE_FIRST_PERIODS = 0, 1
    due_today(2)
    run = swept(as_of=TODAY, queue=QueueInHand())
    assert run.status == "HELD"
    release, cancel = (
        f"`.venv/bin/python manage.py {command} {run.id} --reason R --data {tmp_path.resolve()}`"
        for command in ("release_run", "cancel_run")
    )
    assert what_waits() == [
        f"Run {run.id} of {TODAY} is held, with 2 periods. Look into it and release it, with the platform running "
        f"({release}), or cancel it ({cancel})."
    ]


def test_is_a_parked_period() -> None:
    long_ago = TODAY - datetime.timedelta(weeks=52)
    an_account(plan=a_plan(interval_unit="week"), anchor_date=long_ago, rebilling_date=long_ago)
    billed(as_of=TODAY)
    assert Rebilling.objects.get().reason == "too_many_periods"
    assert what_waits() == ["1 period parked: release or skip in the admin, under Rebillings."]


def test_is_a_payment_whose_outcome_is_not_known() -> None:
    due_today(2)
    billed(as_of=TODAY, gateway=ScriptedGateway(*[Unknown(reason="timed out")] * 2))
    assert what_waits() == ["2 payments without a known outcome; for a person to decide about: 0."]
    Payment.objects.filter(id=Payment.objects.earliest("id").id).update(needs_person=True)
    assert what_waits() == ["2 payments without a known outcome; for a person to decide about: 1."]
