"""What every adapter must do about sessions, each on a bench; also run on broken adapters, which must fail them."""

import dataclasses
import time
import uuid
from collections.abc import Callable
from typing import Any

from localcloud.simulated_stripe.faults import Kind
from payments.gateways.sessions import (
    SessionAnswer,
    SessionCompleted,
    SessionFailed,
    SessionOpened,
    SessionPending,
    SessionRequest,
    SessionUnanswered,
)
from tests.conformance.benches import SECONDS, SHORT_SECONDS, Bench
from tests.conformance.checks import GRACE_SECONDS, LOST_ANSWERS


def a_session(**given: Any) -> SessionRequest:
    """Of an account without a customer."""
    usual: dict[str, Any] = {"session_id": uuid.uuid4(), "account_id": uuid.uuid4(), "customer": ""}
    return SessionRequest(**(usual | given))


def opened(bench: Bench, request: SessionRequest, *, seconds: float = SECONDS) -> SessionAnswer:
    return bench.gateway.open_session(request, timeout_seconds=seconds)


def once_opened(bench: Bench, **given: Any) -> tuple[SessionRequest, SessionOpened]:
    """A session with its reference, and what the gateway answered."""
    request = a_session(**given)
    answer = opened(bench, request)
    assert isinstance(answer, SessionOpened)
    return dataclasses.replace(request, customer=answer.customer, reference=answer.reference), answer


def same_session_twice_is_opened_once(bench: Bench) -> None:
    for customer in ("", "cus_1"):
        request = a_session(customer=customer)
        answers = [opened(bench, request) for _ in range(3)]
        assert bench.opened(request) == 1, f"opened {bench.opened(request)} times"
        first = answers[0]
        assert isinstance(first, SessionOpened)
        assert answers == [first, first, first]
        assert customer in ("", first.customer)
        assert first.customer
        assert first.client_secret not in repr(first)


def lost_answer_then_the_same_key_opens_one_session(bench: Bench) -> None:
    for call in ("customer.create", "setup_intent.create"):
        for kind in LOST_ANSWERS:
            if kind in bench.cannot:
                continue
            request = a_session()
            bench.fail_next(kind, call=call)
            first = opened(bench, request, seconds=SHORT_SECONDS)
            again = [opened(bench, request) for _ in range(2)]
            assert bench.opened(request) == 1, f"{kind}: opened {bench.opened(request)} times"
            assert isinstance(first, SessionUnanswered)
            assert isinstance(again[0], SessionOpened)
            assert again[0] == again[1]


def what_the_customer_gave_is_found_each_time(bench: Bench) -> None:
    request, answer = once_opened(bench)
    if bench.waits_for_customers:
        assert bench.gateway.look_up_session(request, timeout_seconds=SECONDS) == SessionPending()
    bench.give(answer, "pm_new")
    found = [bench.gateway.look_up_session(request, timeout_seconds=SECONDS) for _ in range(2)]
    first = found[0]
    assert isinstance(first, SessionCompleted)
    assert found == [first, first]
    assert first.customer == answer.customer
    assert not bench.waits_for_customers or first.payment_method == "pm_new"
    # Too late to end it: the customer was there first.
    assert bench.gateway.end_session(request, timeout_seconds=SECONDS) == first


def what_is_ended_takes_no_payment_method(bench: Bench) -> None:
    if not bench.waits_for_customers:
        return
    request, answer = once_opened(bench)
    ended = [bench.gateway.end_session(request, timeout_seconds=SECONDS) for _ in range(2)]
    assert ended == [SessionFailed("canceled")] * 2, f"not ended: {ended}"
    bench.give(answer, "pm_new")
    assert bench.gateway.look_up_session(request, timeout_seconds=SECONDS) == SessionFailed("canceled")


def each_session_call_ends_by_its_deadline(bench: Bench) -> None:
    for kind in (Kind.SLOW, Kind.DRIP, Kind.TIMEOUT_BEFORE, Kind.TIMEOUT_AFTER, Kind.RATE_LIMIT):
        if kind in bench.cannot:
            continue
        request, _ = once_opened(bench)
        ways: dict[str, Callable[..., object]] = {
            "customer.create": lambda **seconds: bench.gateway.open_session(a_session(), **seconds),
            "setup_intent.retrieve": lambda request=request, **seconds: bench.gateway.look_up_session(
                request, **seconds
            ),
            "setup_intent.cancel": lambda request=request, **seconds: bench.gateway.end_session(request, **seconds),
        }
        for name, ask in ways.items():
            bench.fail_next(kind, call=name)
            began = time.monotonic()
            ask(timeout_seconds=SHORT_SECONDS)
            took = time.monotonic() - began
            assert took <= SHORT_SECONDS + GRACE_SECONDS, f"{name} took {took:.2f} s ({kind})"


SESSION_CHECKS: tuple[Callable[[Bench], None], ...] = (
    same_session_twice_is_opened_once,
    lost_answer_then_the_same_key_opens_one_session,
    what_the_customer_gave_is_found_each_time,
    what_is_ended_takes_no_payment_method,
    each_session_call_ends_by_its_deadline,
)
