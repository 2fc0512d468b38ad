import uuid

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.test import Client

from accounts.models import Account
from invoices.credits import grant_credit
from rebilling.models import Rebilling, Run
from tests.builders import NOW, TODAY
from tests.functional.backoffice.action_requests import messages_of, path_of, performed, state
from tests.functional.backoffice.conftest import Billed, Owing
from tests.support.databases import rolled_back
from tests.support.refunds import refunded

pytestmark = rolled_back


@pytest.fixture
def every_action(billed_account: Billed, owing: Owing, parked: Rebilling, held_run: Run) -> list[str]:
    refund = refunded(billed_account.payment, 100)
    return [
        path_of(billed_account.account, "update"),
        *(path_of(billed_account.account, action) for action in ("close", "close-and-refund", "reopen", "pause")),
        *(path_of(billed_account.account, action) for action in ("resume", "take-back", "trial")),
        path_of(billed_account.account, "bill-debt"),
        path_of(billed_account.account, "credit"),
        path_of(billed_account.account, "payment"),
        *(path_of(owing.january, action) for action in ("collect", "payment", "credit-note", "write-off")),
        path_of(billed_account.charge, "reverse"),
        *(path_of(billed_account.payment, action) for action in ("refund", "taken-back", "look-up", "mark-resolved")),
        *(path_of(billed_account.payment, action) for action in ("mark-succeeded", "mark-declined", "book-late")),
        *(path_of(refund, action) for action in ("came-back", "look-up", "mark-succeeded", "mark-failed")),
        *(path_of(refund, action) for action in ("book-late", "mark-resolved")),
        path_of(parked, "release"),
        path_of(parked, "skip"),
        path_of(held_run, "release"),
        path_of(held_run, "cancel"),
        path_of(held_run, "cancel-parked"),
    ]


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
}


class TestEveryAction:
    @pytest.mark.parametrize("person", ["support", "newcomer"])
    def test_is_refused_without_its_permission(
        self, request: pytest.FixtureRequest, person: str, every_action: list[str]
    ) -> None:
        client = request.getfixturevalue(person)
        before = state()
        for path in every_action:
            assert client.get(path).status_code == 403
            assert client.post(path, SAID).status_code == 403
        assert state() == before

    def test_is_refused_to_those_who_have_not_logged_in(self, every_action: list[str]) -> None:
        before = state()
        for path in every_action:
            assert Client().post(path, SAID)["Location"] == f"/admin/login/?next={path}"
        assert state() == before

    def test_is_refused_without_the_token_of_its_form(self, operator: Client, every_action: list[str]) -> None:
        before = state()
        operator.handler.enforce_csrf_checks = True
        for path in every_action:
            assert operator.post(path, SAID).status_code == 403
        assert state() == before

    def test_only_shows_its_form_when_looked_at(self, operator: Client, every_action: list[str]) -> None:
        before = state()
        for path in every_action:
            response = operator.get(path, SAID)
            assert response.status_code == 200
            assert 'name="reason"' in response.content.decode()
            assert "as was agreed" not in response.content.decode()
        assert state() == before

    @pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
    def test_needs_a_reason(self, operator: Client, every_action: list[str], reason: str) -> None:
        before = state()
        for path in every_action:
            response = operator.post(path, SAID | {"reason": reason})
            assert response.status_code == 200
            assert "errorlist" in response.content.decode()
        assert state() == before

    def test_of_a_row_that_does_not_exist_is_refused(self, operator: Client) -> None:
        account = Account(id=uuid.UUID(int=0))
        assert messages_of(operator, path_of(account, "close"), SAID) == [f"There is no account {account.id}."]

    def test_that_fails_unexpectedly_leaves_nothing_behind(
        self, operator: Client, billed_account: Billed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*args: object, **kwargs: object) -> None:
            raise RuntimeError("no history today")

        monkeypatch.setattr(LogEntry.objects, "log_actions", fail)
        before = state()
        with pytest.raises(RuntimeError):
            performed(operator, path_of(billed_account.account, "close"), SAID)
        assert state() == before


class TestButtons:
    def test_are_those_that_the_person_may_press_and_the_row_allows(
        self,
        operator: Client,
        support: Client,
        owing: Owing,
        billed_account: Billed,
        parked: Rebilling,
        held_run: Run,
    ) -> None:
        credit = grant_credit(
            account_id=billed_account.account.id, amount_minor=1, reason="r", author="test", today=TODAY, now=NOW
        )
        of_accounts = {"update", "terms", "discount", "item", "credit", "payment"}
        of_accounts |= {"close", "close-and-refund", "pause"}
        offered = {
            billed_account.account: of_accounts,
            owing.account: of_accounts,
            owing.january: {"collect", "payment", "credit-note", "write-off"},
            billed_account.invoice: {"credit-note"},
            billed_account.payment: {"refund", "taken-back"},
            billed_account.charge: set(),
            billed_account.payment_entry: set(),
            credit: {"reverse"},
            billed_account.rebilling: set(),
            parked: {"release", "skip"},
            held_run: {"release", "cancel"},
            billed_account.run: set(),
        }
        every = {action.name for page in admin.site._registry.values() for action in getattr(page, "page_actions", ())}
        for row, names in offered.items():
            content = operator.get(path_of(row, "change")).content.decode()
            assert {name for name in every if path_of(row, name) in content} == names
            content = support.get(path_of(row, "change")).content.decode()
            assert not [name for name in every if path_of(row, name) in content]
