"""What every adapter must do, each on a bench. They also run on broken adapters, which must fail them."""

import itertools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from localcloud.simulated_stripe.faults import Kind
from payments.gateways.port import Answer, NotFound, PaymentRequest, RefundRequest, Succeeded, Unknown
from tests.conformance.benches import SECONDS, SHORT_SECONDS, Bench
from tests.support.gateway_requests import a_payment, a_refund

LOST_ANSWERS = (Kind.TIMEOUT_AFTER, Kind.TIMEOUT_BEFORE, Kind.RESET_AFTER, Kind.RESET_BEFORE, Kind.GARBAGE, Kind.DRIP)
"""Faults after which the client can't know whether the money was moved."""
GRACE_SECONDS = 1.5


def collected(bench: Bench, request: PaymentRequest, *, seconds: float = SECONDS) -> Answer:
    return bench.gateway.submit(request, timeout_seconds=seconds)


def refunded(bench: Bench, request: RefundRequest, *, seconds: float = SECONDS) -> Answer:
    return bench.gateway.submit(request, timeout_seconds=seconds)


def a_paid_refund(bench: Bench) -> RefundRequest:
    payment = a_payment()
    paid = collected(bench, payment)
    assert isinstance(paid, Succeeded)
    return a_refund(payment, paid.reference)


def same_payment_twice_moves_money_once(bench: Bench) -> None:
    request = a_payment()
    answers = [collected(bench, request) for _ in range(3)]
    assert len(bench.taken(request)) == 1, f"moved {len(bench.taken(request))} times"
    first = answers[0]
    assert isinstance(first, Succeeded)
    assert answers == [first, first, first]
    assert (first.key, first.amount_minor, first.currency) == (request.key, 1999, "USD")


def lost_answer_then_the_same_key_moves_money_once(bench: Bench) -> None:
    """What was lost is submitted again, as redelivery does."""
    for kind in LOST_ANSWERS:
        if kind in bench.cannot:
            continue
        request = a_payment()
        bench.fail_next(kind)
        first = collected(bench, request, seconds=SHORT_SECONDS)
        again = [collected(bench, request) for _ in range(2)]
        assert bench.taken(request) == [1999], f"{kind}: moved {len(bench.taken(request))} times"
        assert isinstance(first, Unknown)
        assert [type(answer) for answer in again] == [Succeeded, Succeeded]


def same_refund_twice_moves_money_once(bench: Bench) -> None:
    request = a_paid_refund(bench)
    answers = [refunded(bench, request) for _ in range(3)]
    assert len(bench.sent_back(request)) == 1, f"moved {len(bench.sent_back(request))} times"
    first = answers[0]
    assert isinstance(first, Succeeded)
    assert answers == [first, first, first]
    assert (first.key, first.amount_minor, first.currency) == (request.key, 500, "USD")


def lost_refund_then_the_same_key_moves_money_once(bench: Bench) -> None:
    for kind in LOST_ANSWERS:
        if kind in bench.cannot:
            continue
        request = a_paid_refund(bench)
        bench.fail_next(kind, call="refund.create")
        first = refunded(bench, request, seconds=SHORT_SECONDS)
        again = [refunded(bench, request) for _ in range(2)]
        assert bench.sent_back(request) == [500], f"{kind}: moved {len(bench.sent_back(request))} times"
        assert isinstance(first, Unknown)
        assert [type(answer) for answer in again] == [Succeeded, Succeeded]


def one_key_from_many_threads_moves_money_once(bench: Bench) -> None:
    request = a_payment()
    if Kind.TIMEOUT_LATE not in bench.cannot:
        # The first is slow, so that the others come while it is in progress.
        bench.fail_next(Kind.TIMEOUT_LATE, seconds=0.5)
    with ThreadPoolExecutor(max_workers=8) as pool:
        answers = list(pool.map(lambda _: collected(bench, request), range(8)))
    last = collected(bench, request)
    assert len(bench.taken(request)) == 1, f"moved {len(bench.taken(request))} times"
    assert isinstance(last, Succeeded)
    assert {type(answer) for answer in answers} <= {Succeeded, Unknown}
    assert {answer for answer in answers if isinstance(answer, Succeeded)} <= {last}


def what_was_taken_is_found_and_nothing_else(bench: Bench) -> None:
    requests = [a_payment() for _ in range(3)]
    paid = [collected(bench, request) for request in requests[:2]]
    found = [bench.gateway.look_up(request, timeout_seconds=SECONDS) for request in requests]
    assert found == [*paid, NotFound()], "found something else than what was taken"
    assert list(itertools.chain(*[bench.taken(request) for request in requests])) == [1999, 1999]
    named = a_payment(payment_id=requests[0].payment_id, reference=getattr(paid[0], "reference", ""))
    assert bench.gateway.look_up(named, timeout_seconds=SECONDS) == paid[0]


def what_was_sent_back_is_found_and_nothing_else(bench: Bench) -> None:
    request = a_paid_refund(bench)
    assert bench.gateway.look_up(request, timeout_seconds=SECONDS) == NotFound()
    assert bench.sent_back(request) == []
    sent = refunded(bench, request)
    assert bench.gateway.look_up(request, timeout_seconds=SECONDS) == sent
    assert bench.sent_back(request) == [500]


def each_call_ends_by_its_deadline(bench: Bench) -> None:
    for kind in (Kind.SLOW, Kind.DRIP, Kind.TIMEOUT_BEFORE, Kind.TIMEOUT_AFTER, Kind.RATE_LIMIT):
        if kind in bench.cannot:
            continue
        for name in ("payment.create", "payment.list", "refund.create", "refund.list"):
            refund = a_paid_refund(bench)
            payment = a_payment()
            bench.fail_next(kind, call=name)
            began = time.monotonic()
            match name:
                case "payment.create":
                    collected(bench, payment, seconds=SHORT_SECONDS)
                case "payment.list":
                    bench.gateway.look_up(payment, timeout_seconds=SHORT_SECONDS)
                case "refund.create":
                    refunded(bench, refund, seconds=SHORT_SECONDS)
                case "refund.list":
                    bench.gateway.look_up(refund, timeout_seconds=SHORT_SECONDS)
            took = time.monotonic() - began
            assert took <= SHORT_SECONDS + GRACE_SECONDS, f"{name} took {took:.2f} s ({kind})"


CHECKS: tuple[Callable[[Bench], None], ...] = (
    same_payment_twice_moves_money_once,
    lost_answer_then_the_same_key_moves_money_once,
    same_refund_twice_moves_money_once,
    lost_refund_then_the_same_key_moves_money_once,
    one_key_from_many_threads_moves_money_once,
    what_was_taken_is_found_and_nothing_else,
    what_was_sent_back_is_found_and_nothing_else,
    each_call_ends_by_its_deadline,
)
