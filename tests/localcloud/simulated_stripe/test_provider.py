"""The simulated provider, spoken to as by any client: what it takes, remembers, refuses and tells of itself."""

import datetime
import json
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import pytest

from localcloud.simulated_stripe.faults import Fault, FaultPlan, Kind
from localcloud.simulated_stripe.provider import SimulatedProvider
from localcloud.simulated_stripe.server import serving
from localcloud.simulated_stripe.wire import Call, form

PARAMETERS = {
    "amount": "1999",
    "currency": "usd",
    "customer": "cus_1",
    "payment_method": "pm_1",
    "confirm": "true",
    "off_session": "true",
    "metadata[payment]": "p1",
}
Answer = tuple[int, dict[str, Any], dict[str, str]]


class Client:
    def __init__(self, provider: SimulatedProvider, url: str) -> None:
        self.provider, self.url = provider, url

    def __call__(self, path: str, params: dict[str, str] | None = None, *, key: str = "", token: str = "") -> Answer:
        """Posts `params`, or gets."""
        request = urllib.request.Request(
            self.url + path,
            data=None if params is None else urlencode(params).encode(),
            headers={"Authorization": f"Bearer {token or self.provider.api_key}", "Idempotency-Key": key},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, json.loads(response.read()), dict(response.headers)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read()), dict(error.headers)

    def pay(self, key: str, **given: str) -> Answer:
        return self("/v1/payment_intents", PARAMETERS | given, key=key)


@pytest.fixture
def client() -> Iterator[Client]:
    provider = SimulatedProvider(hold_seconds=0.3)
    with serving(provider) as url:
        yield Client(provider, url)


class TestKey:
    def test_gives_the_first_answer_again_and_says_so(self, client: Client) -> None:
        first, again = client.pay("k1"), client.pay("k1")
        assert first[:2] == again[:2]
        assert ("Idempotent-Replayed" in first[2], again[2]["Idempotent-Replayed"]) == (False, "true")
        assert client.provider.records.totals() == {"USD": 1999}

    def test_is_forgotten_after_24_hours_of_the_providers_clock(self, client: Client) -> None:
        now = datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC)
        client.provider.clock = lambda: now
        client.pay("k1")
        now += datetime.timedelta(hours=24, seconds=-1)
        client.pay("k1")
        assert client.provider.records.totals() == {"USD": 1999}
        now += datetime.timedelta(seconds=1)
        client.pay("k1")
        assert client.provider.records.totals() == {"USD": 3998}
        assert len(client.provider.records.taken_for("p1")) == 2

    def test_with_another_request_is_refused(self, client: Client) -> None:
        client.pay("k1")
        status, body, _ = client.pay("k1", amount="2000")
        assert (status, body["error"]["type"]) == (400, "idempotency_error")
        assert client.provider.records.totals() == {"USD": 1999}

    def test_in_flight_is_a_conflict(self, client: Client) -> None:
        client.provider.faults.script(Fault(kind=Kind.TIMEOUT_LATE))
        with ThreadPoolExecutor(max_workers=4) as pool:
            answers = list(pool.map(lambda _: _status(client), range(4)))
        assert Counter(answers) == {409: 3, 0: 1}
        assert client.pay("k1")[0] == 200
        assert client.provider.records.totals() == {"USD": 1999}

    def test_of_a_request_that_was_not_valid_is_free(self, client: Client) -> None:
        assert client.pay("k1", amount="0")[0] == 400
        assert client.pay("k1")[0] == 200

    def test_remembers_errors_that_came_of_executing(self, client: Client) -> None:
        client.provider.faults.script(Fault(kind=Kind.ERROR_AFTER), Fault(kind=Kind.ERROR_BEFORE))
        assert [client.pay("k1")[0] for _ in range(3)] == [500, 503, 500]
        assert client.provider.records.totals() == {"USD": 1999}


def _status(client: Client) -> int:
    try:
        return client.pay("k1")[0]
    except OSError:
        return 0


class TestRefusal:
    @pytest.mark.parametrize(
        ("given", "status", "code"),
        [
            ({"amount": "19.99"}, 400, "parameter_invalid_integer"),
            ({"amount": "-1"}, 400, "parameter_invalid_integer"),
            ({"currency": "USD"}, 400, None),
            ({"confirm": "false"}, 400, None),
            ({"colour": "red"}, 400, "parameter_unknown"),
            ({"customer": "cus_missing"}, 400, "resource_missing"),
            ({"payment_method": "pm_declined_stolen_card"}, 402, "card_declined"),
            ({"payment_method": "pm_declined_expired_card"}, 402, "expired_card"),
        ],
        ids=repr,
    )
    def test_moves_nothing(self, client: Client, given: dict[str, str], status: int, code: str | None) -> None:
        answered, body, _ = client.pay("k1", **given)
        assert (answered, body["error"].get("code")) == (status, code)
        assert client.provider.records.taken == []

    def test_of_another_key_or_path(self, client: Client) -> None:
        assert client("/v1/payment_intents", token="sk_test_another")[0] == 401
        assert client("/v1/charges")[0] == 404
        assert client("/v1/payment_intents/pi_none")[0] == 404

    def test_to_cancel_what_succeeded(self, client: Client) -> None:
        id_ = client.pay("k1")[1]["id"]
        status, body, _ = client(f"/v1/payment_intents/{id_}/cancel", {})
        assert (status, body["error"]["code"]) == (400, "payment_intent_unexpected_state")
        assert client(f"/v1/payment_intents/{id_}")[1]["status"] == "succeeded"


class TestMinimum:
    @pytest.mark.parametrize(
        ("currency", "minimum", "shown"),
        [
            ("usd", 50, "0.50"),
            ("eur", 50, "0.50"),
            ("gbp", 30, "0.30"),
            ("jpy", 50, "50"),
            ("mxn", 1000, "10.00"),
            ("czk", 1500, "15.00"),
            # Two decimals at Stripe, although nobody pays hundredths of a forint.
            ("huf", 17_500, "175.00"),
        ],
    )
    def test_is_charged_and_less_is_refused_as_stripe_refuses_it(
        self, client: Client, currency: str, minimum: int, shown: str
    ) -> None:
        status, body, _ = client.pay("k1", currency=currency, amount=str(minimum - 1))
        assert (status, body) == (
            400,
            {
                "error": {
                    "type": "invalid_request_error",
                    "message": f"Amount must be at least {shown} {currency}",
                    "code": "amount_too_small",
                    "param": "amount",
                }
            },
        )
        assert client.provider.records.taken == []
        assert client("/v1/payment_intents")[1]["data"] == []
        assert client.pay("k1", currency=currency, amount=str(minimum))[1]["status"] == "succeeded"
        assert client.provider.records.totals() == {currency.upper(): minimum}

    def test_of_a_currency_for_which_stripe_names_none_is_the_smallest_unit(self, client: Client) -> None:
        assert client.pay("k1", currency="krw", amount="1")[1]["status"] == "succeeded"
        assert client.provider.records.totals() == {"KRW": 1}

    def test_does_not_hold_for_what_is_sent_back(self, client: Client) -> None:
        intent = client.pay("k1")[1]["id"]
        status, body, _ = client("/v1/refunds", {"payment_intent": intent, "amount": "1"}, key="k2")
        assert (status, body["status"]) == (200, "succeeded")
        assert client.provider.records.totals() == {"USD": 1998}


class TestList:
    def test_is_paged_newest_first(self, client: Client) -> None:
        ids = [client.pay(f"k{number}")[1]["id"] for number in range(5)]
        client.pay("other", customer="cus_2")
        seen, after = [], ""
        for more in (True, True, False):
            query = {"customer": "cus_1", "limit": "2", **({"starting_after": after} if after else {})}
            _, body, _ = client(f"/v1/payment_intents?{urlencode(query)}")
            seen += [intent["id"] for intent in body["data"]]
            assert body["has_more"] is more
            after = seen[-1]
        assert seen == ids[::-1]


class TestRecords:
    def test_are_shown_to_other_processes(self, client: Client) -> None:
        intent = client.pay("k1")[1]["id"]
        client("/v1/refunds", {"payment_intent": intent, "amount": "500", "metadata[refund]": "r1"}, key="k2")
        _, records, _ = client("/_control/records")
        assert [(taken["owner"], taken["amount"]) for taken in records["taken"]] == [("p1", 1999)]
        assert [(sent["owner"], sent["amount"]) for sent in records["sent_back"]] == [("r1", 500)]
        assert records["totals"] == {"USD": 1499}
        assert records["calls"] == {"payment.create": 1, "refund.create": 1}

    def test_show_what_was_completed_since_although_nobody_retrieved_it(self, client: Client) -> None:
        now = datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC)
        client.provider.clock = lambda: now
        client.provider.faults.script(Fault(kind=Kind.PROCESSING, seconds=60))
        client.pay("k1")
        assert client("/_control/records")[1]["totals"] == {}
        now += datetime.timedelta(minutes=1)
        assert client("/_control/records")[1]["totals"] == {"USD": 1999}

    def test_outlast_an_outage_as_keys_do(self) -> None:
        provider = SimulatedProvider(hold_seconds=0.3)
        with serving(provider) as url:
            first = Client(provider, url).pay("k1")
        with pytest.raises(urllib.error.URLError):
            Client(provider, url).pay("k1")
        with serving(provider) as url:
            assert Client(provider, url).pay("k1")[1] == first[1]
        assert provider.records.totals() == {"USD": 1999}


class TestFaultPlan:
    def test_holds_its_shares_whatever_the_order(self) -> None:
        plan = {Fault(kind=Kind.DECLINE, code="insufficient_funds"): 10, Fault(kind=Kind.RESET_AFTER): 20}
        calls = [Call(name="payment.create", params={}, key=f"key-{number}") for number in range(2000)]
        one, other = FaultPlan(seed=7, percent=plan), FaultPlan(seed=7, percent=plan)
        drawn = {call.key: one.next(call) for call in calls}
        assert {call.key: other.next(call) for call in reversed(calls)} == drawn
        counted = Counter(fault.kind if fault else None for fault in drawn.values())
        assert 160 <= counted[Kind.DECLINE] <= 240
        assert 340 <= counted[Kind.RESET_AFTER] <= 460

    def test_leaves_out_calls_that_move_no_money_by_default(self) -> None:
        listing = Call(name="payment.list", params={})
        always = {Fault(kind=Kind.RATE_LIMIT): 100}
        assert FaultPlan(percent=always).next(listing) is None
        assert FaultPlan(reading_percent=always).next(listing) == Fault(kind=Kind.RATE_LIMIT)

    def test_of_more_than_all_is_refused(self) -> None:
        with pytest.raises(ValueError, match="at most 100 together"):
            FaultPlan(percent={Fault(kind=Kind.SLOW): 60, Fault(kind=Kind.DRIP): 41})

    def test_comes_from_other_processes(self, client: Client) -> None:
        plan = {"seed": 1, "percent": [[{"kind": "decline", "code": "stolen_card"}, 100]]}
        request = urllib.request.Request(f"{client.url}/_control/faults", data=json.dumps(plan).encode())
        with urllib.request.urlopen(request, timeout=10) as response:
            assert response.status == 200
        assert client.pay("k1")[1]["error"]["decline_code"] == "stolen_card"


def test_forms_are_read_as_stripe_writes_them() -> None:
    assert form("a=1&b[c]=2&b[d][e]=x%20y&f=") == {"a": "1", "b": {"c": "2", "d": {"e": "x y"}}, "f": ""}
