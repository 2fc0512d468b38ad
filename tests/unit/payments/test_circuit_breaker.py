"""When the circuit breaker opens, and what it then says."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from payments.circuit_breaker import MAX_CONSECUTIVE_REJECTIONS, CircuitBreaker
from payments.gateways.port import Declined, NotAttempted, Outcome, Succeeded, Unknown

REJECTED = NotAttempted("no such customer", this_request_only=True)
SUCCEEDED = Succeeded(reference="pi_1", key=uuid.UUID(int=1), amount_minor=1999, currency="USD")
OPEN_REASON = "no such customer (20 requests in a row)"


def breaker_after(*answers: Outcome | NotAttempted) -> CircuitBreaker:
    breaker = CircuitBreaker()
    for answer in answers:
        breaker.record(answer)
    return breaker


class TestCircuitBreaker:
    def test_is_closed_at_first_and_while_requests_are_taken(self) -> None:
        assert breaker_after().open_reason == ""
        assert breaker_after(SUCCEEDED, Declined("stolen_card"), Unknown("timed out")).open_reason == ""

    def test_opens_at_once_when_the_gateway_takes_no_requests(self) -> None:
        assert breaker_after(SUCCEEDED, NotAttempted("rate limit")).open_reason == "rate limit"

    def test_opens_after_twenty_rejections_in_a_row(self) -> None:
        assert breaker_after(*[REJECTED] * (MAX_CONSECUTIVE_REJECTIONS - 1)).open_reason == ""
        assert breaker_after(*[REJECTED] * MAX_CONSECUTIVE_REJECTIONS).open_reason == OPEN_REASON

    @pytest.mark.parametrize("taken", [SUCCEEDED, Declined("stolen_card")])
    def test_counts_from_zero_after_a_request_that_was_taken(self, taken: Outcome) -> None:
        rejected = [REJECTED] * (MAX_CONSECUTIVE_REJECTIONS - 1)
        assert breaker_after(*rejected, taken, *rejected).open_reason == ""
        assert breaker_after(*rejected, taken, *rejected, REJECTED).open_reason == OPEN_REASON

    def test_counts_on_after_an_unknown_outcome(self) -> None:
        rejected = [REJECTED] * (MAX_CONSECUTIVE_REJECTIONS - 1)
        assert breaker_after(*rejected, Unknown("timed out"), REJECTED).open_reason == OPEN_REASON

    def test_keeps_its_first_reason_and_stays_open(self) -> None:
        breaker = breaker_after(NotAttempted("rate limit"), NotAttempted("wrong key"), SUCCEEDED)
        assert breaker.open_reason == "rate limit"

    def test_counts_every_answer_of_several_threads(self) -> None:
        breaker = CircuitBreaker()
        with ThreadPoolExecutor(max_workers=8) as pool:
            list(pool.map(breaker.record, [REJECTED] * MAX_CONSECUTIVE_REJECTIONS))
        assert breaker.open_reason == OPEN_REASON
