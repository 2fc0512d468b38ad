"""Work that goes on and on while something else happens: accounts opened and read, swept and charged."""

import datetime
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from localcloud.sqs.poller import Poller
from tests.support.lambdas.environments import Cloud, Environment, request_event
from tests.support.workers.waiting import wait_until

DAY = datetime.date(2026, 1, 1)
KINDS = ("account opened", "account read", "sweep", "batch")
NEEDED_EACH = 3
"""So many answers of each kind make it go on (`Traffic.wait_for_more`)."""

# Without kept connections each event connects anew, which is when a password matters. No run is to be held.
_ANEW = {"CONN_MAX_AGE": "0", "VOLUME_CHECK_MULTIPLE": "0", "VOLUME_CHECK_FIRST_PERIODS": "0"}
_PLAN = {
    "code": "monthly",
    "name": "Monthly",
    "currency": "USD",
    "unit_amount_minor": 1999,
    "interval_count": 1,
    "interval_unit": "month",
}
_TERMS = {
    "plan": "monthly",
    "name": "Customer",
    "email": "customer@example.com",
    "anchor_date": str(DAY),
    "rebilling_date": str(DAY),
}


@dataclass
class Traffic:
    """What was answered, by kind, and what wasn't. Each kind has an environment of its own."""

    opener: Environment
    reader: Environment
    sweeper: Environment
    poller: Poller
    key: str
    answered: Counter[str] = field(default_factory=Counter)
    lost: list[Any] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def wait_for_more(self) -> None:
        """Until so many more of each kind were answered, or one was lost."""
        before = Counter(self.answered)
        wait_until(lambda: self.lost or all(self.answered[kind] >= before[kind] + NEEDED_EACH for kind in KINDS))

    def open(self) -> None:
        terms = _TERMS | {"external_reference": str(uuid.uuid4())}
        answer = self.opener.invoke(request_event("/v1/accounts", key=self.key, body=terms))
        self._note("account opened", answer, right=answer.get("answer", {}).get("statusCode") == 201)

    def read(self) -> None:
        answer = self.reader.invoke(request_event("/v1/accounts", key=self.key))
        self._note("account read", answer, right=answer.get("answer", {}).get("statusCode") == 200)

    def sweep(self) -> None:
        answer = self.sweeper.invoke({"command": "sweep", "time": f"{DAY}T06:00:00Z"})
        self._note("sweep", answer, right="run" in answer.get("answer", {}))
        # Each sweep sends again what is still due: without a pause the queue would only grow.
        self.stopping.wait(0.05)

    def charge(self) -> None:
        delivery = self.poller.poll(wait_seconds=0)
        if delivery.received:
            self._note("batch", asdict(delivery), right=delivery.failed == 0)

    def over_and_over(self, work: Callable[[], None]) -> None:
        try:
            while not self.stopping.is_set():
                work()
        except BaseException as error:
            self.lost.append(error)
            raise

    def _note(self, kind: str, answer: dict[str, Any], *, right: bool) -> None:
        if right:
            self.answered[kind] += 1
        else:
            self.lost.append((kind, answer))


@contextmanager
def traffic(cloud: Cloud) -> Iterator[Traffic]:
    """Traffic while the block runs; at its end all accounts that were opened are charged."""
    with ExitStack() as environments, ThreadPoolExecutor(max_workers=len(KINDS)) as pool:
        opener = environments.enter_context(cloud.environment("api", **_ANEW))
        reader = environments.enter_context(cloud.environment("api"))
        sweeper, worker = (environments.enter_context(cloud.environment("worker", **_ANEW)) for _ in range(2))
        scopes = "--scope accounts:read --scope accounts:write"
        key = opener.answer({"manage": f"create_api_key traffic {scopes}"})["output"].split()[-1]
        made = opener.answer(request_event("/v1/plans", key=key, body=_PLAN))
        assert made["statusCode"] == 201, made
        poller = Poller(
            client=cloud.queue.client,
            queue_url=cloud.queue.endpoint.queue_url,
            handler=lambda event, context: worker.answer(event),
        )
        seen = Traffic(opener, reader, sweeper, poller, key)
        for work in (seen.open, seen.read, seen.sweep, seen.charge):
            pool.submit(seen.over_and_over, work)
        try:
            yield seen
        finally:
            seen.stopping.set()
            pool.shutdown()
        # What was opened after the last sweep, and what is in the queue still.
        seen.sweep()
        while poller.waiting():
            seen.charge()
