"""One suite for every gateway. It never skips: each bench declares what can't be produced with its adapter."""

import dataclasses
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import stripe

from localcloud.simulated_stripe.faults import Kind
from payments.gateways.port import Answer, PaymentRequest, Request, Unknown
from payments.gateways.sessions import SessionRequest
from payments.gateways.stripe.gateway import StripeGateway
from tests.conformance import checks, session_checks
from tests.conformance.benches import BENCHES, SHORT_SECONDS, Bench, bench_of
from tests.support.stripe_bench import stripe_bench


@pytest.mark.parametrize("check", [*checks.CHECKS, *session_checks.SESSION_CHECKS], ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", BENCHES)
class TestGateway:
    def test_passes(self, name: str, check: Callable[[Bench], None]) -> None:
        with bench_of(name) as bench:
            check(bench)


class TestFaults:
    def test_can_be_produced_with_stripe_all_of_them_and_with_the_logging_gateway_none(self) -> None:
        """So none of the suite's checks leaves out a fault unnoticed."""
        for name, count in (("stripe", 0), ("logging", len(Kind))):
            with bench_of(name) as bench:
                assert len(bench.cannot) == count


class MakesAKeyForEachCall(StripeGateway):
    def _options(self, request: Request) -> stripe.RequestOptions:
        return {"idempotency_key": str(uuid.uuid4())}


class ForgetsTheKey(StripeGateway):
    """The library then makes a key for each request."""

    def _options(self, request: Request) -> stripe.RequestOptions:
        return {}


class MakesAKeyWhenTheAnswerIsLost(StripeGateway):
    def submit(self, request: Request, *, timeout_seconds: float) -> Answer:
        answer = super().submit(request, timeout_seconds=timeout_seconds)
        if isinstance(answer, Unknown) and isinstance(request, PaymentRequest):
            anew = dataclasses.replace(request, payment_id=uuid.uuid4())
            answer = super().submit(anew, timeout_seconds=timeout_seconds)
        return answer


class MakesAKeyForEachSession(StripeGateway):
    def _session_key(self, request: SessionRequest) -> str:
        return str(uuid.uuid4())


class LooksUpInsteadOfEnding(StripeGateway):
    end_session = StripeGateway.look_up_session


class IsMuchTooLate(StripeGateway):
    def submit(self, request: Request, *, timeout_seconds: float) -> Answer:
        if timeout_seconds == SHORT_SECONDS:
            time.sleep(timeout_seconds + checks.GRACE_SECONDS)
        return super().submit(request, timeout_seconds=timeout_seconds)


class SubmitsInsteadOfLookingUp(StripeGateway):
    def look_up(self, request: Request, *, timeout_seconds: float) -> Any:
        return super().submit(request, timeout_seconds=timeout_seconds)


class TestSuite:
    @pytest.mark.parametrize(
        ("adapter", "check", "tells"),
        [
            (MakesAKeyForEachCall, checks.same_payment_twice_moves_money_once, "moved 3 times"),
            (MakesAKeyForEachCall, checks.lost_answer_then_the_same_key_moves_money_once, "timeout_after: moved 3"),
            (MakesAKeyForEachCall, checks.same_refund_twice_moves_money_once, "moved 3 times"),
            (MakesAKeyForEachCall, checks.lost_refund_then_the_same_key_moves_money_once, "timeout_after: moved 3"),
            (MakesAKeyForEachCall, checks.one_key_from_many_threads_moves_money_once, "moved 9 times"),
            (ForgetsTheKey, checks.same_payment_twice_moves_money_once, "moved 3 times"),
            (ForgetsTheKey, checks.same_refund_twice_moves_money_once, "moved 3 times"),
            (MakesAKeyWhenTheAnswerIsLost, checks.lost_answer_then_the_same_key_moves_money_once, "moved 2 times"),
            (IsMuchTooLate, checks.each_call_ends_by_its_deadline, "payment.create took"),
            (SubmitsInsteadOfLookingUp, checks.what_was_taken_is_found_and_nothing_else, "found something else"),
            (MakesAKeyForEachSession, session_checks.same_session_twice_is_opened_once, "opened 3 times"),
            (
                MakesAKeyForEachSession,
                session_checks.lost_answer_then_the_same_key_opens_one_session,
                "timeout_after: opened 3",
            ),
            (LooksUpInsteadOfEnding, session_checks.what_is_ended_takes_no_payment_method, "not ended"),
        ],
    )
    def test_catches_an_adapter_that_is_broken(
        self, adapter: type[StripeGateway], check: Callable[[Bench], None], tells: str
    ) -> None:
        with stripe_bench(adapter) as bench, pytest.raises(AssertionError, match=tells):
            check(bench)
