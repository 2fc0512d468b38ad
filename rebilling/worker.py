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

from accounts.array_literals import uuid_array
from accounts.billing_day import billing_day
from accounts.sql_files import query
from payments.gateways.port import Gateway
from payments.leases import Lease, lease_end, submitted_under_lease, take_lease
from payments.messages.dispatch import send_attempts, send_payments
from payments.messages.format import MalformedMessage
from payments.messages.queue import Queue
from payments.messages.rows import PaymentsMessage, RefundsMessage, SessionsMessage
from payments.method_sessions.gateway_calls import call_for_sessions
from payments.models import GatewayAttempt, Payment, PaymentMethodSession, Refund
from payments.outcomes import Written
from payments.payment_outcomes import RecordedPayment, record_payment_outcomes
from payments.refund_outcomes import record_refund_outcomes
from payments.send_to_gateway import CallResults, call_gateway
from rebilling.invoice_periods import invoice_periods
from rebilling.messages.items import known_periods, known_rows
from rebilling.messages.message import AnyMessage, PeriodItem, PeriodsMessage, from_json
from rebilling.metrics import emit

logger = logging.getLogger(__name__)


class ItemsRefused(Exception):
    """Items of the message are malformed, or don't exist. The others were processed; delivered again, the message ends
    in the DLQ.
    """


class GatewayUnavailable(Exception):
    """The gateway takes no requests at present. The message comes back, and what wasn't tried stays as it is."""


class LeasedElsewhere(Exception):
    """Another delivery holds the lease of these payments or refunds. The message comes back once that has ended."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as it was delivered."""

    message_id: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What processing needs from outside.

    `clock` gives this instant, aware. `seconds_left` says how long the caller may still work.
    """

    gateway: Gateway
    queue: Queue
    clock: Callable[[], datetime.datetime]
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
        except LeasedElsewhere as error:
            logger.warning(str(error), extra={"event": "rebilling.elsewhere", "message_id": delivery.message_id})
        except GatewayUnavailable as error:
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
    """Do what the message asks for; each step finds what an earlier delivery left. A bad item fails alone.

    Raises `ItemsRefused`, `GatewayUnavailable` and `LeasedElsewhere` after what could be done was done. With one of the
    latter two the message comes back anyway: its faults are found, and refused, when it comes again.
    """
    if isinstance(message, PeriodsMessage):
        faults = _charge_and_collect(message, surroundings)
    elif isinstance(message, PaymentsMessage):
        faults = _collect_named(message, surroundings)
    elif isinstance(message, RefundsMessage):
        faults = _send_refunds(message, surroundings)
    else:
        # A SessionsMessage: the type checker says when there is another kind.
        faults = _work_on_sessions(message, surroundings)
    if faults:
        raise ItemsRefused(f"{len(faults)} items of the message were refused, the first: {faults[0]}")


def _charge_and_collect(message: PeriodsMessage, surroundings: Surroundings) -> tuple[str, ...]:
    """Charge the periods, collect their payments, record the outcomes. Returns the items' faults."""
    gateway, now = surroundings.gateway.name, surroundings.clock()
    # The payments are ours as soon as they are committed: nobody else calls for them, and no statement leases them.
    charged = invoice_periods(
        items=message.periods, gateway=gateway, today=billing_day(now), now=now, leased_until=lease_end(now)
    )
    # Counted before anything else can fail: they stay charged.
    emit(now=now, charged=len(charged.rebillings))
    # A clean batch needs no statement for these: all of it was charged just now, so it exists.
    known = known_periods(message, charged=charged.rebillings)
    earlier = [item for item in known.periods if item.rebilling_id not in charged.rebillings]
    if charged.payments:
        _collect(submitted_under_lease(charged.payments, since=now), surroundings)
    if earlier:
        _collect(_leased(Payment, _payments_never_collected(earlier), surroundings), surroundings)
    return known.faults


def _collect_named(message: PaymentsMessage, surroundings: Surroundings) -> tuple[str, ...]:
    """Collect the payments, or look up what became of them, and record the outcomes. Returns the items' faults."""
    known = known_rows(message)
    _collect(_leased(Payment, known.ids, surroundings), surroundings)
    return known.faults


def _leased(model: type[GatewayAttempt], ids: Collection[uuid.UUID], surroundings: Surroundings) -> Lease:
    return take_lease(model=model, ids=ids, gateway=surroundings.gateway.name, now=surroundings.clock())


def _collect(lease: Lease, surroundings: Surroundings) -> None:
    """Call the gateway for the payments, record the outcomes, and send what is to be collected because of them."""
    results = call_gateway(
        lease,
        gateway=surroundings.gateway,
        clock=surroundings.clock,
        seconds_left=surroundings.seconds_left,
    )
    # Booked on the day on which the outcome is known: the day may have ended while the gateway was called.
    now = surroundings.clock()
    recorded = record_payment_outcomes(outcomes=results.outcomes, today=billing_day(now), now=now)
    _emit_outcomes(recorded.rows, now)
    # Should this fail, the hourly check sends them: redelivered, the message no longer finds them.
    send_payments(payment_ids=recorded.submitted, queue=surroundings.queue)
    _try_rest_later(results, model=Payment, queue=surroundings.queue)


def _send_refunds(message: RefundsMessage, surroundings: Surroundings) -> tuple[str, ...]:
    """Send the refunds' money back, or look up what became of it, and record the outcomes. Returns the items'
    faults.
    """
    known = known_rows(message)
    results = call_gateway(
        _leased(Refund, known.ids, surroundings),
        gateway=surroundings.gateway,
        clock=surroundings.clock,
        seconds_left=surroundings.seconds_left,
    )
    now = surroundings.clock()
    record_refund_outcomes(outcomes=results.outcomes, today=billing_day(now), now=now)
    _try_rest_later(results, model=Refund, queue=surroundings.queue)
    return known.faults


def _work_on_sessions(message: SessionsMessage, surroundings: Surroundings) -> tuple[str, ...]:
    """Open the sessions at the gateway, or look up what became of them. Returns the items' faults.

    Raises `GatewayUnavailable` where the gateway didn't answer for some: the message comes back.
    """
    known = known_rows(message)
    results = call_for_sessions(
        ids=known.ids,
        gateway=surroundings.gateway,
        clock=surroundings.clock,
        seconds_left=surroundings.seconds_left,
    )
    send_attempts(model=PaymentMethodSession, ids=results.not_reached, queue=surroundings.queue)
    if results.unanswered:
        raise GatewayUnavailable(f"the gateway gave no answer for {results.unanswered} sessions: {results.reason}")
    return known.faults


def _try_rest_later(results: CallResults, *, model: type[GatewayAttempt], queue: Queue) -> None:
    """Send what wasn't reached in time as new messages. Raises `GatewayUnavailable` and `LeasedElsewhere`, so that this
    message comes back.

    What the gateway rejects while it takes other requests is neither sent on nor delivered again: it would end as a
    dead letter.
    """
    rest = results.to_try_again
    if results.stop_reason:
        raise GatewayUnavailable(
            f"the gateway takes no requests, {len(rest)} {model.NOUN}s wait: {results.stop_reason}"
        )
    if rest:
        # Acknowledged only once the rest is on the queue.
        send_attempts(model=model, ids=rest, queue=queue)
    if results.leased_elsewhere:
        count = len(results.leased_elsewhere)
        raise LeasedElsewhere(f"another delivery is calling the gateway for {count} {model.NOUN}s")


def _emit_outcomes(recorded: Iterable[tuple[RecordedPayment, Written]], now: datetime.datetime) -> None:
    """Payments by outcome; an UNKNOWN one once, however often it is looked up."""
    counts = Counter(payment.status for payment, written in recorded if written.changed)
    emit(
        now=now,
        succeeded=counts[Payment.Status.SUCCEEDED],
        declined=counts[Payment.Status.DECLINED],
        unknown=counts[Payment.Status.UNKNOWN],
    )


def _payments_never_collected(items: Collection[PeriodItem]) -> list[uuid.UUID]:
    """The payments of these periods' invoices that an earlier delivery submitted and brought no outcome of.

    Not those that are UNKNOWN: that was their outcome, and the hourly check has them looked up.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            query(__file__, "payments_submitted"), {"ids": uuid_array([item.rebilling_id for item in items])}
        )
        return [id_ for (id_,) in cursor.fetchall()]
