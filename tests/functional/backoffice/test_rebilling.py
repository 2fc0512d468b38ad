"""The staff's actions on runs and parked periods: release, skip, cancel."""

from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts.account_opening import NewAccount
from rebilling.models import Rebilling, Run
from subscriptions.sign_up import sign_up
from tests.builders import NOW, TODAY, QueueInHand, a_plan
from tests.functional.backoffice.action_requests import logged, messages_of, path_of, state
from tests.functional.backoffice.conftest import Billed
from tests.support.databases import rolled_back

pytestmark = rolled_back


class TestParkedPeriods:
    def test_one_is_released_to_be_charged_again(self, operator: Client, parked: Rebilling) -> None:
        assert messages_of(operator, path_of(parked, "release"), {"reason": "it is right"}) == [
            "The period will be charged."
        ]

        parked.refresh_from_db()
        assert (parked.status, parked.reason, parked.detail) == ("DUE", "", "it is right (staff:olga)")
        assert logged() == [("olga", str(parked.id), "Charge this period: it is right")]

    def test_one_is_skipped(self, operator: Client, parked: Rebilling) -> None:
        assert messages_of(operator, path_of(parked, "skip"), {"reason": "a gift"}) == ["The period was skipped."]

        parked.refresh_from_db()
        assert (parked.status, parked.reason) == ("SKIPPED", "skipped_by_person")
        assert parked.account.rebilling_date == parked.period_end
        assert logged() == [("olga", str(parked.id), "Skip this period: a gift")]

    def test_one_that_is_not_parked_is_refused(self, operator: Client, billed_account: Billed) -> None:
        before = state()
        for action in ("release", "skip"):
            assert messages_of(operator, path_of(billed_account.rebilling, action), {"reason": "no"}) == [
                "The period is CHARGED, not PARKED."
            ]
        assert state() == before


class TestHeldRuns:
    @pytest.fixture
    def queue(self, monkeypatch: pytest.MonkeyPatch) -> QueueInHand:
        queue = QueueInHand()
        monkeypatch.setattr("backoffice.rebilling.configured_queue", lambda: queue)
        return queue

    def test_one_says_why_it_is_held(self, support: Client, held_run: Run) -> None:
        content = support.get(path_of(held_run, "change")).content.decode()
        because = "2 periods are due, more than 1 (the limit without history)"
        assert f"Reconciliation: HELD, nothing is sent: {because}" in content
        assert "<td>due</td><td>2</td><td>1,000 JPY</td><td></td>" in content

    def test_one_of_sign_ups_has_no_steps_of_dunning(self, support: Client, settings: Any) -> None:
        settings.VOLUME_CHECK_FIRST_AMOUNTS = {"USD": 1998}
        new = NewAccount(name="Ada", email="ada@example.com", plan=a_plan().code, on_decline="close")
        account = sign_up(new=new, author="test", today=TODAY, now=NOW).account
        run = Run.objects.get(status="HELD")
        content = support.get(path_of(run, "change")).content.decode()
        assert "19.99 USD is due, more than 19.98 USD (the limit without history)" in content
        assert "on_demand" in content
        assert "Declined invoices that are tried again with it" not in content
        page = support.get(path_of(account, "change")).content.decode()
        assert "Its sign-up must be paid: declined, what it owes is credited and the account is closed." in page

    def test_one_is_released_and_sent(
        self,
        operator: Client,
        held_run: Run,
        queue: QueueInHand,
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            assert messages_of(operator, path_of(held_run, "release"), {"reason": "a big import"}) == [
                "The run was released and is being charged."
            ]
            assert queue.bodies == []
        held_run.refresh_from_db()
        assert (held_run.status, held_run.decision) == ("OPEN", "a big import (staff:olga)")
        assert [len(message.periods) for message in queue.messages] == [2]
        assert logged() == [("olga", str(held_run.id), "Release this run: a big import")]

    def test_one_is_cancelled(self, operator: Client, held_run: Run) -> None:
        assert messages_of(operator, path_of(held_run, "cancel"), {"reason": "wrong day"}) == [
            "The run was cancelled. Nothing of it is charged."
        ]
        held_run.refresh_from_db()
        assert (held_run.status, held_run.decision) == ("CANCELLED", "wrong day (staff:olga)")
        assert set(held_run.rebillings.values_list("status", "reason")) == {("SKIPPED", "run_cancelled")}
        assert logged() == [("olga", str(held_run.id), "Cancel this run: wrong day")]
        assert "Reconciliation: Cancelled" in operator.get(path_of(held_run, "change")).content.decode()

    def test_one_that_is_not_held_is_refused(
        self, operator: Client, billed_account: Billed, queue: QueueInHand
    ) -> None:
        before = state()
        for action in ("release", "cancel"):
            assert messages_of(operator, path_of(billed_account.run, action), {"reason": "no"}) == [
                "The run is OPEN, not HELD."
            ]
        assert (state(), queue.bodies) == (before, [])

    def test_one_is_not_released_without_a_queue(self, operator: Client, held_run: Run, settings: Any) -> None:
        settings.REBILLING_QUEUE_URL = ""
        before = state()
        (message,) = messages_of(operator, path_of(held_run, "release"), {"reason": "right"})
        assert message.startswith("There is no queue")
        assert state() == before


class TestParkedPeriodsOfARun:
    def test_are_cancelled_together(self, operator: Client, parked: Rebilling) -> None:
        page, path = path_of(parked.run, "change"), path_of(parked.run, "cancel-parked")
        assert "Cancel parked periods" in operator.get(page).content.decode()
        assert messages_of(operator, path, {"reason": "wrong dates"}) == ["The parked periods were cancelled."]
        parked.refresh_from_db()
        assert (parked.status, parked.reason, parked.detail) == (
            "SKIPPED",
            "run_cancelled",
            "wrong dates (staff:olga)",
        )
        assert logged() == [("olga", str(parked.run_id), "Cancel parked periods: wrong dates")]
        assert "Cancel parked periods" not in operator.get(page).content.decode().split("Reconciliation")[0]

    def test_of_a_run_without_any_are_refused(self, operator: Client, billed_account: Billed) -> None:
        before = state()
        assert messages_of(operator, path_of(billed_account.run, "cancel-parked"), {"reason": "no"}) == [
            "The run has no parked periods."
        ]
        assert state() == before
