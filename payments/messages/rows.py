"""The messages that name rows by their ids: payments and refunds to submit or to look up, payment method sessions to
open or to look up. At most 500 in each.
"""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from payments.messages.format import malformed, read_items, read_object, read_uuid
from payments.models import GatewayAttempt, Payment, PaymentMethodSession, Refund

AnyModel = type[GatewayAttempt] | type[PaymentMethodSession]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsMessage:
    """Rows of one model. `faults` says of a message that was read which of its items make no sense."""

    MODEL: ClassVar[AnyModel]
    WHAT: ClassVar[str]
    """The name under which the ids stand, and, with a version, the message's schema."""

    ids: tuple[uuid.UUID, ...]
    faults: tuple[str, ...] = ()

    @classmethod
    def schema(cls) -> str:
        return f"{cls.WHAT}/1"

    @classmethod
    def read(cls, content: object) -> Self:
        """Raises `MalformedMessage`. An item that makes no sense fails alone; the message fails when none does."""
        fields = read_object(content, "the message", {"schema", cls.WHAT})
        ids, faults = read_items(fields[cls.WHAT], cls.WHAT, read_uuid)
        if not ids:
            malformed(faults[0] if faults else f"it carries no {cls.WHAT}")
        return cls(ids=ids, faults=faults)

    def content(self) -> dict[str, Any]:
        return {"schema": self.schema(), self.WHAT: [str(id_) for id_ in self.ids]}


class PaymentsMessage(RowsMessage):
    """Payments to collect."""

    __slots__ = ()
    MODEL = Payment
    WHAT = "payments"


class RefundsMessage(RowsMessage):
    """Refunds to send."""

    __slots__ = ()
    MODEL = Refund
    WHAT = "refunds"


class SessionsMessage(RowsMessage):
    """Payment method sessions to open."""

    __slots__ = ()
    MODEL = PaymentMethodSession
    WHAT = "sessions"


AnyRowsMessage = PaymentsMessage | RefundsMessage | SessionsMessage

MESSAGES: tuple[type[AnyRowsMessage], ...] = (PaymentsMessage, RefundsMessage, SessionsMessage)


def message_of(model: AnyModel, ids: Collection[uuid.UUID]) -> AnyRowsMessage:
    """The message that carries these rows of the model."""
    (kind,) = (kind for kind in MESSAGES if kind.MODEL is model)
    return kind(ids=tuple(ids))
