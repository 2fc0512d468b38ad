"""A payment provider that outlives the workers that ask it: a file of what it was asked, in the order it was asked."""

import os
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from payments.gateways.port import (
    Answer,
    Declined,
    Finding,
    NotFound,
    Outcome,
    PaymentRequest,
    RefundRequest,
    Request,
    Succeeded,
)
from payments.gateways.sessions import (
    SessionCompleted,
    SessionFinding,
    SessionOpened,
    SessionPending,
    SessionRequest,
)
from tests.support.gateways import OnlyCollects

DECLINES = "declines"
"""The customer whose money the provider doesn't get."""


class ProviderOnDisk(OnlyCollects):
    """The gateway of worker processes, by `PAYMENT_GATEWAY`. The same key asked for again gets the same answer."""

    name = "on-disk"

    def __init__(self) -> None:
        self._path = os.environ["PROVIDER_BOOK"]
        self._refunds = refunds_beside(Path(self._path))
        self._seconds = float(os.environ.get("PROVIDER_SECONDS", "0"))

    def collect(self, request: PaymentRequest) -> Outcome:
        time.sleep(self._seconds)
        self.take(request)
        if request.customer == DECLINES:
            return Declined(code="insufficient_funds")
        return Succeeded.of(request, reference=f"taken-{request.payment_id}")

    def take(self, request: PaymentRequest) -> None:
        """From here on the money is taken, whether or not anybody hears of it."""
        _append(self._path, f"{request.payment_id} {request.amount_minor} {request.currency} {request.customer}\n")

    def refund(self, request: RefundRequest) -> Answer:
        time.sleep(self._seconds)
        self.send(request)
        return _sent(request)

    def send(self, request: RefundRequest) -> None:
        """From here on the money is sent back, whether or not anybody hears of it."""
        _append(self._refunds, f"{request.refund_id} {request.amount_minor} {request.payment_reference}\n")

    def look_up(self, request: Request, *, timeout_seconds: float) -> Finding:
        """It finds refunds, and no payments."""
        if isinstance(request, PaymentRequest):
            return NotFound()
        sent = any(line.startswith(str(request.key)) for line in _lines(self._refunds))
        return _sent(request) if sent else NotFound()

    def open_session(self, request: SessionRequest, *, timeout_seconds: float) -> SessionOpened:
        _append(sessions_beside(Path(self._path)), f"{request.session_id} {request.customer}\n")
        return SessionOpened(
            reference=f"opened-{request.session_id}",
            customer=request.customer or f"customer-{request.account_id}",
            client_secret=f"secret-{request.session_id}",
        )

    def look_up_session(self, request: SessionRequest, *, timeout_seconds: float) -> SessionFinding:
        given = _lines(given_beside(Path(self._path)))
        return SessionCompleted(customer="given", payment_method=given[0]) if given else SessionPending()


def _sent(request: RefundRequest) -> Succeeded:
    return Succeeded.of(request, reference=f"sent-{request.refund_id}")


def refunds_beside(path: Path) -> Path:
    """Where the provider writes down what it was asked to send back."""
    return path.with_name("refunds.txt")


def sessions_beside(path: Path) -> Path:
    """Where the provider writes down which sessions it was asked to open."""
    return path.with_name("sessions.txt")


def given_beside(path: Path) -> Path:
    """Where the provider finds the payment method that a customer gave."""
    return path.with_name("given.txt")


def _append(path: Path | str, line: str) -> None:
    book = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(book, line.encode())
    finally:
        os.close(book)


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


@dataclass(frozen=True)
class Book:
    """What the provider was asked for."""

    path: Path

    @property
    def calls(self) -> Counter[str]:
        """How often it was asked for each payment."""
        return Counter(line.split()[0] for line in _lines(self.path))

    @property
    def taken(self) -> dict[str, int]:
        """The money it took, once for each key, in minor units. Fails when a key came with two amounts."""
        return _once(line for line in _lines(self.path) if not line.endswith(f" {DECLINES}"))

    @property
    def refund_calls(self) -> Counter[str]:
        """How often it was asked for each refund."""
        return Counter(line.split()[0] for line in _lines(refunds_beside(self.path)))

    @property
    def sent_back(self) -> dict[str, int]:
        """The money it sent back, as `taken`."""
        return _once(_lines(refunds_beside(self.path)))

    @property
    def session_calls(self) -> Counter[str]:
        """How often it was asked to open each session."""
        return Counter(line.split()[0] for line in _lines(sessions_beside(self.path)))

    def give(self, payment_method: str) -> None:
        """Every customer gives this payment method from now on."""
        given_beside(self.path).write_text(payment_method)

    def clear(self) -> None:
        for path in (self.path, *(beside(self.path) for beside in (refunds_beside, sessions_beside, given_beside))):
            path.unlink(missing_ok=True)


def _once(lines: Iterable[str]) -> dict[str, int]:
    asked = {tuple(line.split()[:2]) for line in lines}
    moved = {key: int(amount) for key, amount in asked}
    assert len(moved) == len(asked), "one key came with two amounts"
    return moved
