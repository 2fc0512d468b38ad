"""What the suite needs besides the port itself: to see what was moved, and to make things go wrong."""

import datetime
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from localcloud.simulated_stripe.faults import Fault, Kind
from localcloud.simulated_stripe.provider import SimulatedProvider
from localcloud.simulated_stripe.records import Movement
from localcloud.simulated_stripe.server import serving
from payments.gateways.logging_gateway import LoggingGateway
from payments.gateways.port import Gateway, PaymentRequest, RefundRequest, Succeeded
from payments.gateways.sessions import SessionOpened, SessionRequest
from payments.gateways.stripe.gateway import StripeGateway

SECONDS = 5.0
"""A deadline that is never reached unless something goes wrong."""
SHORT_SECONDS = 0.5
"""One that is."""
HOLD_SECONDS = 4.0
"""Much longer, so that the two differ on a busy machine too."""
NOW = datetime.datetime(2026, 11, 22, 12, tzinfo=datetime.UTC)


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


class MovableClock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime.datetime:
        return self.now

    def advance(self, **by: float) -> None:
        self.now += datetime.timedelta(**by)


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


class StripeBench:
    """By the simulated provider's own records. Amounts are in USD, whose units at Stripe are ours."""

    def __init__(self, *, provider: SimulatedProvider, url: str, adapter: type[StripeGateway], clock: MovableClock):
        self.provider, self.url, self.clock = provider, url, clock
        self.gateway: Gateway = adapter(api_key=provider.api_key, api_base=url)
        self.cannot: dict[Kind, str] = {}
        self.waits_for_customers = True

    def fail_next(
        self, kind: Kind, *, call: str = "payment.create", code: str = "", seconds: float | None = None
    ) -> None:
        seconds = seconds or {Kind.DRIP: 0.05, Kind.PROCESSING: 3600.0}.get(kind)
        self.provider.faults.script(Fault(kind=kind, code=code, seconds=seconds), call=call)

    def taken(self, request: PaymentRequest) -> list[int]:
        return _amounts(self.provider.records.taken, customer=request.customer)

    def sent_back(self, request: RefundRequest) -> list[int]:
        return _amounts(self.provider.records.sent_back, intent=request.payment_reference)

    def opened(self, request: SessionRequest) -> int:
        """By the provider's own; customers that were made twice count as two sessions."""
        made = self.provider.setup_intents
        intents = [it for it in made.created if it["metadata"]["session"] == str(request.session_id)]
        customers = [it for it in made.customers if it["metadata"]["account"] == str(request.account_id)]
        return max(len(intents), len(customers))

    def give(self, session: SessionOpened, payment_method: str) -> None:
        self.provider.confirm(client_secret=session.client_secret, payment_method=payment_method)


def _amounts(movements: list[Movement], **of: str) -> list[int]:
    return [movement.amount for movement in movements if all(getattr(movement, k) == v for k, v in of.items())]


@contextmanager
def stripe_bench(adapter: type[StripeGateway] = StripeGateway) -> Iterator[StripeBench]:
    clock = MovableClock()
    provider = SimulatedProvider(clock=clock, hold_seconds=HOLD_SECONDS)
    with serving(provider) as url:
        yield StripeBench(provider=provider, url=url, adapter=adapter, clock=clock)


@contextmanager
def logging_bench() -> Iterator[LoggingBench]:
    yield LoggingBench(LoggingGateway())


BENCHES = ("logging", "stripe")


@contextmanager
def bench_of(name: str) -> Iterator[Bench]:
    with logging_bench() if name == "logging" else stripe_bench() as bench:
        yield bench


def a_payment(**given: Any) -> PaymentRequest:
    """Each has its own customer."""
    id_ = given.pop("payment_id", None) or uuid.uuid4()
    usual: dict[str, Any] = {
        "amount_minor": 1999,
        "currency": "USD",
        "customer": f"cus_{id_.hex}",
        "payment_method": "pm_card",
        "description": "Basic, 2026-11-22 to 2026-12-22",
        "submitted_at": NOW,
    }
    return PaymentRequest(payment_id=id_, **(usual | given))


def a_refund(payment: PaymentRequest, reference: str, **given: Any) -> RefundRequest:
    usual: dict[str, Any] = {
        "refund_id": uuid.uuid4(),
        "amount_minor": 500,
        "currency": payment.currency,
        "reason": "A day without service",
        "submitted_at": NOW,
    }
    return RefundRequest(payment_id=payment.payment_id, payment_reference=reference, **(usual | given))
