"""Dispatch: due periods, retries and look-ups go to the queue in batches.

An account's due periods go together and in order.
"""

import datetime
import logging
import uuid
from collections.abc import Iterator
from functools import partial
from itertools import groupby, islice

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from accounts.errors import Conflict
from payments.deadlines import OVERDUE
from payments.models import Payment, Refund
from rebilling.dunning import retries_due
from rebilling.messages.message import MAX_ITEMS, AnyMessage, Message, PeriodKey, RefundsMessage
from rebilling.messages.queue import Queue, QueueNotConfigured, UnableToSend, configured_queue
from rebilling.models import Rebilling, Run

logger = logging.getLogger(__name__)

_CHUNK_ROWS = 2000


def send_due(*, run: Run, queue: Queue, due_before: datetime.datetime | None = None) -> int:
    """Send every period that is DUE, whichever run wrote it; with `due_before`, of accounts with one DUE since before.

    Sending again is harmless: the row makes the charge happen once. Periods of runs that haven't passed the volume
    check aren't sent. `run` names the run in the messages; no period sent starts after its `as_of`. Returns the number
    of messages. Raises `UnableToSend`.
    """
    return queue.send(_messages(run=run, due_before=due_before))


def send_retries(*, run: Run, queue: Queue) -> int:
    """Send the periods whose charges are to be retried by the run's date: the volume check counted them with the run.

    Otherwise as `send_due`.
    """
    due = retries_due(as_of=run.as_of).order_by("account_id", "period_start")
    rows = due.values_list("account_id", "period_start").iterator(chunk_size=_CHUNK_ROWS)
    keys = (PeriodKey(*row) for row in rows)
    return queue.send(
        Message(run_id=run.id, as_of=run.as_of, rebillings=batch)
        for batch in iter(lambda: tuple(islice(keys, MAX_ITEMS)), ())
    )


def send_submitted(*, run: Run, queue: Queue, submitted_before: datetime.datetime, now: datetime.datetime) -> int:
    """Send the payments submitted before `submitted_before` that aren't collected and that no worker holds a lease on.

    They keep their idempotency keys. `run` names the run in the messages. Returns the number of messages. Raises
    `UnableToSend`.
    """
    submitted = Payment.objects.filter(status=Payment.Status.SUBMITTED, submitted_at__lt=submitted_before)
    return _send_payments(submitted, run=run, queue=queue, now=now)


def send_unknown(*, run: Run, queue: Queue, now: datetime.datetime, daily: bool = False) -> int:
    """Send the payments with an unknown outcome, to be looked up at the gateway; otherwise as `send_submitted`.

    Those that need review are left out, except for overdue ones once a day: a bank debit may take longer than our
    deadline.
    """
    return _send_payments(Payment.objects.filter(_to_look_up(daily)), run=run, queue=queue, now=now)


def _to_look_up(daily: bool) -> Q:
    included = Q(needs_review=False) | Q(review_reason__startswith=OVERDUE) if daily else Q(needs_review=False)
    return Q(status=Payment.Status.UNKNOWN) & included


class UnableToLookUp(Conflict):
    """The queue, which carries look-ups to the worker, takes no messages at present."""

    code = "unable-to-look-up"
    passing = True


def look_up_again(*, row: Payment | Refund) -> None:
    """Have a payment or a refund looked up at the gateway at once. Raises `UnableToLookUp`."""
    try:
        configured_queue().send([_message_about(type(row), row.id)])
    except (QueueNotConfigured, UnableToSend) as error:
        raise UnableToLookUp(f"It isn't looked up at the gateway: {error}") from error


def send_when_committed(*, payment_id: uuid.UUID) -> None:
    """Send one SUBMITTED payment when the present transaction is committed.

    Whatever the queue answers then, the payment's row is written: the hourly check sends it again.
    """
    transaction.on_commit(partial(_try_to_send, Payment, payment_id))


def send_refund_when_committed(*, refund_id: uuid.UUID) -> None:
    """Send one SUBMITTED refund when the present transaction is committed; as `send_when_committed`."""
    transaction.on_commit(partial(_try_to_send, Refund, refund_id))


def _try_to_send(model: type[Payment] | type[Refund], id_: uuid.UUID) -> None:
    """The row is committed, so nothing is raised here: the caller would take it for an error of its request."""
    what = str(model._meta.model_name)
    about = {"event": f"{what}.unsent", what: str(id_)}
    try:
        configured_queue().send([_message_about(model, id_)])
    except (QueueNotConfigured, UnableToSend) as error:
        logger.warning(str(error), extra=about)
    except Exception:
        logger.exception("a %s was not sent; the hourly check sends it", what, extra=about)


def _message_about(model: type[Payment] | type[Refund], id_: uuid.UUID) -> AnyMessage:
    if model is Refund:
        return RefundsMessage(refunds=(id_,))
    run = Run.objects.filter(passed_at__isnull=False).latest("as_of", "id")
    return Message(run_id=run.id, as_of=run.as_of, payments=(id_,))


def send_refunds(*, queue: Queue, now: datetime.datetime, daily: bool = False) -> int:
    """Send the refunds that have been SUBMITTED for `REBILLING_RESEND_MINUTES`, and the UNKNOWN ones.

    They keep their idempotency keys. Those that a worker holds a lease on are left out, and the UNKNOWN ones that need
    review, except for overdue ones once a day. Returns the number of messages. Raises `UnableToSend`.
    """
    submitted_before = now - datetime.timedelta(minutes=settings.REBILLING_RESEND_MINUTES)
    refunds = Refund.objects.filter(
        Q(status=Refund.Status.SUBMITTED, submitted_at__lt=submitted_before) | _to_look_up(daily)
    )
    return queue.send(RefundsMessage(refunds=batch) for batch in _batches(refunds, now))


def _send_payments(payments: QuerySet[Payment], *, run: Run, queue: Queue, now: datetime.datetime) -> int:
    return queue.send(Message(run_id=run.id, as_of=run.as_of, payments=batch) for batch in _batches(payments, now))


def _batches(rows: QuerySet[Payment] | QuerySet[Refund], now: datetime.datetime) -> Iterator[tuple[uuid.UUID, ...]]:
    """The ids of the rows that no worker holds a lease on, in order, as many at a time as a message carries."""
    free = rows.filter(Q(leased_until__isnull=True) | Q(leased_until__lte=now))
    ids = free.order_by("id").values_list("id", flat=True).iterator(chunk_size=_CHUNK_ROWS)
    return iter(lambda: tuple(islice(ids, MAX_ITEMS)), ())


def _messages(*, run: Run, due_before: datetime.datetime | None) -> Iterator[Message]:
    batch: list[PeriodKey] = []
    for keys in _keys_by_account(run=run, due_before=due_before):
        if len(batch) + len(keys) > MAX_ITEMS:
            yield Message(run_id=run.id, as_of=run.as_of, rebillings=tuple(batch))
            batch = []
        batch += keys
    if batch:
        yield Message(run_id=run.id, as_of=run.as_of, rebillings=tuple(batch))


def _keys_by_account(*, run: Run, due_before: datetime.datetime | None) -> Iterator[list[PeriodKey]]:
    due = Rebilling.objects.filter(
        status=Rebilling.Status.DUE, period_start__lte=run.as_of, run__passed_at__isnull=False
    )
    if due_before is not None:
        due = due.filter(account__in=due.filter(due_since__lt=due_before).values("account"))
    rows = due.order_by("account_id", "period_start").values_list("account_id", "period_start")
    for _, group in groupby(rows.iterator(chunk_size=_CHUNK_ROWS), key=lambda row: row[0]):
        # Never more than a batch holds: a sweep parks an account with more than 36 due periods.
        yield [PeriodKey(*row) for row in group][:MAX_ITEMS]
