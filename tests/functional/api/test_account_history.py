"""An account's history by API: every change by anybody, with its author and its reason."""

import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from payments.gateways.port import Declined
from tests.builders import TODAY, an_account
from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import rolled_back
from tests.support.platform_days import PlatformDays
from tests.support.unchanged import nothing_moves

pytestmark = rolled_back


def _history(api: ApiClient, account_id: Any) -> list[Any]:
    response = api.get(f"/v1/accounts/{account_id}/history")
    assert response.status_code == 200
    return list(response.json()["results"])


class TestHistory:
    def test_begins_with_the_opening(self, days: PlatformDays) -> None:
        account_id = days.opened(quantity=2)
        (opening,) = _history(days.api, account_id)
        assert opening == {
            "id": opening["id"],
            "account": account_id,
            "changed_at": "2026-01-01T06:00:00Z",
            "author": f"key:tests:{days.api.key.prefix}",
            "reason": "opened",
            "before": {},
            "after": {
                "status": "PENDING",
                "plan": "plan-1",
                "quantity": 2,
                "unit_amount_minor": 1999,
                "anchor_date": "2026-01-01",
                "effective_from": "2026-01-01",
            },
        }

    def test_has_each_change_newest_first_with_what_was_before(self, days: PlatformDays) -> None:
        account_id = days.opened()
        path = f"/v1/accounts/{account_id}"
        days.send(path, {"name": "Grace", "net_days": 14, "reason": "A call on Monday."}, method="PATCH")
        days.post(f"{path}/close", {"reason": "The customer left."})
        closed, changed, _ = _history(days.api, account_id)
        assert (changed["reason"], changed["author"]) == ("A call on Monday.", f"key:tests:{days.api.key.prefix}")
        assert changed["before"] == {"name": "Ada Lovelace", "net_days": 30}
        assert changed["after"] == {"name": "Grace", "net_days": 14}
        assert closed["reason"] == "The customer left."
        assert closed["before"] == {"status": "PENDING", "inactive_reason": None}
        assert closed["after"] == {"status": "INACTIVE", "inactive_reason": "closed"}

    def test_has_a_payment_method_that_became_unusable_and_its_replacement(self, days: PlatformDays) -> None:
        account_id = days.opened()
        days.scripted(Declined(code="stolen_card", hard=True))
        days.sweep()
        change = _history(days.api, account_id)[1]
        assert change["reason"] == "the payment method was declined for good"
        assert (change["before"], change["after"]) == (
            {"payment_method_unusable": False},
            {"payment_method_unusable": True},
        )
        days.send(f"/v1/accounts/{account_id}", {"payment_method": "pm_2"}, method="PATCH")
        replaced = [each for each in _history(days.api, account_id) if "payment_method" in each["after"]]
        assert [(each["before"], each["after"]) for each in replaced] == [
            (
                {"payment_method": "pm_card", "payment_method_unusable": True},
                {"payment_method": "pm_2", "payment_method_unusable": False},
            )
        ]

    def test_says_that_a_change_without_a_reason_came_by_api(self, days: PlatformDays) -> None:
        account_id = days.opened()
        days.send(f"/v1/accounts/{account_id}", {"net_days": 14}, method="PATCH")
        changed, _ = _history(days.api, account_id)
        assert (changed["reason"], changed["before"], changed["after"]) == (
            "changed by API",
            {"net_days": 30},
            {"net_days": 14},
        )

    def test_has_what_the_platform_did(self, days: PlatformDays) -> None:
        account_id = days.opened()
        days.scripted(Declined(code="card_declined"))
        days.sweep()
        changed, _ = _history(days.api, account_id)
        assert (changed["author"], changed["reason"]) == ("system:billing", "an invoice was declined")
        assert (changed["before"], changed["after"]) == ({"status": "PENDING"}, {"status": "PAST_DUE"})

    def test_has_nothing_of_what_was_refused_or_changed_nothing(self, days: PlatformDays) -> None:
        account_id = days.opened()
        with nothing_moves():
            days.api.patch(f"/v1/accounts/{account_id}", {"name": "Ada Lovelace", "net_days": 30})
            days.api.patch(f"/v1/accounts/{account_id}", {"name": "Grace", "net_days": -1})
        assert len(_history(days.api, account_id)) == 1

    def test_is_no_other_accounts(self, api: ApiClient) -> None:
        an_account()
        account = an_account()
        assert [change["account"] for change in _history(api, account.id)] == [str(account.id)]

    def test_takes_as_many_statements_for_1_as_for_20(self, api: ApiClient) -> None:
        account = an_account(today=TODAY)
        counts = []
        for number in (1, 20):
            for days_ in range(len(_history(api, account.id)), number):
                api.patch(f"/v1/accounts/{account.id}", {"net_days": days_})
            with CaptureQueriesContext(connection) as queries:
                assert len(_history(api, account.id)) == number
            counts.append(len(queries))
        assert counts == [6, 6]  # the key, the limits' three, the account, the page

    def test_of_an_unknown_account_is_not_found(self, api: ApiClient) -> None:
        problem_of(api.get(f"/v1/accounts/{uuid.uuid4()}/history"), status=404, slug="unknown-account")

    @pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
    def test_is_not_written_by_api(self, api: ApiClient, method: str) -> None:
        account = an_account()
        with nothing_moves():
            response = api.send(method, f"/v1/accounts/{account.id}/history", body={})
            problem_of(response, status=405, slug="method-not-allowed")
