from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks

from ledger.balances import balance
from ledger.models import Entry, EntryType
from rebilling.models import Rebilling, Run
from tests.builders import QueueInHand, an_account
from tests.databases import rolled_back
from tests.integration.backoffice.acting import logged, messages_of, path_of, state, submission_of
from tests.integration.backoffice.conftest import Billed

pytestmark = rolled_back


class TestCloseAndReopen:
    def test_closes_and_says_who_did_it(self, operator: Client, billed_account: Billed) -> None:
        account = billed_account.account

        assert messages_of(operator, path_of(account, "close"), {"reason": "moved away"}) == ["The account was closed."]

        account.refresh_from_db()
        assert (account.status, account.inactive_reason) == ("INACTIVE", "closed")
        change = account.status_changes.latest("id")
        assert (change.reason, change.author) == ("moved away", "staff:olga")
        assert logged() == [("olga", str(account.id), "Close account: moved away")]
        assert "Close account: moved away" in operator.get(path_of(account, "history")).content.decode()

    def test_closing_twice_is_refused(self, operator: Client, billed_account: Billed) -> None:
        account = billed_account.account
        operator.post(path_of(account, "close"), {"reason": "moved away"})
        before = state()

        assert messages_of(operator, path_of(account, "close"), {"reason": "again"}) == [
            f"The account {account.id} is inactive already (closed)."
        ]
        assert state() == before

    def test_reopens(self, operator: Client, billed_account: Billed) -> None:
        account = billed_account.account
        operator.post(path_of(account, "close"), {"reason": "moved away"})

        assert messages_of(operator, path_of(account, "reopen"), {"reason": "back"}) == ["The account was reopened."]

        account.refresh_from_db()
        assert (account.status, account.inactive_reason) == ("ACTIVE", "")
        assert account.status_changes.latest("id").author == "staff:olga"


class TestGrantCredit:
    def test_credits_what_was_written(self, operator: Client, billed_account: Billed) -> None:
        account = billed_account.account
        said = {"reason": "outage", "amount": "20.5", "submission": submission_of(operator, account)}

        assert messages_of(operator, path_of(account, "credit"), said) == ["The credit was granted."]

        entry = account.entries.get(type=EntryType.CREDIT)
        assert (entry.amount_minor, entry.description, entry.created_by) == (2050, "outage", "staff:olga")
        assert balance(account_id=account.id) == -2050
        assert logged() == [("olga", str(account.id), "Grant credit: outage")]

    def test_the_same_form_sent_twice_credits_once(self, operator: Client, billed_account: Billed) -> None:
        account = billed_account.account
        said = {"reason": "outage", "amount": "20.50", "submission": submission_of(operator, account)}
        operator.post(path_of(account, "credit"), said)
        before = state()

        assert messages_of(operator, path_of(account, "credit"), said) == ["This credit was granted before."]
        assert state() == before
        assert balance(account_id=account.id) == -2050

    def test_two_forms_credit_twice(self, operator: Client, billed_account: Billed) -> None:
        account = billed_account.account
        for _ in range(2):
            said = {"reason": "outage", "amount": "1.00", "submission": submission_of(operator, account)}
            operator.post(path_of(account, "credit"), said)
        assert balance(account_id=account.id) == -200

    def test_a_form_without_its_submission_is_refused(self, operator: Client) -> None:
        account = an_account()
        before = state()
        response = operator.post(path_of(account, "credit"), {"reason": "outage", "amount": "1.00"})
        assert response.status_code == 200
        assert state() == before

    @pytest.mark.parametrize("amount", ["0", "-1", "1.999", "1,50", "1e3", "NaN", "\uff11", "9" * 19, "", "1.", ".5"])
    def test_an_amount_that_is_none_is_refused(self, operator: Client, amount: str) -> None:
        account = an_account()
        before = state()
        said = {"reason": "outage", "amount": amount, "submission": submission_of(operator, account)}

        response = operator.post(path_of(account, "credit"), said)

        assert response.status_code == 200
        assert "errorlist" in response.content.decode()
        assert state() == before


class TestReverseEntry:
    def test_reverses_a_charge(self, operator: Client, billed_account: Billed) -> None:
        charge = billed_account.charge

        assert messages_of(operator, path_of(charge, "reverse"), {"reason": "wrong plan"}) == [
            "The entry was reversed."
        ]

        reversal = Entry.objects.get(reverses=charge)
        assert (reversal.amount_minor, reversal.description, reversal.created_by) == (
            199_900,
            "wrong plan",
            "staff:olga",
        )
        assert balance(account_id=billed_account.account.id) == -199_900
        assert logged() == [("olga", str(charge.id), "Reverse entry: wrong plan")]
        content = operator.get(path_of(charge, "change")).content.decode()
        assert path_of(reversal, "change") in content
        assert path_of(charge, "reverse") not in content

    def test_reversing_twice_is_refused(self, operator: Client, billed_account: Billed) -> None:
        charge = billed_account.charge
        operator.post(path_of(charge, "reverse"), {"reason": "wrong plan"})
        before = state()

        assert messages_of(operator, path_of(charge, "reverse"), {"reason": "again"}) == [
            f"The entry {charge.id} was reversed before."
        ]
        assert state() == before

    def test_a_payment_is_not_reversed(self, operator: Client, billed_account: Billed) -> None:
        before = state()
        (message,) = messages_of(operator, path_of(billed_account.payment_entry, "reverse"), {"reason": "no"})
        assert message == "A payment is not reversed: send or receive the money instead."
        assert state() == before


class TestParkedPeriods:
    def test_one_is_released_to_be_charged_again(self, operator: Client, parked: Rebilling) -> None:
        assert messages_of(operator, path_of(parked, "release"), {"reason": "it is right"}) == [
            "The period is due again."
        ]

        parked.refresh_from_db()
        assert (parked.status, parked.reason, parked.detail) == ("DUE", "", "it is right (staff:olga)")
        assert logged() == [("olga", str(parked.id), "Charge it again: it is right")]

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
                "The period is PAID, not PARKED."
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
        assert f"Certificate: HELD, nothing is sent: {because}" in content
        assert "<td>due</td><td>2</td><td>1,000 JPY</td><td></td>" in content

    def test_one_is_released_and_sent(
        self,
        operator: Client,
        held_run: Run,
        queue: QueueInHand,
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            assert messages_of(operator, path_of(held_run, "release"), {"reason": "a big import"}) == [
                "The run was released: it is being charged."
            ]
            assert queue.bodies == []
        held_run.refresh_from_db()
        assert (held_run.status, held_run.decision) == ("OPEN", "a big import (staff:olga)")
        assert [len(message.rebillings) for message in queue.messages] == [2]
        assert logged() == [("olga", str(held_run.id), "Release this run: a big import")]

    def test_one_is_cancelled(self, operator: Client, held_run: Run) -> None:
        assert messages_of(operator, path_of(held_run, "cancel"), {"reason": "wrong day"}) == [
            "The run was cancelled: nothing of it is charged."
        ]
        held_run.refresh_from_db()
        assert (held_run.status, held_run.decision) == ("CANCELLED", "wrong day (staff:olga)")
        assert set(held_run.rebillings.values_list("status", "reason")) == {("SKIPPED", "run_cancelled")}
        assert logged() == [("olga", str(held_run.id), "Cancel this run: wrong day")]
        assert "Certificate: Cancelled" in operator.get(path_of(held_run, "change")).content.decode()

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
        assert "Cancel its parked periods" in operator.get(page).content.decode()
        assert messages_of(operator, path, {"reason": "wrong dates"}) == ["The parked periods were cancelled."]
        parked.refresh_from_db()
        assert (parked.status, parked.reason, parked.detail) == (
            "SKIPPED",
            "run_cancelled",
            "wrong dates (staff:olga)",
        )
        assert logged() == [("olga", str(parked.run_id), "Cancel its parked periods: wrong dates")]
        assert "Cancel its parked periods" not in operator.get(page).content.decode().split("Certificate")[0]

    def test_of_a_run_without_any_are_refused(self, operator: Client, billed_account: Billed) -> None:
        before = state()
        assert messages_of(operator, path_of(billed_account.run, "cancel-parked"), {"reason": "no"}) == [
            "The run has no parked periods."
        ]
        assert state() == before
