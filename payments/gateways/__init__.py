"""The gateway port: what collecting asks of a payment provider, and what it may answer."""

import uuid
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRequest:
    """One attempt to collect. `payment_id` is its idempotency key; `amount_minor` is in minor units of `currency`.

    `customer` and `payment_method` are the gateway's own references, opaque to us.
    """

    payment_id: uuid.UUID
    amount_minor: int
    currency: str
    customer: str
    payment_method: str
    description: str


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The money was taken; `reference` is the gateway's name for it."""

    reference: str


@dataclass(frozen=True, slots=True)
class Declined:
    """The gateway refused. `hard`: trying again can't help."""

    code: str
    hard: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody knows whether the money was taken. `reason` is for people."""

    reason: str


Outcome = Succeeded | Declined | Unknown


LONGEST_CODE = 100
LONGEST_REFERENCE = 200


def unkeepable(outcome: object) -> str:
    """Why an answer of a gateway can't be kept, or an empty string."""
    if isinstance(outcome, Succeeded):
        return _unkeepable_text("reference", outcome.reference, shortest=0, longest=LONGEST_REFERENCE)
    if isinstance(outcome, Declined):
        return _unkeepable_text("decline code", outcome.code, shortest=1, longest=LONGEST_CODE)
    return "" if isinstance(outcome, Unknown) else f"the gateway answered with a {type(outcome).__name__}"


def _unkeepable_text(what: str, text: object, *, shortest: int, longest: int) -> str:
    if not isinstance(text, str):
        return f"the gateway's {what} is a {type(text).__name__}"
    if not shortest <= len(text) <= longest:
        return f"the gateway's {what} has {len(text)} characters, not {shortest} to {longest}"
    return "" if text.isprintable() else f"the gateway's {what} has characters that can't be printed"


class Gateway(Protocol):
    """A payment provider. Called from several threads at once, with no transaction open; never touches the database."""

    name: str

    def collect(self, request: PaymentRequest) -> Outcome:
        """Take the money, once for each `payment_id`, within `PAYMENT_GATEWAY_TIMEOUT_SECONDS`."""
        ...
