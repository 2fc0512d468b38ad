"""The provider is the real limit: one that takes 300 ms a call and 100 calls a second, and four workers for a minute.

    python -m benchmarks provider

The simulated provider answers in a process of its own, over HTTP, through the Stripe adapter. It counts the calls
within any second, and answers 429 beyond its limit.
"""

import datetime
import time
from functools import partial
from typing import Any

from benchmarks.database import benchmark_database
from benchmarks.due_batches import due_batch, message_of
from benchmarks.figures import at_least, at_most, report
from benchmarks.processes import FORK, fork

WORKERS = 4
CALLS_PER_SECOND = 100
SETTING = 95
"""`PAYMENT_GATEWAY_CALLS_PER_SECOND`: a little less than the limit."""
SECONDS_A_CALL = 0.3
SECONDS, WARM_UP_SECONDS = 60, 15
MESSAGES = 14
"""More than a minute's calls."""


def main() -> None:
    with benchmark_database():
        bodies: Any = FORK.Queue()
        for _ in range(MESSAGES):
            bodies.put(message_of(due_batch()))
        here, there = FORK.Pipe()
        provider = fork(_serve, there)
        url = here.recv()
        workers = [fork(_work, bodies, url) for _ in range(WORKERS)]
        time.sleep(SECONDS)
        here.send("enough")
        allowed, refused = here.recv()
        for process in (provider, *workers):
            process.kill()
            process.join()
        # What is left in it has no reader.
        bodies.cancel_join_thread()
    first = min(allowed)
    allowed, refused = _once_warm(allowed, first), _once_warm(refused, first)
    # Second by second: the spread shows how even the calls were.
    seconds = range(WARM_UP_SECONDS, SECONDS - 1)
    each = [sum(second <= at < second + 1 for at in allowed) / CALLS_PER_SECOND for second in seconds]
    share = len(refused) / (len(allowed) + len(refused))
    report(
        "provider",
        [
            at_least(f"{WORKERS} workers at a provider that takes {CALLS_PER_SECOND} calls/s: of its limit", each, 0.9),
            at_most("calls answered 429: of all, in percent", [100 * share], 1),
        ],
    )


def _once_warm(times: list[float], first: float) -> list[float]:
    return [at - first for at in times if WARM_UP_SECONDS <= at - first < SECONDS - 1]


def _serve(pipe: Any) -> None:
    from localcloud.simulated_stripe.faults import Fault, FaultPlan, Kind
    from localcloud.simulated_stripe.provider import SimulatedProvider
    from localcloud.simulated_stripe.server import serving

    slow = FaultPlan(percent={Fault(kind=Kind.SLOW, seconds=SECONDS_A_CALL): 100})
    provider = SimulatedProvider(faults=slow, calls_per_second=CALLS_PER_SECOND)
    with serving(provider) as url:
        pipe.send(url)
        pipe.recv()
        pipe.send((provider.rate_limit.allowed, provider.rate_limit.refused))


def _work(bodies: Any, url: str) -> None:
    from django.conf import settings

    from payments.gateways.stripe.gateway import StripeGateway
    from rebilling.worker import Delivery, Surroundings, process_deliveries
    from tests.builders import NOW, QueueInHand

    settings.PAYMENT_GATEWAY_CALLS_PER_SECOND = SETTING
    gateway = StripeGateway(api_key="sk_test_simulated", api_base=url)
    began = time.monotonic()
    while True:
        queue, message_began = QueueInHand(), time.monotonic()
        surroundings = Surroundings(
            gateway=gateway,
            queue=queue,
            clock=lambda: NOW + datetime.timedelta(seconds=time.monotonic() - began),
            seconds_left=partial(_seconds_left, message_began),
        )
        assert process_deliveries(deliveries=[Delivery("1", bodies.get())], surroundings=surroundings) == []
        # What there was no time for comes as a message.
        for body in queue.take():
            bodies.put(body)


def _seconds_left(since: float) -> float:
    """As of a function's invocation for each message."""
    return 300 - (time.monotonic() - since)


if __name__ == "__main__":
    main()
