"""Sending money back: the gateway is asked for refunds, concurrently, with no transaction open.

As collecting is: each under its own key, submitted again while that key is surely remembered, looked up from then on.
"""

import datetime
import uuid
from collections.abc import Callable, Collection

from payments.collection import Ask, Collected
from payments.gateways import Gateway, RefundRequest
from payments.models import Refund


def send_back(
    *,
    refund_ids: Collection[uuid.UUID],
    gateway: Gateway,
    seconds_left: Callable[[], float],
    now: datetime.datetime,
) -> Collected:
    """Ask the gateway for each refund among `refund_ids` whose outcome is open and that nobody else is asking for.

    As `payments.collection.collect`.
    """
    ask: Ask[RefundRequest] = Ask(
        submit=lambda request, seconds: gateway.refund(request, timeout_seconds=seconds),
        look_up=lambda request, seconds: gateway.look_up_refund(request, timeout_seconds=seconds),
        requests=_requests,
    )
    return ask.about(model=Refund, ids=refund_ids, gateway=gateway.name, seconds_left=seconds_left, now=now)


def _requests(refund_ids: Collection[uuid.UUID]) -> list[RefundRequest]:
    refunds = Refund.objects.filter(id__in=refund_ids).select_related("payment").order_by("id")
    return [
        RefundRequest(
            refund_id=refund.id,
            payment_id=refund.payment_id,
            payment_reference=refund.payment.gateway_reference,
            amount_minor=refund.amount_minor,
            currency=refund.currency,
            reason=refund.reason,
            submitted_at=refund.submitted_at,
            reference=refund.gateway_reference,
        )
        for refund in refunds
    ]
