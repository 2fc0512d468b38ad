"""The staff's actions on a subscription's life: close later or with a refund, pause, resume, move a trial's end."""

import datetime

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import Account
from backoffice.models import User
from payments.models import Refund
from tests.builders import TODAY, a_plan, an_account, billed
from tests.functional.backoffice.action_requests import messages_of, path_of, performed, state
from tests.functional.backoffice.conftest import Billed, logged_in, page
from tests.support.databases import rolled_back
from tests.support.items import added, items_of
from tests.support.lifecycle import status_of
from tests.support.owing import FEB_1, MAR_1

pytestmark = [rolled_back, pytest.mark.usefixtures("_on_the_first_day")]

WHY = {"reason": "as they asked"}


@pytest.fixture
def _on_the_first_day(monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.datetime.combine(TODAY, datetime.time(9), datetime.UTC)
    monkeypatch.setattr("accounts.clock.now", lambda: now)


@pytest.fixture
def account(billed_account: Billed) -> Account:
    """1,999.00 USD for January, paid."""
    return billed_account.account


def done(client: Client, account: Account, action: str, **said: str) -> list[str]:
    messages = messages_of(client, path_of(account, action), WHY | said)
    account.refresh_from_db()
    return messages


def errors_of(client: Client, account: Account, action: str, **said: str) -> dict[str, list[str]]:
    """The form's errors by field; nothing moved."""
    before = state()
    response = client.post(path_of(account, action), WHY | said)
    assert response.status_code == 200
    assert state() == before
    errors: dict[str, list[str]] = dict(response.context["form"].errors)
    return errors


def refused_without(account: Account, action: str, *codenames: str, **said: str) -> Client:
    """Somebody who has these permissions by now, and was refused until they had the last of them."""
    client = logged_in("carl", group="Support")
    for codename in codenames:
        before = state()
        assert client.post(path_of(account, action), WHY | said).status_code == 403
        assert state() == before
        User.objects.get(username="carl").user_permissions.add(Permission.objects.get(codename=codename))
    return client


def buttons(client: Client, account: Account) -> set[str]:
    content = page(client, f"accounts/account/{account.id}/change/")
    names = ("close", "close-and-refund", "reopen", "pause", "resume", "take-back", "trial")
    return {name for name in names if f'href="{path_of(account, name)}"' in content}


class TestClose:
    def test_at_the_end_of_the_period_is_shown_and_taken_back(self, operator: Client, account: Account) -> None:
        assert done(operator, account, "close", when="period_end") == ["The account was closed, or will be on its day."]
        assert (status_of(account), account.closes_on) == (("ACTIVE", ""), FEB_1)
        content = page(operator, f"accounts/account/{account.id}/change/")
        assert "It is to be closed on 1 Feb 2026: as they asked." in content
        assert "No further period is billed before that." in content
        assert "closes on 2026-02-01" in content
        assert buttons(operator, account) == {"close", "close-and-refund", "pause", "take-back"}
        assert done(operator, account, "take-back", change="cancellation") == ["The change was taken back."]
        assert account.closes_on is None

    def test_on_a_day(self, operator: Client, account: Account) -> None:
        done(operator, account, "close", when="day", day="2026-02-10")
        assert account.closes_on == datetime.date(2026, 2, 10)

    def test_now_though_it_is_to_be_closed_later(self, operator: Client, account: Account) -> None:
        done(operator, account, "close", when="period_end")
        before = state()
        assert done(operator, account, "close", when="day", day="2026-02-10") == [
            "The account is to be closed on 2026-02-01. Take that back first."
        ]
        assert state() == before
        done(operator, account, "close", when="now")
        assert (status_of(account), account.closes_on) == (("INACTIVE", "closed"), None)

    @pytest.mark.parametrize(("given", "status"), [({}, "invoiced"), ({"give_up": "on"}, "removed")])
    def test_now_bills_what_waits_or_gives_it_up(
        self, operator: Client, account: Account, given: dict[str, str], status: str
    ) -> None:
        added(account, 500)
        done(operator, account, "close", when="now", **given)
        assert [item[-1] for item in items_of(account)] == [status]

    @pytest.mark.parametrize(
        ("said", "errors"),
        [
            ({}, {"when": ["This field is required."]}),
            ({"when": "day"}, {"day": ["Say which day."]}),
            ({"when": "day", "day": "soon"}, {"day": ["Enter a valid date."]}),
            ({"when": "now", "day": "2026-02-10"}, {"day": ["Leave it empty, or choose to close on a day."]}),
            ({"when": "day", "day": "2025-12-31"}, {"day": ["Must be 2026-01-01 or later."]}),
        ],
    )
    def test_shows_errors_at_their_fields(
        self, operator: Client, account: Account, said: dict[str, str], errors: dict[str, list[str]]
    ) -> None:
        assert errors_of(operator, account, "close", **said) == errors

    def test_with_a_refund_sends_the_period_back(self, operator: Client, account: Account) -> None:
        assert done(operator, account, "close-and-refund", refund="full") == [
            "The account was closed. Refunds are on their way."
        ]
        assert status_of(account) == ("INACTIVE", "closed")
        assert list(Refund.objects.values_list("amount_minor", "created_by")) == [(199_900, "staff:olga")]

    def test_with_a_refund_needs_both_permissions(self, account: Account) -> None:
        client = refused_without(account, "close-and-refund", "close_account", "refund_payment", refund="full")
        assert performed(client, path_of(account, "close-and-refund"), WHY | {"refund": "full"}).status_code == 302


class TestPauseAndResume:
    def test_from_the_end_of_the_period_until_a_day(self, operator: Client, account: Account) -> None:
        done(operator, account, "pause", at="period_end", until="2026-03-01")
        assert (account.pauses_on, account.resumes_on) == (FEB_1, MAR_1)
        content = page(operator, f"accounts/account/{account.id}/change/")
        assert "It is to be paused on 1 Feb 2026: as they asked." in content
        assert "It is to resume on 1 Mar 2026: as they asked." in content

    def test_now_and_resumed_now(self, operator: Client, account: Account) -> None:
        assert done(operator, account, "pause", at="now") == ["The account was paused, or will be on its day."]
        assert status_of(account) == ("INACTIVE", "paused")
        assert "It isn&#x27;t billed until it is resumed." in page(operator, f"accounts/account/{account.id}/change/")
        assert buttons(operator, account) == {"resume", "close", "close-and-refund"}
        assert done(operator, account, "resume") == ["The account was resumed, or will be on its day."]
        assert (status_of(account), account.rebilling_date) == (("ACTIVE", ""), FEB_1)

    def test_resumed_on_a_day(self, operator: Client, account: Account) -> None:
        done(operator, account, "pause", at="now")
        done(operator, account, "resume", on="2026-03-01")
        assert account.resumes_on == MAR_1

    def test_shows_errors_at_their_fields(self, operator: Client, account: Account) -> None:
        assert errors_of(operator, account, "pause", at="now", until="2026-01-01") == {
            "until": ["Must be 2026-01-02 or later."]
        }
        done(operator, account, "pause", at="now")
        assert errors_of(operator, account, "resume", on="2025-12-31") == {"on": ["Must be 2026-01-01 or later."]}

    def test_taking_it_back_needs_both_permissions(self, operator: Client, account: Account) -> None:
        done(operator, account, "pause", at="period_end")
        client = refused_without(account, "take-back", "close_account", "pause_account", change="pause")
        done(client, account, "take-back", change="pause")
        assert account.pauses_on is None

    def test_taking_back_what_is_not_pending_is_refused(self, operator: Client, account: Account) -> None:
        before = state()
        assert done(operator, account, "take-back", change="pause") == [
            f"No pause of the account {account.id} is pending."
        ]
        assert state() == before


class TestTrial:
    def test_is_extended_and_ended(self, operator: Client) -> None:
        account = an_account(plan=a_plan(trial_days=14))
        content = page(operator, f"accounts/account/{account.id}/change/")
        assert "It is on its trial, which ends on 15 Jan 2026." in content
        assert "trial" in buttons(operator, account)
        assert done(operator, account, "trial", ends_on="2026-02-01") == ["The trial's end was moved."]
        assert (account.trial_ends_on, account.anchor_date) == (FEB_1, FEB_1)
        done(operator, account, "trial", ends_on="2026-01-01")
        billed(as_of=TODAY)
        assert account.rebillings.get().period_start == TODAY
        assert "trial" not in buttons(operator, account)

    def test_shows_errors_at_its_field(self, operator: Client) -> None:
        account = an_account(plan=a_plan(trial_days=14))
        assert errors_of(operator, account, "trial", ends_on="2025-12-31") == {
            "ends_on": ["Must be 2026-01-01 or later."]
        }
