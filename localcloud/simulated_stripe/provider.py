"""The simulated provider itself: what it answers to a call, and how it fails."""

import datetime
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from accounts import clock as platform_clock
from localcloud.simulated_stripe.faults import Fault, FaultPlan, Kind
from localcloud.simulated_stripe.intents import Intents
from localcloud.simulated_stripe.keys import Keys
from localcloud.simulated_stripe.rate_limit import RateLimit
from localcloud.simulated_stripe.records import Records
from localcloud.simulated_stripe.refunds import Refunds
from localcloud.simulated_stripe.setup_intents import SetupIntents
from localcloud.simulated_stripe.wire import Answer, Call, ErrorAnswer, answered, too_often

HOLD_SECONDS = 30.0
"""How long a call is held that never gets an answer, by default."""

_BEFORE = {Kind.TIMEOUT_BEFORE, Kind.RESET_BEFORE, Kind.ERROR_BEFORE, Kind.RATE_LIMIT, Kind.WRONG_KEY}


class NoAnswer(Exception):
    """The client gets no answer: the connection is closed after `seconds`, or reset."""

    def __init__(self, *, seconds: float = 0.0, reset: bool = False) -> None:
        super().__init__()
        self.seconds, self.reset = seconds, reset


class SimulatedProvider:
    """Answers the calls made with `api_key`, and fails by its `faults`; served over HTTP by `serving`.

    `records` are its own. Keys are forgotten and processing ends by `clock`, by default the platform's. `faults` may be
    replaced at any time. Called more often than `calls_per_second`, it answers 429; 0 is no limit.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime.datetime] = platform_clock.now,
        faults: FaultPlan | None = None,
        api_key: str = "sk_test_simulated",
        hold_seconds: float = HOLD_SECONDS,
        calls_per_second: int = 0,
    ) -> None:
        self.clock = clock
        self.faults = faults or FaultPlan()
        self.api_key = api_key
        self.hold_seconds = hold_seconds
        self.rate_limit = RateLimit(calls_per_second)
        self.records = Records()
        self.closing = threading.Event()
        self._keys = Keys()
        self._intents = Intents(records=self.records)
        self._refunds = Refunds(intents=self._intents)
        self.setup_intents = SetupIntents()
        self._lock = threading.Lock()
        self._late = 0
        self._none_is_late = threading.Condition()

    def answer(self, call: Call, *, api_key: str) -> tuple[Answer, Fault | None]:
        """The answer, and the fault with which it is to be sent, if any. Raises NoAnswer."""
        self.records.count_call(name=call.name, key=call.key if call.moves_money else "")
        fault = self.faults.next(call)
        kind = fault.kind if fault else None
        try:
            if api_key != self.api_key or kind == Kind.WRONG_KEY:
                shown = f"{api_key[:8]}****{api_key[-4:]}"
                raise ErrorAnswer(401, "invalid_request_error", f"Invalid API Key provided: {shown}")
            if not self.rate_limit.allows():
                raise too_often()
            if fault and kind in _BEFORE:
                return self._fail_before(fault), None
            if fault and kind == Kind.TIMEOUT_LATE and not call.is_done_once:
                raise NoAnswer(seconds=self.seconds_of(fault))
            with self._counted(fault):
                answer = self._once(call, fault)
        except ErrorAnswer as refusal:
            return refusal.answer, None
        if fault and kind in {Kind.TIMEOUT_AFTER, Kind.TIMEOUT_LATE}:
            raise NoAnswer(seconds=self.seconds_of(fault) if kind == Kind.TIMEOUT_AFTER else 0)
        if kind == Kind.RESET_AFTER:
            raise NoAnswer(reset=True)
        return answer, fault

    def confirm(self, *, client_secret: str, payment_method: str) -> Answer:
        """A customer gives a payment method in a front end, which has the client secret and no key."""
        with self._lock:
            try:
                return self.setup_intents.confirm(client_secret=client_secret, payment_method=payment_method)
            except ErrorAnswer as refusal:
                return refusal.answer

    def end_processing(self) -> None:
        """Processing ends by the clock, also when nobody retrieves the object."""
        with self._lock:
            self._intents.end_processing(self.clock())
            self._refunds.end_processing(self.clock())

    def wait_for_what_is_late(self) -> None:
        """Until all has been moved whose clients are long gone. They are late by real time, whatever the clock says."""
        with self._none_is_late:
            self._none_is_late.wait_for(lambda: not self._late)

    @contextmanager
    def _counted(self, fault: Fault | None) -> Iterator[None]:
        """Counts the call among the late ones, where it is to be one, until it is over."""
        late = fault is not None and fault.kind == Kind.TIMEOUT_LATE
        with self._none_is_late:
            self._late += late
        try:
            yield
        finally:
            with self._none_is_late:
                self._late -= late
                self._none_is_late.notify_all()

    def seconds_of(self, fault: Fault) -> float:
        return self.hold_seconds if fault.seconds is None else fault.seconds

    def _fail_before(self, fault: Fault) -> Answer:
        if fault.kind == Kind.RATE_LIMIT:
            raise too_often(retry_after_seconds=fault.seconds)
        if fault.kind == Kind.ERROR_BEFORE:
            raise ErrorAnswer(503, "api_error", "Unavailable")
        if fault.kind == Kind.RESET_BEFORE:
            raise NoAnswer(reset=True)
        raise NoAnswer(seconds=self.seconds_of(fault))

    def _once(self, call: Call, fault: Fault | None) -> Answer:
        """The first answer under the call's key, for as long as it is remembered."""
        if not call.key or not call.is_done_once:
            return self._execute(call, fault)
        if remembered := self._keys.begin(key=call.key, name=call.name, params=call.params, now=self.clock()):
            return remembered
        try:
            if fault and fault.kind == Kind.TIMEOUT_LATE and self.closing.wait(self.seconds_of(fault)):
                raise NoAnswer
            if fault and fault.kind == Kind.ERROR_KEPT:
                answer = _internal_error()
            else:
                answer = self._execute(call, fault)
                if fault and fault.kind == Kind.ERROR_AFTER:
                    answer = _internal_error()
        except ErrorAnswer as refusal:
            # A request that doesn't pass validation wasn't executed, so it isn't remembered; a decline is.
            if refusal.answer.status == 402:
                self._keys.keep(key=call.key, answer=refusal.answer)
            else:
                self._keys.forget(key=call.key)
            raise
        self._keys.keep(key=call.key, answer=answer)
        return answer

    def _execute(self, call: Call, fault: Fault | None) -> Answer:
        if fault and fault.kind in {Kind.ERROR_AFTER, Kind.ERROR_KEPT} and not call.is_done_once:
            return _internal_error()
        now = self.clock()
        with self._lock:
            if call.name == "payment.create":
                return self._intents.create(call, fault, now)
            if call.name == "refund.create":
                return self._refunds.create(call, fault, now)
            act = {
                "payment.retrieve": self._intents.retrieve,
                "payment.cancel": self._intents.cancel,
                "payment.confirm": self._intents.confirm,
                "payment.list": self._intents.list,
                "refund.list": self._refunds.list,
                "customer.create": self.setup_intents.create_customer,
                "setup_intent.create": self.setup_intents.create,
                "setup_intent.retrieve": self.setup_intents.retrieve,
                "setup_intent.cancel": self.setup_intents.cancel,
            }[call.name]
            return act(call, now)


def _internal_error() -> Answer:
    return answered({"error": {"type": "api_error", "message": "Something went wrong"}}, status=500)
