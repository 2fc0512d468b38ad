"""The message that carries a batch of billing periods to charge, and the reading of every kind of message."""

import datetime
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from payments.messages.format import malformed, object_in, read_date, read_items, read_object, read_uuid
from payments.messages.rows import MESSAGES, AnyRowsMessage


class PeriodItem(NamedTuple):
    """One period to charge: its rebilling, and the account and the first day that this is the claim on."""

    rebilling_id: uuid.UUID
    account_id: uuid.UUID
    period_start: datetime.date

    @property
    def idempotency_key(self) -> str:
        return f"rebill:{self.rebilling_id}"

    def __str__(self) -> str:
        return f"{self.account_id} from {self.period_start}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodsMessage:
    """A batch: the periods to charge, in order for each account; at most 500. The run and `as_of`, its date, are for
    people, who look at dead letters by them.

    `faults` says of a message that was read which of its items make no sense; they are left out of it.
    """

    SCHEMA: ClassVar = "rebilling/1"

    run_id: uuid.UUID
    as_of: datetime.date
    periods: tuple[PeriodItem, ...]
    faults: tuple[str, ...] = ()

    def content(self) -> dict[str, Any]:
        return {
            "schema": self.SCHEMA,
            "run_id": str(self.run_id),
            "as_of": self.as_of.isoformat(),
            "periods": [
                {
                    "account_id": str(item.account_id),
                    "period_start": item.period_start.isoformat(),
                    "idempotency_key": item.idempotency_key,
                }
                for item in self.periods
            ],
        }


AnyMessage = PeriodsMessage | AnyRowsMessage

_READERS: dict[str, Callable[[object], AnyRowsMessage]] = {kind.schema(): kind.read for kind in MESSAGES}


def from_json(body: str) -> AnyMessage:
    """The message that a body holds. Raises `MalformedMessage`, which says what is wrong with it.

    An item that makes no sense fails alone: the others are read. It is the message that fails when none does.
    """
    content = object_in(body)
    # Another version's shape is its own: the version comes first.
    schema = content.get("schema", PeriodsMessage.SCHEMA) if isinstance(content, dict) else PeriodsMessage.SCHEMA
    if schema == PeriodsMessage.SCHEMA:
        return _read_periods(content)
    if not isinstance(schema, str) or schema not in _READERS:
        known = ", ".join(map(repr, (PeriodsMessage.SCHEMA, *_READERS)))
        malformed(f"schema is {schema!r}; known are {known}")
    return _READERS[schema](content)


def _read_periods(content: object) -> PeriodsMessage:
    fields = read_object(content, "the message", {"schema", "run_id", "as_of", "periods"})
    run_id, as_of = read_uuid(fields["run_id"], "run_id"), read_date(fields["as_of"], "as_of")
    periods, faults = read_items(fields["periods"], "periods", _period)
    if not periods:
        malformed(faults[0] if faults else "it carries no periods")
    return PeriodsMessage(run_id=run_id, as_of=as_of, periods=periods, faults=faults)


def _period(value: object, where: str) -> PeriodItem:
    fields = read_object(value, where, {"account_id", "period_start", "idempotency_key"})
    key = fields["idempotency_key"]
    prefix, _, rebilling_id = key.partition(":") if isinstance(key, str) else ("", "", "")
    if prefix != "rebill":
        malformed(f"{where}: the idempotency key {key!r} is not `rebill:` and a rebilling's id")
    return PeriodItem(
        rebilling_id=read_uuid(rebilling_id, f"{where}.idempotency_key"),
        account_id=read_uuid(fields["account_id"], f"{where}.account_id"),
        period_start=read_date(fields["period_start"], f"{where}.period_start"),
    )
