"""Pausing and resuming accounts by API, and taking back what is pending."""

import datetime
from typing import Any

import pytest
import time_machine

from accounts.models import AccountChange
from tests.builders import TODAY, QueueInHand, ScriptedGateway, a_plan, an_account, at, billed, delivered, swept
from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import rolled_back
from tests.support.lifecycle import DAY, JAN_10, JAN_20, asked, paid_account, shown, starts, status_of
from tests.support.owing import DECLINED, FEB_1, MAR_1, owing, rows
from tests.support.unchanged import nothing_moves

pytestmark = rolled_back


class TestTakeBack:
    def test_of_a_cancellation_lets_billing_go_on(self, api: ApiClient) -> None:
        account = paid_account()
        shown(asked(api, account, "close", at="period_end", on=JAN_10))
        answer = shown(asked(api, account, "take-back", change="cancellation", on=JAN_20))
        assert answer["pending_cancellation"] is None
        billed(as_of=FEB_1)
        assert (status_of(account), len(rows(account))) == (("ACTIVE", ""), 2)

    def test_after_the_day_has_come_late_bills_what_was_not_found(self, api: ApiClient) -> None:
        account = paid_account()
        shown(asked(api, account, "close", at="period_end", on=JAN_10))
        # No run has carried it out yet.
        shown(asked(api, account, "take-back", change="cancellation", on=FEB_1))
        billed(as_of=FEB_1)
        assert (status_of(account), len(rows(account))) == (("ACTIVE", ""), 2)

    def test_of_a_pause_takes_its_end_with_it(self, api: ApiClient) -> None:
        account = paid_account()
        shown(asked(api, account, "pause", until=MAR_1))
        answer = shown(asked(api, account, "take-back", change="pause"))
        assert (answer["pending_pause"], answer["pending_resumption"]) == (None, None)

    def test_of_a_resumption_makes_the_pause_last(self, api: ApiClient) -> None:
        account = paid_account()
        shown(asked(api, account, "pause", at="now", until=MAR_1))
        assert shown(asked(api, account, "take-back", change="resumption"))["pending_resumption"] is None
        billed(as_of=MAR_1)
        assert status_of(account) == ("INACTIVE", "paused")

    @pytest.mark.parametrize("change", ["cancellation", "pause", "resumption"])
    def test_refuses_where_nothing_is_pending(self, api: ApiClient, change: str) -> None:
        account = paid_account()
        with nothing_moves():
            problem_of(asked(api, account, "take-back", change=change), status=409, slug="nothing-pending")

    def test_refuses_a_pause_that_has_begun(self, api: ApiClient) -> None:
        account = paid_account()
        shown(asked(api, account, "pause", at="now"))
        with nothing_moves():
            problem_of(asked(api, account, "take-back", change="pause"), status=409, slug="nothing-pending")


class TestPause:
    def test_begins_at_the_end_of_the_running_period_and_ends_on_its_day(self, api: ApiClient) -> None:
        account = paid_account()
        mar_10 = datetime.date(2026, 3, 10)
        answer = shown(asked(api, account, "pause", until=mar_10, on=JAN_10))
        assert (answer["status"], answer["pending_pause"]["on"]) == ("ACTIVE", "2026-02-01")
        assert answer["pending_resumption"]["on"] == "2026-03-10"
        for day in (FEB_1, MAR_1, mar_10 - DAY):
            billed(as_of=day)
            assert status_of(account) == ("INACTIVE", "paused")
        billed(as_of=mar_10)
        assert (status_of(account), account.resumes_on) == (("ACTIVE", ""), None)
        # A new period from that day; the days between aren't billed.
        assert starts(account) == [(TODAY, FEB_1, "CHARGED"), (mar_10, datetime.date(2026, 4, 10), "CHARGED")]
        assert (account.anchor_date, account.rebilling_date) == (mar_10, datetime.date(2026, 4, 10))

    def test_now_lets_the_paid_period_go_on_when_it_is_resumed_within_it(self, api: ApiClient) -> None:
        account = paid_account()
        assert shown(asked(api, account, "pause", at="now", on=JAN_10))["inactive_reason"] == "paused"
        answer = shown(asked(api, account, "resume", on=JAN_20))
        assert (answer["status"], answer["anchor_date"], answer["rebilling_date"]) == (
            "ACTIVE",
            "2026-01-01",
            "2026-02-01",
        )

    def test_now_skips_what_is_due(self, api: ApiClient) -> None:
        account, queue = an_account(), QueueInHand()
        swept(as_of=TODAY, queue=queue)
        shown(asked(api, account, "pause", at="now"))
        assert delivered(bodies=queue.take()) == []
        assert [status for *_, status in starts(account)] == ["SKIPPED"]

    def test_goes_on_collecting_what_is_owed(self, api: ApiClient, settings: Any) -> None:
        settings.DUNNING_DAYS = [3, 5]
        account = owing()
        shown(asked(api, account, "pause", at="now"))
        billed(as_of=TODAY + 3 * DAY)
        assert (status_of(account), rows(account)) == (("INACTIVE", "paused"), [("PAID", 0, 1999)])

    def test_stays_a_pause_when_dunning_is_over(self, api: ApiClient, settings: Any) -> None:
        settings.DUNNING_DAYS = [1]
        account = owing()
        shown(asked(api, account, "pause", at="now"))
        billed(as_of=TODAY + DAY, gateway=ScriptedGateway(DECLINED))
        assert status_of(account) == ("INACTIVE", "paused")
        # Resumed owing, its dunning starts anew.
        answer = shown(asked(api, account, "resume", on=JAN_10))
        assert (answer["status"], answer["dunning_on"]) == ("PAST_DUE", "2026-01-11")

    def test_keeps_the_external_reference(self, api: ApiClient) -> None:
        account = an_account(external_reference="crm-1")
        shown(asked(api, account, "pause", at="now"))
        new = {"external_reference": "crm-1", "plan": a_plan().code, "name": "B", "email": "b@example.com"}
        with nothing_moves():
            problem_of(api.post("/v1/accounts", new), status=409, slug="external-reference-taken")

    def test_does_not_begin_for_an_account_that_has_not_paid_by_then(self, api: ApiClient, settings: Any) -> None:
        settings.DUNNING_DAYS = [1]
        account = owing()
        shown(asked(api, account, "pause", until=MAR_1))
        billed(as_of=TODAY + DAY, gateway=ScriptedGateway(DECLINED))
        billed(as_of=FEB_1)
        assert (status_of(account), account.pauses_on, account.resumes_on) == (("INACTIVE", "unpaid"), None, None)
        assert AccountChange.objects.latest("id").reason == (
            "the account was INACTIVE (unpaid) when its pause was to begin"
        )

    def test_refuses_one_that_is_paused(self, api: ApiClient) -> None:
        account = paid_account()
        shown(asked(api, account, "pause", at="now"))
        with nothing_moves():
            problem_of(asked(api, account, "pause"), status=409, slug="account-already-paused")

    def test_refuses_a_second_one(self, api: ApiClient) -> None:
        account = paid_account()
        shown(asked(api, account, "pause"))
        with nothing_moves():
            problem_of(asked(api, account, "pause", at="now"), status=409, slug="pause-pending")

    def test_refuses_one_that_is_closed(self, api: ApiClient) -> None:
        account = paid_account()
        shown(asked(api, account, "close"))
        with nothing_moves():
            problem_of(asked(api, account, "pause"), status=409, slug="unable-to-pause")

    def test_refuses_one_that_is_to_be_closed_by_then(self, api: ApiClient) -> None:
        account = paid_account()
        shown(asked(api, account, "close", at="period_end"))
        with nothing_moves():
            problem_of(asked(api, account, "pause"), status=409, slug="unable-to-pause")

    @pytest.mark.parametrize("until", ["2026-02-01", "2026-01-01", "2201-01-01"])
    def test_refuses_an_end_that_is_not_after_its_beginning(self, api: ApiClient, until: str) -> None:
        account = paid_account()
        with nothing_moves():
            problem = problem_of(asked(api, account, "pause", until=until), status=422, slug="unusable-day")
        assert list(problem["errors"]) == ["until"]

    @pytest.mark.parametrize("body", [{"at": "later"}, {"at": "2026-03-01"}, {"until": "soon"}, {"until": 5}])
    def test_refuses_what_is_no_day(self, api: ApiClient, body: Any) -> None:
        account = paid_account()
        with nothing_moves():
            problem_of(asked(api, account, "pause", **body), status=400, slug="invalid-request")


class TestResume:
    def test_on_a_day_takes_the_place_of_the_one_that_was_set(self, api: ApiClient) -> None:
        account = paid_account()
        shown(asked(api, account, "pause", at="now", until=MAR_1))
        feb_10 = datetime.date(2026, 2, 10)
        with time_machine.travel(at(JAN_10), tick=False):
            body = {"on": str(feb_10), "reason": "Earlier."}
            answer = shown(api.post(f"/v1/accounts/{account.id}/resume", body))
        assert answer["pending_resumption"] == {
            "on": "2026-02-10",
            "reason": "Earlier.",
            "author": f"key:tests:{api.key.prefix}",
        }
        change = AccountChange.objects.latest("id")
        assert (change.before, change.after) == ({"resumes_on": "2026-03-01"}, {"resumes_on": "2026-02-10"})
        billed(as_of=feb_10)
        assert (status_of(account), account.rebilling_date) == (("ACTIVE", ""), datetime.date(2026, 3, 10))

    def test_refuses_one_that_is_not_paused(self, api: ApiClient) -> None:
        account = paid_account()
        with nothing_moves():
            problem_of(asked(api, account, "resume"), status=409, slug="account-not-paused")

    def test_refuses_a_pause_that_has_not_begun(self, api: ApiClient) -> None:
        account = paid_account()
        shown(asked(api, account, "pause"))
        with nothing_moves():
            problem = problem_of(asked(api, account, "resume"), status=409, slug="account-not-paused")
        assert "2026-02-01" in problem["detail"]

    def test_refuses_one_that_is_closed(self, api: ApiClient) -> None:
        account = paid_account()
        shown(asked(api, account, "close"))
        with nothing_moves():
            problem_of(asked(api, account, "resume"), status=409, slug="account-not-paused")

    def test_is_not_reopening(self, api: ApiClient) -> None:
        account = paid_account()
        shown(asked(api, account, "pause", at="now"))
        with nothing_moves():
            problem_of(asked(api, account, "reopen"), status=409, slug="account-paused")

    def test_refuses_a_past_day(self, api: ApiClient) -> None:
        account = paid_account()
        shown(asked(api, account, "pause", at="now"))
        with nothing_moves():
            given: dict[str, Any] = {"reason": "Back.", "on": "2025-12-31"}
            problem_of(api.post(f"/v1/accounts/{account.id}/resume", given), status=422, slug="unusable-day")

    def test_refuses_a_day_from_which_the_account_is_closed(self, api: ApiClient) -> None:
        account = paid_account()
        shown(asked(api, account, "pause", at="now"))
        shown(asked(api, account, "close", at=MAR_1))
        with nothing_moves():
            given: dict[str, Any] = {"reason": "Back.", "on": "2026-03-01"}
            problem_of(api.post(f"/v1/accounts/{account.id}/resume", given), status=422, slug="unusable-day")
