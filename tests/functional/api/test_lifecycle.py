"""Closing and reopening accounts by API."""

import datetime
import uuid
from typing import Any

import pytest
import time_machine

from accounts.models import AccountChange
from api.models import IdempotentAnswer
from rebilling.models import Rebilling
from tests.builders import TODAY, QueueInHand, an_account, at, billed, swept
from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import rolled_back
from tests.support.unchanged import nothing_moves

WHY = {"reason": "The customer asked."}


def _close(api: ApiClient, account: Any) -> Any:
    return api.post(f"/v1/accounts/{account.id}/close", WHY)


@rolled_back
class TestLastInvoice:
    def test_bills_a_debt_that_arose_after_closing(self, api: ApiClient) -> None:
        account = an_account()
        credit = api.post(f"/v1/accounts/{account.id}/credits", {"amount_minor": 1999, **WHY}, once="1").json()
        billed(as_of=TODAY)
        _close(api, account)
        assert api.post(f"/v1/ledger/{credit['id']}/reversals", WHY, once="2").status_code == 201
        response = api.post(f"/v1/accounts/{account.id}/last-invoice", WHY, once="3")
        assert response.status_code == 200
        answer = response.json()
        assert (answer["status"], answer["balance_minor"], answer["credit_balance_minor"]) == ("INACTIVE", 1999, 0)
        with nothing_moves(but=IdempotentAnswer):
            response = api.post(f"/v1/accounts/{account.id}/last-invoice", WHY, once="4")
            problem_of(response, status=409, slug="no-debt-to-bill")


@rolled_back
class TestCloseAccount:
    def test_keeps_the_reason_and_who_gave_it(self, api: ApiClient) -> None:
        account = an_account()
        response = _close(api, account)
        assert response.status_code == 200
        assert (response.json()["status"], response.json()["inactive_reason"]) == ("INACTIVE", "closed")
        last = AccountChange.objects.order_by("id").last()
        assert last is not None
        assert (last.before["status"], last.after["status"], last.reason, last.author) == (
            "PENDING",
            "INACTIVE",
            "The customer asked.",
            f"key:tests:{api.key.prefix}",
        )

    def test_stops_the_charge_of_a_period_that_is_under_way(self, api: ApiClient) -> None:
        account = an_account()
        swept(as_of=TODAY, queue=QueueInHand())
        _close(api, account)
        assert list(Rebilling.objects.values_list("status", "reason")) == [("SKIPPED", "account_inactive")]

    def test_refuses_one_that_is_closed(self, api: ApiClient) -> None:
        account = an_account()
        _close(api, account)
        with nothing_moves():
            problem_of(_close(api, account), status=409, slug="account-already-inactive")

    @pytest.mark.parametrize("action", ["close", "reopen"])
    @pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "  "}, {"reason": "x" * 501}, {"reason": 5}, None])
    def test_refuses_without_a_reason(self, api: ApiClient, action: str, body: Any) -> None:
        account = an_account()
        with nothing_moves():
            response = api.post(f"/v1/accounts/{account.id}/{action}", body)
            problem = problem_of(response, status=400, slug="invalid-request")
        assert list(problem["errors"]) == ["reason"]

    @pytest.mark.parametrize("action", ["close", "reopen"])
    def test_refuses_an_unknown_account(self, api: ApiClient, action: str) -> None:
        with nothing_moves():
            problem_of(api.post(f"/v1/accounts/{uuid.uuid4()}/{action}", WHY), status=404, slug="unknown-account")


@rolled_back
class TestReopenAccount:
    def test_goes_on_at_the_end_of_the_period_that_was_paid(self, api: ApiClient) -> None:
        account = an_account()
        billed(as_of=TODAY)
        _close(api, account)
        with time_machine.travel(at(datetime.date(2026, 1, 20)), tick=False):
            response = api.post(f"/v1/accounts/{account.id}/reopen", WHY)
        assert response.status_code == 200
        shown = response.json()
        assert (shown["status"], shown["inactive_reason"]) == ("ACTIVE", None)
        assert (shown["anchor_date"], shown["rebilling_date"]) == ("2026-01-01", "2026-02-01")
        assert shown["new_period"] is None

    def test_counts_anew_from_today_after_that(self, api: ApiClient) -> None:
        account = an_account()
        billed(as_of=TODAY)
        _close(api, account)
        with time_machine.travel(at(datetime.date(2026, 3, 10)), tick=False):
            shown = api.post(f"/v1/accounts/{account.id}/reopen", WHY).json()
        assert (shown["anchor_date"], shown["rebilling_date"]) == ("2026-03-10", "2026-04-10")
        invoice = shown["new_period"]["invoice"]
        assert (invoice["issued_on"], [line["period_end"] for line in invoice["lines"]]) == (
            *("2026-03-10", ["2026-04-10"]),
        )

    def test_refuses_one_that_is_not_inactive(self, api: ApiClient) -> None:
        account = an_account()
        with nothing_moves():
            response = api.post(f"/v1/accounts/{account.id}/reopen", WHY)
            problem_of(response, status=409, slug="account-not-inactive")
