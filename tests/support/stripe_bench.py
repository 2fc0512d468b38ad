"""The Stripe adapter with the simulated provider behind it, whose records say what was moved."""

import datetime
from collections.abc import Iterator
from contextlib import contextmanager

from localcloud.simulated_stripe.faults import Fault, Kind
from localcloud.simulated_stripe.provider import SimulatedProvider
from localcloud.simulated_stripe.records import Movement
from localcloud.simulated_stripe.server import serving
from payments.gateways.port import Gateway, PaymentRequest, RefundRequest
from payments.gateways.sessions import SessionOpened, SessionRequest
from payments.gateways.stripe.gateway import StripeGateway
from tests.support.gateway_requests import NOW

HOLD_SECONDS = 4.0
"""How long the provider holds a call up: much longer than a short deadline, so that the two differ on a busy machine
too.
"""


class MovableClock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime.datetime:
        return self.now

    def advance(self, **by: float) -> None:
        self.now += datetime.timedelta(**by)


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
