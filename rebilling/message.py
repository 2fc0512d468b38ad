"""The messages: one JSON object each. Strict in what is read.

One kind carries a pack of periods, and payments to go on with; the other carries refunds.
"""

import datetime
import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, Self

if TYPE_CHECKING:
    from rebilling.models import Rebilling

SCHEMA = "rebilling/1"
REFUNDS_SCHEMA = "refunds/1"
MOST_ITEMS = 500
"""Periods in a message, at most; and payments; and refunds."""


class MalformedMessage(ValueError):
    """The message isn't one of ours, or its version is unknown. Nothing was charged; it belongs in the DLQ."""


@dataclass(frozen=True, slots=True, order=True)
class PeriodKey:
    """Names one account's period. `str()` is its idempotency key."""

    account_id: uuid.UUID
    period_start: datetime.date

    @classmethod
    def of(cls, rebilling: "Rebilling") -> Self:
        return cls(account_id=rebilling.account_id, period_start=rebilling.period_start)

    def __str__(self) -> str:
        return f"rebill:{self.account_id}:{self.period_start.isoformat()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A pack: the periods to charge, in order for each account, and payments to collect. At most 500 of each."""

    run_id: uuid.UUID
    as_of: datetime.date
    rebillings: tuple[PeriodKey, ...] = ()
    payments: tuple[uuid.UUID, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundsMessage:
    """Refunds to send, or to ask about. At most 500."""

    refunds: tuple[uuid.UUID, ...]


AnyMessage = Message | RefundsMessage


def to_json(message: AnyMessage) -> str:
    """The message's body."""
    return json.dumps(_content(message), separators=(",", ":"))


def _content(message: AnyMessage) -> dict[str, Any]:
    if isinstance(message, RefundsMessage):
        return {"schema": REFUNDS_SCHEMA, "refunds": [str(refund) for refund in message.refunds]}
    return {
        "schema": SCHEMA,
        "run_id": str(message.run_id),
        "as_of": message.as_of.isoformat(),
        "rebillings": [
            {
                "account_id": str(key.account_id),
                "period_start": key.period_start.isoformat(),
                "idempotency_key": str(key),
            }
            for key in message.rebillings
        ],
        "payments": [str(payment) for payment in message.payments],
    }


def from_json(body: str) -> AnyMessage:
    """The message that a body holds. Raises `MalformedMessage`, which says what is wrong with it."""
    try:
        content = json.loads(body, object_pairs_hook=_object_without_twins)
    except (ValueError, RecursionError) as error:
        raise MalformedMessage(f"not JSON: {error}") from error
    # Another version's shape is its own: the version is told first.
    schema = content.get("schema", SCHEMA) if isinstance(content, dict) else SCHEMA
    if schema == SCHEMA:
        return _message(content)
    if schema != REFUNDS_SCHEMA:
        _malformed(f"schema is {schema!r}; only {SCHEMA!r} and {REFUNDS_SCHEMA!r} are known")
    return _refunds_message(content)


def _message(content: object) -> Message:
    fields = _object(content, "the message", {"schema", "run_id", "as_of", "rebillings", "payments"})
    as_of = _date(fields["as_of"], "as_of")
    rebillings = tuple(
        _period_key(item, f"rebillings[{index}]", as_of)
        for index, item in enumerate(_list(fields["rebillings"], "rebillings"))
    )
    payments = _ids(fields["payments"], "payments")
    if not rebillings and not payments:
        _malformed("it carries neither rebillings nor payments")
    if len(set(rebillings)) != len(rebillings):
        _malformed("rebillings names one twice")
    return Message(run_id=_uuid(fields["run_id"], "run_id"), as_of=as_of, rebillings=rebillings, payments=payments)


def _refunds_message(content: object) -> RefundsMessage:
    fields = _object(content, "the message", {"schema", "refunds"})
    refunds = _ids(fields["refunds"], "refunds")
    if not refunds:
        _malformed("it carries no refunds")
    return RefundsMessage(refunds=refunds)


def _ids(value: object, where: str) -> tuple[uuid.UUID, ...]:
    """The ids of a list that names none twice."""
    ids = tuple(_uuid(item, f"{where}[{index}]") for index, item in enumerate(_list(value, where)))
    if len(set(ids)) != len(ids):
        _malformed(f"{where} names one twice")
    return ids


def _malformed(what: str) -> NoReturn:
    raise MalformedMessage(what)


def _object_without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        _malformed("an object has a field twice")
    return fields


def _object(value: object, where: str, fields: set[str]) -> dict[str, Any]:
    """The object, which has just these fields."""
    if not isinstance(value, dict):
        _malformed(f"{where} is not an object")
    if value.keys() != fields:
        missing, unknown = sorted(fields - value.keys()), sorted(value.keys() - fields)
        _malformed(f"{where}: missing fields {missing}, unknown fields {unknown}")
    return value


def _list(value: object, where: str) -> list[Any]:
    if not isinstance(value, list):
        _malformed(f"{where} is not a list")
    if len(value) > MOST_ITEMS:
        _malformed(f"{where} has {len(value)} items, more than {MOST_ITEMS}")
    return value


def _period_key(value: object, where: str, as_of: datetime.date) -> PeriodKey:
    fields = _object(value, where, {"account_id", "period_start", "idempotency_key"})
    key = PeriodKey(
        account_id=_uuid(fields["account_id"], f"{where}.account_id"),
        period_start=_date(fields["period_start"], f"{where}.period_start"),
    )
    if fields["idempotency_key"] != str(key):
        _malformed(f"{where}: the idempotency key {fields['idempotency_key']!r} is not that of its account and period")
    if key.period_start > as_of:
        _malformed(f"{where}: the period starts after as_of")
    return key


def _uuid(value: object, where: str) -> uuid.UUID:
    try:
        parsed = uuid.UUID(value) if isinstance(value, str) else None
    except ValueError:
        parsed = None
    if parsed is None or str(parsed) != value:
        _malformed(f"{where} is not a UUID in its usual form: {value!r}")
    return parsed


def _date(value: object, where: str) -> datetime.date:
    try:
        parsed = datetime.date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        parsed = None
    if parsed is None or parsed.isoformat() != value:
        _malformed(f"{where} is not a date, YYYY-MM-DD: {value!r}")
    return parsed
