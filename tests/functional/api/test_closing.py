"""Closing accounts later, or with a refund, and the references of those that are gone, by API."""

import datetime
from typing import Any

import pytest
from django.db import connection

from accounts.models import Account, AccountChange
from api.models import IdempotentAnswer, Scope
from payments.models import Refund
from rebilling.books import discrepancies
from tests.builders import TODAY, QueueInHand, ScriptedGateway, a_plan, an_account, billed, delivered, swept
from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import rolled_back
from tests.support.items import added, removed
from tests.support.lifecycle import DAY, JAN_10, WHY, asked, paid_account, shown, starts, status_of
from tests.support.owing import DECLINED, FEB_1, MAR_1, owing, rows
from tests.support.terms import changed
from tests.support.unchanged import nothing_moves

pytestmark = rolled_back


class TestCloseAtPeriodEnd:
    def test_is_pending_until_then_and_then_closed_with_nothing_more_billed(self, api: ApiClient) -> None:
        account = paid_account()
        answer = shown(asked(api, account, "close", at="period_end", on=JAN_10))
        assert (answer["status"], answer["inactive_reason"]) == ("ACTIVE", None)
        assert answer["pending_cancellation"] == {
            "on": "2026-02-01",
            "reason": "The customer asked.",
            "author": f"key:tests:{api.key.prefix}",
        }
        billed(as_of=FEB_1 - DAY)
        assert status_of(account) == ("ACTIVE", "")
        billed(as_of=FEB_1)
        assert status_of(account) == ("INACTIVE", "closed")
        assert (starts(account), rows(account)) == ([(TODAY, FEB_1, "CHARGED")], [("PAID", 0, 1999)])
        last = AccountChange.objects.latest("id")
        assert (last.reason, last.author) == ("The customer asked.", "system:billing")
        assert last.before == {"status": "ACTIVE", "inactive_reason": None, "closes_on": "2026-02-01"}
        assert last.after == {"status": "INACTIVE", "inactive_reason": "closed", "closes_on": None}

    def test_of_a_trial_is_before_its_first_charge(self, api: ApiClient) -> None:
        account = an_account(plan=a_plan(trial_days=14))
        answer = shown(asked(api, account, "close", at="period_end"))
        assert answer["pending_cancellation"]["on"] == answer["trial_ends_on"] == "2026-01-15"
        billed(as_of=datetime.date(2026, 1, 15))
        assert (status_of(account), starts(account)) == (("INACTIVE", "closed"), [])

    def test_of_a_period_that_is_still_to_be_billed_bills_it_whole(self, api: ApiClient) -> None:
        account = an_account()
        assert shown(asked(api, account, "close", at="period_end"))["pending_cancellation"]["on"] == "2026-02-01"
        billed(as_of=TODAY)
        billed(as_of=FEB_1)
        assert (status_of(account), rows(account)) == (("INACTIVE", "closed"), [("PAID", 0, 1999)])

    def test_of_a_past_due_account_still_collects_what_it_owes(self, api: ApiClient, settings: Any) -> None:
        settings.DUNNING_DAYS = [365]
        account = owing()
        shown(asked(api, account, "close", at="period_end", on=JAN_10))
        billed(as_of=FEB_1)
        assert (status_of(account), rows(account)) == (("INACTIVE", "closed"), [("OPEN", 0, 0)])
        billed(as_of=TODAY + 365 * DAY)
        assert rows(account) == [("PAID", 0, 1999)]

    def test_of_an_unpaid_account_whose_period_is_over_is_now(self, api: ApiClient, settings: Any) -> None:
        settings.DUNNING_DAYS = [1]
        account = owing()
        billed(as_of=TODAY + DAY, gateway=ScriptedGateway(DECLINED))
        assert status_of(account) == ("INACTIVE", "unpaid")
        answer = shown(asked(api, account, "close", at="period_end", on=MAR_1))
        assert (answer["inactive_reason"], answer["pending_cancellation"]) == ("closed", None)


class TestCloseOnADay:
    def test_inside_a_period_bills_what_starts_before_it_and_refunds_nothing(self, api: ApiClient) -> None:
        account = paid_account()
        feb_10 = datetime.date(2026, 2, 10)
        shown(asked(api, account, "close", at=feb_10, on=JAN_10))
        for day in (FEB_1, feb_10 - DAY):
            billed(as_of=day)
            assert status_of(account) == ("ACTIVE", "")
        billed(as_of=feb_10)
        assert status_of(account) == ("INACTIVE", "closed")
        assert rows(account) == [("PAID", 0, 1999), ("PAID", 0, 1999)]
        assert starts(account) == [(TODAY, FEB_1, "CHARGED"), (FEB_1, MAR_1, "CHARGED")]

    def test_today_closes_at_once_and_skips_what_is_due_today(self, api: ApiClient) -> None:
        account, queue = an_account(), QueueInHand()
        swept(as_of=TODAY, queue=queue)
        answer = shown(asked(api, account, "close", at=TODAY))
        assert (answer["status"], answer["pending_cancellation"]) == ("INACTIVE", None)
        assert delivered(bodies=queue.take()) == []
        assert starts(account) == [(TODAY, FEB_1, "SKIPPED")]

    def test_today_waits_for_a_period_from_before_that_is_in_flight(self, api: ApiClient) -> None:
        account, queue = an_account(plan=a_plan(interval_unit="day", unit_amount_minor=100)), QueueInHand()
        swept(as_of=TODAY, queue=queue)
        swept(as_of=TODAY + DAY, queue=queue)
        answer = shown(asked(api, account, "close", at=TODAY + DAY, on=TODAY + DAY))
        assert (answer["status"], answer["pending_cancellation"]["on"]) == ("PENDING", "2026-01-02")
        assert [status for *_, status in starts(account)] == ["DUE", "SKIPPED"]
        bodies = queue.take()
        while bodies:
            assert delivered(bodies=bodies, today=TODAY + DAY, queue=queue) == []
            bodies = queue.take()
        billed(as_of=TODAY + DAY)
        assert status_of(account) == ("INACTIVE", "closed")
        assert [status for *_, status in starts(account)] == ["CHARGED", "SKIPPED"]

    @pytest.mark.parametrize("day", ["2026-01-09", "1969-12-31", "2201-01-01"])
    def test_refuses_a_day_that_is_past_or_out_of_range(self, api: ApiClient, day: str) -> None:
        account = paid_account()
        with nothing_moves():
            problem = problem_of(asked(api, account, "close", at=day, on=JAN_10), status=422, slug="unusable-day")
        assert list(problem["errors"]) == ["at"]

    @pytest.mark.parametrize("day", ["soon", "2026-02-30", "10.02.2026", "", 5, None])
    def test_refuses_what_is_no_day(self, api: ApiClient, day: Any) -> None:
        account = paid_account()
        with nothing_moves():
            problem = problem_of(asked(api, account, "close", at=day), status=400, slug="invalid-request")
        assert list(problem["errors"]) == ["at"]

    def test_refuses_a_second_one_until_the_first_is_taken_back(self, api: ApiClient) -> None:
        account = paid_account()
        shown(asked(api, account, "close", at="period_end"))
        with nothing_moves():
            problem = problem_of(asked(api, account, "close", at=MAR_1), status=409, slug="cancellation-pending")
        assert "2026-02-01" in problem["detail"]
        shown(asked(api, account, "take-back", change="cancellation"))
        assert shown(asked(api, account, "close", at=MAR_1))["pending_cancellation"]["on"] == "2026-03-01"

    def test_that_is_pending_can_still_be_closed_now(self, api: ApiClient) -> None:
        account = paid_account()
        shown(asked(api, account, "close", at="period_end"))
        answer = shown(asked(api, account, "close"))
        assert (answer["status"], answer["pending_cancellation"]) == ("INACTIVE", None)


class TestRefundOfTheRunningPeriod:
    def test_prorated_sends_back_the_days_left(self, api: ApiClient) -> None:
        account = paid_account()
        assert shown(asked(api, account, "close", refund="prorated", on=JAN_10))["status"] == "INACTIVE"
        refund = Refund.objects.get()
        # 22 of 31 days of 1,999: 1,418.65.
        assert (refund.amount_minor, refund.status, refund.reason) == (1419, "SUBMITTED", "The customer asked.")
        assert starts(account) == [(TODAY, JAN_10, "CHARGED")]

    def test_needs_the_scope_of_money(self) -> None:
        account = paid_account()
        api = ApiClient(Scope.ACCOUNTS_WRITE)
        with nothing_moves():
            response = asked(api, account, "close", refund="full")
            assert response.status_code == 403
        assert shown(asked(api, account, "close", refund="none"))["status"] == "INACTIVE"

    def test_needs_an_idempotency_key(self, api: ApiClient) -> None:
        account = paid_account()
        with nothing_moves():
            response = api.post(f"/v1/accounts/{account.id}/close", WHY | {"refund": "full"})
            problem_of(response, status=400, slug="idempotency-key-missing")

    @pytest.mark.parametrize("when", ["period_end", "2026-02-01"])
    def test_is_refused_for_a_later_day(self, api: ApiClient, when: str) -> None:
        account = paid_account()
        with nothing_moves(but=IdempotentAnswer):
            problem = problem_of(
                asked(api, account, "close", at=when, refund="full"), status=422, slug="refund-needs-now"
            )
        assert list(problem["errors"]) == ["refund"]

    @pytest.mark.parametrize("refund", ["half", 5, None, ""])
    def test_refuses_another_share(self, api: ApiClient, refund: Any) -> None:
        account = paid_account()
        with nothing_moves():
            problem_of(asked(api, account, "close", refund=refund), status=400, slug="invalid-request")

    def test_waits_while_a_payment_is_in_flight(self, api: ApiClient) -> None:
        account, queue = an_account(), QueueInHand()
        swept(as_of=TODAY, queue=queue)
        assert delivered(bodies=queue.take(), seconds_left=10, queue=queue) == []
        with nothing_moves():
            problem_of(asked(api, account, "close", refund="full"), status=409, slug="payment-in-flight")
        # Its outcome is known: the same request is done, and not answered from what was kept.
        assert delivered(bodies=queue.take(), queue=queue) == []
        assert shown(asked(api, account, "close", refund="full"))["status"] == "INACTIVE"


class TestRemovedItems:
    def given_up(self, api: ApiClient, account: Account, **how: Any) -> list[tuple[str, int, int]]:
        answer = shown(asked(api, account, "close", on=JAN_10, **how))
        assert discrepancies() == []
        items = {str(item.id): item.description for item in account.items.filter(removed_at__isnull=False)}
        found = answer["removed_items"]
        assert [items[item["id"]] for item in found] == [item["description"] for item in found]
        return [(item["description"], item["amount_minor"], item["invoiced_minor"]) for item in found]

    def test_are_what_a_deduction_has_left_after_the_last_invoice(self, api: ApiClient) -> None:
        account = paid_account()
        removed(added(account, 700, description="A mistake"))
        added(account, 500)
        added(account, -3000, description="For the outage")
        assert self.given_up(api, account) == [("For the outage", -3000, -500)]
        assert account.invoices.latest("id").total_minor == 0

    def test_are_none_where_all_is_invoiced(self, api: ApiClient) -> None:
        account = paid_account()
        added(account, 500)
        added(account, -300)
        assert self.given_up(api, account) == []
        assert account.invoices.latest("id").total_minor == 200

    def test_are_all_that_waits_where_nothing_is_collected(self, api: ApiClient) -> None:
        account = paid_account()
        added(account, 500)
        added(account, -3000, description="For the outage")
        assert self.given_up(api, account, collect=False) == [("Setup", 500, 0), ("For the outage", -3000, 0)]

    def test_are_what_is_netted_with_a_refund(self, api: ApiClient) -> None:
        account = paid_account()
        changed(account, on=JAN_10, quantity=2, how={"proration": "next_invoice"})
        (unused, _, _), (more, _, _) = self.given_up(api, account, refund="full")
        assert unused.startswith("Unused days of ")
        assert more.endswith(" x 2, 10 Jan to 31 Jan 2026")

    def test_are_none_where_it_is_to_be_closed_later(self, api: ApiClient) -> None:
        account = paid_account()
        added(account, -3000)
        assert self.given_up(api, account, at="period_end") == []
        assert account.items.get().removed_at is None


class TestGoneAccounts:
    """A closed account gives its reference free; paused, unpaid and imported ones keep it."""

    NEW = {"external_reference": "crm-1", "name": "B", "email": "b@example.com"}

    def test_a_closed_ones_reference_is_free_and_both_are_found_by_it(self, api: ApiClient) -> None:
        gone = an_account(external_reference="crm-1")
        shown(asked(api, gone, "close"))
        opened = api.post("/v1/accounts", self.NEW | {"plan": a_plan().code})
        assert opened.status_code == 201
        found = api.get("/v1/accounts", external_reference="crm-1").json()["results"]
        assert [each["id"] for each in found] == [opened.json()["id"], str(gone.id)]
        pending = api.get("/v1/accounts", external_reference="crm-1", status="PENDING").json()["results"]
        assert [each["id"] for each in pending] == [opened.json()["id"]]

    def test_one_that_is_only_to_be_closed_keeps_it(self, api: ApiClient) -> None:
        shown(asked(api, an_account(external_reference="crm-1"), "close", at="period_end"))
        other = self.NEW | {"plan": a_plan().code}
        with nothing_moves():
            response = api.post("/v1/accounts", other)
            problem_of(response, status=409, slug="external-reference-taken")

    def test_a_closed_one_cannot_be_reopened_while_another_has_it(self, api: ApiClient) -> None:
        gone = an_account(external_reference="crm-1")
        shown(asked(api, gone, "close"))
        other = an_account(external_reference="crm-1")
        with nothing_moves():
            problem = problem_of(asked(api, gone, "reopen"), status=409, slug="external-reference-taken")
        assert list(problem["errors"]) == ["external_reference"]
        shown(asked(api, other, "close"))
        assert shown(asked(api, gone, "reopen"))["status"] == "PENDING"

    def test_lookup_uses_its_index(self, api: ApiClient) -> None:
        with connection.cursor() as cursor:
            # The planner goes by the table's size, and this one is small.
            cursor.execute("SET LOCAL enable_seqscan = off")
        plan = Account.objects.filter(external_reference="crm-1").order_by().explain()
        assert "account_by_reference" in plan
