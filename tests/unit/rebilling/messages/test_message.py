"""The message: what is written is read back, and whatever else arrives is refused with what is wrong with it."""

import datetime
import json
import uuid
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from payments.messages.format import MAX_ITEMS, MalformedMessage, to_json
from rebilling.messages.message import PeriodItem, PeriodsMessage, from_json

RUN = "01930000-0000-7000-8000-000000000001"
ACCOUNT = "01930000-0000-7000-8000-00000000000a"
OTHER_ACCOUNT = "01930000-0000-7000-8000-00000000000b"
REBILLING = "01940000-0000-7000-8000-00000000000c"
OTHER_REBILLING = "01940000-0000-7000-8000-00000000000d"
DAY = "2026-11-22"
KEY = f"rebill:{REBILLING}"
SHOWN = f"{ACCOUNT} from {DAY}"

property_of_the_message = settings(max_examples=200, deadline=None, derandomize=True, print_blob=True)

days = st.dates(datetime.date(1970, 1, 1), datetime.date(2200, 12, 31))
items = st.builds(PeriodItem, rebilling_id=st.uuids(), account_id=st.uuids(), period_start=days)
batches = st.builds(
    lambda items, run_id, later: PeriodsMessage(
        run_id=run_id, as_of=max(item.period_start for item in items) + later, periods=tuple(items)
    ),
    st.lists(items, min_size=1, max_size=20, unique=True),
    st.uuids(),
    st.timedeltas(datetime.timedelta(0), datetime.timedelta(days=400)),
)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([RUN, ACCOUNT, DAY]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
NAMES = ["schema", "run_id", "as_of", "periods", "account_id", "period_start", "idempotency_key"]


def item(**changes: Any) -> dict[str, Any]:
    return {"account_id": ACCOUNT, "period_start": DAY, "idempotency_key": KEY} | changes


def another(**changes: Any) -> dict[str, Any]:
    return item(account_id=OTHER_ACCOUNT, idempotency_key=f"rebill:{OTHER_REBILLING}", **changes)


def content(**changes: Any) -> dict[str, Any]:
    return {"schema": "rebilling/1", "run_id": RUN, "as_of": DAY, "periods": [item()]} | changes


def without(fields: dict[str, Any], name: str) -> dict[str, Any]:
    return {other: value for other, value in fields.items() if other != name}


def batch_from(body: str) -> PeriodsMessage:
    message = from_json(body)
    assert isinstance(message, PeriodsMessage)
    return message


def refusal(body: str) -> str:
    """Why nothing of the message is read."""
    with pytest.raises(MalformedMessage) as caught:
        from_json(body)
    return str(caught.value)


def fault(body: str) -> str:
    """Why one of the items is left out of the message; the others are read."""
    message = from_json(body)
    (found,) = message.faults
    # What is read of it is no worse for it.
    assert from_json(to_json(message)) == replace(message, faults=())
    return found


class TestPeriodsMessage:
    @property_of_the_message
    @given(batches)
    def test_is_read_back_as_it_was_written(self, message: PeriodsMessage) -> None:
        assert from_json(to_json(message)) == message

    def test_is_written_as_the_design_says(self) -> None:
        period = PeriodItem(uuid.UUID(REBILLING), uuid.UUID(ACCOUNT), datetime.date(2026, 11, 22))
        message = PeriodsMessage(run_id=uuid.UUID(RUN), as_of=datetime.date(2026, 11, 22), periods=(period,))
        assert json.loads(to_json(message)) == content()

    def test_carries_500_periods_within_what_sqs_takes(self) -> None:
        day = datetime.date(2026, 11, 22)
        periods = tuple(PeriodItem(uuid.UUID(int=n), uuid.UUID(int=n), day) for n in range(MAX_ITEMS))
        message = PeriodsMessage(run_id=uuid.UUID(RUN), as_of=day, periods=periods)
        body = to_json(message)
        assert from_json(body) == message
        assert body.isascii()
        assert len(body) == 73_105
        assert len(body) < 256 * 1024

    def test_keeps_the_order_of_its_periods(self) -> None:
        found = batch_from(json.dumps(content(periods=[another(), item()]))).periods
        assert [str(period.account_id) for period in found] == [OTHER_ACCOUNT, ACCOUNT]


class TestABadItem:
    """It fails alone; the message carries the others."""

    def test_among_good_ones_leaves_them_as_they_are(self) -> None:
        bad = [item(idempotency_key="charge"), "text", item(account_id="1"), without(item(), "period_start")]
        message = batch_from(json.dumps(content(periods=[*bad[:2], item(), *bad[2:]])))
        assert [str(period) for period in message.periods] == [SHOWN]
        assert message.faults == (
            "periods[0]: the idempotency key 'charge' is not `rebill:` and a rebilling's id",
            "periods[1] is not an object",
            "periods[3].account_id is not a UUID in its usual form: '1'",
            "periods[4]: missing fields ['period_start'], unknown fields []",
        )

    def test_alone_makes_the_message_malformed(self) -> None:
        assert refusal(json.dumps(content(periods=["text", "more"]))) == "periods[0] is not an object"


class TestMalformedMessage:
    @pytest.mark.parametrize(
        "body", ["", "{", "rebilling/1", "\ufeff{}", "{'schema': 1}", "\0", '{"a": 1} {"b": 2}', '{"run_id": "\n"}']
    )
    def test_is_refused_when_it_is_not_json(self, body: str) -> None:
        assert refusal(body).startswith("not JSON: ")

    @pytest.mark.parametrize("body", ["null", "true", "1", "1.5", "NaN", "-Infinity", '"text"', "[]", "[{}]"])
    def test_is_refused_when_it_is_not_an_object(self, body: str) -> None:
        assert refusal(body) == "the message is not an object"

    @pytest.mark.parametrize("schema", ["rebilling/2", "rebilling/1 ", "REBILLING/1", "", None, 1, 1.0, [], {}])
    def test_is_refused_when_its_version_is_another_whatever_its_shape(self, schema: object) -> None:
        expected = f"schema is {schema!r}; known are 'rebilling/1', 'payments/1', 'refunds/1', 'sessions/1'"
        assert refusal(json.dumps(content(schema=schema))) == expected
        assert refusal(json.dumps({"schema": schema, "batches": []})) == expected

    @pytest.mark.parametrize("name", ["run_id", "as_of", "periods"])
    def test_is_refused_when_a_field_is_missing(self, name: str) -> None:
        body = json.dumps(without(content(), name))
        assert refusal(body) == f"the message: missing fields ['{name}'], unknown fields []"

    def test_is_refused_when_a_field_is_unknown(self) -> None:
        body = json.dumps(content(amount_minor=1999))
        assert refusal(body) == "the message: missing fields [], unknown fields ['amount_minor']"

    @pytest.mark.parametrize("name", ["account_id", "period_start", "idempotency_key"])
    def test_is_refused_when_a_field_of_a_period_is_missing(self, name: str) -> None:
        body = json.dumps(content(periods=[item(), without(item(), name)]))
        assert fault(body) == f"periods[1]: missing fields ['{name}'], unknown fields []"

    def test_is_refused_when_a_field_of_a_period_is_unknown(self) -> None:
        body = json.dumps(content(periods=[item(amount=1)]))
        assert refusal(body) == "periods[0]: missing fields [], unknown fields ['amount']"

    @pytest.mark.parametrize("value", [None, "text", 1, [], True])
    def test_is_refused_when_a_period_is_not_an_object(self, value: object) -> None:
        assert refusal(json.dumps(content(periods=[value]))) == "periods[0] is not an object"

    @pytest.mark.parametrize("value", [None, "text", 1, {}, True])
    def test_is_refused_when_its_list_is_something_else(self, value: object) -> None:
        assert refusal(json.dumps(content(periods=value))) == "periods is not a list"

    def test_is_refused_when_its_list_has_501_items(self) -> None:
        assert refusal(json.dumps(content(periods=[item()] * 501))) == "periods has 501 items, more than 500"

    def test_is_refused_when_it_carries_nothing(self) -> None:
        assert refusal(json.dumps(content(periods=[]))) == "it carries no periods"

    def test_is_refused_when_a_period_is_named_twice(self) -> None:
        assert fault(json.dumps(content(periods=[item(), item()]))) == f"periods[1] names {SHOWN} twice"

    @pytest.mark.parametrize(
        "body",
        [
            json.dumps(content()).replace('"as_of": "2026-11-22"', '"as_of": "2026-11-22", "as_of": "2026-11-23"'),
            json.dumps(content()).replace('"account_id"', f'"account_id": "{OTHER_ACCOUNT}", "account_id"'),
        ],
    )
    def test_is_refused_when_an_object_has_a_field_twice(self, body: str) -> None:
        assert refusal(body).endswith("an object has a field twice")

    @pytest.mark.parametrize(
        "key",
        [
            f"charge:{REBILLING}",
            f" rebill:{REBILLING}",
            REBILLING,
            "",
            None,
            1,
            ["rebill"],
        ],
    )
    def test_is_refused_when_a_key_is_not_one_of_ours(self, key: object) -> None:
        assert refusal(json.dumps(content(periods=[item(idempotency_key=key)]))) == (
            f"periods[0]: the idempotency key {key!r} is not `rebill:` and a rebilling's id"
        )

    @pytest.mark.parametrize(
        "id_", ["", REBILLING.upper(), f"{REBILLING}\n", f"{REBILLING}:{DAY}", REBILLING.replace("-", "")]
    )
    def test_is_refused_when_a_key_has_no_id_in_its_usual_form(self, id_: str) -> None:
        expected = f"periods[0].idempotency_key is not a UUID in its usual form: {id_!r}"
        assert refusal(json.dumps(content(periods=[item(idempotency_key=f"rebill:{id_}")]))) == expected

    def test_is_read_with_a_period_that_starts_after_its_date(self) -> None:
        """A charge that was made early is tried again like any other. That none is made early the worker sees to."""
        (period,) = batch_from(json.dumps(content(as_of="2026-11-21"))).periods
        assert period.idempotency_key == KEY

    @pytest.mark.parametrize(
        "value",
        [
            *("", "1", ACCOUNT.upper(), "{" + ACCOUNT + "}", f"urn:uuid:{ACCOUNT}", ACCOUNT.replace("-", "")),
            *(f"{ACCOUNT} ", ACCOUNT[:-1], None, 1, 1.5, True, [], {}, [ACCOUNT]),
        ],
    )
    def test_is_refused_when_an_id_is_not_in_its_usual_form(self, value: object) -> None:
        expected = f"is not a UUID in its usual form: {value!r}"
        assert refusal(json.dumps(content(run_id=value))) == f"run_id {expected}"
        with_account = content(periods=[item(account_id=value)])
        assert refusal(json.dumps(with_account)) == f"periods[0].account_id {expected}"

    @pytest.mark.parametrize(
        "value",
        [
            *(
                "",
                "20261122",
                "2026-W47-7",
                "2026-11-31",
                "2026-13-01",
                "2026-11-22T00:00:00",
                "22.11.2026",
                "\uff12026-11-22",
            ),
            *("2026-11-22 ", "0000-01-01", "10000-01-01", None, 20261122, 1.5, True, []),
        ],
    )
    def test_is_refused_when_a_date_is_not_in_its_usual_form(self, value: object) -> None:
        expected = f"is not a date, YYYY-MM-DD: {value!r}"
        assert refusal(json.dumps(content(as_of=value))) == f"as_of {expected}"
        with_start = content(periods=[item(period_start=value)])
        assert refusal(json.dumps(with_start)) == f"periods[0].period_start {expected}"

    @pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "0.1", "-0.0", "9" * 4300])
    @pytest.mark.parametrize("name", ["schema", "run_id", "as_of", "periods"])
    def test_is_refused_when_a_field_is_any_number(self, name: str, number: str) -> None:
        body = json.dumps(content(**{name: "HERE"})).replace('"HERE"', number)
        assert name in refusal(body)

    def test_is_refused_when_a_number_has_too_many_digits_to_be_read(self) -> None:
        assert refusal('{"run_id": ' + "9" * 100_000 + "}").startswith("not JSON: Exceeds the limit")

    @pytest.mark.parametrize("depth", [*range(850, 1000, 10), 1500, 100_000])
    @pytest.mark.parametrize("opening", ["[", '{"a":'])
    @pytest.mark.parametrize("name", ["schema", "run_id", "periods"])
    def test_is_refused_when_it_is_nested_too_deeply(self, name: str, opening: str, depth: int) -> None:
        nested = opening * depth + "1" + {"[": "]", '{"a":': "}"}[opening] * depth
        body = json.dumps(content(**{name: ["HERE"]}))
        assert refusal(body.replace('"HERE"', nested))


class TestAnyBody:
    """Whatever arrives, a message is read or `MalformedMessage` is raised; nothing else."""

    @property_of_the_message
    @given(st.text() | json_values.map(json.dumps))
    @example("[" * 100_000)
    def test_of_no_message_is_refused(self, body: str) -> None:
        assert refusal(body)

    @property_of_the_message
    @given(st.dictionaries(st.sampled_from(NAMES), json_values), st.dictionaries(st.sampled_from(NAMES), json_values))
    def test_that_is_nearly_a_message_is_read_or_refused(self, changes: dict[str, Any], inner: dict[str, Any]) -> None:
        body = json.dumps(content(periods=[item(**inner)]) | changes)
        try:
            message = from_json(body)
        except MalformedMessage:
            return
        if not message.faults:
            assert json.loads(to_json(message)) == json.loads(body)
        assert replace(message, faults=()) == from_json(to_json(message))

    @property_of_the_message
    @given(st.data())
    def test_cut_or_with_a_character_changed_is_refused_or_means_the_same(self, data: st.DataObject) -> None:
        body = json.dumps(content(periods=[item(), another()]))
        at = data.draw(st.integers(0, len(body) - 1))
        changed = body[:at] + data.draw(st.characters() | st.just("")) + body[at + 1 :]
        try:
            message = batch_from(changed)
        except MalformedMessage:
            return
        # Its ids and dates may be others now, as those of any message; nothing else is read.
        assert 1 <= len(message.periods) == 2 - len(message.faults)
