"""Dispatch: what is DUE, and what is to be tried or asked about again, goes to the queue in packs.

An account's due periods travel together and in order.
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

from accounts.refusals import Conflict
from payments.deadlines import OVERDUE
from payments.models import Payment, Refund
from rebilling.message import MOST_ITEMS, AnyMessage, Message, PeriodKey, RefundsMessage
from rebilling.models import Rebilling, Run
from rebilling.queue import Queue, QueueNotConfigured, UnableToSend, configured_queue
from rebilling.retries import retries_due

logger = logging.getLogger(__name__)

_CHUNK_ROWS = 2000


def send_due(*, run: Run, queue: Queue, due_before: datetime.datetime | None = None) -> int:
    """Send every period that is DUE, whichever run wrote it; with `due_before`, of accounts with one DUE since then.

    Sending again is harmless: the row makes the charge happen once. Periods of runs that weren't let through stay.
    `run` names the run in the messages; its `as_of` isn't before any period sent. Returns the number of messages.
    Raises `UnableToSend`.
    """
    return queue.send(_messages(run=run, due_before=due_before))


def send_retries(*, run: Run, queue: Queue) -> int:
    """Send the periods whose charges are to be tried again by the run's date: those that the brake weighed with it.

    As `send_due`.
    """
    due = retries_due(as_of=run.as_of).order_by("account_id", "period_start")
    rows = due.values_list("account_id", "period_start").iterator(chunk_size=_CHUNK_ROWS)
    keys = (PeriodKey(*row) for row in rows)
    return queue.send(
        Message(run_id=run.id, as_of=run.as_of, rebillings=pack)
        for pack in iter(lambda: tuple(islice(keys, MOST_ITEMS)), ())
    )


def send_submitted(*, run: Run, queue: Queue, submitted_before: datetime.datetime, now: datetime.datetime) -> int:
    """Send the payments recorded before `submitted_before` that nobody has collected and nobody is collecting now.

    They go on under their own keys. `run` names the run in the messages. Returns the number of messages. Raises
    `UnableToSend`.
    """
    submitted = Payment.objects.filter(status=Payment.Status.SUBMITTED, submitted_at__lt=submitted_before)
    return _send_payments(submitted, run=run, queue=queue, now=now)


def send_unknown(*, run: Run, queue: Queue, now: datetime.datetime, daily: bool = False) -> int:
    """Send the payments whose outcome is unknown, so that the gateway is asked about them; as `send_submitted`.

    Those that need a person are left out, but for the overdue ones once a day: a bank's debit takes longer than that.
    """
    return _send_payments(Payment.objects.filter(_asked_about(daily)), run=run, queue=queue, now=now)


def _asked_about(daily: bool) -> Q:
    asked = Q(needs_person=False) | Q(needs_person_reason__startswith=OVERDUE) if daily else Q(needs_person=False)
    return Q(status=Payment.Status.UNKNOWN) & asked


class UnableToAsk(Conflict):
    """The queue, by which the gateway is asked, takes nothing at present."""

    code = "unable-to-ask"
    passing = True


def ask_again(*, row: Payment | Refund) -> None:
    """Have the gateway asked at once what became of a payment or a refund. Raises `UnableToAsk`."""
    try:
        configured_queue().send([_message_about(type(row), row.id)])
    except (QueueNotConfigured, UnableToSend) as error:
        raise UnableToAsk(f"The gateway isn't asked: {error}") from error


def send_when_committed(*, payment_id: uuid.UUID) -> None:
    """Send one SUBMITTED payment when the present transaction is committed.

    Whatever the queue answers then, the payment's row stands: the hourly certify sends it again.
    """
    transaction.on_commit(partial(_try_to_send, Payment, payment_id))


def send_refund_when_committed(*, refund_id: uuid.UUID) -> None:
    """Send one SUBMITTED refund when the present transaction is committed; as `send_when_committed`."""
    transaction.on_commit(partial(_try_to_send, Refund, refund_id))


def _try_to_send(model: type[Payment] | type[Refund], id_: uuid.UUID) -> None:
    """What it is about is committed, so that whatever goes wrong here, an error would be a lie to who asked for it."""
    what = str(model._meta.model_name)
    about = {"event": f"{what}.unsent", what: str(id_)}
    try:
        configured_queue().send([_message_about(model, id_)])
    except (QueueNotConfigured, UnableToSend) as error:
        logger.warning(str(error), extra=about)
    except Exception:
        logger.exception("a %s was not sent; the hourly certify sends it", what, extra=about)


def _message_about(model: type[Payment] | type[Refund], id_: uuid.UUID) -> AnyMessage:
    if model is Refund:
        return RefundsMessage(refunds=(id_,))
    run = Run.objects.filter(passed_at__isnull=False).latest("as_of", "id")
    return Message(run_id=run.id, as_of=run.as_of, payments=(id_,))


def send_refunds(*, queue: Queue, now: datetime.datetime, daily: bool = False) -> int:
    """Send the refunds that have been SUBMITTED for `REBILLING_RESEND_MINUTES`, and the UNKNOWN ones.

    They go on under their own keys. Left out are those that somebody is asking about now, and of the UNKNOWN ones those
    that need a person, but for the overdue ones once a day. Returns the number of messages. Raises `UnableToSend`.
    """
    submitted_before = now - datetime.timedelta(minutes=settings.REBILLING_RESEND_MINUTES)
    refunds = Refund.objects.filter(
        Q(status=Refund.Status.SUBMITTED, submitted_at__lt=submitted_before) | _asked_about(daily)
    )
    return queue.send(RefundsMessage(refunds=pack) for pack in _packs(refunds, now))


def _send_payments(payments: QuerySet[Payment], *, run: Run, queue: Queue, now: datetime.datetime) -> int:
    return queue.send(Message(run_id=run.id, as_of=run.as_of, payments=pack) for pack in _packs(payments, now))


def _packs(rows: QuerySet[Payment] | QuerySet[Refund], now: datetime.datetime) -> Iterator[tuple[uuid.UUID, ...]]:
    """The ids of the rows that nobody is asking about, in order, as many at a time as a message carries."""
    free = rows.filter(Q(leased_until__isnull=True) | Q(leased_until__lte=now))
    ids = free.order_by("id").values_list("id", flat=True).iterator(chunk_size=_CHUNK_ROWS)
    return iter(lambda: tuple(islice(ids, MOST_ITEMS)), ())


def _messages(*, run: Run, due_before: datetime.datetime | None) -> Iterator[Message]:
    pack: list[PeriodKey] = []
    for keys in _keys_by_account(run=run, due_before=due_before):
        if len(pack) + len(keys) > MOST_ITEMS:
            yield Message(run_id=run.id, as_of=run.as_of, rebillings=tuple(pack))
            pack = []
        pack += keys
    if pack:
        yield Message(run_id=run.id, as_of=run.as_of, rebillings=tuple(pack))


def _keys_by_account(*, run: Run, due_before: datetime.datetime | None) -> Iterator[list[PeriodKey]]:
    due = Rebilling.objects.filter(
        status=Rebilling.Status.DUE, period_start__lte=run.as_of, run__passed_at__isnull=False
    )
    if due_before is not None:
        due = due.filter(account__in=due.filter(due_since__lt=due_before).values("account"))
    rows = due.order_by("account_id", "period_start").values_list("account_id", "period_start")
    for _, group in groupby(rows.iterator(chunk_size=_CHUNK_ROWS), key=lambda row: row[0]):
        # Never more than a pack holds: a sweep parks an account with more than 36 due periods.
        yield [PeriodKey(*row) for row in group][:MOST_ITEMS]
