"""Extending and ending trials by API."""

import datetime
from typing import Any

import pytest
import time_machine

from accounts.models import Account, AccountChange
from tests.builders import a_plan, an_account, at, billed
from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import rolled_back
from tests.support.lifecycle import JAN_10, JAN_20, asked, paid_account, shown, starts
from tests.support.owing import MAR_1
from tests.support.unchanged import nothing_moves

pytestmark = rolled_back


@pytest.fixture
def trial() -> Account:
    """Until 15 January, then 1,999 a month."""
    return an_account(plan=a_plan(trial_days=14))


class TestTrial:
    def test_is_seen_on_the_account(self, api: ApiClient, trial: Account) -> None:
        answer = api.get(f"/v1/accounts/{trial.id}").json()
        assert (answer["trial_ends_on"], answer["rebilling_date"]) == ("2026-01-15", "2026-01-15")
        (opening,) = api.get(f"/v1/accounts/{trial.id}/history").json()["results"]
        assert opening["after"]["trial_ends_on"] == "2026-01-15"
        assert api.get(f"/v1/accounts/{an_account().id}").json()["trial_ends_on"] is None

    def test_is_extended_and_the_anchor_moves_with_it(self, api: ApiClient, trial: Account) -> None:
        answer = shown(asked(api, trial, "trial", ends_on=JAN_20, on=JAN_10))
        assert answer["new_period"] is None
        assert [answer[name] for name in ("trial_ends_on", "anchor_date", "rebilling_date")] == ["2026-01-20"] * 3
        billed(as_of=datetime.date(2026, 1, 15))
        assert starts(trial) == []
        billed(as_of=JAN_20)
        assert starts(trial) == [(JAN_20, datetime.date(2026, 2, 20), "CHARGED")]
        change = AccountChange.objects.order_by("id").filter(account=trial)[1]
        assert change.reason == "The customer asked."
        assert (change.before["trial_ends_on"], change.after["trial_ends_on"]) == ("2026-01-15", "2026-01-20")

    @pytest.mark.parametrize("ends_on", ["now", "2026-01-10"])
    def test_ended_now_begins_its_first_period_today(self, api: ApiClient, trial: Account, ends_on: str) -> None:
        answer = shown(asked(api, trial, "trial", ends_on=ends_on, on=JAN_10))
        assert [answer[name] for name in ("trial_ends_on", "anchor_date", "rebilling_date")] == (
            ["2026-01-10", "2026-01-10", "2026-02-10"]
        )
        invoice = answer["new_period"]["invoice"]
        assert (invoice["issued_on"], invoice["total_minor"], answer["new_period"]["not_billed"]) == (
            *("2026-01-10", 1999, None),
        )
        assert str(trial.invoices.get().id) == invoice["id"]
        billed(as_of=JAN_10)
        assert starts(trial) == [(JAN_10, datetime.date(2026, 2, 10), "CHARGED")]

    def test_with_a_changed_quantity_keeps_it(self, api: ApiClient, trial: Account) -> None:
        with time_machine.travel(at(JAN_10), tick=False):
            said = {"quantity": 3, "reason": "grew"}
            assert api.post(f"/v1/accounts/{trial.id}/terms", said, once="grew").status_code == 200
        shown(asked(api, trial, "trial", ends_on=JAN_20, on=JAN_10))
        billed(as_of=JAN_20)
        assert list(trial.rebillings.values_list("period_start", "amount_minor")) == [(JAN_20, 3 * 1999)]

    @pytest.mark.parametrize("ends_on", ["2026-01-09", "2028-01-11"])
    def test_refuses_a_past_day_and_one_too_far_away(self, api: ApiClient, trial: Account, ends_on: str) -> None:
        with nothing_moves():
            problem = problem_of(
                asked(api, trial, "trial", ends_on=ends_on, on=JAN_10), status=422, slug="unusable-day"
            )
        assert list(problem["errors"]) == ["ends_on"]

    @pytest.mark.parametrize("ends_on", ["period_end", "soon", 5, None])
    def test_refuses_what_is_no_day(self, api: ApiClient, trial: Account, ends_on: Any) -> None:
        with nothing_moves():
            problem_of(asked(api, trial, "trial", ends_on=ends_on), status=400, slug="invalid-request")

    def test_refuses_an_account_without_one(self, api: ApiClient) -> None:
        account = paid_account()
        with nothing_moves():
            problem_of(asked(api, account, "trial", ends_on="now"), status=409, slug="not-on-trial")

    def test_refuses_one_that_is_over(self, api: ApiClient, trial: Account) -> None:
        with nothing_moves():
            problem_of(
                asked(api, trial, "trial", ends_on=MAR_1, on=datetime.date(2026, 1, 15)),
                status=409,
                slug="not-on-trial",
            )

    def test_refuses_while_a_cancellation_is_pending(self, api: ApiClient, trial: Account) -> None:
        shown(asked(api, trial, "close", at="period_end"))
        with nothing_moves():
            problem_of(asked(api, trial, "trial", ends_on="now"), status=409, slug="change-pending")
