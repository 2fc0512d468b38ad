"""Scopes of endpoints that forgot to declare one."""

import pytest
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory

from api.endpoints import Endpoint
from api.models import ApiKey, Scope
from api.permissions import HasScope


class Forgetful(Endpoint):
    def get(self, request: Request) -> Response:
        raise AssertionError("must not be reached")


def _request(method: str, auth: ApiKey | None) -> Request:
    request = Request(APIRequestFactory().generic(method, "/"))
    request.auth = auth
    return request


class TestHasScope:
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_refuses_everyone_where_none_is_declared(self, method: str) -> None:
        key = ApiKey(scopes=Scope.values)
        assert HasScope().has_permission(_request(method, key), Forgetful()) is False

    def test_leaves_a_method_that_is_not_served_to_its_own_refusal(self) -> None:
        assert HasScope().has_permission(_request("DELETE", ApiKey(scopes=[])), Forgetful()) is True

    def test_refuses_where_nobody_is_known(self) -> None:
        view = Forgetful()
        view.scopes = {"GET": Scope.RUNS_READ}  # type: ignore[misc]
        with pytest.raises(PermissionDenied):
            HasScope().has_permission(_request("GET", None), view)
