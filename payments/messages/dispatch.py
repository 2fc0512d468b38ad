"""Sending payments, refunds and sessions to the worker: when they are committed, or again when they were left over."""

import datetime
import logging
import uuid
from collections.abc import Collection, Iterator
from functools import partial
from itertools import islice

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from accounts.errors import Conflict
from payments.deadlines import OVERDUE
from payments.messages.format import MAX_ITEMS
from payments.messages.queue import Queue, QueueNotConfigured, UnableToSend, configured_queue
from payments.messages.rows import AnyModel, message_of
from payments.models import GatewayAttempt, Payment, PaymentMethodSession, Refund

logger = logging.getLogger(__name__)

_CHUNK_ROWS = 2000
MAX_SESSIONS = 50
"""In one message. The gateway is called for them one after the other."""


class UnableToCall(Conflict):
    """The queue, by which the gateway is called, takes nothing at present."""

    code = "unable-to-call"
    passing = True


class NothingToLookUp(Conflict):
    """What became of it is known, or the worker is about to submit it."""

    code = "nothing-to-look-up"


def look_up_now(*, row: GatewayAttempt) -> None:
    """Have the gateway called at once for what became of a payment or a refund.

    Raises `NothingToLookUp` unless it is UNKNOWN, or in flight and needs review; and `UnableToCall`.
    """
    if not (row.status == row.UNKNOWN or row.awaits_review):
        raise NothingToLookUp(f"The {row.NOUN} is {row.status}: there is nothing to look up.")
    try:
        configured_queue().send([message_of(type(row), [row.id])])
    except (QueueNotConfigured, UnableToSend) as error:
        raise UnableToCall(f"The gateway isn't called: {error}") from error


def send_payments_when_committed(*, payment_ids: Collection[uuid.UUID]) -> None:
    """Send payments that are SUBMITTED, or to be looked up, when the present transaction is committed.

    Whatever the queue answers then, their rows stand: the hourly check sends them again.
    """
    if payment_ids:
        transaction.on_commit(partial(_try_to_send, Payment, tuple(payment_ids)))


def send_refund_when_committed(*, refund_id: uuid.UUID) -> None:
    """Send one SUBMITTED refund when the present transaction is committed; as `send_payments_when_committed`."""
    transaction.on_commit(partial(_try_to_send, Refund, (refund_id,)))


def send_session_when_committed(*, session_id: uuid.UUID) -> None:
    """Have one session opened, or looked up, when the present transaction is committed; as
    `send_payments_when_committed`.
    """
    transaction.on_commit(partial(_try_to_send, PaymentMethodSession, (session_id,)))


def _try_to_send(model: AnyModel, ids: tuple[uuid.UUID, ...]) -> None:
    """The rows are committed, so that whatever goes wrong here, an error would be a lie to who asked for it."""
    about = {"event": f"{model.NOUN}.unsent", f"{model.NOUN}s": [str(id_) for id_ in ids]}
    try:
        configured_queue().send([message_of(model, ids)])
    except (QueueNotConfigured, UnableToSend) as error:
        logger.warning(str(error), extra=about)
    except Exception:
        logger.exception("a %s was not sent; the hourly check sends it", model.NOUN, extra=about)


def send_payments(*, payment_ids: Collection[uuid.UUID], queue: Queue) -> int:
    """Send payments that were submitted. Returns the number of messages. Raises `UnableToSend`."""
    return send_attempts(model=Payment, ids=payment_ids, queue=queue)


def send_attempts(*, model: AnyModel, ids: Collection[uuid.UUID], queue: Queue) -> int:
    """Send these rows of the model, as many at a time as a message carries; as `send_payments`."""
    waiting = list(ids)
    return queue.send(message_of(model, waiting[at : at + MAX_ITEMS]) for at in range(0, len(waiting), MAX_ITEMS))


def send_leftovers(*, model: type[GatewayAttempt], queue: Queue, now: datetime.datetime, daily: bool = False) -> int:
    """Send the rows that have been SUBMITTED for `REBILLING_RESEND_MINUTES`, and the UNKNOWN ones.

    They go on under their own keys. Left out are those that a worker holds the lease of, and of the UNKNOWN ones those
    that need review, but for the overdue ones once a day: a bank's debit takes longer than that. Returns the number of
    messages. Raises `UnableToSend`.
    """
    before = now - datetime.timedelta(minutes=settings.REBILLING_RESEND_MINUTES)
    looked_up = Q(needs_review=False) | Q(review_reason__startswith=OVERDUE) if daily else Q(needs_review=False)
    rows = model._default_manager.filter(
        Q(status="SUBMITTED", submitted_at__lt=before) | Q(status=model.UNKNOWN) & looked_up
    )
    return queue.send(message_of(model, batch) for batch in _batches(rows, now))


def send_open_sessions(*, queue: Queue, now: datetime.datetime) -> int:
    """Send the sessions that have been OPEN for `REBILLING_RESEND_MINUTES`: to be opened, looked up or ended. Returns
    the number of messages. Raises `UnableToSend`.
    """
    before = now - datetime.timedelta(minutes=settings.REBILLING_RESEND_MINUTES)
    found = PaymentMethodSession.objects.filter(status=PaymentMethodSession.Status.OPEN, created_at__lt=before)
    ids = found.order_by("id").values_list("id", flat=True).iterator(chunk_size=_CHUNK_ROWS)
    batches = iter(lambda: tuple(islice(ids, MAX_SESSIONS)), ())
    return queue.send(message_of(PaymentMethodSession, batch) for batch in batches)


def _batches(rows: "QuerySet[GatewayAttempt]", now: datetime.datetime) -> Iterator[tuple[uuid.UUID, ...]]:
    """The ids of the rows that no worker holds the lease of, in order, as many at a time as a message carries."""
    free = rows.filter(Q(leased_until__isnull=True) | Q(leased_until__lte=now))
    ids = free.order_by("id").values_list("id", flat=True).iterator(chunk_size=_CHUNK_ROWS)
    return iter(lambda: tuple(islice(ids, MAX_ITEMS)), ())
