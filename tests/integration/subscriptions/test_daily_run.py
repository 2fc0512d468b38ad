"""A day that is foreseen: what a sweep would find due, with what is pending carried out, and nothing kept of it."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command

from accounts.models import Account
from subscriptions.pauses import pause_account
from tests.builders import TODAY, QueueInHand, at, swept
from tests.support.databases import rolled_back
from tests.support.lifecycle import DAY, JAN_10
from tests.support.terms import JAN_16, JAN_21, billed_account, changed
from tests.support.unchanged import nothing_moves

FEB_10 = datetime.date(2026, 2, 10)

pytestmark = rolled_back


def moves(account: Account) -> None:
    changed(account, on=JAN_10, how={"effective": JAN_16}, anchor_date=JAN_16, quantity=2)


def resumes(account: Account) -> None:
    """A pause from the end of January on ends on 10 February."""
    signed: dict[str, Any] = {"reason": "away", "author": "bo", "today": TODAY, "now": at(TODAY)}
    pause_account(account_id=account.id, until=FEB_10, **signed)


@pytest.mark.parametrize(
    ("change", "day", "found"),
    [
        (moves, JAN_21, "1 periods due: 62.00 USD"),
        (resumes, FEB_10 - DAY, "0 periods due: "),
        (resumes, FEB_10, "1 periods due: 31.00 USD"),
    ],
)
def test_a_dry_run_finds_what_the_sweep_will_and_keeps_nothing(
    change: Callable[[Account], None], day: datetime.date, found: str, capsys: pytest.CaptureFixture[str]
) -> None:
    account = billed_account()
    change(account)
    with nothing_moves():
        call_command("sweep", "--as-of", str(day), "--dry-run")
    assert capsys.readouterr().out.splitlines() == [f"As of {day} a sweep would find {found}"]
    run = swept(as_of=day, queue=QueueInHand())
    assert found.startswith(str(run.rebillings.count()))
