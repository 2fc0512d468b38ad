"""A client of the API, as a customer's program is one; and what its errors look like."""

import json
import warnings
from copy import copy
from typing import Any

from django.http import HttpResponse
from django.test import Client

from api.keys import create_api_key, replace_api_key
from api.models import Scope
from tests.builders import NOW


def _loaded_site() -> Client:
    """The site, its middleware loaded: that takes longer than most requests."""
    client = Client(raise_request_exception=False)
    with warnings.catch_warnings():
        # A clone serves static files from the packages; that there is no folder of collected ones is no news.
        warnings.filterwarnings("ignore", message="No directory at", category=UserWarning)
        client.handler.load_middleware()
    return client


# Before any test: one that commits hides the apps that it doesn't empty, and the middleware needs them.
_SITE = _loaded_site()


class ApiClient:
    """Sends JSON with a key. `scopes` are those of a new key; all of them when none are named."""

    def __init__(self, *scopes: Scope, name: str = "tests", expires_at: Any = None) -> None:
        self.key, self.secret = create_api_key(name=name, scopes=scopes or Scope.values, expires_at=expires_at, now=NOW)

    def replaced(self) -> "ApiClient":
        """The same client, with a key that replaces this one."""
        client = copy(self)
        client.key, client.secret = replace_api_key(prefix_or_id=str(self.key.id), now=NOW)
        return client

    def get(self, path: str, **query: Any) -> Any:
        return self.send("GET", path, query=query)

    def post(self, path: str, body: Any = None, *, once: str | None = None) -> Any:
        """`once` is the Idempotency-Key."""
        return self.send("POST", path, body=body, once=once)

    def patch(self, path: str, body: Any) -> Any:
        return self.send("PATCH", path, body=body)

    def send(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        raw: bytes | None = None,
        content_type: str = "application/json",
        query: dict[str, Any] | None = None,
        once: str | None = None,
        **headers: str,
    ) -> Any:
        if raw is None:
            raw = b"" if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.secret}"} | {n.replace("_", "-"): v for n, v in headers.items()}
        if once is not None:
            headers["Idempotency-Key"] = once
        return _SITE.generic(method, path, raw, content_type=content_type, query_params=query, headers=headers)


def problem_of(response: HttpResponse, *, status: int, slug: str) -> dict[str, Any]:
    """The problem that the response is, after a look at its form."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = json.loads(response.content)
    assert problem["type"] == f"/problems/{slug}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem.keys() <= {"type", "title", "status", "detail", "errors"}
    return problem
