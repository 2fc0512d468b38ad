"""What the gateway is called with, for payments and refunds that are in flight."""

import uuid
from collections.abc import Collection

from django.db import connection

from accounts.array_literals import uuid_array
from accounts.sql_files import query
from payments.gateways.port import PaymentRequest, RefundRequest, Request
from payments.models import GatewayAttempt, Refund


def gateway_requests(*, model: type[GatewayAttempt], ids: Collection[uuid.UUID]) -> list[Request]:
    """The requests for these rows of the model, in one statement."""
    statement = query(__file__, "refund_requests") if model is Refund else query(__file__, "payment_requests")
    with connection.cursor() as cursor:
        cursor.execute(statement, {"ids": uuid_array(ids)})
        rows = cursor.fetchall()
    if model is Refund:
        return [
            RefundRequest(
                refund_id=id_,
                payment_id=payment_id,
                payment_reference=payment_reference,
                amount_minor=amount_minor,
                currency=currency,
                reason=reason,
                submitted_at=submitted_at,
                reference=reference,
            )
            for id_, payment_id, payment_reference, amount_minor, currency, reason, submitted_at, reference in rows
        ]
    return [
        PaymentRequest(
            payment_id=id_,
            amount_minor=amount_minor,
            currency=currency,
            customer=customer,
            payment_method=payment_method,
            description=description,
            submitted_at=submitted_at,
            reference=reference,
        )
        for id_, amount_minor, currency, customer, payment_method, description, submitted_at, reference in rows
    ]
