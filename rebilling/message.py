"""The message: one JSON object that carries a pack of periods, and payments to go on with. Strict in what it reads."""

import datetime
import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, Self

if TYPE_CHECKING:
    from rebilling.models import Rebilling

SCHEMA = "rebilling/1"
MOST_ITEMS = 500
"""Periods in a message, at most; and payments."""


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


def to_json(message: Message) -> str:
    """The message's body."""
    return json.dumps(
        {
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
        },
        separators=(",", ":"),
    )


def from_json(body: str) -> Message:
    """The message that a body holds. Raises `MalformedMessage`, which says what is wrong with it."""
    try:
        content = json.loads(body, object_pairs_hook=_object_without_twins)
    except (ValueError, RecursionError) as error:
        raise MalformedMessage(f"not JSON: {error}") from error
    # Another version's shape is its own: the version is told first.
    if isinstance(content, dict) and content.get("schema", SCHEMA) != SCHEMA:
        _malformed(f"schema is {content['schema']!r}; only {SCHEMA!r} is known")
    fields = _object(content, "the message", {"schema", "run_id", "as_of", "rebillings", "payments"})
    as_of = _date(fields["as_of"], "as_of")
    rebillings = tuple(
        _period_key(item, f"rebillings[{index}]", as_of)
        for index, item in enumerate(_list(fields["rebillings"], "rebillings"))
    )
    payments = tuple(
        _uuid(item, f"payments[{index}]") for index, item in enumerate(_list(fields["payments"], "payments"))
    )
    if not rebillings and not payments:
        _malformed("it carries neither rebillings nor payments")
    for name, items in (("rebillings", rebillings), ("payments", payments)):
        if len(set(items)) != len(items):
            _malformed(f"{name} names one twice")
    return Message(run_id=_uuid(fields["run_id"], "run_id"), as_of=as_of, rebillings=rebillings, payments=payments)


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
