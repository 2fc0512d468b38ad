"""The processor: takes messages off the queue and charges, collects and settles what each carries; or sends it back.

Cut anywhere and delivered again, it finds what is already there and goes on from it.
"""

import datetime
import logging
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from django.db import connection

from payments.collection import Collected, collect
from payments.gateways import Gateway
from payments.models import Payment
from payments.sending_back import send_back
from payments.settlement import Written
from rebilling.booking_refunds import settle_refunds
from rebilling.charging import charge_due
from rebilling.known_items import columns_of, known, known_refunds
from rebilling.message import (
    MOST_ITEMS,
    AnyMessage,
    MalformedMessage,
    Message,
    PeriodKey,
    RefundsMessage,
    from_json,
)
from rebilling.metrics import emit
from rebilling.queue import Queue
from rebilling.retries import submit_retries
from rebilling.settling import settle

logger = logging.getLogger(__name__)


class ItemsRefused(Exception):
    """Items of the message make no sense, or don't exist. The others were processed; it is for the DLQ."""


class GatewayRefuses(Exception):
    """The gateway takes no requests at present. The message comes back, and what wasn't tried stays SUBMITTED."""


class CollectedElsewhere(Exception):
    """Another delivery asks about these payments or refunds now. The message comes back when its lease has ended."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as it was delivered."""

    message_id: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What processing needs from outside. `seconds_left` says how long the caller may still work.

    Made as soon as `now` is read.
    """

    gateway: Gateway
    queue: Queue
    seconds_left: Callable[[], float]
    today: datetime.date
    now: datetime.datetime
    _left_at_now: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_left_at_now", self.seconds_left())

    def by_now(self) -> datetime.datetime:
        """`now`, and what was worked since: charging a large pack takes its time.

        A lease that ran from `now` itself would end while the last calls under it are still being made.
        """
        return self.now + datetime.timedelta(seconds=self._left_at_now - self.seconds_left())


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
    """Charge, collect, settle: each step finds what an earlier delivery left. A bad item fails alone.

    Raises `ItemsRefused`, `GatewayRefuses` and `CollectedElsewhere` after what could be done was done.
    """
    message = known(message)
    if message.rebillings or message.payments:
        _charge_and_collect(message, surroundings)
    _check_no_faults(message)


def _charge_and_collect(message: Message, surroundings: Surroundings) -> None:
    gateway, now = surroundings.gateway.name, surroundings.now
    if message.rebillings:
        # Counted at once: whatever fails after it, they are charged.
        charged = charge_due(keys=message.rebillings, gateway=gateway, today=surroundings.today, now=now)
        emit(now=now, charged=charged)
    # A run of a day to come doesn't bring the retries of that day forward.
    submit_retries(keys=message.rebillings, as_of=min(message.as_of, surroundings.today), gateway=gateway, now=now)
    collected = collect(
        payment_ids=[*message.payments, *_payments_submitted(message.rebillings)],
        gateway=surroundings.gateway,
        seconds_left=surroundings.seconds_left,
        now=surroundings.by_now(),
    )
    _count(settle(outcomes=collected.outcomes, as_of=surroundings.today, now=now), now)
    _check_all_reached(
        collected,
        rest=lambda ids: Message(run_id=message.run_id, as_of=message.as_of, payments=ids),
        what="payments",
        queue=surroundings.queue,
    )


def process_refunds(*, message: RefundsMessage, surroundings: Surroundings) -> None:
    """Send the refunds' money back, or ask what became of it, and book that.

    Raises as `process` does.
    """
    message = known_refunds(message)
    sent_back = send_back(
        refund_ids=message.refunds,
        gateway=surroundings.gateway,
        seconds_left=surroundings.seconds_left,
        now=surroundings.by_now(),
    )
    settle_refunds(outcomes=sent_back.outcomes, as_of=surroundings.today, now=surroundings.now)
    _check_all_reached(
        sent_back, rest=lambda ids: RefundsMessage(refunds=ids), what="refunds", queue=surroundings.queue
    )
    _check_no_faults(message)


def _check_no_faults(message: AnyMessage) -> None:
    if message.faults:
        raise ItemsRefused(f"{len(message.faults)} items of the message were refused, the first: {message.faults[0]}")


def _check_all_reached(
    asked: Collected, *, rest: Callable[[tuple[uuid.UUID, ...]], AnyMessage], what: str, queue: Queue
) -> None:
    """What there was no time for goes on as messages of its own. Raises `GatewayRefuses` and `CollectedElsewhere`.

    What the gateway doesn't take while it takes others comes neither on nor back: it would end as a dead letter.
    """
    if asked.refused:
        left = len(asked.not_reached)
        raise GatewayRefuses(f"the gateway takes no requests, {left} {what} wait: {asked.refused}")
    if asked.not_reached:
        # Acknowledged only once the rest is on the queue.
        queue.send(
            rest(tuple(asked.not_reached[at : at + MOST_ITEMS])) for at in range(0, len(asked.not_reached), MOST_ITEMS)
        )
    if asked.elsewhere:
        raise CollectedElsewhere(f"{len(asked.elsewhere)} {what} are being asked about by another delivery")


def _count(settled: Iterable[tuple[Payment, Written]], now: datetime.datetime) -> None:
    """Payments by outcome; an UNKNOWN one once, however often it is asked about."""
    counts = Counter(payment.status for payment, written in settled if written.news)
    emit(
        now=now,
        succeeded=counts[Payment.Status.SUCCEEDED],
        declined=counts[Payment.Status.DECLINED],
        unknown=counts[Payment.Status.UNKNOWN],
    )


_SUBMITTED = """
    SELECT payment.id
    FROM unnest(%(accounts)s::uuid[], %(starts)s::date[]) AS key (account_id, period_start)
    JOIN rebilling_rebilling AS row
        ON row.account_id = key.account_id AND row.period_start = key.period_start AND row.status <> 'SKIPPED'
    JOIN payments_payment AS payment ON payment.charge_id = row.charge_id AND payment.status = 'SUBMITTED'
"""


def _payments_submitted(keys: Collection[PeriodKey]) -> list[uuid.UUID]:
    """The payments of these periods' charges that are still to be collected, from this delivery or an earlier one."""
    with connection.cursor() as cursor:
        cursor.execute(_SUBMITTED, columns_of(keys))
        return [id_ for (id_,) in cursor.fetchall()]
