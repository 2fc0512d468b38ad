"""Requests that no call can make sense of: each gets a problem, and nothing moves."""

import json
from typing import Any

import pytest

from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import rolled_back
from tests.support.unchanged import nothing_moves

MEGABYTE = 1024 * 1024
FORM = "application/x-www-form-urlencoded"
ACCOUNT = b'{"name": "Ada", "email": "ada@example.com", "plan": "pro", "metadata": %s}'


@rolled_back
class TestBody:
    @pytest.mark.parametrize(
        "raw",
        [
            b"{",
            b"name=Ada",
            b"null",
            b"[]",
            b"[{}]",
            b'"text"',
            b"5",
            b"{}{}",
            b"{'name': 'Ada'}",
            b'{"name": "Ada",}',
            b"\xef\xbb\xbf{}",
            b'{"name": "\xff"}',
            '{"name": "Ada"}'.encode("utf-16"),
            b'{"name": "Ada", "name": "Eve"}',
            ACCOUNT % b'{"a": 1, "a": 2}',
            ACCOUNT % b"NaN",
            ACCOUNT % b'{"a": Infinity}',
            ACCOUNT % b'{"a": -Infinity}',
            ACCOUNT % b'{"a": 1e999}',
            ACCOUNT % (b"9" * 5000),
            ACCOUNT % b'{"a": "\\ud800"}',
            b'{"\\udfff": 1}',
            ACCOUNT % (b'{"a":' * 20 + b"1" + b"}" * 20),
            ACCOUNT % (b'{"a": ' + b"[" * 900 + b"]" * 900 + b"}"),
            b'{"a":' * 100_000,
            b"[" * 1_000_000,
            b" ",
            b"\0",
        ],
        ids=lambda raw: repr(raw[:20]),
    )
    def test_that_is_no_json_object_is_refused(self, api: ApiClient, raw: bytes) -> None:
        with nothing_moves():
            problem_of(api.send("POST", "/v1/accounts", raw=raw), status=400, slug="malformed-body")

    @pytest.mark.parametrize("size", [MEGABYTE + 1, 10 * MEGABYTE])
    def test_that_is_too_large_is_refused(self, api: ApiClient, size: int) -> None:
        raw = b'{"name": "' + b"x" * (size - 12) + b'"}'
        with nothing_moves():
            problem_of(api.send("POST", "/v1/accounts", raw=raw), status=413, slug="body-too-large")

    def test_of_a_megabyte_is_read(self, api: ApiClient) -> None:
        raw = b'{"name": "' + b"x" * (MEGABYTE - 12) + b'"}'
        assert len(raw) == MEGABYTE
        problem = problem_of(api.send("POST", "/v1/accounts", raw=raw), status=400, slug="invalid-request")
        assert sorted(problem["errors"]) == ["email", "name", "plan"]

    @pytest.mark.parametrize(
        "content_type",
        [
            "text/plain",
            FORM,
            "multipart/form-data; boundary=x",
            "application/xml",
            "",
            "x",
        ],
    )
    def test_of_another_type_is_refused(self, api: ApiClient, content_type: str) -> None:
        with nothing_moves():
            response = api.send("POST", "/v1/accounts", raw=b"{}", content_type=content_type)
            problem_of(response, status=415, slug="unsupported-media-type")

    @pytest.mark.parametrize("content_type", ["application/json", FORM, "text/plain", ""])
    def test_that_is_empty_reads_as_no_fields(self, api: ApiClient, content_type: str) -> None:
        response = api.send("POST", "/v1/accounts", raw=b"", content_type=content_type)
        problem = problem_of(response, status=400, slug="invalid-request")
        assert sorted(problem["errors"]) == ["email", "name", "plan"]


@rolled_back
class TestRequest:
    @pytest.mark.parametrize(
        ("method", "path"),
        [("GET", "/v1"), ("GET", "/v1/"), ("GET", "/v1/nothing"), ("POST", "/v1/plans/"), ("DELETE", "/v1/a%0Ab")],
    )
    def test_for_an_unknown_path_is_refused(self, api: ApiClient, method: str, path: str) -> None:
        with nothing_moves():
            problem_of(api.send(method, path, Authorization=""), status=404, slug="not-found")

    @pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
    def test_of_a_method_that_is_not_served_is_refused(self, api: ApiClient, method: str) -> None:
        with nothing_moves():
            response = api.send(method, "/v1/plans", raw=b"{}")
            problem_of(response, status=405, slug="method-not-allowed")
        assert response["Allow"] == "GET, HEAD, POST"

    def test_that_accepts_no_json_is_refused(self, api: ApiClient) -> None:
        problem_of(api.send("GET", "/v1/plans", Accept="text/html"), status=406, slug="not-acceptable")

    def test_for_a_host_that_is_not_ours_is_refused(self, api: ApiClient) -> None:
        problem_of(api.send("GET", "/v1/plans", Host="elsewhere.example"), status=400, slug="bad-request")

    @pytest.mark.parametrize("path", ["/v1/plans", "/v1/plans/pro/retire", "/v1/accounts"])
    def test_with_an_unknown_parameter_is_refused(self, api: ApiClient, path: str) -> None:
        with nothing_moves():
            response = api.send("POST", path, body={}, query={"dry_run": "1"})
            problem = problem_of(response, status=400, slug="invalid-request")
        assert problem["errors"] == {"dry_run": ["This call has no such parameter."]}

    @pytest.mark.parametrize("query", [{"format": "json"}, {"cursor": ""}, {"page_size": ""}])
    def test_with_a_parameter_of_no_use_is_refused(self, api: ApiClient, query: dict[str, str]) -> None:
        problem = problem_of(api.get("/v1/plans", **query), status=400, slug="invalid-request")
        assert list(problem["errors"]) == list(query)

    def test_for_another_part_of_the_site_has_pages(self, api: ApiClient) -> None:
        for path, host, status in (("/nothing", "testserver", 404), ("/admin", "elsewhere.example", 400)):
            response = api.send("GET", path, Host=host)
            assert (response.status_code, response["Content-Type"].split(";")[0]) == (status, "text/html")

    def test_for_the_head_of_a_list_is_answered(self, api: ApiClient) -> None:
        response = api.send("HEAD", "/v1/plans")
        assert (response.status_code, response.content) == (200, b"")

    def test_is_answered_with_what_nobody_may_keep(self, api: ApiClient) -> None:
        assert api.get("/v1/plans")["Cache-Control"] == "no-store"

    def test_that_meets_a_bug_learns_nothing_of_it(self, api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*args: Any, **kwargs: Any) -> Any:
            raise RuntimeError("the secret of the house")

        monkeypatch.setattr("api.v1.plans.plan_by_code", broken)
        response = api.get("/v1/plans/pro")
        problem = problem_of(response, status=500, slug="internal-error")
        assert "secret" not in json.dumps(problem)


@rolled_back
class TestHealth:
    def test_is_ok_while_the_database_answers(self, api: ApiClient) -> None:
        response = api.send("GET", "/healthz", Authorization="")
        assert (response.status_code, response.json()) == (200, {"status": "ok"})
