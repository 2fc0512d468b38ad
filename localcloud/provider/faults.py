"""What goes wrong, and how often: by shares of the calls, or one after the other as a test has it.

A share is drawn from the seed, the request's key and how often it was asked, so that the order in which requests of
several clients come in changes nothing.
"""

import random
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from localcloud.provider.wire import Call


class Kind(StrEnum):
    """BEFORE: nothing was moved, and nothing is remembered under the key. AFTER: the money was moved, or as asked."""

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
    """Moves the money and answers with something that is no JSON."""
    EMPTY_OBJECT = "empty_object"
    """Moves the money and answers `{}`."""
    DECLINE = "decline"
    """A card's decline with `code`, remembered under the key. Of a refund: it fails for that reason."""
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    """Settled after `seconds` by the provider's clock: succeeded, or, given a `code`, failed for it."""
    ANOTHER_AMOUNT = "another_amount"
    """Moves one unit more than it was asked for."""
    ANOTHER_KEY = "another_key"
    """Moves the money for another payment than it was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`seconds` are of real time, but of the provider's clock for PROCESSING. Without them, the provider's `hold`."""

    kind: Kind
    code: str = ""
    seconds: float | None = None


class FaultPlan:
    """A provider's faults: `percent` of the calls that move money go wrong, and `asking_percent` of the others."""

    def __init__(
        self,
        *,
        seed: int = 0,
        percent: Mapping[Fault, int] | None = None,
        asking_percent: Mapping[Fault, int] | None = None,
    ) -> None:
        for shares in (percent, asking_percent):
            if shares and not (min(shares.values()) >= 0 and sum(shares.values()) <= 100):
                raise ValueError("the shares of faults are percentages, and of at most 100 together")
        self._seed = seed
        self._percent, self._asking_percent = dict(percent or {}), dict(asking_percent or {})
        self._scripts: defaultdict[tuple[str, str], deque[Fault | None]] = defaultdict(deque)
        self._asked: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def script(self, *faults: Fault | None, call: str = "payment.create", key: str = "") -> None:
        """The next calls of that name, or with that idempotency key, go wrong so; None goes well."""
        with self._lock:
            self._scripts[call, key].extend(faults)

    def next(self, call: Call) -> Fault | None:
        with self._lock:
            for key in (call.key, ""):
                if script := self._scripts.get((call.name, key)):
                    return script.popleft()
            self._asked[call.name, call.key] += 1
            attempt = self._asked[call.name, call.key]
        shares = self._percent if call.moves_money else self._asking_percent
        if not shares:
            return None
        drawn = random.Random(f"{self._seed}:{call.name}:{call.key}{call.id}:{attempt}").randrange(100)  # noqa: S311
        for fault, percent in shares.items():
            drawn -= percent
            if drawn < 0:
                return fault
        return None
