"""Builders of what tests need: keyword-only, real operations inside, so that none makes what the product refuses."""

import datetime
import itertools
import uuid
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from accounts.account_opening import NewAccount, draft_account, open_account
from accounts.models import Account, AccountChange, Plan, Terms
from accounts.plans import create_plan
from payments.gateways.port import (
    Answer,
    Finding,
    Gateway,
    NotFound,
    PaymentRequest,
    RefundRequest,
    Request,
    Succeeded,
)
from payments.messages.format import to_json
from payments.messages.queue import Queue
from payments.messages.rows import PaymentsMessage, RefundsMessage
from rebilling.hourly_check import check_hourly
from rebilling.messages.message import PeriodItem, PeriodsMessage, from_json
from rebilling.models import Rebilling, Run
from rebilling.worker import Delivery, Surroundings, process_deliveries
from subscriptions.daily_run import run_day
from tests.support.gateways import OpensSessions

NOW = datetime.datetime(2026, 1, 1, 6, 0, tzinfo=datetime.UTC)
TODAY = NOW.date()

_numbers = itertools.count(1)

Said = TypeVar("Said", Answer, Finding)
AnyRequest = TypeVar("AnyRequest", PaymentRequest, RefundRequest)


def at(day: datetime.date) -> datetime.datetime:
    """Six o'clock UTC on that day."""
    return datetime.datetime.combine(day, NOW.timetz())


def a_plan(
    *,
    code: str | None = None,
    currency: str = "USD",
    unit_amount_minor: int = 1999,
    interval_count: int = 1,
    interval_unit: str = "month",
    trial_days: int = 0,
) -> Plan:
    code = code or f"plan-{next(_numbers)}"
    return create_plan(
        code=code,
        name=code.capitalize(),
        currency=currency,
        unit_amount_minor=unit_amount_minor,
        interval_count=interval_count,
        interval_unit=interval_unit,
        trial_days=trial_days,
        now=NOW,
    )


def an_account(
    *,
    plan: Plan | None = None,
    today: datetime.date = TODAY,
    now: datetime.datetime | None = None,
    **terms: Any,
) -> Account:
    """Opened at six in the morning, unless `now` says otherwise."""
    number = next(_numbers)
    plan = plan or a_plan()
    terms = {"name": f"Customer {number}", "email": f"customer{number}@example.com", "plan": plan.code} | terms
    return open_account(new=NewAccount(**terms), author="test", today=today, now=now or at(today))


def many_accounts(count: int, *, plan: Plan, today: datetime.date = TODAY, **terms: Any) -> None:
    """So many accounts in a few statements, ACTIVE as if they had paid before."""
    new = NewAccount(name="Customer", email="customer@example.com", plan=plan.code, **terms)
    opening: dict[str, Any] = {"plan": plan, "today": today, "reason": "opened", "author": "test", "now": at(today)}
    drafts = [draft_account(new=new, **opening) for _ in range(count)]
    for draft in drafts:
        draft.account.status = Account.Status.ACTIVE
    Account.objects.bulk_create(draft.account for draft in drafts)
    Terms.objects.bulk_create(draft.terms for draft in drafts)
    AccountChange.objects.bulk_create(draft.opening(now=at(today)) for draft in drafts)


def due(count: int, *, on: datetime.date, unit: str = "month", **plan: Any) -> list[Account]:
    """So many accounts that are first due on that day."""
    made = a_plan(interval_unit=unit, **plan)
    return [an_account(plan=made, anchor_date=on, rebilling_date=on) for _ in range(count)]


class QueueInHand:
    """A queue that keeps what was sent, as the bodies that SQS would carry."""

    def __init__(self) -> None:
        self.bodies: list[str] = []

    def send(self, messages: Any) -> int:
        bodies = [to_json(message) for message in messages]
        self.bodies += bodies
        return len(bodies)

    @property
    def messages(self) -> list[PeriodsMessage]:
        """Those of the bodies that carry periods."""
        return [message for message in map(from_json, self.bodies) if isinstance(message, PeriodsMessage)]

    @property
    def payments(self) -> list[uuid.UUID]:
        """The payments that bodies carry, one after the other."""
        found = [message for message in map(from_json, self.bodies) if isinstance(message, PaymentsMessage)]
        return [id_ for message in found for id_ in message.ids]

    @property
    def refunds(self) -> list[uuid.UUID]:
        """The refunds that bodies carry, one after the other."""
        found = [message for message in map(from_json, self.bodies) if isinstance(message, RefundsMessage)]
        return [id_ for message in found for id_ in message.ids]

    def take(self) -> list[str]:
        taken, self.bodies = self.bodies, []
        return taken


def takes(request: PaymentRequest) -> Succeeded:
    """The answer of a gateway that took the money."""
    return Succeeded.of(request, reference=f"taken-{request.payment_id}")


def sends_back(request: RefundRequest) -> Succeeded:
    """The answer of a gateway that sent back the money."""
    return Succeeded.of(request, reference=f"sent-{request.refund_id}")


class ScriptedGateway(OpensSessions):
    """A gateway that gives its answers in order, and records the requests that it got.

    When nothing is left of `answers` it takes the money; when nothing is left of `found` it finds nothing. Refunds have
    `refunds` and `refunds_found`.
    """

    name = "logging"
    """The configured gateway's, so that what a sweep or a request submits is this one's."""

    def __init__(
        self,
        *answers: Answer | Exception | Callable[[PaymentRequest], Answer],
        found: Iterable[Finding | Exception | Callable[[PaymentRequest], Finding]] = (),
        refunds: Iterable[Answer | Exception | Callable[[RefundRequest], Answer]] = (),
        refunds_found: Iterable[Finding | Exception | Callable[[RefundRequest], Finding]] = (),
    ) -> None:
        self.answers = list(answers)
        self.found = list(found)
        self.requests: list[PaymentRequest] = []
        self.looked_up: list[PaymentRequest] = []
        self.refunds = list(refunds)
        self.refunds_found = list(refunds_found)
        self.refund_requests: list[RefundRequest] = []
        self.refunds_looked_up: list[RefundRequest] = []

    def submit(self, request: Request, *, timeout_seconds: float) -> Answer:
        if isinstance(request, PaymentRequest):
            self.requests.append(request)
            return _scripted(self.answers.pop(0) if self.answers else takes, request)
        self.refund_requests.append(request)
        return _scripted(self.refunds.pop(0) if self.refunds else sends_back, request)

    def look_up(self, request: Request, *, timeout_seconds: float) -> Finding:
        if isinstance(request, PaymentRequest):
            self.looked_up.append(request)
            return _scripted(self.found.pop(0) if self.found else NotFound(), request)
        self.refunds_looked_up.append(request)
        return _scripted(self.refunds_found.pop(0) if self.refunds_found else NotFound(), request)


def _scripted(answer: Said | Exception | Callable[[AnyRequest], Said], request: AnyRequest) -> Said:
    if isinstance(answer, Exception):
        raise answer
    return answer(request) if callable(answer) else answer


def swept(*, as_of: datetime.date, queue: QueueInHand) -> Run:
    return run_day(as_of=as_of, queue=queue, now=at(as_of))


def sent_again(*, queue: Queue, now: datetime.datetime) -> int:
    """The hourly check, none of whose steps fails; the number of messages that it sent again."""
    check = check_hourly(queue=queue, now=now)
    assert check.failed == []
    return check.sent


def delivered(
    *,
    bodies: list[str],
    today: datetime.date = TODAY,
    gateway: Gateway | None = None,
    queue: QueueInHand | None = None,
    seconds_left: float = 900,
    now: datetime.datetime | None = None,
) -> list[str]:
    """Process messages; the ids (their positions, as text) of those that failed."""
    return process_deliveries(
        deliveries=[Delivery(message_id=str(index), body=body) for index, body in enumerate(bodies)],
        surroundings=Surroundings(
            gateway=gateway or ScriptedGateway(),
            queue=queue or QueueInHand(),
            clock=lambda: now or at(today),
            seconds_left=lambda: seconds_left,
        ),
    )


def billed(*, as_of: datetime.date, gateway: Gateway | None = None) -> Run:
    """Sweep, and process all that was sent. Returns the run."""
    queue = QueueInHand()
    run = swept(as_of=as_of, queue=queue)
    while bodies := queue.take():
        assert delivered(bodies=bodies, today=as_of, gateway=gateway, queue=queue) == []
    return run


def statuses_of(account: Account) -> list[tuple[datetime.date, str]]:
    """The account's rebillings in order: the day each starts on, and its status."""
    return list(
        Rebilling.objects.filter(account=account).order_by("period_start", "id").values_list("period_start", "status")
    )


def a_message(*, run: Run, rebillings: Iterable[Rebilling]) -> str:
    """The body that carries these periods."""
    items = tuple(PeriodItem(row.id, row.account_id, row.period_start) for row in rebillings)
    return to_json(PeriodsMessage(run_id=run.id, as_of=run.as_of, periods=items))
