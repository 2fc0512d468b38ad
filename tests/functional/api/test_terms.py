"""Changing terms by API: what is previewed is what is billed, and what waits can be taken back."""

import datetime
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from accounts.models import Account
from accounts.tax_rates import create_tax_rate
from api.models import IdempotentAnswer
from invoices.models import Invoice
from tests.builders import NOW, TODAY, a_plan, an_account, at, billed
from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import rolled_back
from tests.support.terms import billed_account
from tests.support.unchanged import nothing_moves

JAN_16 = datetime.date(2026, 1, 16)
WHY = {"reason": "Two people joined."}

pytestmark = rolled_back


@pytest.fixture
def account() -> Account:
    """31.00 for January, paid."""
    made = an_account(plan=a_plan(code="pro", unit_amount_minor=3100))
    billed(as_of=TODAY)
    return made


@pytest.fixture(autouse=True)
def mid_january(account: Account) -> Iterator[None]:
    with time_machine.travel(at(JAN_16), tick=False):
        yield


def change(api: ApiClient, account: Account, once: str | None = "1", **to: Any) -> Any:
    return api.post(f"/v1/accounts/{account.id}/terms", WHY | to, once=once)


def worth(amount_minor: int) -> dict[str, int]:
    return {"amount_minor": amount_minor, "total_minor": amount_minor}


class TestTheNextInvoice:
    def test_bills_it_by_two_items(self, api: ApiClient, account: Account) -> None:
        proration = change(api, account, quantity=3, proration="next_invoice").json()["proration"]
        assert (proration["net_minor"], proration["invoice"], proration["credit_notes"]) == (3200, None, [])
        items = api.get(f"/v1/accounts/{account.id}/items").json()["results"]
        assert [item["id"] for item in items] == list(reversed(proration["items"]))
        shown = [(item["amount_minor"], item["period_start"], item["period_end"], item["status"]) for item in items]
        assert shown == [
            (4800, "2026-01-16", "2026-02-01", "pending"),
            (-1600, "2026-01-16", "2026-02-01", "pending"),
        ]
        with nothing_moves(but=IdempotentAnswer):
            refused = api.post(f"/v1/accounts/{account.id}/items/{items[0]['id']}/remove", WHY)
        problem_of(refused, status=409, slug="item-of-a-change")

    def test_is_in_a_dry_run_and_nothing_moves(self, api: ApiClient, account: Account) -> None:
        with nothing_moves():
            answer = change(api, account, None, quantity=3, proration="next_invoice", dry_run=True)
        proration = answer.json()["proration"]
        assert (proration["net_minor"], proration["items"], len(proration["lines"])) == (3200, [], 2)


class TestChangeNow:
    def test_answers_what_was_billed_line_by_line(self, api: ApiClient, account: Account) -> None:
        response = change(api, account, quantity=3)
        assert response.status_code == 200
        shown = response.json()
        assert shown["before"]["quantity"] == 1
        assert shown["after"] == {
            "id": shown["after"]["id"],
            "effective_from": "2026-01-16",
            "plan": "pro",
            "quantity": 3,
            "unit_amount_minor": 3100,
            "anchor_date": "2026-01-01",
        }
        line = {"unit_amount_minor": 3100, "period_start": "2026-01-16", "period_end": "2026-02-01"}
        line |= {"discount_minor": 0, "tax_rate": None, "tax_minor": 0}
        proration = shown["proration"]
        assert proration.pop("lines") == [
            line | {"description": "Unused days of Pro, 16 Jan to 31 Jan 2026", "quantity": 1} | worth(-1600),
            line | {"description": "Pro x 3, 16 Jan to 31 Jan 2026", "quantity": 3} | worth(4800),
        ]
        invoice = Invoice.objects.latest("id")
        assert proration == {
            "credit_minor": 1600,
            "charge_minor": 4800,
            "net_minor": 3200,
            "invoice": str(invoice.id),
            "credit_notes": [],
            "items": [],
        }
        lines = api.get(f"/v1/invoices/{invoice.id}").json()["lines"]
        assert [(each["kind"], each["amount_minor"]) for each in lines] == [("proration", -1600), ("proration", 4800)]

    def test_of_what_is_taxed_answers_with_taxes_as_its_invoice_has_them(self, api: ApiClient) -> None:
        rate = create_tax_rate(name="VAT", percent=Decimal(21), now=NOW)
        taxed = billed_account(tax_rate=rate.id)
        preview = change(api, taxed, quantity=2, dry_run=True).json()["proration"]
        shown = change(api, taxed, "2", quantity=2).json()["proration"]
        assert (shown["credit_minor"], shown["charge_minor"], shown["net_minor"]) == (1936, 3872, 1936)
        assert preview == shown | {"invoice": None}
        invoice = api.get(f"/v1/invoices/{shown['invoice']}").json()
        assert (invoice["total_minor"], invoice["tax_minor"]) == (1936, 336)
        taxes = ("amount_minor", "tax_rate", "tax_minor", "total_minor", "discount_minor")
        of_invoice = [[line[name] for name in taxes] for line in invoice["lines"]]
        assert of_invoice == [[line[name] for name in taxes] for line in shown["lines"]]
        assert of_invoice == [[-1600, str(rate.id), -336, -1936, 0], [3200, str(rate.id), 672, 3872, 0]]
        assert [(each["net_minor"], each["tax_minor"]) for each in invoice["taxes"]] == [(1600, 336)]

    def test_to_less_names_its_credit_note(self, api: ApiClient, account: Account) -> None:
        shown = change(api, account, unit_amount_minor=0).json()["proration"]
        (note,) = shown["credit_notes"]
        assert (shown["net_minor"], shown["invoice"], note["to_balance_minor"]) == (-1600, None, 1600)
        found = api.get(f"/v1/credit-notes/{note['id']}").json()
        assert (found["invoice"], found["amount_minor"]) == (note["invoice"], 1600)

    def test_is_done_once_for_a_key(self, api: ApiClient, account: Account) -> None:
        first = change(api, account, quantity=3)
        with nothing_moves():
            again = change(api, account, quantity=3)
        assert (again.content, again["Idempotent-Replayed"]) == (first.content, "true")

    def test_needs_a_key(self, api: ApiClient, account: Account) -> None:
        with nothing_moves():
            problem_of(change(api, account, once=None, quantity=3), status=400, slug="idempotency-key-missing")

    def test_while_its_payment_is_in_flight_is_refused_and_may_be_sent_again(
        self, api: ApiClient, account: Account
    ) -> None:
        change(api, account, quantity=3)
        with nothing_moves():
            problem_of(change(api, account, "2", quantity=4), status=409, slug="payment-in-flight")


class TestDryRun:
    @pytest.mark.parametrize("to", [{"quantity": 3}, {"unit_amount_minor": 0}, {"anchor_date": "2026-01-16"}])
    def test_answers_as_the_change_will_and_changes_nothing(
        self, api: ApiClient, account: Account, to: dict[str, Any]
    ) -> None:
        with nothing_moves():
            preview = change(api, account, once=None, dry_run=True, **to).json()
        done = change(api, account, **to).json()
        assert (preview.pop("dry_run"), done.pop("dry_run")) == (True, False)
        done["after"]["id"] = done["proration"]["invoice"] = None
        for note in done["proration"]["credit_notes"]:
            note["id"] = None
        if "anchor_date" in to:
            assert uuid.UUID(done["new_period"]["invoice"]["id"])
            done["new_period"]["invoice"]["id"] = None
        else:
            assert done["new_period"] is None
        assert preview == done


class TestPendingChange:
    def test_shows_on_the_account_and_can_be_taken_back(self, api: ApiClient, account: Account) -> None:
        after = change(api, account, quantity=3, effective="period_end").json()["after"]
        shown = api.get(f"/v1/accounts/{account.id}").json()
        assert (shown["quantity"], shown["pending_terms"]) == (1, after)
        assert after["effective_from"] == "2026-02-01"
        with nothing_moves(but=IdempotentAnswer):
            problem_of(change(api, account, "2", quantity=4), status=409, slug="terms-pending")
        path = f"/v1/accounts/{account.id}/terms/{after['id']}/withdraw"
        response = api.post(path, {"reason": "They left again."})
        assert (response.status_code, response.json()["pending_terms"]) == (200, None)
        with nothing_moves():
            problem_of(api.post(path, {"reason": "Again."}), status=409, slug="not-pending")
            unknown = f"/v1/accounts/{account.id}/terms/{uuid.uuid4()}/withdraw"
            problem_of(api.post(unknown, {"reason": "Again."}), status=404, slug="unknown-terms")

    def test_moves_the_billing_day_on_a_later_day(self, api: ApiClient, account: Account) -> None:
        with nothing_moves():
            preview = change(api, account, once=None, anchor_date="2026-01-21", dry_run=True).json()
        (line,) = preview["proration"]["lines"]
        assert line["description"] == "Unused days of Pro, 21 Jan to 31 Jan 2026"
        assert (preview["proration"]["net_minor"], preview["rebilling_date"]) == (-1100, "2026-01-21")
        done = change(api, account, anchor_date="2026-01-21").json()
        assert (done["proration"], done["rebilling_date"]) == (None, "2026-01-21")
        after = done["after"]
        assert (after["effective_from"], after["anchor_date"]) == ("2026-01-21", "2026-01-21")
        shown = api.get(f"/v1/accounts/{account.id}").json()
        assert (shown["pending_terms"], shown["anchor_date"]) == (after, "2026-01-01")
        jan_21 = datetime.date(2026, 1, 21)
        billed(as_of=jan_21)
        with time_machine.travel(at(jan_21), tick=False):
            shown = api.get(f"/v1/accounts/{account.id}").json()
        assert (shown["pending_terms"], shown["anchor_date"]) == (None, "2026-01-21")
        assert shown["rebilling_date"] == "2026-02-21"
        assert api.get(f"/v1/credit-notes?account={account.id}").json()["results"][0]["amount_minor"] == 1100

    def test_is_in_force_on_its_day(self, api: ApiClient, account: Account) -> None:
        change(api, account, quantity=3, effective="2026-03-01")
        with time_machine.travel(at(datetime.date(2026, 3, 1)), tick=False):
            shown = api.get(f"/v1/accounts/{account.id}").json()
        assert (shown["quantity"], shown["pending_terms"]) == (3, None)


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "reason"),
            (WHY | {"quantity": "2"}, "quantity"),
            (WHY | {"quantity": 2, "effective": "tomorrow"}, "effective"),
            (WHY | {"quantity": 2, "effective": "2026-02-30"}, "effective"),
            (WHY | {"quantity": 2, "effective": 5}, "effective"),
            (WHY | {"quantity": 2, "proration": "later"}, "proration"),
            (WHY | {"quantity": 2, "dry_run": "yes"}, "dry_run"),
            (WHY | {"anchor_date": "16 January"}, "anchor_date"),
            (WHY | {"interval": "week"}, "interval"),
        ],
    )
    def test_of_a_body_that_says_something_else(
        self, api: ApiClient, account: Account, body: dict[str, Any], field: str
    ) -> None:
        with nothing_moves():
            response = api.post(f"/v1/accounts/{account.id}/terms", body, once="1")
            assert list(problem_of(response, status=400, slug="invalid-request")["errors"]) == [field]

    @pytest.mark.parametrize(
        ("to", "field"),
        [
            ({"plan": "nowhere"}, "plan"),
            ({"quantity": 0}, "quantity"),
            ({"unit_amount_minor": -1}, "unit_amount_minor"),
            ({"quantity": 2, "effective": "2026-01-15"}, "effective"),
            ({"anchor_date": "2026-01-15"}, "anchor_date"),
            ({"anchor_date": "2026-01-21", "effective": "now"}, "anchor_date"),
        ],
    )
    def test_of_a_value_that_can_not_be(self, api: ApiClient, account: Account, to: dict[str, Any], field: str) -> None:
        with nothing_moves(but=IdempotentAnswer):
            problem = problem_of(change(api, account, **to), status=422, slug="unable-to-change-terms")
        assert list(problem["errors"]) == [field]

    def test_of_an_inactive_and_of_an_unknown_account(self, api: ApiClient, account: Account) -> None:
        api.post(f"/v1/accounts/{account.id}/close", WHY)
        with nothing_moves(but=IdempotentAnswer):
            problem_of(change(api, account, quantity=2), status=409, slug="account-inactive")
            problem_of(change(api, Account(id=uuid.uuid4()), quantity=2), status=404, slug="unknown-account")
