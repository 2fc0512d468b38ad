"""What errors become, one by one."""

import json
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.http.request import UnreadablePostError
from django.test import RequestFactory
from rest_framework import exceptions

from accounts.errors import Conflict, Invalid, Missing, OperationError
from api.problems import problem_response, server_error

REQUEST = RequestFactory().get("/v1/plans")


def _problem(error: Exception) -> tuple[int, dict[str, Any]]:
    response = problem_response(error, {"request": REQUEST})
    assert isinstance(response, HttpResponse)
    assert response["Content-Type"] == "application/problem+json"
    return response.status_code, json.loads(response.content)


class UnableToDance(Conflict):
    code = "unable-to-dance"


class TestProblemResponse:
    @pytest.mark.parametrize(
        ("error", "status", "slug"),
        [
            (Missing("gone"), 404, "not-found"),
            (Invalid("bad"), 422, "invalid"),
            (Conflict("no"), 409, "conflict"),
            (UnableToDance("no"), 409, "unable-to-dance"),
            (OperationError("no"), 409, "refused"),
            (Http404("the model Account"), 404, "not-found"),
            (PermissionDenied("staff only"), 403, "forbidden"),
            (UnreadablePostError("reset by peer"), 400, "malformed-body"),
            (exceptions.NotFound(), 404, "not-found"),
            (exceptions.ParseError(), 400, "malformed-body"),
            (exceptions.MethodNotAllowed("PUT"), 405, "method-not-allowed"),
            (exceptions.UnsupportedMediaType("text/plain"), 415, "unsupported-media-type"),
            (exceptions.NotAcceptable(), 406, "not-acceptable"),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_gives_each_error_its_status_and_slug(self, error: Exception, status: int, slug: str) -> None:
        got, problem = _problem(error)
        assert (got, problem["status"], problem["type"]) == (status, status, f"/problems/{slug}")
        assert "errors" not in problem

    def test_says_the_slug_in_words(self) -> None:
        assert _problem(UnableToDance("There is no music."))[1] == {
            "type": "/problems/unable-to-dance",
            "title": "Unable to dance",
            "status": 409,
            "detail": "There is no music.",
        }

    def test_names_the_fields(self) -> None:
        assert _problem(Invalid("No.", quantity="Too many."))[1]["errors"] == {"quantity": ["Too many."]}
        by_field = exceptions.ValidationError({"quantity": ["Too many.", "Odd."], "name": ["Blank."]})
        assert _problem(by_field)[1]["errors"] == {"quantity": ["Too many.", "Odd."], "name": ["Blank."]}
        assert _problem(exceptions.ValidationError(["Odd."]))[1]["errors"] == {"request": ["Odd."]}

    def test_names_the_fields_of_what_is_in_a_list(self) -> None:
        nested: Any = {"lines": [{}, {"line": ["Blank."], "amount_minor": ["Odd.", "Low."]}], "name": ["Blank."]}
        assert _problem(exceptions.ValidationError(nested))[1]["errors"] == {
            "lines.1.line": ["Blank."],
            "lines.1.amount_minor": ["Odd.", "Low."],
            "name": ["Blank."],
        }
        for whole in ({"lines": {"non_field_errors": ["Empty."]}}, {"lines": ["Empty."]}):
            assert _problem(exceptions.ValidationError(whole))[1]["errors"] == {"lines": ["Empty."]}

    def test_leaves_a_bug_to_the_log(self) -> None:
        assert problem_response(ZeroDivisionError(), {"request": REQUEST}) is None


class TestServerError:
    @pytest.mark.parametrize(
        ("path", "content_type"),
        [
            ("/v1/plans", "application/problem+json"),
            ("/healthz", "application/problem+json"),
            ("/admin/", "text/html"),
            ("/v10", "text/html"),
        ],
    )
    def test_is_a_problem_under_the_api_and_a_page_elsewhere(self, path: str, content_type: str) -> None:
        response = server_error(RequestFactory().get(path))
        assert (response.status_code, response["Content-Type"].split(";")[0]) == (500, content_type)
