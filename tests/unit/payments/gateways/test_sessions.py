"""What may be kept of a gateway's answers about sessions, and what is said of those that may not: never their texts."""

from typing import Any

import pytest

from payments.gateways.sessions import (
    SessionCompleted,
    SessionFailed,
    SessionOpened,
    SessionPending,
    SessionUnanswered,
    unkeepable_session,
)

OPENED: dict[str, Any] = {"reference": "seti_1", "customer": "cus_1", "client_secret": "seti_1_secret_2"}


class TestSessionOpened:
    def test_keeps_its_secret_out_of_what_is_printed(self) -> None:
        opened = SessionOpened(**OPENED)
        assert repr(opened) == "SessionOpened(reference='seti_1', customer='cus_1')"
        assert str(opened) == repr(opened)


class TestUnkeepableSession:
    @pytest.mark.parametrize(
        "answer",
        [
            SessionOpened(**OPENED),
            SessionOpened(**OPENED | {"client_secret": "s" * 300}),
            SessionPending(),
            SessionCompleted(customer="c" * 200, payment_method="p" * 200),
            SessionFailed("c" * 100),
            SessionUnanswered("timed out\n" * 1000),
        ],
    )
    def test_is_none_of_what_a_gateway_answers(self, answer: object) -> None:
        assert unkeepable_session(answer) == ""

    @pytest.mark.parametrize(
        ("answer", "says"),
        [
            (SessionOpened(**OPENED | {"reference": ""}), "the gateway's reference has 0 characters, not 1 to 200"),
            (SessionOpened(**OPENED | {"customer": None}), "the gateway's customer is a NoneType"),
            (
                SessionOpened(**OPENED | {"client_secret": "s" * 301}),
                "the gateway's client secret has 301 characters, not 1 to 300",
            ),
            (
                SessionOpened(**OPENED | {"client_secret": "private\0"}),
                "the gateway's client secret has characters that can't be printed",
            ),
            (
                SessionCompleted(customer="c" * 201, payment_method="pm"),
                "the gateway's customer has 201 characters, not 1 to 200",
            ),
            (
                SessionCompleted(customer="c", payment_method=""),
                "the gateway's payment method has 0 characters, not 1 to 200",
            ),
            (SessionFailed("c" * 101), "the gateway's code has 101 characters, not 1 to 100"),
            (None, "the gateway answered with a NoneType"),
        ],
    )
    def test_is_said_of_anything_else(self, answer: object, says: str) -> None:
        assert unkeepable_session(answer) == says
