"""How many requests a client and an address may send, and what wrong keys are answered."""

import datetime
import logging
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from api.models import RequestCount, Scope
from ledger.models import Entry
from tests.builders import NOW, an_account
from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import rolled_back
from tests.support.unchanged import nothing_moves

SORRY = {"amount_minor": 500, "reason": "An hour of outage."}
ELSEWHERE = "198.51.100.7"


def sent_from(api: ApiClient, address: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """As on Lambda, where API Gateway names the address."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "billing")
    return api.send("GET", "/v1/plans", X_Source_Ip=address)


def limits_of(response: Any) -> tuple[str, ...]:
    return tuple(response.get(f"RateLimit-{name}", "") for name in ("Limit", "Remaining", "Reset"))


@rolled_back
class TestLimitOfAClient:
    def test_refuses_what_is_too_much_until_the_minute_ends(self, api: ApiClient, settings: Any) -> None:
        settings.API_CLIENT_REQUESTS_PER_MINUTE = 2
        with time_machine.travel(NOW.replace(second=15), tick=False):
            assert limits_of(api.get("/v1/plans")) == ("2", "1", "45")
            assert limits_of(api.get("/v1/plans")) == ("2", "0", "45")
            refused = api.get("/v1/plans")
        problem = problem_of(refused, status=429, slug="too-many-requests")
        assert problem["detail"] == "Too many requests in this minute. Send it again in 45 s."
        assert refused["Retry-After"] == "45"
        assert limits_of(refused) == ("2", "0", "45")
        with time_machine.travel(NOW.replace(second=0) + datetime.timedelta(minutes=1), tick=False):
            assert limits_of(api.get("/v1/plans")) == ("2", "1", "60")

    def test_is_one_for_all_its_keys_and_none_of_others(self, api: ApiClient, settings: Any) -> None:
        settings.API_CLIENT_REQUESTS_PER_MINUTE = 1
        assert api.get("/v1/plans").status_code == 200
        assert api.replaced().get("/v1/plans").status_code == 429
        assert ApiClient(name="another").get("/v1/plans").status_code == 200

    def test_counts_replays_and_refuses_them_before_anything_moves(self, api: ApiClient, settings: Any) -> None:
        settings.API_CLIENT_REQUESTS_PER_MINUTE = 2
        path = f"/v1/accounts/{an_account().id}/credits"
        assert api.post(path, SORRY, once="one").status_code == 201
        assert api.post(path, SORRY, once="one")["Idempotent-Replayed"] == "true"
        with nothing_moves():
            problem_of(api.post(path, SORRY, once="one"), status=429, slug="too-many-requests")
            problem_of(api.post(path, SORRY, once="two"), status=429, slug="too-many-requests")
        assert Entry.objects.count() == 1

    def test_counts_what_is_refused_for_its_scope(self, settings: Any, db: None) -> None:
        settings.API_CLIENT_REQUESTS_PER_MINUTE = 1
        api = ApiClient(Scope.RUNS_READ)
        assert [api.get("/v1/plans").status_code for _ in range(2)] == [403, 429]


@rolled_back
class TestLimitOfAnAddress:
    def test_is_one_for_all_clients_there(self, api: ApiClient, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        settings.API_ADDRESS_REQUESTS_PER_MINUTE = 2
        another = ApiClient(name="another")
        assert limits_of(sent_from(api, ELSEWHERE, monkeypatch))[:2] == ("2", "1")
        assert sent_from(another, ELSEWHERE, monkeypatch).status_code == 200
        assert sent_from(another, ELSEWHERE, monkeypatch).status_code == 429
        assert sent_from(another, "198.51.100.8", monkeypatch).status_code == 200

    def test_is_one_for_a_subscribers_network(
        self, api: ApiClient, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.API_ADDRESS_REQUESTS_PER_MINUTE = 1
        assert sent_from(api, "2001:db8::1", monkeypatch).status_code == 200
        assert sent_from(api, "2001:db8::ffff:2", monkeypatch).status_code == 429
        assert sent_from(api, "2001:db8:0:1::1", monkeypatch).status_code == 200

    def test_off_lambda_believes_no_header(self, api: ApiClient, settings: Any) -> None:
        settings.API_ADDRESS_REQUESTS_PER_MINUTE = 1
        assert api.send("GET", "/v1/plans", X_Source_Ip="198.51.100.1").status_code == 200
        assert api.send("GET", "/v1/plans", X_Source_Ip="198.51.100.2").status_code == 429


@rolled_back
class TestCounting:
    def test_is_one_statement_a_request(self, api: ApiClient) -> None:
        with CaptureQueriesContext(connection) as queries:
            api.get("/v1/plans")
        counting = [query["sql"] for query in queries if "api_requestcount" in query["sql"]]
        assert len(counting) == 1
        assert sorted(RequestCount.objects.values_list("subject", "requests")) == [
            ("address:127.0.0.1", 1),
            (f"client:{api.key.client_id}", 1),
        ]

    def test_uses_the_same_rows_in_the_next_minute(self, api: ApiClient) -> None:
        for minutes in range(3):
            with time_machine.travel(NOW + datetime.timedelta(minutes=minutes), tick=False):
                api.get("/v1/plans")
        assert set(RequestCount.objects.values_list("requests", flat=True)) == {1}
        assert RequestCount.objects.count() == 2

    def test_is_off_where_the_limits_are_0(self, api: ApiClient, settings: Any) -> None:
        settings.API_CLIENT_REQUESTS_PER_MINUTE = settings.API_ADDRESS_REQUESTS_PER_MINUTE = 0
        settings.API_MAX_FAILED_KEYS = 0
        assert limits_of(api.get("/v1/plans")) == ("", "", "")
        api.secret = "wrong"
        assert {api.get("/v1/plans").status_code for _ in range(30)} == {401}
        assert RequestCount.objects.count() == 0

    def test_has_the_description_in_it(self, api: ApiClient, settings: Any) -> None:
        settings.API_ADDRESS_REQUESTS_PER_MINUTE = 1
        api.get("/v1/docs")
        refused = api.get("/v1/docs")
        problem_of(refused, status=429, slug="too-many-requests")
        assert 1 <= int(refused["Retry-After"]) <= 60

    def test_leaves_the_health_check_out(self, api: ApiClient, settings: Any) -> None:
        settings.API_ADDRESS_REQUESTS_PER_MINUTE = 1
        assert {api.get("/healthz").status_code for _ in range(3)} == {200}

    def test_is_in_a_table_that_is_not_logged(self, db: None) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT relpersistence FROM pg_class WHERE relname = 'api_requestcount'")
            assert cursor.fetchone() == ("u",)


@rolled_back
class TestFailedKeys:
    def test_ten_thousand_are_refused_and_the_right_one_gets_in(
        self, api: ApiClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        wrong = ApiClient(name="wrong")
        answers = []
        with caplog.at_level(logging.WARNING), nothing_moves():
            for number in range(10_000):
                wrong.secret = f"sk_{number:043}"
                answers.append(sent_from(wrong, ELSEWHERE, monkeypatch).status_code)
        assert answers == [401] * 20 + [429] * 9_980
        said = [record for record in caplog.records if getattr(record, "event", "") == "api.failed_keys"]
        assert [(record.levelname, record.__dict__["address"]) for record in said] == [("WARNING", ELSEWHERE)]
        assert "sk_" not in said[0].getMessage()
        refused = sent_from(wrong, ELSEWHERE, monkeypatch)
        problem_of(refused, status=429, slug="too-many-requests")
        assert 1 <= int(refused["Retry-After"]) <= 300
        assert sent_from(api, "198.51.100.8", monkeypatch).status_code == 200
        assert sent_from(api, ELSEWHERE, monkeypatch).status_code == 200
        assert sent_from(wrong, "198.51.100.8", monkeypatch).status_code == 401

    def test_are_forgiven_after_five_minutes(self, api: ApiClient, settings: Any) -> None:
        settings.API_MAX_FAILED_KEYS = 1
        api.secret = "wrong"
        assert [api.get("/v1/plans").status_code for _ in range(2)] == [401, 429]
        with time_machine.travel(NOW + datetime.timedelta(minutes=5), tick=False):
            assert api.get("/v1/plans").status_code == 401
