"""The gateway port: what is asked of a payment provider, and what it may answer.

A request's `key` is its idempotency key: what is asked twice under one key happens once. Providers may forget keys
after `KEY_KEPT`; from then on a request is looked up and never submitted again.
"""

import datetime
import uuid
from dataclasses import dataclass
from typing import Protocol, Self

KEY_KEPT = datetime.timedelta(hours=24)
"""How long a provider honours an idempotency key at least (Stripe: https://docs.stripe.com/api/idempotent_requests)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRequest:
    """One attempt to collect `amount_minor`, in minor units of `currency`.

    `customer` and `payment_method` are the gateway's own references, opaque to us; `reference` is the gateway's name
    for the payment, where it has told one. It was asked for first at `submitted_at`, or never before then.
    """

    payment_id: uuid.UUID
    amount_minor: int
    currency: str
    customer: str
    payment_method: str
    description: str
    submitted_at: datetime.datetime
    reference: str = ""

    @property
    def key(self) -> uuid.UUID:
        return self.payment_id


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRequest:
    """Send back `amount_minor`, minor units of `currency`, of the payment that the gateway calls `payment_reference`.

    It was asked for first at `submitted_at`, or never before then. `reference` is the gateway's name for the refund,
    where it has told one.
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
        """What was asked for happened as it was asked for."""
        return cls(reference=reference, key=request.key, amount_minor=request.amount_minor, currency=request.currency)


@dataclass(frozen=True, slots=True)
class Declined:
    """The gateway refused, for good: under this key no money will move. `hard`: a new attempt can't help either."""

    code: str
    hard: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody knows yet whether the money was moved. `reason` is for people.

    `needs_person`: asking again would not help, as when the gateway moved another amount. `reference` is the gateway's
    name for the request, where it told one.
    """

    reason: str
    needs_person: bool = False
    reference: str = ""


@dataclass(frozen=True, slots=True)
class NotAttempted:
    """The gateway didn't take the request, and surely moved no money: a wrong key, a rate limit, its servers down.

    Other requests would fare no better now, unless it is about this request `alone`: a customer that the key doesn't
    reach, a parameter that the gateway doesn't know. `reason` is for people.
    """

    reason: str
    alone: bool = False


@dataclass(frozen=True, slots=True)
class NotFound:
    """The gateway has no record of the request's key."""


Answer = Succeeded | Declined | Unknown | NotAttempted
"""What a gateway may answer when money is to be moved."""
Finding = Answer | NotFound
"""What it may answer when it is asked what became of that."""
Outcome = Succeeded | Declined | Unknown
"""What is written down."""


LONGEST_CODE = 100
LONGEST_REFERENCE = 200


def unkeepable(answer: object) -> str:
    """Why an answer of a gateway can't be kept, or an empty string."""
    if isinstance(answer, Succeeded):
        return _unkeepable_text(
            "reference", answer.reference, shortest=1, longest=LONGEST_REFERENCE
        ) or _unkeepable_text("currency", answer.currency, shortest=3, longest=3)
    if isinstance(answer, Declined):
        return _unkeepable_text("decline code", answer.code, shortest=1, longest=LONGEST_CODE)
    if isinstance(answer, Unknown):
        return _unkeepable_text("reference", answer.reference, shortest=0, longest=LONGEST_REFERENCE)
    return "" if isinstance(answer, NotAttempted | NotFound) else f"the gateway answered with a {type(answer).__name__}"


def _unkeepable_text(what: str, text: object, *, shortest: int, longest: int) -> str:
    if not isinstance(text, str):
        return f"the gateway's {what} is a {type(text).__name__}"
    if not shortest <= len(text) <= longest:
        return f"the gateway's {what} has {len(text)} characters, not {shortest} to {longest}"
    return "" if text.isprintable() else f"the gateway's {what} has characters that can't be printed"


def readable(reason: object) -> str:
    """A reason as people can read it and the database keeps it: what can't be printed is written out."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in str(reason))


def contradiction(request: Request, answer: Succeeded) -> str:
    """What the gateway moved that was not asked for, or an empty string."""
    if answer.key != request.key:
        return f"the gateway answered for {answer.key}, which is another request"
    if (answer.amount_minor, answer.currency) != (request.amount_minor, request.currency):
        asked = f"{request.amount_minor} {request.currency}"
        return f"the gateway moved {answer.amount_minor} {answer.currency} and was asked for {asked} (minor units)"
    return ""


class Gateway(Protocol):
    """A payment provider. Called from several threads at once, with no transaction open; never touches the database.

    Each call is over within `timeout_seconds`; what the provider hasn't answered by then is `Unknown`. No call makes a
    key of its own: the request's is sent, each time it is asked.
    """

    name: str

    def collect(self, request: PaymentRequest, *, timeout_seconds: float) -> Answer:
        """Take the money, once for each key."""
        ...

    def look_up(self, request: PaymentRequest, *, timeout_seconds: float) -> Finding:
        """What became of a payment that may have been asked for before. Moves nothing."""
        ...

    def refund(self, request: RefundRequest, *, timeout_seconds: float) -> Answer:
        """Send money back, once for each key."""
        ...

    def look_up_refund(self, request: RefundRequest, *, timeout_seconds: float) -> Finding:
        """What became of a refund that may have been asked for before. Moves nothing."""
        ...
