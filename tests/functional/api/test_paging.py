"""Following a list page by page."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.builders import a_plan, an_account
from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import rolled_back


def _codes(page: Any) -> list[str]:
    return [plan["code"] for plan in page["results"]]


def _follow(api: ApiClient, address: str) -> Any:
    parts = urlsplit(address)
    assert (parts.scheme, parts.netloc) == ("http", "testserver")
    return api.get(f"{parts.path}?{parts.query}").json()


def _cursor(address: str) -> str:
    return parse_qs(urlsplit(address).query)["cursor"][0]


@rolled_back
class TestPages:
    def test_are_followed_to_the_end_and_back(self, api: ApiClient) -> None:
        for number in range(1, 8):
            a_plan(code=f"p{number}")
        first = api.get("/v1/plans", page_size=3).json()
        second = _follow(api, first["next"])
        third = _follow(api, second["next"])
        assert [_codes(page) for page in (first, second, third)] == [["p7", "p6", "p5"], ["p4", "p3", "p2"], ["p1"]]
        assert (first["previous"], third["next"]) == (None, None)
        back = _follow(api, third["previous"])
        assert _codes(back) == ["p4", "p3", "p2"]
        start = _follow(api, back["previous"])
        assert (_codes(start), start["previous"]) == (["p7", "p6", "p5"], None)
        assert _codes(_follow(api, start["next"])) == ["p4", "p3", "p2"]

    def test_end_where_the_list_ends(self, api: ApiClient) -> None:
        for number in range(1, 5):
            a_plan(code=f"p{number}")
        second = _follow(api, api.get("/v1/plans", page_size=2).json()["next"])
        assert (_codes(second), second["next"]) == (["p2", "p1"], None)

    def test_miss_nothing_that_is_added_meanwhile(self, api: ApiClient) -> None:
        for number in range(1, 5):
            a_plan(code=f"p{number}")
        first = api.get("/v1/plans", page_size=2).json()
        a_plan(code="p5")
        second = _follow(api, first["next"])
        assert _codes(second) == ["p2", "p1"]
        newer = _follow(api, second["previous"])
        assert _codes(newer) == ["p4", "p3"]
        assert _codes(_follow(api, newer["previous"])) == ["p5"]

    def test_hold_50_rows_and_at_most_200(self, api: ApiClient) -> None:
        for number in range(201):
            a_plan(code=f"p{number}")
        assert len(api.get("/v1/plans").json()["results"]) == 50
        page = api.get("/v1/plans", page_size=200).json()
        assert len(page["results"]) == 200
        assert _codes(_follow(api, page["next"])) == ["p0"]

    def test_keep_their_filters(self, api: ApiClient) -> None:
        basic = a_plan(code="basic")
        for name in ("one", "two"):
            an_account(name=name, plan=basic)
            an_account()
        first = api.get("/v1/accounts", plan="basic", page_size=1).json()
        second = _follow(api, first["next"])
        names = [account["name"] for page in (first, second) for account in page["results"]]
        assert (names, second["next"]) == (["two", "one"], None)

    def test_may_change_their_size(self, api: ApiClient) -> None:
        for number in range(1, 6):
            a_plan(code=f"p{number}")
        cursor = _cursor(api.get("/v1/plans", page_size=1).json()["next"])
        assert _codes(api.get("/v1/plans", page_size=4, cursor=cursor).json()) == ["p4", "p3", "p2", "p1"]


@rolled_back
class TestCursor:
    @pytest.mark.parametrize(
        "cursor",
        ["x", "====", "a" * 34, "\u00e9", "\0", "bmV4dA", "A" * 100_000, "019a9c3e-8f00-7000-8000-000000000001"],
    )
    def test_is_refused_when_malformed(self, api: ApiClient, cursor: str) -> None:
        problem_of(api.get("/v1/plans", cursor=cursor), status=400, slug="invalid-cursor")

    def test_is_refused_when_one_character_differs(self, api: ApiClient) -> None:
        a_plan()
        a_plan()
        cursor = _cursor(api.get("/v1/plans", page_size=1).json()["next"])
        for at in range(len(cursor) - 1):  # the last one's lowest bits belong to no byte
            other = cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1 :]
            problem_of(api.get("/v1/plans", cursor=other), status=400, slug="invalid-cursor")

    def test_is_refused_for_another_list(self, api: ApiClient) -> None:
        account, other = an_account(), an_account()
        cursor = _cursor(api.get("/v1/accounts", page_size=1).json()["next"])
        for path in ("/v1/plans", f"/v1/accounts/{account.id}/ledger", f"/v1/accounts/{other.id}/payments", "/v1/runs"):
            problem_of(api.get(path, cursor=cursor), status=400, slug="invalid-cursor")

    def test_is_refused_for_other_filters(self, api: ApiClient) -> None:
        an_account()
        an_account()
        cursor = _cursor(api.get("/v1/accounts", page_size=1, status="PENDING").json()["next"])
        assert api.get("/v1/accounts", cursor=cursor, status="PENDING").status_code == 200
        problem_of(api.get("/v1/accounts", cursor=cursor), status=400, slug="invalid-cursor")
        problem_of(api.get("/v1/accounts", cursor=cursor, status="ACTIVE"), status=400, slug="invalid-cursor")
