"""A payment provider that outlives the workers that ask it: a file of what it was asked, in the order it was asked."""

import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from payments.gateways import Declined, Outcome, PaymentRequest, Succeeded
from tests.gateways import OnlyCollects

DECLINES = "declines"
"""The customer whose money the provider doesn't get."""


class ProviderOnDisk(OnlyCollects):
    """The gateway of worker processes, by `PAYMENT_GATEWAY`. The same key asked for again gets the same answer."""

    name = "on-disk"

    def __init__(self) -> None:
        self._path = os.environ["PROVIDER_BOOK"]
        self._seconds = float(os.environ.get("PROVIDER_SECONDS", "0"))

    def collect(self, request: PaymentRequest, *, timeout_seconds: float) -> Outcome:
        time.sleep(self._seconds)
        self.take(request)
        if request.customer == DECLINES:
            return Declined(code="insufficient_funds")
        return Succeeded.of(request, reference=f"taken-{request.payment_id}")

    def take(self, request: PaymentRequest) -> None:
        """From here on the money is taken, whether or not anybody hears of it."""
        line = f"{request.payment_id} {request.amount_minor} {request.currency} {request.customer}\n"
        book = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(book, line.encode())
        finally:
            os.close(book)


@dataclass(frozen=True)
class Book:
    """What the provider was asked for."""

    path: Path

    @property
    def calls(self) -> Counter[str]:
        """How often it was asked for each payment."""
        return Counter(line.split()[0] for line in self._lines())

    @property
    def taken(self) -> dict[str, int]:
        """The money it took, once for each key, in minor units. Fails when a key came with two amounts."""
        asked = {tuple(line.split()[:2]) for line in self._lines() if not line.endswith(f" {DECLINES}")}
        taken = {key: int(amount) for key, amount in asked}
        assert len(taken) == len(asked), "one key came with two amounts"
        return taken

    def clear(self) -> None:
        self.path.unlink(missing_ok=True)

    def _lines(self) -> list[str]:
        return self.path.read_text().splitlines() if self.path.exists() else []
