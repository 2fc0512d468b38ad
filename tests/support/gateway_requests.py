"""Requests to a gateway, each of them whole."""

import datetime
import uuid
from typing import Any

from payments.gateways.port import PaymentRequest, RefundRequest

NOW = datetime.datetime(2026, 11, 22, 12, tzinfo=datetime.UTC)


def a_payment(**given: Any) -> PaymentRequest:
    """Each has its own customer."""
    id_ = given.pop("payment_id", None) or uuid.uuid4()
    usual: dict[str, Any] = {
        "amount_minor": 1999,
        "currency": "USD",
        "customer": f"cus_{id_.hex}",
        "payment_method": "pm_card",
        "description": "Basic, 2026-11-22 to 2026-12-22",
        "submitted_at": NOW,
    }
    return PaymentRequest(payment_id=id_, **(usual | given))


def a_refund(payment: PaymentRequest, reference: str, **given: Any) -> RefundRequest:
    usual: dict[str, Any] = {
        "refund_id": uuid.uuid4(),
        "amount_minor": 500,
        "currency": payment.currency,
        "reason": "A day without service",
        "submitted_at": NOW,
    }
    return RefundRequest(payment_id=payment.payment_id, payment_reference=reference, **(usual | given))
