"""What goes wrong, and how often: a share of the calls, or one fault after the other as a test scripts it.

A share is drawn from the seed, the request's key and the number of its attempts, so that the order in which several
clients' requests come in changes nothing.
"""

import random
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from localcloud.simulated_stripe.wire import Call


class Kind(StrEnum):
    """BEFORE: no money was moved, and nothing is remembered under the key. AFTER: the request was executed."""

    TIMEOUT_BEFORE = "timeout_before"
    TIMEOUT_AFTER = "timeout_after"
    TIMEOUT_LATE = "timeout_late"
    """The client is long gone when the money is moved."""
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"
    ERROR_BEFORE = "error_before"
    """A 503, not remembered."""
    ERROR_AFTER = "error_after"
    """A 500 although the money was moved; remembered under the key, as Stripe does."""
    ERROR_KEPT = "error_kept"
    """A 500, nothing moved; remembered under the key."""
    SLOW = "slow"
    """Answers after `seconds`."""
    DRIP = "drip"
    """Answers one byte every `seconds`."""
    RATE_LIMIT = "rate_limit"
    WRONG_KEY = "wrong_key"
    GARBAGE = "garbage"
    """Moves the money and answers with something that isn't JSON."""
    EMPTY_OBJECT = "empty_object"
    """Moves the money and answers `{}`."""
    DECLINE = "decline"
    """A card's decline with `code`, remembered under the key. A refund fails for that reason."""
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    """Completed after `seconds` by the provider's clock: succeeded, or failed with `code` if there is one."""
    ANOTHER_AMOUNT = "another_amount"
    """Moves one unit more than was requested."""
    ANOTHER_KEY = "another_key"
    """Moves the money for another payment than the requested one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`seconds` are of real time, but of the provider's clock for PROCESSING. Without them, the provider's `hold`.

    For RATE_LIMIT they are what the answer asks to wait; without them it asks for no time.
    """

    kind: Kind
    code: str = ""
    seconds: float | None = None


class FaultPlan:
    """A provider's faults: `percent` of the calls that move money go wrong, and `reading_percent` of the others."""

    def __init__(
        self,
        *,
        seed: int = 0,
        percent: Mapping[Fault, int] | None = None,
        reading_percent: Mapping[Fault, int] | None = None,
    ) -> None:
        for shares in (percent, reading_percent):
            if shares and not (min(shares.values()) >= 0 and sum(shares.values()) <= 100):
                raise ValueError("the shares of faults are percentages, and of at most 100 together")
        self._seed = seed
        self._percent, self._reading_percent = dict(percent or {}), dict(reading_percent or {})
        self._scripts: defaultdict[tuple[str, str], deque[Fault | None]] = defaultdict(deque)
        self._attempts: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def script(self, *faults: Fault | None, call: str = "payment.create", key: str = "") -> None:
        """The next calls of that name, or with that idempotency key, have these faults; None goes well."""
        with self._lock:
            self._scripts[call, key].extend(faults)

    def next(self, call: Call) -> Fault | None:
        with self._lock:
            for key in (call.key, ""):
                if script := self._scripts.get((call.name, key)):
                    return script.popleft()
            self._attempts[call.name, call.key] += 1
            attempt = self._attempts[call.name, call.key]
        shares = self._percent if call.moves_money else self._reading_percent
        if not shares:
            return None
        drawn = random.Random(f"{self._seed}:{call.name}:{call.key}{call.id}:{attempt}").randrange(100)  # noqa: S311
        for fault, percent in shares.items():
            drawn -= percent
            if drawn < 0:
                return fault
        return None
