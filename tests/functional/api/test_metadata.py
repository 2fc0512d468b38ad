"""Metadata comes back as it was sent."""

import json
from typing import Any

import pytest

from accounts.models import Account
from tests.builders import a_plan
from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import rolled_back
from tests.support.unchanged import nothing_moves

BODY = '{"name": "Ada", "email": "ada@example.com", "plan": "pro", "external_reference": "crm-1", "metadata": %s}'

KEPT = [
    '{"b":1,"a":2,"c":{"z":[],"y":{}}}',
    '{"large":1e+308,"small":5e-324,"minus":-0.0,"third":0.1}',
    '{"whole":123456789012345678901234567890123456789012345678901234567890,"most":9007199254740993}',
    '{"one":1.0,"same":1}',
    '{"10":0,"9":0,"1":0}',
    '{"":"","  ":" spaces \\" "}',
    '{"true":true,"false":false,"null":null,"deep":[[[[{"a":[null]}]]]]}',
]


@pytest.fixture(autouse=True)
def _a_plan(db: None) -> None:
    a_plan(code="pro")


def _opened(api: ApiClient, metadata: str) -> Any:
    return api.send("POST", "/v1/accounts", raw=(BODY % metadata).encode(), once="one")


@rolled_back
class TestMetadata:
    @pytest.mark.parametrize("metadata", KEPT)
    def test_comes_back_as_it_was_sent_keys_in_order(self, api: ApiClient, metadata: str) -> None:
        opened = _opened(api, metadata)
        assert opened.status_code == 201, opened.content
        sent = json.dumps(json.loads(metadata))
        account_id = opened.json()["id"]
        read = api.get(f"/v1/accounts/{account_id}")
        listed = api.get("/v1/accounts", external_reference="crm-1").json()["results"][0]
        for answer in (opened.json(), read.json(), listed):
            assert json.dumps(answer["metadata"]) == sent
        assert opened.content.count(metadata.encode()) == read.content.count(metadata.encode()) == 1

    @pytest.mark.parametrize("metadata", KEPT)
    def test_replaced_comes_back_too(self, api: ApiClient, metadata: str) -> None:
        account_id = _opened(api, "{}").json()["id"]
        path = f"/v1/accounts/{account_id}"
        api.send("PATCH", path, raw=b'{"metadata": %s}' % metadata.encode())
        assert api.get(path).content.count(metadata.encode()) == 1

    @pytest.mark.parametrize("number", ["1e400", "-1e400"])
    def test_with_a_number_that_is_too_large_is_refused(self, api: ApiClient, number: str) -> None:
        with nothing_moves():
            problem = problem_of(_opened(api, f'{{"n":{number}}}'), status=400, slug="malformed-body")
        assert problem["detail"] == "A number in the body is out of range."

    @pytest.mark.parametrize(
        "number", ["0.1234567890123456789", "9007199254740993.0", "1e-400", "2.5e-324", f"1e-{'9' * 30}"]
    )
    def test_with_a_number_of_more_digits_than_are_kept_is_refused(self, api: ApiClient, number: str) -> None:
        with nothing_moves():
            problem = problem_of(_opened(api, f'{{"n":{number}}}'), status=400, slug="malformed-body")
        assert problem["detail"] == "A number in the body has more digits than are kept: write it as a text."

    @pytest.mark.parametrize(("sent", "kept"), [("1E2", "100.0"), ("1.50", "1.5"), ("-0", "-0.0"), ("0e5", "0.0")])
    def test_keeps_the_number_and_not_its_spelling(self, api: ApiClient, sent: str, kept: str) -> None:
        assert f'"n":{kept}}}'.encode() in _opened(api, f'{{"n":{sent}}}').content
        assert json.dumps(Account.objects.get().metadata) == f'{{"n": {kept}}}'
