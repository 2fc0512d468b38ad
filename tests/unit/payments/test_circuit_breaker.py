"""When the circuit breaker opens, and what it then says."""

import datetime
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from payments.circuit_breaker import MAX_CONSECUTIVE_REJECTIONS, MAX_REFUSED_SECONDS, CircuitBreaker
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


class TestBreakerThatWaits:
    """Of calls at a rate, which waits when the gateway was called too often."""

    TOO_OFTEN = NotAttempted("slow down", retry_after=datetime.timedelta())

    def after(self, *answers: tuple[float, Outcome | NotAttempted]) -> CircuitBreaker:
        """Answers, each at so many seconds."""
        times = iter([at for at, answer in answers if answer is self.TOO_OFTEN])
        breaker = CircuitBreaker(waits=True, seconds=lambda: next(times))
        for _, answer in answers:
            breaker.record(answer)
        return breaker

    def test_stays_closed_for_a_while_and_says_so_once(self, caplog: pytest.LogCaptureFixture) -> None:
        breaker = self.after(*((float(second), self.TOO_OFTEN) for second in range(MAX_REFUSED_SECONDS)))
        assert breaker.open_reason == ""
        assert [record.message for record in caplog.records] == ["the gateway is called too often, and is waited for"]

    def test_opens_when_nothing_else_is_answered(self) -> None:
        breaker = self.after((5.0, self.TOO_OFTEN), (5.0 + MAX_REFUSED_SECONDS, self.TOO_OFTEN))
        assert breaker.open_reason == "slow down (for 30 seconds)"

    @pytest.mark.parametrize("taken", [SUCCEEDED, Declined("stolen_card")])
    def test_counts_anew_after_a_request_that_was_taken(self, taken: Outcome) -> None:
        late = float(MAX_REFUSED_SECONDS)
        assert self.after((0.0, self.TOO_OFTEN), (1.0, taken), (late, self.TOO_OFTEN)).open_reason == ""

    def test_opens_at_once_for_another_reason(self) -> None:
        assert self.after((0.0, NotAttempted("a wrong key"))).open_reason == "a wrong key"
