"""Deliveries of payments to the worker, and outcomes recorded past it."""

import datetime
import uuid

from payments.gateways.port import Gateway, Outcome
from payments.messages.format import to_json
from payments.messages.rows import PaymentsMessage
from payments.models import Payment
from payments.outcome_bisection import Recorded
from payments.payment_outcomes import RecordedPayment, record_payment_outcomes
from tests.builders import NOW, TODAY, QueueInHand, at, delivered


def collected(*payment_ids: uuid.UUID, gateway: Gateway | None = None, day: datetime.date = TODAY) -> list[uuid.UUID]:
    """Have the worker collect them, and whatever is submitted because of them; all that was collected, in order."""
    queue, found = QueueInHand(), list(payment_ids)
    bodies = [to_json(PaymentsMessage(ids=payment_ids))]
    while bodies:
        assert delivered(bodies=bodies, today=day, gateway=gateway, queue=queue, now=at(day)) == []
        found += queue.payments
        bodies = queue.take()
    return found


def recorded(outcome: Outcome, *payments: Payment, day: datetime.date = TODAY) -> Recorded[RecordedPayment]:
    """The same outcome for each of the payments."""
    outcomes = {payment.id: outcome for payment in payments}
    return record_payment_outcomes(outcomes=outcomes, today=day, now=NOW)
