import re
import uuid

import pytest
from django.contrib.admin.models import LogEntry
from django.db import models
from django.test import Client

from accounts.models import Account, StatusChange
from ledger.balances import balance
from ledger.models import Entry, EntryType
from rebilling.models import Rebilling
from tests.builders import an_account
from tests.databases import rolled_back
from tests.integration.backoffice.conftest import Billed

pytestmark = rolled_back


def path_of(row: models.Model, action: str) -> str:
    return f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/{action}/"


def state() -> list[object]:
    """Everything that an action could move."""
    tables: list[type[models.Model]] = [Account, StatusChange, Entry, Rebilling, LogEntry]
    return [list(model._default_manager.order_by("pk").values()) for model in tables]


def messages_of(client: Client, path: str, said: dict[str, str]) -> list[str]:
    """What the person is told; the messages of what was done before are seen already."""
    client.get("/admin/")
    response = client.post(path, said, follow=True)
    assert response.status_code == 200
    return [str(message) for message in response.context["messages"]]


def logged() -> list[tuple[str, str | None, str]]:
    return list(LogEntry.objects.order_by("pk").values_list("user__username", "object_id", "change_message"))


def submission_of(client: Client, account: Account) -> str:
    found = re.search(r'name="submission" value="([^"]+)"', client.get(path_of(account, "credit")).content.decode())
    assert found
    return found[1]


@pytest.fixture
def every_action(billed_account: Billed, parked: Rebilling) -> list[str]:
    return [
        path_of(billed_account.account, "close"),
        path_of(billed_account.account, "reopen"),
        path_of(billed_account.account, "credit"),
        path_of(billed_account.charge, "reverse"),
        path_of(parked, "release"),
        path_of(parked, "skip"),
    ]


SAID = {"reason": "as was agreed", "amount": "5.00", "submission": "0193aaaa-0000-7000-8000-000000000000"}


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
            operator.post(path_of(billed_account.account, "close"), SAID)
        assert state() == before


class TestButtons:
    def test_are_those_that_the_person_may_press_and_the_row_allows(
        self, operator: Client, support: Client, billed_account: Billed, parked: Rebilling
    ) -> None:
        offered = {
            billed_account.account: {"credit", "close"},
            billed_account.charge: {"reverse"},
            billed_account.payment_entry: set(),
            billed_account.rebilling: set(),
            parked: {"release", "skip"},
        }
        for row, names in offered.items():
            content = operator.get(path_of(row, "change")).content.decode()
            every = {"credit", "close", "reopen", "reverse", "release", "skip"}
            assert {name for name in every if path_of(row, name) in content} == names
            content = support.get(path_of(row, "change")).content.decode()
            assert not [name for name in every if path_of(row, name) in content]


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
            f"The account {account.id} is closed already."
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
        assert "errorlist" in response.content.decode() or "Nothing was credited" in response.content.decode()
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
