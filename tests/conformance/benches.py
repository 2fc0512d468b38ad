"""What the suite needs besides the port itself: to see what was moved, and to make things go wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from localcloud.simulated_stripe.faults import Kind
from payments.gateways.logging_gateway import LoggingGateway
from payments.gateways.port import Gateway, PaymentRequest, RefundRequest, Succeeded
from payments.gateways.sessions import SessionOpened, SessionRequest
from tests.support.stripe_bench import stripe_bench

SECONDS = 5.0
"""A deadline that is never reached unless something goes wrong."""
SHORT_SECONDS = 0.5
"""One that is."""


class Bench(Protocol):
    gateway: Gateway
    cannot: dict[Kind, str]
    """The faults that can't be produced with this adapter, and why."""
    waits_for_customers: bool
    """Whether a session waits until a payment method is given."""

    def fail_next(
        self, kind: Kind, *, call: str = "payment.create", code: str = "", seconds: float | None = None
    ) -> None:
        """The next such call goes wrong, for so many seconds if the fault takes any."""
        ...

    def taken(self, request: PaymentRequest) -> list[int]:
        """The amounts, in minor units, that were taken from the request's customer."""
        ...

    def sent_back(self, request: RefundRequest) -> list[int]:
        """The amounts, in minor units, that were sent back of the request's payment."""
        ...

    def opened(self, request: SessionRequest) -> int:
        """How many sessions there are for the request."""
        ...

    def give(self, session: SessionOpened, payment_method: str) -> None:
        """As the customer does in a front end; refused, nothing happens."""
        ...


@dataclass
class LoggingBench:
    """No money is moved; what the adapter says it took counts as taken."""

    gateway: Gateway
    waits_for_customers: bool = False

    def __post_init__(self) -> None:
        self.cannot = dict.fromkeys(Kind, "it calls nobody")

    def fail_next(
        self, kind: Kind, *, call: str = "payment.create", code: str = "", seconds: float | None = None
    ) -> None:
        raise NotImplementedError(self.cannot[kind])

    def taken(self, request: PaymentRequest) -> list[int]:
        found = self.gateway.look_up(request, timeout_seconds=SECONDS)
        return [found.amount_minor] if isinstance(found, Succeeded) else []

    def sent_back(self, request: RefundRequest) -> list[int]:
        found = self.gateway.look_up(request, timeout_seconds=SECONDS)
        return [found.amount_minor] if isinstance(found, Succeeded) else []

    def opened(self, request: SessionRequest) -> int:
        return 1

    def give(self, session: SessionOpened, payment_method: str) -> None:
        """Each customer is taken to have given one."""


@contextmanager
def logging_bench() -> Iterator[LoggingBench]:
    yield LoggingBench(LoggingGateway())


BENCHES = ("logging", "stripe")


@contextmanager
def bench_of(name: str) -> Iterator[Bench]:
    with logging_bench() if name == "logging" else stripe_bench() as bench:
        yield bench
