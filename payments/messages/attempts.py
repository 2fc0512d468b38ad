"""The messages about payments and refunds: those to submit, or to look up. At most 500 in each."""

import uuid
from dataclasses import dataclass
from typing import Any, ClassVar

from payments.messages.strict import malformed, read_items, read_object, read_uuid


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentsMessage:
    """Payments to collect. `faults` says of a message that was read which of its items make no sense."""

    SCHEMA: ClassVar = "payments/1"

    payments: tuple[uuid.UUID, ...]
    faults: tuple[str, ...] = ()

    def content(self) -> dict[str, Any]:
        return {"schema": self.SCHEMA, "payments": [str(payment) for payment in self.payments]}


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundsMessage:
    """Refunds to send. `faults` as a `PaymentsMessage`'s."""

    SCHEMA: ClassVar = "refunds/1"

    refunds: tuple[uuid.UUID, ...]
    faults: tuple[str, ...] = ()

    def content(self) -> dict[str, Any]:
        return {"schema": self.SCHEMA, "refunds": [str(refund) for refund in self.refunds]}


def read_payments(content: object) -> PaymentsMessage:
    """Raises `MalformedMessage`. An item that makes no sense fails alone; the message fails when none does."""
    payments, faults = read_ids(content, "payments")
    return PaymentsMessage(payments=payments, faults=faults)


def read_refunds(content: object) -> RefundsMessage:
    """As `read_payments`."""
    refunds, faults = read_ids(content, "refunds")
    return RefundsMessage(refunds=refunds, faults=faults)


def read_ids(content: object, what: str) -> tuple[tuple[uuid.UUID, ...], tuple[str, ...]]:
    """The ids that a message carries under the name of `what` they are of, and its faults; as `read_payments`."""
    fields = read_object(content, "the message", {"schema", what})
    ids, faults = read_items(fields[what], what, read_uuid)
    if not ids:
        malformed(faults[0] if faults else f"it carries no {what}")
    return ids, faults
