"""The catalog by API."""

from typing import Any

import pytest

from accounts.models import Plan
from api.models import IdempotentAnswer
from tests.builders import a_plan, an_account
from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import rolled_back
from tests.support.unchanged import nothing_moves

PRO = {
    "code": "pro-monthly",
    "name": "Pro, monthly",
    "currency": "USD",
    "unit_amount_minor": 1999,
    "interval_count": 1,
    "interval_unit": "month",
}


@rolled_back
class TestCreatePlan:
    def test_answers_with_the_plan(self, api: ApiClient) -> None:
        response = api.post("/v1/plans", PRO)
        assert response.status_code == 201
        assert response.json() == PRO | {"trial_days": 0, "retired": False}
        assert Plan.objects.count() == 1

    def test_accepts_a_trial_and_a_price_of_zero(self, api: ApiClient) -> None:
        response = api.post("/v1/plans", PRO | {"trial_days": 14, "unit_amount_minor": 0})
        assert response.status_code == 201
        plan = Plan.objects.get()
        assert (plan.trial_days, plan.unit_amount_minor) == (14, 0)

    def test_refuses_another_interval_with_those_that_there_are(self, api: ApiClient) -> None:
        with nothing_moves():
            response = api.post("/v1/plans", PRO | {"interval_unit": "moon"})
        problem = problem_of(response, status=400, slug="invalid-request")
        assert problem["errors"] == {"interval_unit": ["Must be day, week, month or year."]}

    def test_refuses_a_code_that_is_taken(self, api: ApiClient) -> None:
        api.post("/v1/plans", PRO)
        with nothing_moves():
            problem_of(api.post("/v1/plans", PRO | {"name": "Other"}), status=409, slug="plan-code-taken")

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("currency", "XXX"),
            ("currency", "usd"),
            ("unit_amount_minor", -1),
            ("unit_amount_minor", 100_000_000),
            ("interval_count", 0),
            ("interval_count", 367),
            ("trial_days", -1),
            ("trial_days", 731),
            ("code", "Pro Monthly"),
        ],
    )
    def test_refuses_a_value_out_of_range(self, api: ApiClient, field: str, value: Any) -> None:
        with nothing_moves():
            problem = problem_of(api.post("/v1/plans", PRO | {field: value}), status=422, slug="unable-to-create-plan")
        assert list(problem["errors"]) == [field]

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("unit_amount_minor", "1999"),
            ("unit_amount_minor", 1999.0),
            ("unit_amount_minor", True),
            ("unit_amount_minor", None),
            ("unit_amount_minor", 2**63),
            ("unit_amount_minor", -(2**63) - 1),
            ("interval_unit", "fortnight"),
            ("interval_unit", ["month"]),
            ("name", "  "),
            ("name", 5),
            ("name", "x" * 201),
            ("name", "nul \0 nul"),
            ("currency", "DOLLARS"),
            ("colour", "red"),
            ("retired", True),
        ],
    )
    def test_refuses_a_malformed_or_unknown_field(self, api: ApiClient, field: str, value: Any) -> None:
        with nothing_moves():
            problem = problem_of(api.post("/v1/plans", PRO | {field: value}), status=400, slug="invalid-request")
        assert list(problem["errors"]) == [field]

    def test_names_every_field_that_is_missing(self, api: ApiClient) -> None:
        problem = problem_of(api.post("/v1/plans", {}), status=400, slug="invalid-request")
        assert sorted(problem["errors"]) == sorted(PRO)


@rolled_back
class TestReadPlans:
    def test_gets_one_by_its_code(self, api: ApiClient) -> None:
        api.post("/v1/plans", PRO)
        assert api.get("/v1/plans/pro-monthly").json() == PRO | {"trial_days": 0, "retired": False}

    def test_lists_the_newest_first(self, api: ApiClient) -> None:
        for code in ("one", "two", "three"):
            a_plan(code=code)
        page = api.get("/v1/plans").json()
        assert [plan["code"] for plan in page["results"]] == ["three", "two", "one"]
        assert (page["next"], page["previous"]) == (None, None)

    @pytest.mark.parametrize("code", ["nothing", "Pro", "-", "a" * 300])
    def test_finds_no_unknown_code(self, api: ApiClient, code: str) -> None:
        problem_of(api.get(f"/v1/plans/{code}"), status=404, slug="unknown-plan")


@rolled_back
class TestRetirePlan:
    def test_takes_no_more_accounts(self, api: ApiClient) -> None:
        plan = a_plan(code="old")
        an_account(plan=plan)
        response = api.post("/v1/plans/old/retire")
        assert response.status_code == 200
        assert response.json()["retired"] is True
        account = {"name": "Ada", "email": "ada@example.com", "plan": "old"}
        with nothing_moves(but=IdempotentAnswer):
            problem = problem_of(
                api.post("/v1/accounts", account, once="one"), status=422, slug="unable-to-open-account"
            )
        assert problem["errors"] == {"plan": ["The plan 'old' is retired."]}

    def test_changes_nothing_the_second_time(self, api: ApiClient) -> None:
        a_plan(code="old")
        first = api.post("/v1/plans/old/retire", {})
        with nothing_moves():
            assert api.post("/v1/plans/old/retire", {}).json() == first.json()

    def test_refuses_an_unknown_plan_or_field(self, api: ApiClient) -> None:
        a_plan(code="old")
        with nothing_moves():
            problem_of(api.post("/v1/plans/other/retire"), status=404, slug="unknown-plan")
            problem_of(api.post("/v1/plans/old/retire", {"on": "2026-01-01"}), status=400, slug="invalid-request")
