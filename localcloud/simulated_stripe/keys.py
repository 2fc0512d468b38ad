"""Idempotency keys: the answer of the first request under a key is given to the later ones, for 24 hours.

As Stripe has it (https://docs.stripe.com/api/idempotent_requests): nothing is remembered of requests that didn't begin
to be executed; a twin in flight is a conflict; a key that comes with other parameters is refused; errors are remembered
like any other answer.
"""

import datetime
import threading
from dataclasses import dataclass, replace
from typing import Any

from localcloud.simulated_stripe.wire import Answer, ErrorAnswer

KEPT = datetime.timedelta(hours=24)


@dataclass(slots=True)
class _Entry:
    params: tuple[str, dict[str, Any]]
    at: datetime.datetime
    answer: Answer | None = None


class Keys:
    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._lock = threading.Lock()

    def begin(self, *, key: str, name: str, params: dict[str, Any], now: datetime.datetime) -> Answer | None:
        """The remembered answer, or None: the request is to be executed, and then `keep` or `forget` is to be called.

        Raises ErrorAnswer for a twin in flight, and for other parameters.
        """
        with self._lock:
            found = self._entries.get(key)
            if found is None or now - found.at >= KEPT:
                self._entries[key] = _Entry((name, params), now)
                return None
            if found.params != (name, params):
                raise ErrorAnswer(
                    400,
                    "idempotency_error",
                    f"The key {key} can only be used with the parameters that it was first used with",
                )
            if found.answer is None:
                raise ErrorAnswer(
                    409,
                    "invalid_request_error",
                    "There is another request in progress with this key",
                    code="idempotency_key_in_use",
                )
            return replace(found.answer, headers={**found.answer.headers, "Idempotent-Replayed": "true"})

    def keep(self, *, key: str, answer: Answer) -> None:
        with self._lock:
            self._entries[key].answer = answer

    def forget(self, *, key: str) -> None:
        with self._lock:
            self._entries.pop(key, None)
