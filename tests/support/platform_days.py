"""The platform as its client and its customers' cards see it: calls by API, and days that pass with their sweeps."""

import datetime
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
import time_machine

from payments.gateways.port import Gateway
from payments.messages import dispatch
from rebilling.models import Run
from tests.builders import TODAY, QueueInHand, ScriptedGateway, at, billed, delivered
from tests.support.api_client import ApiClient

CaptureOnCommit = Callable[..., AbstractContextManager[Any]]
ADA = {"name": "Ada Lovelace", "email": "ada@example.com", "payment_customer": "cus_1", "payment_method": "pm_card"}
MONTHLY = {"currency": "USD", "unit_amount_minor": 1999, "interval_count": 1, "interval_unit": "month"}


class PlatformDays:
    """Days of the platform. Each call by API has its own Idempotency-Key, and what it sends is worked on at once."""

    def __init__(
        self, *, monkeypatch: pytest.MonkeyPatch, capture_on_commit: CaptureOnCommit, clock: Any, day: datetime.date
    ) -> None:
        self.api = ApiClient()
        self.gateway: Gateway = ScriptedGateway()
        self.queue = QueueInHand()
        self.day = day
        self._clock, self._capture = clock, capture_on_commit
        self._calls = 0
        monkeypatch.setattr(dispatch, "configured_queue", lambda: self.queue)

    @property
    def asked(self) -> list[tuple[int, str]]:
        """What the scripted gateway was called for, in order: minor units, and the day."""
        assert isinstance(self.gateway, ScriptedGateway)
        return [(request.amount_minor, f"{request.submitted_at:%Y-%m-%d}") for request in self.gateway.requests]

    def scripted(self, *answers: Any) -> None:
        """The gateway gives these answers, one after the other, and then takes the money."""
        self.gateway = ScriptedGateway(*answers)

    def go_to(self, day: datetime.date) -> None:
        """It is six in the morning of that day; nobody has swept."""
        self.day = day
        self._clock.move_to(at(day), tick=False)

    def sweep(self, day: datetime.date | None = None) -> Run:
        """Sweep on that day, and process all that was sent."""
        self.go_to(day or self.day)
        return billed(as_of=self.day, gateway=self.gateway)

    def sweep_daily(self, *, until: datetime.date) -> None:
        """Sweep on each of the days after the present one."""
        while self.day < until:
            self.sweep(self.day + datetime.timedelta(days=1))

    def opened(self, **fields: Any) -> str:
        """The id of a new account, on a plan of its own; fields of the plan's or of the account's. It is left to the
        next sweep, unless `billing` says otherwise.
        """
        self._calls += 1
        plan = {"code": f"plan-{self._calls}", "name": "Pro"} | {
            name: fields.pop(name, value) for name, value in MONTHLY.items()
        }
        assert self.api.post("/v1/plans", plan).status_code == 201
        account = ADA | {"plan": plan["code"], "billing": "next_sweep"} | fields
        return str(self.post("/v1/accounts", account)["id"])

    def committing(self) -> AbstractContextManager[Any]:
        """What the block does is committed at its end, as far as callbacks go."""
        return self._capture(execute=True)

    def send(self, path: str, body: Any = None, *, method: str = "POST") -> Any:
        """Call, and have the worker do what was sent. The response, whatever it is."""
        self._calls += 1
        with self.committing():
            response = self.api.send(method, path, body=body, once=f"call-{self._calls}")
        self.work()
        return response

    def work(self) -> None:
        """Have the worker do what was sent."""
        while bodies := self.queue.take():
            with self._capture(execute=True):
                assert delivered(bodies=bodies, today=self.day, gateway=self.gateway, queue=self.queue) == []

    def deliver_at(self, body: str, now: datetime.datetime) -> None:
        """Have the worker do what this message says, at that time."""
        assert delivered(bodies=[body], today=now.date(), gateway=self.gateway, queue=self.queue, now=now) == []

    def post(self, path: str, body: Any = None) -> Any:
        """As `send`; what a call that succeeded answered."""
        response = self.send(path, body)
        assert response.status_code in (200, 201, 202), response.content
        return response.json()

    def get(self, path: str, **query: Any) -> Any:
        response = self.api.get(path, **query)
        assert response.status_code == 200, response.content
        return response.json()

    def account(self, account_id: str) -> Any:
        return self.get(f"/v1/accounts/{account_id}")

    def invoices(self, account_id: str) -> list[Any]:
        """The account's invoices, oldest first, with all that belongs to them."""
        listed = self.get(f"/v1/accounts/{account_id}/invoices")["results"]
        return [self.get(f"/v1/invoices/{invoice['id']}") for invoice in reversed(listed)]

    def invoice(self, account_id: str) -> Any:
        """The account's one invoice."""
        (invoice,) = self.invoices(account_id)
        return invoice

    def books(self) -> dict[str, int]:
        """Debits less credits of each book, by the ledger of all accounts."""
        totals: dict[str, int] = {}
        for entry in self.get("/v1/ledger", page_size=200)["results"]:
            for side, sign in (("debit", 1), ("credit", -1)):
                totals[entry[side]] = totals.get(entry[side], 0) + sign * entry["amount_minor"]
        return totals

    def statuses(self, account_id: str) -> list[str]:
        """The statuses that the account had, in order."""
        changes = self.get(f"/v1/accounts/{account_id}/history", page_size=200)["results"]
        return [change["after"]["status"] for change in reversed(changes) if "status" in change["after"]]


@contextmanager
def platform_days(
    monkeypatch: pytest.MonkeyPatch, capture_on_commit: CaptureOnCommit, *, day: datetime.date = TODAY
) -> Iterator[PlatformDays]:
    with time_machine.travel(at(day), tick=False) as clock:
        yield PlatformDays(monkeypatch=monkeypatch, capture_on_commit=capture_on_commit, clock=clock, day=day)
