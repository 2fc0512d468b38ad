"""The messages that carry payments, refunds and sessions: written, read back, and refused with what is wrong."""

import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from payments.messages.format import MAX_ITEMS, MalformedMessage, to_json
from payments.messages.rows import PaymentsMessage, RefundsMessage, SessionsMessage
from rebilling.messages.message import from_json

ONE, TWO = "01940000-0000-7000-8000-00000000000a", "01940000-0000-7000-8000-00000000000b"
KINDS: dict[str, Callable[[tuple[uuid.UUID, ...]], PaymentsMessage | RefundsMessage | SessionsMessage]] = {
    "payments": lambda ids: PaymentsMessage(ids=ids),
    "refunds": lambda ids: RefundsMessage(ids=ids),
    "sessions": lambda ids: SessionsMessage(ids=ids),
}

pytestmark = pytest.mark.parametrize("kind", KINDS)


def body(kind: str, ids: Any, **changes: Any) -> str:
    return json.dumps({"schema": f"{kind}/1", kind: ids} | changes)


def refusal(text: str) -> str:
    with pytest.raises(MalformedMessage) as caught:
        from_json(text)
    return str(caught.value)


class TestARowsMessage:
    def test_is_written_and_read_back(self, kind: str) -> None:
        message = KINDS[kind]((uuid.UUID(ONE), uuid.UUID(TWO)))
        assert json.loads(to_json(message)) == json.loads(body(kind, [ONE, TWO]))
        assert from_json(to_json(message)) == message

    def test_carries_500_within_what_sqs_takes(self, kind: str) -> None:
        message = KINDS[kind](tuple(uuid.UUID(int=n) for n in range(MAX_ITEMS)))
        assert from_json(to_json(message)) == message
        assert len(to_json(message)) == 19_500 + 2 * len(kind) + 20

    def test_is_refused_when_it_carries_nothing(self, kind: str) -> None:
        assert refusal(body(kind, [])) == f"it carries no {kind}"

    @pytest.mark.parametrize("value", ["", "1", ONE.upper(), f"{{{ONE}}}", f"{ONE} ", None, 1, True, [], {}])
    def test_is_refused_when_its_only_id_is_not_in_its_usual_form(self, kind: str, value: object) -> None:
        assert refusal(body(kind, [value])) == f"{kind}[0] is not a UUID in its usual form: {value!r}"

    @pytest.mark.parametrize("value", [None, "text", 1, {}])
    def test_is_refused_when_its_list_is_something_else(self, kind: str, value: object) -> None:
        assert refusal(body(kind, value)) == f"{kind} is not a list"

    def test_is_refused_when_its_list_has_501_items(self, kind: str) -> None:
        assert refusal(body(kind, [ONE] * 501)) == f"{kind} has 501 items, more than 500"

    def test_is_refused_with_a_field_too_many_or_too_few(self, kind: str) -> None:
        assert refusal(body(kind, [ONE], run_id=TWO)) == "the message: missing fields [], unknown fields ['run_id']"
        assert refusal(f'{{"schema": "{kind}/1"}}') == f"the message: missing fields ['{kind}'], unknown fields []"

    def test_of_another_version_is_refused(self, kind: str) -> None:
        known = "known are 'rebilling/1', 'payments/1', 'refunds/1', 'sessions/1'"
        assert refusal(body(kind, [ONE], schema=f"{kind}/2")) == f"schema is '{kind}/2'; {known}"

    def test_under_the_name_of_another_kind_is_refused(self, kind: str) -> None:
        others = set(KINDS) - {kind}
        for schema in (*(f"{other}/1" for other in others), "rebilling/1"):
            assert refusal(body(kind, [ONE], schema=schema)).startswith("the message: missing fields [")

    def test_is_read_without_its_bad_items(self, kind: str) -> None:
        message = from_json(body(kind, [ONE, None, ONE]))
        assert message.faults == (
            f"{kind}[1] is not a UUID in its usual form: None",
            f"{kind}[2] names {ONE} twice",
        )
        assert replace(message, faults=()) == KINDS[kind]((uuid.UUID(ONE),))
