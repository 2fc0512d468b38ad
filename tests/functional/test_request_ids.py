"""`X-Request-Id`: on every answer, and in the log."""

import io
import json
import logging
import uuid

import pytest
from django.test import RequestFactory

from billing_site.log_format import JsonFormatter
from billing_site.request_ids import request_id_of
from tests.support.api_client import ApiClient
from tests.support.databases import rolled_back


@pytest.fixture
def api(db: None) -> ApiClient:
    return ApiClient()


@rolled_back
class TestRequestId:
    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/v1/plans", 200),
            ("GET", "/v1/nothing", 404),
            ("PUT", "/v1/plans", 405),
            ("POST", "/v1/plans", 400),
            ("GET", "/healthz", 200),
            ("GET", "/v1/openapi.json", 200),
            ("GET", "/admin/login/", 200),
            ("GET", "/nowhere", 404),
        ],
    )
    def test_is_on_every_answer_and_a_new_one_each_time(
        self, api: ApiClient, method: str, path: str, status: int
    ) -> None:
        ids = set()
        for _ in range(2):
            response = api.send(method, path, body={} if method == "POST" else None)
            assert response.status_code == status
            ids.add(uuid.UUID(response["X-Request-Id"]))
        assert len(ids) == 2

    def test_is_on_the_answer_to_a_bug(self, api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("api.v1.plans.plan_by_code", lambda code: 1 // 0)
        response = api.get("/v1/plans/pro")
        assert response.status_code == 500
        assert uuid.UUID(response["X-Request-Id"])

    @pytest.mark.parametrize("given", ["a", "req_1.2-3", "x" * 128, "1-67891233-abcdef012345678912345678"])
    def test_is_the_clients_own_where_it_is_well_formed(self, api: ApiClient, given: str) -> None:
        assert api.send("GET", "/v1/plans", X_Request_Id=given)["X-Request-Id"] == given

    @pytest.mark.parametrize("given", ["", "x" * 129, "a b", "a\tb", "<script>", "caf\u00e9", 'a"b', "a,b"])
    def test_echoes_nothing_else(self, api: ApiClient, given: str) -> None:
        assert uuid.UUID(api.send("GET", "/v1/plans", X_Request_Id=given)["X-Request-Id"])

    def test_is_in_every_line_of_the_log_about_it(self, api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
        logged = io.StringIO()
        handler = logging.StreamHandler(logged)
        handler.setFormatter(JsonFormatter())
        monkeypatch.setattr(logging.getLogger(), "handlers", [handler])

        def noisy(code: str) -> None:
            logging.getLogger("accounts").warning("looking")
            raise ZeroDivisionError

        monkeypatch.setattr("api.v1.plans.plan_by_code", noisy)
        api.send("GET", "/v1/plans/pro", X_Request_Id="first")
        api.send("GET", "/v1/nothing", X_Request_Id="second")
        logging.getLogger("accounts").warning("idle")
        lines = [json.loads(line) for line in logged.getvalue().splitlines()]
        assert [(line["level"], line.get("request_id")) for line in lines] == [
            ("WARNING", "first"),
            ("ERROR", "first"),
            ("WARNING", "second"),
            ("WARNING", None),
        ]


class TestRequestIdOf:
    def test_is_empty_outside_of_requests(self) -> None:
        assert request_id_of(logging.makeLogRecord({})) == ""
        assert request_id_of(logging.makeLogRecord({"request": RequestFactory().get("/")})) == ""
