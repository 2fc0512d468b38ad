"""One suite for every gateway. It never skips: what can't be produced with an adapter, its bench declares."""

import dataclasses
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import stripe

from localcloud.provider.faults import Kind
from payments.gateways import Answer, PaymentRequest, Request, Unknown
from payments.gateways.stripe_gateway import StripeGateway
from tests.conformance import checks
from tests.conformance.benches import BENCHES, SHORT_SECONDS, Bench, bench_of, stripe_bench


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", BENCHES)
class TestGateway:
    def test_passes(self, name: str, check: Callable[[Bench], None]) -> None:
        with bench_of(name) as bench:
            check(bench)


class TestFaults:
    def test_can_be_produced_with_stripe_all_of_them_and_with_the_logging_gateway_none(self) -> None:
        """So none of the suite's checks leaves a fault out unseen."""
        for name, count in (("stripe", 0), ("logging", len(Kind))):
            with bench_of(name) as bench:
                assert len(bench.cannot) == count


class MintsAKeyForEachCall(StripeGateway):
    def _key(self, request: Request) -> stripe.RequestOptions:
        return {"idempotency_key": str(uuid.uuid4())}


class ForgetsTheKey(StripeGateway):
    """The library then makes one of its own for each request."""

    def _key(self, request: Request) -> stripe.RequestOptions:
        return {}


class MintsAKeyWhenTheAnswerIsLost(StripeGateway):
    def collect(self, request: PaymentRequest, *, timeout_seconds: float) -> Answer:
        answer = super().collect(request, timeout_seconds=timeout_seconds)
        if isinstance(answer, Unknown):
            anew = dataclasses.replace(request, payment_id=uuid.uuid4())
            answer = super().collect(anew, timeout_seconds=timeout_seconds)
        return answer


class IsMuchTooLate(StripeGateway):
    def collect(self, request: PaymentRequest, *, timeout_seconds: float) -> Answer:
        if timeout_seconds == SHORT_SECONDS:
            time.sleep(timeout_seconds + checks.GRACE_SECONDS)
        return super().collect(request, timeout_seconds=timeout_seconds)


class FindsWhatItWasAskedFor(StripeGateway):
    def look_up(self, request: PaymentRequest, *, timeout_seconds: float) -> Any:
        return super().collect(request, timeout_seconds=timeout_seconds)


class TestSuite:
    @pytest.mark.parametrize(
        ("adapter", "check", "tells"),
        [
            (MintsAKeyForEachCall, checks.same_payment_twice_moves_money_once, "moved 3 times"),
            (MintsAKeyForEachCall, checks.lost_answer_then_the_same_key_moves_money_once, "timeout_after: moved 3"),
            (MintsAKeyForEachCall, checks.same_refund_twice_moves_money_once, "moved 3 times"),
            (MintsAKeyForEachCall, checks.lost_refund_then_the_same_key_moves_money_once, "timeout_after: moved 3"),
            (MintsAKeyForEachCall, checks.one_key_from_many_threads_moves_money_once, "moved 9 times"),
            (ForgetsTheKey, checks.same_payment_twice_moves_money_once, "moved 3 times"),
            (ForgetsTheKey, checks.same_refund_twice_moves_money_once, "moved 3 times"),
            (MintsAKeyWhenTheAnswerIsLost, checks.lost_answer_then_the_same_key_moves_money_once, "moved 2 times"),
            (IsMuchTooLate, checks.each_call_ends_by_its_deadline, "payment.create took"),
            (FindsWhatItWasAskedFor, checks.what_was_taken_is_found_and_nothing_else, "found something else"),
        ],
    )
    def test_catches_an_adapter_that_is_broken(
        self, adapter: type[StripeGateway], check: Callable[[Bench], None], tells: str
    ) -> None:
        with stripe_bench(adapter) as bench, pytest.raises(AssertionError, match=tells):
            check(bench)
