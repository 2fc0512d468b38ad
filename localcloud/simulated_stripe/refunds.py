"""Refunds of payment intents: created, retrieved, listed by intent."""

import datetime
import itertools
import uuid
from typing import Any

from localcloud.simulated_stripe.faults import Fault, Kind
from localcloud.simulated_stripe.intents import Intent, Intents
from localcloud.simulated_stripe.records import Movement
from localcloud.simulated_stripe.wire import Answer, Call, answered, ensure_known, invalid, missing, page, whole_number


class Refunds:
    """Not safe for several threads: the provider holds the lock."""

    def __init__(self, *, intents: Intents) -> None:
        self._intents = intents
        self._by_id: dict[str, dict[str, Any]] = {}
        self._processing: dict[str, tuple[datetime.datetime, str]] = {}
        self._numbers = itertools.count(1)

    def create(self, call: Call, fault: Fault | None, now: datetime.datetime) -> Answer:
        ensure_known(call.params, {"payment_intent", "amount", "metadata"})
        intent = self._intents.find(call.params.get("payment_intent", ""), now)
        amount = whole_number(call.params, "amount")
        left = intent["amount_received"] - self._reserved(intent)
        if amount > left:
            code = "amount_too_large" if left else "charge_already_refunded"
            raise invalid(f"Refund amount is greater than the unrefunded amount ({left})", code=code, param="amount")
        refund = self._new(intent, amount, call.params.get("metadata", {}), now)
        kind = fault.kind if fault else None
        if kind == Kind.ANOTHER_KEY:
            refund["metadata"] = {**refund["metadata"], "refund": str(uuid.uuid4())}
        if fault and kind == Kind.DECLINE:
            refund |= {"status": "failed", "failure_reason": fault.code or "declined"}
        elif fault and kind == Kind.PROCESSING:
            refund["status"] = "pending"
            self._processing[refund["id"]] = (now + datetime.timedelta(seconds=fault.seconds or 0), fault.code)
        elif kind == Kind.REQUIRES_ACTION:
            refund["status"] = "requires_action"
        else:
            self._succeed(refund, now, more=1 if kind == Kind.ANOTHER_AMOUNT else 0)
        return answered(refund)

    def list(self, call: Call, now: datetime.datetime) -> Answer:
        ensure_known(call.params, {"payment_intent", "limit", "starting_after"})
        intent = call.params.get("payment_intent", "")
        if intent:
            self._intents.find(intent, now)
        found = [self._find(id_, now) for id_ in reversed(self._by_id)]
        return page(
            [refund for refund in found if not intent or refund["payment_intent"] == intent],
            call.params,
            url="/v1/refunds",
        )

    def end_processing(self, now: datetime.datetime) -> None:
        for id_ in list(self._processing):
            self._find(id_, now)

    def _find(self, id_: str, now: datetime.datetime) -> dict[str, Any]:
        refund = self._by_id.get(id_)
        if refund is None:
            raise missing(f"refund: '{id_}'", param="id", status=404)
        ends_at, code = self._processing.get(id_, (None, ""))
        if ends_at and ends_at <= now:
            del self._processing[id_]
            if code:
                refund |= {"status": "failed", "failure_reason": code}
            else:
                self._succeed(refund, ends_at)
        return refund

    def _reserved(self, intent: Intent) -> int:
        of = (refund for refund in self._by_id.values() if refund["payment_intent"] == intent["id"])
        return sum(refund["amount"] for refund in of if refund["status"] not in {"failed", "canceled"})

    def _new(self, intent: Intent, amount: int, metadata: dict[str, str], now: datetime.datetime) -> dict[str, Any]:
        refund = {
            "id": f"re_{next(self._numbers):08}{uuid.uuid4().hex[:16]}",
            "object": "refund",
            "amount": amount,
            "currency": intent["currency"],
            "payment_intent": intent["id"],
            "metadata": metadata,
            "status": "pending",
            "created": int(now.timestamp()),
        }
        self._by_id[refund["id"]] = refund
        return refund

    def _succeed(self, refund: dict[str, Any], at: datetime.datetime, *, more: int = 0) -> None:
        refund |= {"status": "succeeded", "amount": refund["amount"] + more}
        intent = self._intents.find(refund["payment_intent"], at)
        self._intents.records.send_back(
            Movement(
                owner=refund["metadata"].get("refund", ""),
                reference=refund["id"],
                intent=intent["id"],
                amount=refund["amount"],
                currency=refund["currency"].upper(),
                customer=intent["customer"],
                at=at,
            )
        )
