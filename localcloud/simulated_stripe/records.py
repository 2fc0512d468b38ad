"""The provider's own records: what it took and what it sent back, whatever it answered."""

import datetime
import threading
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """Money that was moved. `owner` is the metadata's payment or refund; `amount` is in the provider's units."""

    owner: str
    reference: str
    intent: str
    amount: int
    currency: str
    customer: str
    at: datetime.datetime


class Records:
    """Safe for several threads."""

    def __init__(self) -> None:
        self._taken: list[Movement] = []
        self._sent_back: list[Movement] = []
        self._calls: Counter[str] = Counter()
        self._keys: set[str] = set()
        self._lock = threading.Lock()

    def take(self, movement: Movement) -> None:
        with self._lock:
            self._taken.append(movement)

    def send_back(self, movement: Movement) -> None:
        with self._lock:
            self._sent_back.append(movement)

    def count_call(self, *, name: str, key: str) -> None:
        with self._lock:
            self._calls[name] += 1
            if key:
                self._keys.add(key)

    @property
    def taken(self) -> list[Movement]:
        with self._lock:
            return list(self._taken)

    @property
    def sent_back(self) -> list[Movement]:
        with self._lock:
            return list(self._sent_back)

    @property
    def calls(self) -> Counter[str]:
        """Requests by name (`payment.create`), also those that failed."""
        with self._lock:
            return Counter(self._calls)

    @property
    def keys(self) -> set[str]:
        """Every idempotency key under which money was to be moved."""
        with self._lock:
            return set(self._keys)

    def taken_for(self, payment: object) -> list[Movement]:
        return [movement for movement in self.taken if movement.owner == str(payment)]

    def totals(self) -> dict[str, int]:
        """What was taken less what was sent back, by currency, in the provider's units."""
        totals: Counter[str] = Counter()
        for movement in self.taken:
            totals[movement.currency] += movement.amount
        for movement in self.sent_back:
            totals[movement.currency] -= movement.amount
        return dict(totals)

    def as_json(self) -> dict[str, Any]:
        def plain(movement: Movement) -> dict[str, Any]:
            return asdict(movement) | {"at": movement.at.isoformat()}

        return {
            "taken": [plain(movement) for movement in self.taken],
            "sent_back": [plain(movement) for movement in self.sent_back],
            "totals": self.totals(),
            "calls": dict(self.calls),
        }
