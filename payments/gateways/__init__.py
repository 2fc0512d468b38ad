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


class Gateway(Protocol):
    """A payment provider. Called from several threads at once, with no transaction open; never touches the database."""

    name: str

    def collect(self, request: PaymentRequest) -> Outcome:
        """Take the money, once for each `payment_id`, within `PAYMENT_GATEWAY_TIMEOUT_SECONDS`."""
        ...
