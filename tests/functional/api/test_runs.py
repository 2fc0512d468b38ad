"""Runs and their reconciliations by API."""

import datetime
import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from payments.gateways.port import Declined
from rebilling.models import Rebilling, Run
from rebilling.reconciliation.reconcile import reconcile
from rebilling.run_review import cancel_run
from tests.builders import NOW, TODAY, QueueInHand, ScriptedGateway, a_plan, an_account, at, billed, delivered, swept
from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import rolled_back

NONE = {"periods": 0, "amount_minor": {}}


@rolled_back
class TestGetRun:
    def test_shows_the_reconciliation(self, api: ApiClient) -> None:
        for currency in ("USD", "USD", "EUR"):
            an_account(plan=a_plan(currency=currency))
        run = billed(as_of=TODAY, gateway=ScriptedGateway(Declined(code="expired_card")))
        all_of_it = {"periods": 3, "amount_minor": {"EUR": 1999, "USD": 3998}}
        assert api.get(f"/v1/runs/{run.id}").json() == {
            "id": str(run.id),
            "kind": "sweep",
            "as_of": "2026-01-01",
            "status": "OPEN",
            "due": all_of_it,
            "charged": all_of_it,
            "skipped": NONE | {"reasons": {}},
            "parked": NONE | {"reasons": {}},
            "unexplained": NONE,
            "payments": {"succeeded": 2, "declined": 1, "unknown": 0, "submitted": 0},
        }

    def test_shows_a_held_run_and_a_cancelled_one(self, api: ApiClient, settings: Any) -> None:
        settings.VOLUME_CHECK_FIRST_PERIODS = 1
        for _ in range(2):
            an_account()
        run = swept(as_of=TODAY, queue=QueueInHand())
        shown = api.get(f"/v1/runs/{run.id}").json()
        assert (shown["status"], shown["due"]["periods"], shown["unexplained"]) == ("HELD", 2, NONE)
        cancel_run(run_id=run.id, reason="wrong day", author="t", now=at(TODAY))
        shown = api.get(f"/v1/runs/{run.id}").json()
        assert (shown["status"], shown["skipped"]["reasons"]) == ("CANCELLED", {"run_cancelled": 2})

    def test_shows_what_is_parked_and_skipped_and_why(self, api: ApiClient) -> None:
        long_ago = datetime.date(2022, 1, 1)
        gone, waiting = an_account(), an_account(anchor_date=long_ago, rebilling_date=long_ago)
        queue = QueueInHand()
        run = swept(as_of=TODAY, queue=queue)
        api.post(f"/v1/accounts/{gone.id}/close", {"reason": "left"})
        delivered(bodies=queue.take(), queue=queue)
        shown = api.get(f"/v1/runs/{run.id}").json()
        assert shown["skipped"] == {"periods": 1, "amount_minor": {"USD": 1999}, "reasons": {"account_inactive": 1}}
        assert Rebilling.objects.filter(account=waiting, status="PARKED").count() == 1
        assert shown["parked"]["reasons"] == {"too_many_periods": 1}
        assert shown["unexplained"] == NONE

    def test_shows_what_was_lost(self, api: ApiClient) -> None:
        account = an_account()
        # A date moved by hand, past a period that nobody charged.
        type(account).objects.filter(id=account.id).update(rebilling_date=datetime.date(2026, 2, 1))
        run = billed(as_of=TODAY)
        reconcile(runs=[run], now=NOW)
        assert api.get(f"/v1/runs/{run.id}").json()["unexplained"] == {"periods": 1, "amount_minor": {"USD": 1999}}

    def test_finds_no_unknown_id(self, api: ApiClient) -> None:
        problem_of(api.get(f"/v1/runs/{uuid.uuid4()}"), status=404, slug="unknown-run")


@rolled_back
class TestListRuns:
    def test_shows_the_newest_first(self, api: ApiClient) -> None:
        an_account()
        for month in (1, 2, 3):
            billed(as_of=TODAY.replace(month=month))
        runs = api.get("/v1/runs").json()["results"]
        assert [(run["as_of"], run["charged"]["periods"]) for run in runs] == [
            ("2026-03-01", 1),
            ("2026-02-01", 1),
            ("2026-01-01", 1),
        ]
        assert api.get(f"/v1/runs/{runs[1]['id']}").json() == runs[1]

    def test_takes_as_many_statements_for_1_as_for_6(self, api: ApiClient) -> None:
        an_account()
        counts = []
        for months in ([1], [2, 3, 4, 5, 6]):
            for month in months:
                billed(as_of=TODAY.replace(month=month))
            with CaptureQueriesContext(connection) as queries:
                assert len(api.get("/v1/runs").json()["results"]) == months[-1]
            counts.append(len(queries))
        assert counts[0] == counts[1] < 10

    @pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
    def test_are_not_made_by_api(self, api: ApiClient, method: str) -> None:
        problem_of(api.send(method, "/v1/runs", body={}), status=405, slug="method-not-allowed")
        assert Run.objects.count() == 0
