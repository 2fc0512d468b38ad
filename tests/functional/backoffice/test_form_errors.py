"""Errors in an action's form are shown at their fields, and nothing moves."""

import uuid
from typing import Any

import pytest
from django.contrib import admin
from django.db import models
from django.test import Client

from accounts.models import Account
from backoffice.actions import ActingAdmin
from invoices.models import CreditNote, Invoice
from ledger.models import Entry
from payments.gateways.port import Declined, Unknown
from payments.messages import dispatch
from payments.models import Payment, Refund
from rebilling.models import Rebilling, Run
from tests.builders import TODAY, QueueInHand, ScriptedGateway, an_account, billed
from tests.functional.backoffice.action_requests import messages_of, path_of, performed, state
from tests.functional.backoffice.conftest import Billed, Owing
from tests.support.databases import rolled_back
from tests.support.items import added
from tests.support.refunds import refunded, requested

pytestmark = rolled_back

REQUIRED = "This field is required."
NO_NUL = "Null characters are not allowed."
TOO_LONG = "Ensure this value has at most {} characters (it has {})."
NO_AMOUNT = "Enter an amount in USD with digits and a decimal point, like 20.50."
LIMITS = "Must be from 0.01 USD to 999,999.99 USD (the setting MAX_MOVEMENT_MINOR)."
OPEN_AGAIN = "This form is incomplete. Open it again."
SAID = {
    "reason": "as was agreed",
    "amount": "5.00",
    "what": "amount",
    "source": "payment",
    "reference": "SEPA 17",
    "when": "now",
    "at": "now",
    "refund": "full",
    "change": "cancellation",
    "ends_on": "2026-02-01",
    "submission": "0193aaaa-0000-7000-8000-000000000000",
    "name": "Ada Lovelace",
    "email": "ada@engine.example",
    "quantity": "1",
    "plan": "gold",
    "unit_price": "20.50",
    "description": "Setup",
    "kind": "charge",
    "billing": "next_invoice",
    "item": "0193aaaa-0000-7000-8000-000000000001",
    "effective": "now",
    "proration": "invoice",
    "collection_method": "automatic",
    "net_days": "30",
}


@pytest.fixture
def rows(billed_account: Billed, owing: Owing) -> dict[type[models.Model], models.Model]:
    """A row of each kind that has pages of its own."""
    refund = refunded(billed_account.payment, 100)
    added(owing.account, 500, item_id=uuid.UUID(SAID["item"]))
    return {
        Account: owing.account,
        Invoice: owing.january,
        CreditNote: CreditNote.objects.get(),
        Entry: billed_account.charge,
        Payment: billed_account.payment,
        Refund: refund,
        Run: billed_account.run,
        Rebilling: billed_account.rebilling,
    }


def every_action(rows: dict[type[models.Model], models.Model]) -> list[str]:
    admins = [page for page in admin.site._registry.values() if isinstance(page, ActingAdmin)]
    assert {page.model for page in admins} == rows.keys()
    return [path_of(rows[page.model], action.name) for page in admins for action in page.page_actions]


def errors_of(client: Client, path: str, said: dict[str, str]) -> dict[str, list[str]]:
    """By field, and all of it is on the page."""
    response = client.post(path, said)
    assert response.status_code == 200, path
    errors: dict[str, list[str]] = dict(response.context["form"].errors)
    for name, found in errors.items():
        # As it is on the page.
        items = "".join(f"<li>{message.replace(chr(39), '&#x27;')}</li>" for message in found)
        assert f'<ul class="errorlist" id="id_{name}_error">{items}</ul>' in response.content.decode(), path
    return errors


class TestReason:
    @pytest.mark.parametrize(
        ("reason", "message"),
        [("", REQUIRED), (" \t\r\n ", REQUIRED), ("x" * 501, TOO_LONG.format(500, 501)), ("nul \0", NO_NUL)],
    )
    def test_errors_are_shown_at_its_field_by_every_action(
        self,
        operator: Client,
        rows: dict[type[models.Model], models.Model],
        reason: str,
        message: str,
    ) -> None:
        before = state()
        paths = every_action(rows)
        assert len(paths) == 40
        for path in paths:
            assert errors_of(operator, path, SAID | {"reason": reason}) == {"reason": [message]}, path
        assert state() == before

    def test_may_have_500_characters(self, operator: Client, owing: Owing) -> None:
        assert messages_of(operator, path_of(owing.account, "close"), {"reason": "x" * 500, "when": "now"}) == [
            "The account was closed, or will be on its day."
        ]
        assert owing.account.changes.latest("id").reason == "x" * 500

    def test_may_be_typed_on_several_lines_and_is_stored_as_one(self, operator: Client, owing: Owing) -> None:
        written = {"reason": f" called twice,\r\nmoved away \t today {'x' * 469}", "when": "now"}
        assert messages_of(operator, path_of(owing.account, "close"), written) == [
            "The account was closed, or will be on its day."
        ]
        kept = owing.account.changes.latest("id").reason
        assert (kept[:31], len(kept)) == ("called twice, moved away today ", 500)


class TestFields:
    @pytest.mark.parametrize(
        ("field", "value", "message"),
        [
            ("amount", "", REQUIRED),
            ("amount", "9,000", NO_AMOUNT),
            ("amount", "1,000.00", NO_AMOUNT),
            ("amount", "-9.00", NO_AMOUNT),
            ("amount", "+9.00", NO_AMOUNT),
            ("amount", "9.999", NO_AMOUNT),
            ("amount", "9.00 USD", NO_AMOUNT),
            ("amount", "1e3", NO_AMOUNT),
            ("amount", "\u0669", NO_AMOUNT),
            ("amount", "0", LIMITS),
            ("amount", "0.00", LIMITS),
            ("amount", "9" * 19, LIMITS),
            ("amount", "9" * 31, TOO_LONG.format(30, 31)),
            ("amount", "9\0", NO_NUL),
            ("submission", "", OPEN_AGAIN),
            ("submission", "again", OPEN_AGAIN),
        ],
    )
    def test_for_amounts_show_errors_at_the_field(
        self, operator: Client, billed_account: Billed, field: str, value: str, message: str
    ) -> None:
        before = state()
        for path in (
            path_of(billed_account.account, "credit"),
            path_of(billed_account.account, "payment"),
            path_of(billed_account.invoice, "payment"),
            path_of(billed_account.payment, "refund"),
        ):
            assert errors_of(operator, path, SAID | {field: value}) == {field: [message]}, path
        assert state() == before

    @pytest.mark.parametrize(
        ("reference", "message"),
        [("", REQUIRED), ("  ", REQUIRED), ("x" * 201, TOO_LONG.format(200, 201)), ("nul \0", NO_NUL)],
    )
    def test_for_a_reference_show_errors_at_the_field(
        self, operator: Client, billed_account: Billed, reference: str, message: str
    ) -> None:
        refund = requested(billed_account.payment, 100)
        before = state()
        for path in (
            path_of(billed_account.account, "payment"),
            path_of(billed_account.invoice, "payment"),
            path_of(billed_account.payment, "mark-succeeded"),
            path_of(billed_account.payment, "book-late"),
            path_of(refund, "mark-succeeded"),
            path_of(refund, "book-late"),
        ):
            assert errors_of(operator, path, SAID | {"reference": reference}) == {"reference": [message]}, path
        assert state() == before

    def test_that_are_all_wrong_all_show_errors(self, operator: Client, billed_account: Billed) -> None:
        before = state()
        assert errors_of(operator, path_of(billed_account.account, "payment"), {}) == {
            "amount": [REQUIRED],
            "reference": [REQUIRED],
            "reason": [REQUIRED],
            "submission": [OPEN_AGAIN],
        }
        assert state() == before


class TestWhatTheOperationRefuses:
    def test_is_shown_at_the_field_that_it_is_about(self, operator: Client, billed_account: Billed) -> None:
        an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(Unknown(reason="the gateway moved 500 USD", needs_review=True)))
        puzzling = Payment.objects.get(needs_review=True)
        taken = billed_account.payment
        assert puzzling.gateway == taken.gateway
        before = state()

        form = SAID | {"reference": taken.gateway_reference}
        assert errors_of(operator, path_of(puzzling, "mark-succeeded"), form) == {
            "reference": ["Another payment has this reference."]
        }
        assert messages_of(operator, path_of(puzzling, "mark-succeeded"), form) == ["Nothing was recorded."]
        assert state() == before

    def test_keeps_what_was_entered(self, operator: Client, billed_account: Billed) -> None:
        response = operator.post(path_of(billed_account.payment, "refund"), SAID | {"amount": "2000.00"})
        assert [str(message) for message in response.context["messages"]] == [
            "Of this payment, 1,999.00 USD is left to refund."
        ]
        assert 'name="amount" value="2000.00"' in response.content.decode()
        assert "as was agreed</textarea>" in response.content.decode()


class TestTheSameFormSentTwice:
    """By a double click, or with the browser's way back."""

    @pytest.fixture(autouse=True)
    def _queue(self, monkeypatch: pytest.MonkeyPatch) -> None:
        queue = QueueInHand()
        monkeypatch.setattr(dispatch, "configured_queue", lambda: queue)
        monkeypatch.setattr("backoffice.rebilling.configured_queue", lambda: queue)

    def twice(self, client: Client, row: Any, action: str) -> list[str]:
        """The second time's messages; the first has worked, and the second moves nothing."""
        path = path_of(row, action)
        before = state()
        assert performed(client, path, SAID)["Location"] == path_of(row, "change")
        once = state()
        assert once != before
        messages = messages_of(client, path, SAID)
        assert state() == once
        return messages

    @pytest.mark.parametrize("action", ["release", "skip"])
    def test_of_a_parked_period_is_refused(self, operator: Client, parked: Rebilling, action: str) -> None:
        status = {"release": "DUE", "skip": "SKIPPED"}[action]
        assert self.twice(operator, parked, action) == [f"The period is {status}, not PARKED."]

    @pytest.mark.parametrize("action", ["release", "cancel"])
    def test_of_a_held_run_is_refused(self, operator: Client, held_run: Run, action: str) -> None:
        status = {"release": "OPEN", "cancel": "CANCELLED"}[action]
        assert self.twice(operator, held_run, action) == [f"The run is {status}, not HELD."]

    def test_of_an_account_is_refused(self, operator: Client, billed_account: Billed) -> None:
        account = billed_account.account
        assert self.twice(operator, account, "close") == [f"The account {account.id} is already inactive (closed)."]
        assert self.twice(operator, account, "reopen") == [f"The account {account.id} is ACTIVE, not INACTIVE."]

    @pytest.mark.parametrize("action", ["collect", "write-off"])
    def test_of_an_invoice_is_refused(self, operator: Client, owing: Owing, action: str) -> None:
        why = {
            "collect": f"A payment of the invoice {owing.january.number} is at the gateway: wait until its outcome is "
            "known.",
            "write-off": f"The invoice {owing.january.number} is UNCOLLECTIBLE: there is nothing to write off.",
        }
        assert self.twice(operator, owing.january, action) == [why[action]]

    @pytest.mark.parametrize(
        ("row", "action", "what"),
        [
            ("account", "credit", "This credit was granted before."),
            ("account", "payment", "This payment was recorded before."),
            ("january", "payment", "This payment was recorded before."),
            ("january", "credit-note", "This credit note was issued before."),
        ],
    )
    def test_of_an_amount_is_refused(self, operator: Client, owing: Owing, row: str, action: str, what: str) -> None:
        assert self.twice(operator, getattr(owing, row), action) == [what]

    def test_of_a_refund_is_refused(self, operator: Client, billed_account: Billed) -> None:
        assert self.twice(operator, billed_account.payment, "refund") == ["This refund was requested before."]

    def test_of_money_that_was_taken_back_is_refused(self, operator: Client, billed_account: Billed) -> None:
        assert self.twice(operator, billed_account.payment, "taken-back") == ["This was already recorded."]

    def test_of_a_refund_that_came_back_is_refused(self, operator: Client, billed_account: Billed) -> None:
        refund = refunded(billed_account.payment, 100)
        assert self.twice(operator, refund, "came-back") == ["This was already recorded."]

    def test_of_a_write_off_that_is_taken_back_is_refused(self, operator: Client, owing: Owing) -> None:
        operator.post(path_of(owing.january, "write-off"), SAID)
        entry = Entry.objects.get(type="write_off")
        assert self.twice(operator, entry, "reverse") == [f"The entry {entry.id} was reversed before."]

    @pytest.mark.parametrize("action", ["mark-succeeded", "mark-declined"])
    def test_of_a_payment_that_needs_review_is_refused(self, operator: Client, action: str) -> None:
        an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(Unknown(reason="the gateway moved 500 USD", needs_review=True)))
        status = {"mark-succeeded": "SUCCEEDED", "mark-declined": "DECLINED"}[action]
        assert self.twice(operator, Payment.objects.get(), action) == [
            f"The payment is {status} and doesn't need review."
        ]

    @pytest.mark.parametrize("action", ["mark-succeeded", "mark-failed"])
    def test_of_a_refund_that_needs_review_is_refused(
        self, operator: Client, billed_account: Billed, action: str
    ) -> None:
        refund = requested(billed_account.payment, 100)
        Refund.objects.update(needs_review=True)
        status = {"mark-succeeded": "SUCCEEDED", "mark-failed": "FAILED"}[action]
        assert self.twice(operator, refund, action) == [f"The refund is {status} and doesn't need review."]

    @pytest.mark.parametrize("action", ["book-late", "mark-resolved"])
    def test_of_a_refund_that_was_sent_after_all_is_refused(
        self, operator: Client, billed_account: Billed, action: str
    ) -> None:
        refund = requested(billed_account.payment, 100)
        Refund.objects.update(
            status="FAILED", failure_code="never_received", completed_at=refund.submitted_at, needs_review=True
        )
        why = {
            "book-late": "The refund is FAILED, and no money of it was sent after all, or it was booked before.",
            "mark-resolved": "The refund is FAILED and has nothing to be marked as resolved.",
        }
        assert self.twice(operator, refund, action) == [why[action]]

    def test_of_a_payment_that_is_marked_as_resolved_is_refused(self, operator: Client) -> None:
        an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(Declined(code="insufficient_funds")))
        Payment.objects.update(needs_review=True)
        assert self.twice(operator, Payment.objects.get(), "mark-resolved") == [
            "The payment is DECLINED and has nothing to be marked as resolved."
        ]
