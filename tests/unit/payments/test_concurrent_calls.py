"""Calls at a rate: when each begins, how many at once, and what becomes of them when the time is over."""

import datetime
import threading
import time
import uuid
from collections.abc import Sequence

import pytest
from django.db import OperationalError

from payments.call_rate import Turns
from payments.concurrent_calls import Answers, CallAnswer, call_at_once, call_at_rate
from payments.gateways.port import Declined, NotAttempted, PaymentRequest, Request, Succeeded
from tests.builders import NOW

TOO_OFTEN = NotAttempted("slow down", retry_after=datetime.timedelta(milliseconds=10))


def requests(count: int) -> list[Request]:
    return [
        PaymentRequest(
            payment_id=uuid.uuid4(),
            amount_minor=1999,
            currency="USD",
            customer="cus_1",
            payment_method="pm_1",
            description="Invoice 1",
            submitted_at=NOW,
        )
        for _ in range(count)
    ]


class Rate:
    """As a `CallRate` of so many calls at once gives turns; what was asked of it is kept."""

    def __init__(self, *, max_calls: int = 100, delays: Sequence[float] = (), between: float = 0.0) -> None:
        self.max_calls, self.delays, self.between = max_calls, list(delays), between
        self.asked: list[int] = []
        self.paused: list[datetime.timedelta] = []

    def reserve(self, calls: int) -> Turns:
        self.asked.append(calls)
        delay = datetime.timedelta(seconds=self.delays.pop(0) if self.delays else 0)
        return Turns(min(calls, self.max_calls), delay, datetime.timedelta(seconds=self.between))

    def pause(self, duration: datetime.timedelta) -> None:
        self.paused.append(duration)


class Gateway:
    """Answers what it was given for the request's first calls, and then that it succeeded."""

    def __init__(self, *first: CallAnswer, seconds: float = 0.0) -> None:
        self.first, self.seconds = list(first), seconds
        self.began: list[float] = []
        self.called: list[Request] = []
        self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()

    def call(self, request: Request) -> CallAnswer:
        with self._lock:
            self.began.append(time.monotonic())
            self.called.append(request)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            answer = self.first.pop(0) if self.first else Succeeded.of(request, reference="paid")
        time.sleep(self.seconds)
        with self._lock:
            self.at_once -= 1
        return answer


def called(
    asked: Sequence[Request], gateway: Gateway, rate: Rate, *, threads: int = 4, left: Sequence[float] = ()
) -> Answers:
    """`left` is what is left of the time, each time that is asked; a minute after that."""
    seconds = iter(left)
    return call_at_rate(
        asked,
        gateway.call,
        threads=threads,
        rate=rate,  # type: ignore[arg-type]
        seconds_to_begin=lambda: next(seconds, 60.0),
    )


@pytest.mark.parametrize("count", [0, 1, 3, 40])
def test_each_request_is_called_once_and_answered(count: int) -> None:
    asked, gateway = requests(count), Gateway()
    answers = called(asked, gateway, Rate())
    assert sorted(request.key for request in gateway.called) == sorted(request.key for request in asked)
    assert answers == {request.key: Succeeded.of(request, reference="paid") for request in asked}
    assert answers == call_at_once(asked, Gateway().call, threads=4)


def test_no_call_begins_before_its_turn() -> None:
    gateway, began = Gateway(), time.monotonic()
    called(requests(6), gateway, Rate(max_calls=3, delays=[0.1, 0.2], between=0.05), threads=6)
    after = sorted(time_ - began for time_ in gateway.began)
    # The second block is reserved once the first has begun.
    wanted = [0.1, 0.15, 0.2, 0.4, 0.45, 0.5]
    assert [each >= at for each, at in zip(after, wanted, strict=True)] == [True] * 6


def test_only_free_threads_are_given_turns() -> None:
    rate, gateway = Rate(), Gateway(seconds=0.02)
    called(requests(10), gateway, rate, threads=3)
    assert gateway.most_at_once <= 3
    assert rate.asked[0] == 3
    assert max(rate.asked) <= 3


def test_called_too_often_all_wait_and_the_request_has_another_turn() -> None:
    asked, rate, gateway = requests(5), Rate(), Gateway(TOO_OFTEN, TOO_OFTEN)
    answers = called(asked, gateway, rate)
    assert {type(answer) for answer in answers.values()} == {Succeeded}
    assert (len(answers), len(gateway.called), rate.paused) == (5, 7, [datetime.timedelta(milliseconds=10)] * 2)


def test_another_rejection_is_an_answer() -> None:
    asked, rate = requests(2), Rate()
    answers = called(asked, Gateway(NotAttempted("no such key"), Declined("expired_card")), rate, threads=1)
    assert [answers[request.key] for request in asked] == [NotAttempted("no such key"), Declined("expired_card")]
    assert rate.paused == []


def test_what_has_its_turn_too_late_is_not_called_nor_waited_for() -> None:
    asked, rate, gateway = requests(5), Rate(max_calls=2, delays=[0.0, 3600.0]), Gateway()
    answers = called(asked, gateway, rate, threads=2)
    assert [request.key for request in gateway.called] == [request.key for request in asked[:2]]
    assert [key for key, answer in answers.items() if answer is None] == [request.key for request in asked[2:]]
    assert len(rate.asked) == 2


def test_nothing_is_called_once_the_time_is_over() -> None:
    """As when the circuit breaker opens: below zero, none may begin."""
    asked, rate, gateway = requests(5), Rate(max_calls=1), Gateway()
    answers = called(asked, gateway, rate, threads=1, left=[1.0, 1.0, -1.0])
    assert len(gateway.called) == 1
    assert list(answers.values()).count(None) == 4


def test_nothing_is_reserved_once_the_time_is_over() -> None:
    asked, rate = requests(5), Rate()
    assert called(asked, Gateway(), rate, left=[-1.0]) == dict.fromkeys([request.key for request in asked])
    assert rate.asked == []


class TestTroubleOfTheDatabase:
    """What was called has moved money: its answers are there to be recorded."""

    def test_while_turns_are_reserved_ends_the_calls(self) -> None:
        class Broken(Rate):
            def reserve(self, calls: int) -> Turns:
                if len(self.asked) == 2:
                    raise OperationalError("canceling statement due to statement timeout")
                return super().reserve(calls)

        asked, gateway = requests(10), Gateway()
        answers = called(asked, gateway, Broken(), threads=1)
        assert [answers[request.key] is None for request in asked].count(False) == len(gateway.called) == 2
        assert len(answers) == 10

    def test_while_others_are_asked_to_wait_does_not(self) -> None:
        class Broken(Rate):
            def pause(self, duration: datetime.timedelta) -> None:
                raise OperationalError("canceling statement due to statement timeout")

        answers = called(requests(3), Gateway(TOO_OFTEN), Broken())
        assert {type(answer) for answer in answers.values()} == {Succeeded}


def test_a_pause_of_no_time_is_another_turn() -> None:
    asked, rate = requests(2), Rate()
    answers = called(asked, Gateway(NotAttempted("slow down", retry_after=datetime.timedelta())), rate)
    assert {type(answer) for answer in answers.values()} == {Succeeded}
