"""The messages: one JSON object each, read strictly.

One kind carries a batch of periods and payments to collect, the other carries refunds.
"""

import datetime
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar

if TYPE_CHECKING:
    from rebilling.models import Rebilling

T = TypeVar("T")

SCHEMA = "rebilling/1"
REFUNDS_SCHEMA = "refunds/1"
MAX_ITEMS = 500
"""Periods in a message, at most; and payments; and refunds."""


class MalformedMessage(ValueError):
    """The message has another shape, or an unknown version. Nothing was charged; it belongs in the DLQ."""


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
    """A batch: the periods to charge, in order for each account, and payments to collect. At most 500 of each.

    `faults` lists what is wrong with items that couldn't be read; those items are left out.
    """

    run_id: uuid.UUID
    as_of: datetime.date
    rebillings: tuple[PeriodKey, ...] = ()
    payments: tuple[uuid.UUID, ...] = ()
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundsMessage:
    """Refunds to send or to look up. At most 500. `faults` as in `Message`."""

    refunds: tuple[uuid.UUID, ...]
    faults: tuple[str, ...] = ()


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
    """The message in a body. Raises `MalformedMessage`, which says what is wrong with it.

    A bad item fails alone, and the others are read. If all of them are bad, the message fails.
    """
    try:
        content = json.loads(body, object_pairs_hook=_object_without_twins)
    except (ValueError, RecursionError) as error:
        raise MalformedMessage(f"not JSON: {error}") from error
    # The version is checked first: another version may have another shape.
    schema = content.get("schema", SCHEMA) if isinstance(content, dict) else SCHEMA
    if schema == SCHEMA:
        return _message(content)
    if schema != REFUNDS_SCHEMA:
        _malformed(f"schema is {schema!r}; only {SCHEMA!r} and {REFUNDS_SCHEMA!r} are known")
    return _refunds_message(content)


def _message(content: object) -> Message:
    fields = _object(content, "the message", {"schema", "run_id", "as_of", "rebillings", "payments"})
    run_id, as_of = _uuid(fields["run_id"], "run_id"), _date(fields["as_of"], "as_of")
    rebillings, bad_periods = _items(fields["rebillings"], "rebillings", _period_key)
    payments, bad_payments = _items(fields["payments"], "payments", _uuid)
    faults = bad_periods + bad_payments
    if not rebillings and not payments:
        _malformed(faults[0] if faults else "it carries neither rebillings nor payments")
    return Message(run_id=run_id, as_of=as_of, rebillings=rebillings, payments=payments, faults=faults)


def _refunds_message(content: object) -> RefundsMessage:
    fields = _object(content, "the message", {"schema", "refunds"})
    refunds, faults = _items(fields["refunds"], "refunds", _uuid)
    if not refunds:
        _malformed(faults[0] if faults else "it carries no refunds")
    return RefundsMessage(refunds=refunds, faults=faults)


def _items(value: object, where: str, read: Callable[[object, str], T]) -> tuple[tuple[T, ...], tuple[str, ...]]:
    """The good items of a list, each once, and what is wrong with the others."""
    items: dict[T, None] = {}
    faults = []
    for index, item in enumerate(_list(value, where)):
        try:
            found = read(item, f"{where}[{index}]")
        except MalformedMessage as fault:
            faults.append(str(fault))
            continue
        if found in items:
            faults.append(f"{where}[{index}] names {found} twice")
        items[found] = None
    return tuple(items), tuple(faults)


def _malformed(what: str) -> NoReturn:
    raise MalformedMessage(what)


def _object_without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        _malformed("an object has a field twice")
    return fields


def _object(value: object, where: str, fields: set[str]) -> dict[str, Any]:
    """The object, which has exactly these fields."""
    if not isinstance(value, dict):
        _malformed(f"{where} is not an object")
    if value.keys() != fields:
        missing, unknown = sorted(fields - value.keys()), sorted(value.keys() - fields)
        _malformed(f"{where}: missing fields {missing}, unknown fields {unknown}")
    return value


def _list(value: object, where: str) -> list[Any]:
    if not isinstance(value, list):
        _malformed(f"{where} is not a list")
    if len(value) > MAX_ITEMS:
        _malformed(f"{where} has {len(value)} items, more than {MAX_ITEMS}")
    return value


def _period_key(value: object, where: str) -> PeriodKey:
    fields = _object(value, where, {"account_id", "period_start", "idempotency_key"})
    key = PeriodKey(
        account_id=_uuid(fields["account_id"], f"{where}.account_id"),
        period_start=_date(fields["period_start"], f"{where}.period_start"),
    )
    if fields["idempotency_key"] != str(key):
        _malformed(f"{where}: the idempotency key {fields['idempotency_key']!r} is not that of its account and period")
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
