"""The message: what is written is read back, and whatever else arrives is refused with what is wrong with it."""

import datetime
import json
import uuid
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rebilling.messages.message import (
    MAX_ITEMS,
    MalformedMessage,
    Message,
    PeriodKey,
    RefundsMessage,
    from_json,
    to_json,
)

RUN = "01930000-0000-7000-8000-000000000001"
ACCOUNT = "01930000-0000-7000-8000-00000000000a"
OTHER_ACCOUNT = "01930000-0000-7000-8000-00000000000b"
PAYMENT = "01940000-0000-7000-8000-000000000001"
DAY = "2026-11-22"
KEY = f"rebill:{ACCOUNT}:{DAY}"

property_of_the_message = settings(max_examples=200, deadline=None, derandomize=True, print_blob=True)

days = st.dates(datetime.date(1970, 1, 1), datetime.date(2200, 12, 31))
keys = st.builds(PeriodKey, account_id=st.uuids(), period_start=days)
batches = st.builds(
    lambda keys, payments, run_id, later: Message(
        run_id=run_id,
        as_of=max([key.period_start for key in keys], default=datetime.date(2026, 11, 22)) + later,
        rebillings=tuple(keys),
        payments=tuple(payments),
    ),
    st.lists(keys, min_size=1, max_size=20, unique=True),
    st.lists(st.uuids(), max_size=20, unique=True),
    st.uuids(),
    st.timedeltas(datetime.timedelta(0), datetime.timedelta(days=400)),
)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([RUN, ACCOUNT, DAY]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
NAMES = ["schema", "run_id", "as_of", "rebillings", "payments", "account_id", "period_start", "idempotency_key"]


def item(**changes: Any) -> dict[str, Any]:
    return {"account_id": ACCOUNT, "period_start": DAY, "idempotency_key": f"rebill:{ACCOUNT}:{DAY}"} | changes


def content(**changes: Any) -> dict[str, Any]:
    return {"schema": "rebilling/1", "run_id": RUN, "as_of": DAY, "rebillings": [item()], "payments": []} | changes


def without(fields: dict[str, Any], name: str) -> dict[str, Any]:
    return {other: value for other, value in fields.items() if other != name}


def batch_from(body: str) -> Message:
    message = from_json(body)
    assert isinstance(message, Message)
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


class TestMessage:
    @property_of_the_message
    @given(batches)
    def test_is_read_back_as_it_was_written(self, message: Message) -> None:
        assert from_json(to_json(message)) == message

    def test_is_written_as_the_design_says(self) -> None:
        message = Message(
            run_id=uuid.UUID(RUN),
            as_of=datetime.date(2026, 11, 22),
            rebillings=(PeriodKey(uuid.UUID(ACCOUNT), datetime.date(2026, 11, 22)),),
            payments=(uuid.UUID(PAYMENT),),
        )
        assert json.loads(to_json(message)) == content(payments=[PAYMENT])

    def test_carries_payments_alone(self) -> None:
        message = batch_from(json.dumps(content(rebillings=[], payments=[PAYMENT])))
        assert (message.rebillings, message.payments) == ((), (uuid.UUID(PAYMENT),))

    def test_carries_500_periods_and_500_payments_within_what_sqs_takes(self) -> None:
        batch = tuple(PeriodKey(uuid.UUID(int=n), datetime.date(2026, 11, 22)) for n in range(MAX_ITEMS))
        payments = tuple(uuid.UUID(int=n) for n in range(MAX_ITEMS))
        message = Message(run_id=uuid.UUID(RUN), as_of=datetime.date(2026, 11, 22), rebillings=batch, payments=payments)
        body = to_json(message)
        assert from_json(body) == message
        assert body.isascii()
        assert len(body) == 98_121
        assert len(body) < 256 * 1024

    def test_keeps_the_order_of_its_periods(self) -> None:
        both = [item(account_id=other, idempotency_key=f"rebill:{other}:{DAY}") for other in (OTHER_ACCOUNT, ACCOUNT)]
        found = batch_from(json.dumps(content(rebillings=both))).rebillings
        assert [str(key.account_id) for key in found] == [OTHER_ACCOUNT, ACCOUNT]


class TestABadItem:
    """It fails alone; the message carries the others."""

    def test_among_good_ones_leaves_them_as_they_are(self) -> None:
        bad = [item(idempotency_key="charge"), "text", item(account_id="1"), without(item(), "period_start")]
        message = batch_from(json.dumps(content(rebillings=[*bad[:2], item(), *bad[2:]], payments=[PAYMENT, 1])))
        assert ([str(key) for key in message.rebillings], message.payments) == ([KEY], (uuid.UUID(PAYMENT),))
        assert message.faults == (
            "rebillings[0]: the idempotency key 'charge' is not that of its account and period",
            "rebillings[1] is not an object",
            "rebillings[3].account_id is not a UUID in its usual form: '1'",
            "rebillings[4]: missing fields ['period_start'], unknown fields []",
            "payments[1] is not a UUID in its usual form: 1",
        )

    def test_alone_makes_the_message_malformed(self) -> None:
        assert refusal(json.dumps(content(rebillings=["text", "more"]))) == "rebillings[0] is not an object"


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
        expected = f"schema is {schema!r}; only 'rebilling/1' and 'refunds/1' are known"
        assert refusal(json.dumps(content(schema=schema))) == expected
        assert refusal(json.dumps({"schema": schema, "batches": []})) == expected

    @pytest.mark.parametrize("name", ["schema", "run_id", "as_of", "rebillings", "payments"])
    def test_is_refused_when_a_field_is_missing(self, name: str) -> None:
        body = json.dumps(without(content(), name))
        assert refusal(body) == f"the message: missing fields ['{name}'], unknown fields []"

    def test_is_refused_when_a_field_is_unknown(self) -> None:
        body = json.dumps(content(amount_minor=1999))
        assert refusal(body) == "the message: missing fields [], unknown fields ['amount_minor']"

    @pytest.mark.parametrize("name", ["account_id", "period_start", "idempotency_key"])
    def test_is_refused_when_a_field_of_a_period_is_missing(self, name: str) -> None:
        body = json.dumps(content(rebillings=[item(), without(item(), name)]))
        assert fault(body) == f"rebillings[1]: missing fields ['{name}'], unknown fields []"

    def test_is_refused_when_a_field_of_a_period_is_unknown(self) -> None:
        body = json.dumps(content(rebillings=[item(amount=1)]))
        assert refusal(body) == "rebillings[0]: missing fields [], unknown fields ['amount']"

    @pytest.mark.parametrize("value", [None, "text", 1, [], True])
    def test_is_refused_when_a_period_is_not_an_object(self, value: object) -> None:
        assert refusal(json.dumps(content(rebillings=[value]))) == "rebillings[0] is not an object"

    @pytest.mark.parametrize("name", ["rebillings", "payments"])
    @pytest.mark.parametrize("value", [None, "text", 1, {}, True])
    def test_is_refused_when_a_list_is_something_else(self, name: str, value: object) -> None:
        assert refusal(json.dumps(content(**{name: value}))) == f"{name} is not a list"

    @pytest.mark.parametrize("name", ["rebillings", "payments"])
    def test_is_refused_when_a_list_has_501_items(self, name: str) -> None:
        body = json.dumps(content(**{name: [item()] * 501 if name == "rebillings" else [PAYMENT] * 501}))
        assert refusal(body) == f"{name} has 501 items, more than 500"

    def test_is_refused_when_it_carries_nothing(self) -> None:
        assert refusal(json.dumps(content(rebillings=[]))) == "it carries neither rebillings nor payments"

    def test_is_refused_when_a_period_is_named_twice(self) -> None:
        assert fault(json.dumps(content(rebillings=[item(), item()]))) == f"rebillings[1] names {KEY} twice"

    def test_is_refused_when_a_payment_is_named_twice(self) -> None:
        assert fault(json.dumps(content(payments=[PAYMENT, PAYMENT]))) == f"payments[1] names {PAYMENT} twice"

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
            f"rebill:{OTHER_ACCOUNT}:{DAY}",  # of another account
            f"rebill:{ACCOUNT}:2026-11-21",  # of another period
            f"rebill:{ACCOUNT.upper()}:{DAY}",
            f"charge:{ACCOUNT}:{DAY}",
            f" rebill:{ACCOUNT}:{DAY}",
            f"rebill:{ACCOUNT}:{DAY}\n",
            "",
            None,
            1,
            ["rebill"],
        ],
    )
    def test_is_refused_when_a_key_is_not_that_of_its_account_and_period(self, key: object) -> None:
        assert refusal(json.dumps(content(rebillings=[item(idempotency_key=key)]))) == (
            f"rebillings[0]: the idempotency key {key!r} is not that of its account and period"
        )

    def test_is_read_with_a_period_that_starts_after_its_date(self) -> None:
        """A charge that was made early is tried again like any other. That none is made early the worker sees to."""
        assert [str(key) for key in batch_from(json.dumps(content(as_of="2026-11-21"))).rebillings] == [KEY]

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
        assert fault(json.dumps(content(payments=[PAYMENT, value]))) == f"payments[1] {expected}"
        with_account = content(rebillings=[item(account_id=value)])
        assert refusal(json.dumps(with_account)) == f"rebillings[0].account_id {expected}"

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
        with_start = content(rebillings=[item(period_start=value)])
        assert refusal(json.dumps(with_start)) == f"rebillings[0].period_start {expected}"

    @pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "0.1", "-0.0", "9" * 4300])
    @pytest.mark.parametrize("name", ["schema", "run_id", "as_of", "rebillings", "payments"])
    def test_is_refused_when_a_field_is_any_number(self, name: str, number: str) -> None:
        body = json.dumps(content(**{name: "HERE"})).replace('"HERE"', number)
        assert name in refusal(body)

    def test_is_refused_when_a_number_has_too_many_digits_to_be_read(self) -> None:
        assert refusal('{"run_id": ' + "9" * 100_000 + "}").startswith("not JSON: Exceeds the limit")

    @pytest.mark.parametrize("depth", [*range(850, 1000, 10), 1500, 100_000])
    @pytest.mark.parametrize("opening", ["[", '{"a":'])
    @pytest.mark.parametrize("name", ["schema", "run_id", "rebillings", "payments"])
    def test_is_refused_when_it_is_nested_too_deeply(self, name: str, opening: str, depth: int) -> None:
        nested = opening * depth + "1" + {"[": "]", '{"a":': "}"}[opening] * depth
        body = json.dumps(content(**{name: ["HERE"]} | ({"rebillings": []} if name == "payments" else {})))
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
        body = json.dumps(content(rebillings=[item(**inner)]) | changes)
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
        body = json.dumps(content(payments=[PAYMENT]))
        at = data.draw(st.integers(0, len(body) - 1))
        changed = body[:at] + data.draw(st.characters() | st.just("")) + body[at + 1 :]
        try:
            message = batch_from(changed)
        except MalformedMessage:
            return
        # A run or payment may be another one now; a period may not, since its key would no longer match.
        expected = [KEY] if len(message.payments) + len(message.faults) == 1 else []
        assert [str(key) for key in message.rebillings] == expected


def refunds_content(**changes: Any) -> dict[str, Any]:
    return {"schema": "refunds/1", "refunds": [PAYMENT, RUN]} | changes


class TestRefundsMessage:
    def test_is_written_and_read_back(self) -> None:
        message = RefundsMessage(refunds=(uuid.UUID(PAYMENT), uuid.UUID(RUN)))
        assert json.loads(to_json(message)) == refunds_content()
        assert from_json(to_json(message)) == message

    def test_carries_500_refunds_within_what_sqs_takes(self) -> None:
        message = RefundsMessage(refunds=tuple(uuid.UUID(int=n) for n in range(MAX_ITEMS)))
        assert from_json(to_json(message)) == message
        assert len(to_json(message)) == 19_534

    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            ({"refunds": []}, "it carries no refunds"),
            ({"refunds": [f"{{{PAYMENT}}}"]}, f"refunds[0] is not a UUID in its usual form: '{{{PAYMENT}}}'"),
            ({"refunds": [None]}, "refunds[0] is not a UUID in its usual form: None"),
            ({"refunds": None}, "refunds is not a list"),
            ({"refunds": [PAYMENT] * 501}, "refunds has 501 items, more than 500"),
            ({"run_id": RUN}, "the message: missing fields [], unknown fields ['run_id']"),
            ({"schema": "refunds/2"}, "schema is 'refunds/2'; only 'rebilling/1' and 'refunds/1' are known"),
        ],
    )
    def test_of_another_shape_is_refused(self, changes: dict[str, Any], says: str) -> None:
        assert refusal(json.dumps(refunds_content(**changes))) == says

    def test_is_read_without_malformed_items(self) -> None:
        expected = "refunds[1] is not a UUID in its usual form: None"
        assert fault(json.dumps(refunds_content(refunds=[PAYMENT, None]))) == expected
        assert fault(json.dumps(refunds_content(refunds=[PAYMENT, PAYMENT]))) == f"refunds[1] names {PAYMENT} twice"

    def test_without_its_refunds_is_refused(self) -> None:
        assert refusal('{"schema": "refunds/1"}') == "the message: missing fields ['refunds'], unknown fields []"

    def test_with_the_fields_of_the_other_kind_is_refused(self) -> None:
        assert refusal(json.dumps(content(schema="refunds/1"))).startswith("the message: missing fields ['refunds'], ")
        assert refusal(json.dumps(refunds_content(schema="rebilling/1"))).startswith("the message: missing fields [")
