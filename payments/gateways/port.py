"""The gateway port: the requests that a payment provider gets, and what it may answer.

A request's `key` is its idempotency key: submitted twice under one key, it happens once. Providers may forget keys
after `KEY_KEPT`; from then on a request is looked up and never submitted again.
"""

import datetime
import uuid
from dataclasses import dataclass, field
from typing import Protocol, Self

from accounts.currencies import EXPONENTS, display
from payments.gateways.sessions import SessionGateway
from payments.gateways.texts import MAX_CODE_LENGTH, MAX_REFERENCE_LENGTH, unkeepable_text

KEY_KEPT = datetime.timedelta(hours=24)
"""How long a provider keeps an idempotency key at least (Stripe: https://docs.stripe.com/api/idempotent_requests)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRequest:
    """One attempt to collect `amount_minor`, in minor units of `currency`.

    `customer` and `payment_method` are the gateway's own references, opaque to us; `reference` is the gateway's id of
    the payment, once we know it. The gateway wasn't called for it before `submitted_at`. `customer_may_act`: the
    customer is there, and may still authenticate it, so that the lack of that is no decline yet.
    """

    payment_id: uuid.UUID
    amount_minor: int
    currency: str
    customer: str
    payment_method: str
    description: str
    submitted_at: datetime.datetime
    reference: str = ""
    customer_may_act: bool = False

    @property
    def key(self) -> uuid.UUID:
        return self.payment_id


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRequest:
    """Send back `amount_minor`, in minor units of `currency`, of the payment whose id at the gateway is
    `payment_reference`.

    The gateway wasn't called for it before `submitted_at`. `reference` is the gateway's id of the refund, once we know
    it.
    """

    refund_id: uuid.UUID
    payment_id: uuid.UUID
    payment_reference: str
    amount_minor: int
    currency: str
    reason: str
    submitted_at: datetime.datetime
    reference: str = ""

    @property
    def key(self) -> uuid.UUID:
        return self.refund_id


Request = PaymentRequest | RefundRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeded:
    """The money was moved. All is what the gateway has on record: its reference, the request's key, what was moved."""

    reference: str
    key: uuid.UUID
    amount_minor: int
    currency: str

    @classmethod
    def of(cls, request: Request, *, reference: str) -> Self:
        """The request was carried out as it was made."""
        return cls(reference=reference, key=request.key, amount_minor=request.amount_minor, currency=request.currency)


@dataclass(frozen=True, slots=True)
class Declined:
    """The gateway refused, for good: under this key no money will move. `hard`: a new attempt can't help either."""

    code: str
    hard: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody knows yet whether the money was moved. `reason` is for people.

    `needs_review`: another call would not help, as when the gateway moved another amount. `reference` is the gateway's
    id of the payment or refund, if it gave one. `client_secret`: it waits for the customer, whose browser authenticates
    the payment with it; never in a log.
    """

    reason: str
    needs_review: bool = False
    reference: str = ""
    client_secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class NotAttempted:
    """The gateway rejected the request, and certainly moved no money: a wrong API key, a rate limit, its servers down.

    Other requests would fare no better now, unless the reason concerns `this_request_only`: a customer that the API key
    doesn't reach, a parameter that the gateway doesn't know. `reason` is for people.

    `retry_after`: the gateway was called more often than it takes, and takes requests again after so long.
    """

    reason: str
    this_request_only: bool = False
    retry_after: datetime.timedelta | None = None


@dataclass(frozen=True, slots=True)
class NotFound:
    """The gateway has no record of the request's key."""


Answer = Succeeded | Declined | Unknown | NotAttempted
"""What a gateway may answer to a submission."""
Finding = Answer | NotFound
"""What it may answer to a look-up."""
Outcome = Succeeded | Declined | Unknown
"""What is recorded."""


MAX_SECRET_LENGTH = 200


def unkeepable(answer: object) -> str:
    """Why an answer of a gateway can't be kept, or an empty string."""
    if isinstance(answer, Succeeded):
        return unkeepable_text("reference", answer.reference, max_length=MAX_REFERENCE_LENGTH) or unkeepable_text(
            "currency", answer.currency, min_length=3, max_length=3
        )
    if isinstance(answer, Declined):
        return unkeepable_text("decline code", answer.code, max_length=MAX_CODE_LENGTH)
    if isinstance(answer, Unknown):
        return unkeepable_text(
            "reference", answer.reference, min_length=0, max_length=MAX_REFERENCE_LENGTH
        ) or unkeepable_text("client secret", answer.client_secret, min_length=0, max_length=MAX_SECRET_LENGTH)
    return "" if isinstance(answer, NotAttempted | NotFound) else f"the gateway answered with a {type(answer).__name__}"


def readable(reason: object) -> str:
    """A reason that people can read and the database can keep: characters that can't be printed are escaped."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in str(reason))


def contradiction(request: Request, answer: Succeeded) -> str:
    """How what the gateway moved differs from the request, or an empty string."""
    if answer.key != request.key:
        return f"the gateway answered for {answer.key}, which is another request"
    if (answer.amount_minor, answer.currency) != (request.amount_minor, request.currency):
        moved, asked = _money(answer.amount_minor, answer.currency), _money(request.amount_minor, request.currency)
        return f"the gateway moved {moved}; we asked for {asked}"
    return ""


def _money(amount_minor: int, currency: str) -> str:
    """As people read it. A gateway may name a currency that isn't one."""
    if currency not in EXPONENTS:
        return f"{amount_minor} minor units of {currency}"
    return display(amount_minor=amount_minor, currency=currency)


class Gateway(SessionGateway, Protocol):
    """A payment provider. Called from several threads at once, with no transaction open; never touches the database.

    Each call is over within `timeout_seconds`; if the provider hasn't answered by then, the answer is `Unknown`. Every
    call sends the request's own key.
    """

    name: str

    def submit(self, request: Request, *, timeout_seconds: float) -> Answer:
        """Collect a payment, or send a refund's money back: once for each key."""
        ...

    def look_up(self, request: Request, *, timeout_seconds: float) -> Finding:
        """What became of a request that may have been submitted before. Moves no money."""
        ...
