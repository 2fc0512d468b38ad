"""How much one movement of money may be, and how far a balance may go."""

from typing import Any

import pytest

from accounts.models import Account
from api.models import IdempotentAnswer
from ledger.balances import balance
from ledger.models import Book, Entry, EntryType
from ledger.posting import Posting, post
from tests.builders import TODAY, a_plan, an_account
from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import rolled_back
from tests.support.unchanged import nothing_moves

MAX_OWED = 2**53 - 1
PLAN = {"code": "new", "name": "New", "interval_count": 1, "interval_unit": "month"}
WAYS = [
    ("credits", {"reason": "An hour of outage."}),
    ("payments", {"reason": "Paid by transfer.", "reference": "SEPA 17"}),
]


def _posted(account: Account, type_: EntryType, amount_minor: int, **given: Any) -> Entry:
    posting = Posting(
        type=type_,
        account_id=account.id,
        amount_minor=amount_minor,
        currency=account.currency,
        description="posted by the test",
        idempotency_key=f"test:{type_}:{amount_minor}",
        **given,
    )
    (entry_id,) = post(postings=[posting], effective_on=TODAY, author="test")
    return Entry.objects.get(id=entry_id)


@rolled_back
class TestOneMovement:
    @pytest.mark.parametrize(("way", "body"), WAYS)
    @pytest.mark.parametrize(
        ("currency", "limits"),
        [
            ("USD", "0.01 USD to 999,999.99 USD"),
            ("JPY", "1 JPY to 99,999,999 JPY"),
            ("KWD", "0.001 KWD to 99,999.999 KWD"),
        ],
    )
    def test_above_the_maximum_is_refused_with_amounts_as_money(
        self, api: ApiClient, way: str, body: dict[str, Any], currency: str, limits: str
    ) -> None:
        account = an_account(plan=a_plan(currency=currency))
        path = f"/v1/accounts/{account.id}/{way}"
        for amount in (100_000_000, 2**53, 2**63 - 1, 0, -1):
            with nothing_moves(but=IdempotentAnswer):
                response = api.post(path, body | {"amount_minor": amount}, once=f"{amount}")
                slug = "unable-to-record-payment" if way == "payments" else "unable-to-credit"
                problem = problem_of(response, status=422, slug=slug)
            assert problem["errors"] == {"amount_minor": [f"Must be from {limits} (the setting MAX_MOVEMENT_MINOR)."]}
        assert api.post(path, body | {"amount_minor": 99_999_999}, once="most").status_code == 201
        assert balance(account_id=account.id) == -99_999_999

    @pytest.mark.parametrize(("way", "body"), WAYS)
    def test_is_as_large_as_the_setting_says(
        self, api: ApiClient, way: str, body: dict[str, Any], settings: Any
    ) -> None:
        settings.MAX_MOVEMENT_MINOR = 2000
        path = f"/v1/accounts/{an_account().id}/{way}"
        with nothing_moves(but=IdempotentAnswer):
            assert api.post(path, body | {"amount_minor": 2001}, once="one").status_code == 422
        assert api.post(path, body | {"amount_minor": 2000}, once="two").status_code == 201

    def test_that_is_a_price_may_be_nothing_and_at_most_the_maximum(self, api: ApiClient) -> None:
        plan = PLAN | {"currency": "JPY", "unit_amount_minor": 100_000_000}
        with nothing_moves():
            problem = problem_of(api.post("/v1/plans", plan), status=422, slug="unable-to-create-plan")
        assert problem["errors"] == {
            "unit_amount_minor": ["Must be from 0 JPY to 99,999,999 JPY (the setting MAX_MOVEMENT_MINOR)."]
        }
        assert api.post("/v1/plans", plan | {"unit_amount_minor": 99_999_999}).status_code == 201

    def test_leaves_what_was_agreed_before_the_setting_was_lowered(self, api: ApiClient, settings: Any) -> None:
        account = an_account(unit_amount_minor=2000)
        settings.MAX_MOVEMENT_MINOR = 1999
        assert api.patch(f"/v1/accounts/{account.id}", {"name": "Grace"}).json()["name"] == "Grace"
        with nothing_moves(but=IdempotentAnswer):
            response = api.post(f"/v1/accounts/{account.id}/terms", {"quantity": 1, "reason": "same"}, once="1")
            problem_of(response, status=422, slug="unable-to-change-terms")


@rolled_back
class TestBalance:
    @pytest.mark.parametrize(("way", "body"), WAYS)
    def test_of_credit_goes_as_far_as_json_counts_and_no_further(
        self, api: ApiClient, way: str, body: dict[str, Any]
    ) -> None:
        account = an_account()
        _posted(account, EntryType.CREDIT, MAX_OWED - 500)
        path = f"/v1/accounts/{account.id}/{way}"
        with nothing_moves(but=IdempotentAnswer):
            response = api.post(path, body | {"amount_minor": 501}, once="one")
            problem = problem_of(response, status=409, slug="balance-out-of-bounds")
        assert problem["detail"] == (
            "The account's balance would be more than 90,071,992,547,409.91 USD, the most that it may be."
        )
        assert api.post(path, body | {"amount_minor": 500}, once="two").status_code == 201
        assert api.get(f"/v1/accounts/{account.id}/balance").json()["balance_minor"] == -MAX_OWED

    def test_is_not_taken_further_by_a_reversal(self, api: ApiClient) -> None:
        account = an_account()
        credit = _posted(account, EntryType.CREDIT, 500)
        for owed in (MAX_OWED, 1):
            _posted(account, EntryType.OPENING_BALANCE, owed, books=(Book.RECEIVABLE, Book.OPENING))
        with nothing_moves(but=IdempotentAnswer):
            response = api.post(f"/v1/ledger/{credit.id}/reversals", {"reason": "A mistake."}, once="one")
            problem_of(response, status=409, slug="balance-out-of-bounds")
        assert balance(account_id=account.id) == MAX_OWED + 1 - 500
