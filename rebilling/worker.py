"""The worker: charges and collects what each message carries, and records the outcomes.

Cut off anywhere and delivered again, it finds what is already there and goes on from it.
"""

import datetime
import logging
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from django.db import connection

from accounts.sql_files import query
from payments.gateway_calls import CallResults, call_gateway
from payments.gateways.port import Gateway
from payments.models import GatewayAttempt, Payment, Refund
from payments.outcomes import Written
from rebilling.charges import charge_due
from rebilling.dunning import submit_retries
from rebilling.messages.items import columns_of, known, known_refunds
from rebilling.messages.message import (
    MAX_ITEMS,
    AnyMessage,
    MalformedMessage,
    Message,
    PeriodKey,
    RefundsMessage,
    from_json,
)
from rebilling.messages.queue import Queue
from rebilling.metrics import emit
from rebilling.payment_outcomes import record_payment_outcomes
from rebilling.refund_outcomes import record_refund_outcomes

logger = logging.getLogger(__name__)


class ItemsRefused(Exception):
    """Items of the message are malformed, or don't exist. The others were processed; the message goes to the DLQ."""


class GatewayRefuses(Exception):
    """The gateway takes no requests at present. The message comes back, and what wasn't tried stays SUBMITTED."""


class CollectedElsewhere(Exception):
    """Another delivery holds the lease of these payments or refunds. The message comes back once that has ended."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as it was delivered."""

    message_id: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What processing needs from outside.

    `clock` gives this instant, aware; `today` is the billing day. `seconds_left` says how long the caller may still
    work.
    """

    gateway: Gateway
    queue: Queue
    clock: Callable[[], datetime.datetime]
    today: datetime.date
    seconds_left: Callable[[], float]


def process_deliveries(*, deliveries: Iterable[Delivery], surroundings: Surroundings) -> list[str]:
    """Process each message. Returns the ids of those that failed and must be delivered again; the rest are done.

    A message that fails doesn't hold up the others. Why it failed is logged as an error.
    """
    failed = []
    for delivery in deliveries:
        try:
            _process(from_json(delivery.body), surroundings)
        except (MalformedMessage, ItemsRefused) as error:
            extra = {"event": "rebilling.message_refused", "message_id": delivery.message_id}
            logger.error(str(error), extra=extra)
        except CollectedElsewhere as error:
            logger.warning(str(error), extra={"event": "rebilling.elsewhere", "message_id": delivery.message_id})
        except GatewayRefuses as error:
            extra = {"event": "gateway.refuses", "message_id": delivery.message_id}
            logger.error(str(error), extra=extra)
        except Exception:
            extra = {"event": "rebilling.message_failed", "message_id": delivery.message_id}
            logger.exception("a message failed", extra=extra)
        else:
            continue
        failed.append(delivery.message_id)
    return failed


def _process(message: AnyMessage, surroundings: Surroundings) -> None:
    if isinstance(message, RefundsMessage):
        process_refunds(message=message, surroundings=surroundings)
    else:
        process(message=message, surroundings=surroundings)


def process(*, message: Message, surroundings: Surroundings) -> None:
    """Charge, collect, record the outcomes: each step finds what an earlier delivery left. A bad item fails alone.

    Raises `ItemsRefused`, `GatewayRefuses` and `CollectedElsewhere` after what could be done was done.
    """
    message = known(message)
    if message.rebillings or message.payments:
        _charge_and_collect(message, surroundings)
    _check_no_faults(message)


def _charge_and_collect(message: Message, surroundings: Surroundings) -> None:
    gateway, today, now = surroundings.gateway.name, surroundings.today, surroundings.clock()
    if message.rebillings:
        # Counted at once: whatever fails after it, they are charged.
        charged = charge_due(keys=message.rebillings, gateway=gateway, today=today, now=now)
        emit(now=now, charged=charged)
    # A run of a future day doesn't bring that day's retries forward.
    submit_retries(keys=message.rebillings, as_of=min(message.as_of, today), gateway=gateway, now=now)
    results = _call_gateway(Payment, [*message.payments, *_payments_submitted(message.rebillings)], surroundings)
    _count(record_payment_outcomes(outcomes=results.outcomes, as_of=today, now=now), now)
    _check_all_reached(
        results,
        rest=lambda ids: Message(run_id=message.run_id, as_of=message.as_of, payments=ids),
        model=Payment,
        queue=surroundings.queue,
    )


def process_refunds(*, message: RefundsMessage, surroundings: Surroundings) -> None:
    """Send the refunds' money back, or look up what became of it, and record the outcomes.

    Raises as `process` does.
    """
    message, now = known_refunds(message), surroundings.clock()
    results = _call_gateway(Refund, message.refunds, surroundings)
    record_refund_outcomes(outcomes=results.outcomes, as_of=surroundings.today, now=now)
    _check_all_reached(results, rest=lambda ids: RefundsMessage(refunds=ids), model=Refund, queue=surroundings.queue)
    _check_no_faults(message)


def _call_gateway(model: type[GatewayAttempt], ids: Collection[uuid.UUID], surroundings: Surroundings) -> CallResults:
    return call_gateway(
        model=model,
        ids=ids,
        gateway=surroundings.gateway,
        clock=surroundings.clock,
        seconds_left=surroundings.seconds_left,
    )


def _check_no_faults(message: AnyMessage) -> None:
    if message.faults:
        raise ItemsRefused(f"{len(message.faults)} items of the message were refused, the first: {message.faults[0]}")


def _check_all_reached(
    results: CallResults,
    *,
    rest: Callable[[tuple[uuid.UUID, ...]], AnyMessage],
    model: type[GatewayAttempt],
    queue: Queue,
) -> None:
    """What there was no time for goes on as messages of its own. Raises `GatewayRefuses` and `CollectedElsewhere`.

    What the gateway rejects while it takes other requests is neither sent on nor delivered again: it would end as a
    dead letter.
    """
    not_reached = results.not_reached
    if results.stop_reason:
        count = len(not_reached)
        raise GatewayRefuses(f"the gateway takes no requests, {count} {model.NOUN}s wait: {results.stop_reason}")
    if not_reached:
        # Acknowledged only once the rest is on the queue.
        queue.send(rest(tuple(not_reached[at : at + MAX_ITEMS])) for at in range(0, len(not_reached), MAX_ITEMS))
    if results.leased_elsewhere:
        count = len(results.leased_elsewhere)
        raise CollectedElsewhere(f"another delivery is calling the gateway for {count} {model.NOUN}s")


def _count(recorded: Iterable[tuple[Payment, Written]], now: datetime.datetime) -> None:
    """Payments by outcome; an UNKNOWN one once, however often it is looked up."""
    counts = Counter(payment.status for payment, written in recorded if written.changed)
    emit(
        now=now,
        succeeded=counts[Payment.Status.SUCCEEDED],
        declined=counts[Payment.Status.DECLINED],
        unknown=counts[Payment.Status.UNKNOWN],
    )


def _payments_submitted(keys: Collection[PeriodKey]) -> list[uuid.UUID]:
    """The payments of these periods' charges that are still to be collected, from this delivery or an earlier one."""
    with connection.cursor() as cursor:
        cursor.execute(query(__file__, "payments_submitted"), columns_of(keys))
        return [id_ for (id_,) in cursor.fetchall()]
