"""Payment intents: created and confirmed in one call, retrieved, listed, canceled; authenticated by the customer."""

import datetime
import itertools
import uuid
from typing import Any

from localcloud.simulated_stripe.faults import Fault, Kind
from localcloud.simulated_stripe.minimums import ensure_large_enough
from localcloud.simulated_stripe.records import Movement, Records
from localcloud.simulated_stripe.wire import (
    Answer,
    Call,
    ErrorAnswer,
    answered,
    ensure_known,
    invalid,
    missing,
    page,
    whole_number,
)

MISSING = "missing"
"""A customer or payment method whose id ends like this (`cus_missing`) doesn't exist."""
DECLINED = "pm_declined_"
"""A payment method whose id begins like this is declined for the rest of it: `pm_declined_insufficient_funds`."""

_PARAMETERS = {
    *("amount", "currency", "customer", "payment_method", "confirm", "off_session", "description", "metadata"),
    "automatic_payment_methods",
}
_CANCELLABLE = {"requires_payment_method", "requires_action", "requires_confirmation", "requires_capture"}
_CODES_OF_THEIR_OWN = {"expired_card", "incorrect_cvc", "incorrect_number", "processing_error"}
"""Declines that Stripe gives as `code`; all others are `card_declined` with a `decline_code`."""

Intent = dict[str, Any]


class Intents:
    """Not safe for several threads: the provider holds the lock."""

    def __init__(self, *, records: Records) -> None:
        self.records = records
        self._by_id: dict[str, Intent] = {}
        self._by_customer: dict[str, list[Intent]] = {}
        self._processing: dict[str, tuple[datetime.datetime, str]] = {}
        self._numbers = itertools.count(1)

    def create(self, call: Call, fault: Fault | None, now: datetime.datetime) -> Answer:
        intent = self._new(call.params, now)
        kind = fault.kind if fault else None
        if kind == Kind.ANOTHER_KEY:
            intent["metadata"] = {**intent["metadata"], "payment": str(uuid.uuid4())}
        declined = intent["payment_method"].removeprefix(DECLINED)
        code = declined if declined != intent["payment_method"] else ""
        if fault and kind == Kind.DECLINE:
            code = fault.code or "generic_decline"
        if code:
            return self._decline(intent, code)
        if fault and kind == Kind.PROCESSING:
            intent["status"] = "processing"
            after = datetime.timedelta(seconds=fault.seconds or 0)
            self._processing[intent["id"]] = (now + after, fault.code)
        elif kind == Kind.REQUIRES_ACTION:
            intent["status"] = "requires_action"
        else:
            self._succeed(intent, now, more=1 if kind == Kind.ANOTHER_AMOUNT else 0)
        return answered(intent)

    def retrieve(self, call: Call, now: datetime.datetime) -> Answer:
        return answered(self.find(call.id, now))

    def cancel(self, call: Call, now: datetime.datetime) -> Answer:
        intent = self.find(call.id, now)
        if intent["status"] not in _CANCELLABLE:
            raise invalid(
                f"This PaymentIntent can't be canceled: its status is {intent['status']}",
                code="payment_intent_unexpected_state",
                payment_intent=intent,
            )
        intent |= {"status": "canceled", "canceled_at": int(now.timestamp())}
        return answered(intent)

    def confirm(self, call: Call, now: datetime.datetime) -> Answer:
        """The customer authenticates it, as their browser does with the client secret."""
        ensure_known(call.params, {"client_secret"})
        intent = self.find(call.id, now)
        if call.params.get("client_secret") != intent["client_secret"]:
            raise missing(f"payment_intent: '{call.id}'", param="intent", status=404)
        if intent["status"] not in {"requires_action", "requires_payment_method"}:
            raise invalid(
                f"This PaymentIntent can't be confirmed: its status is {intent['status']}",
                code="payment_intent_unexpected_state",
                payment_intent=intent,
            )
        intent["last_payment_error"] = None
        self._succeed(intent, now)
        return answered(intent)

    def list(self, call: Call, now: datetime.datetime) -> Answer:
        ensure_known(call.params, {"customer", "created", "limit", "starting_after"})
        customer = call.params.get("customer", "")
        if customer.endswith(MISSING):
            raise missing(f"customer: '{customer}'", param="customer")
        since = whole_number(call.params.get("created", {}), "gte", minimum=0) if "created" in call.params else 0
        of = self._by_customer.get(customer, []) if customer else list(self._by_id.values())
        found = [self.find(intent["id"], now) for intent in reversed(of) if intent["created"] >= since]
        return page(found, call.params, url="/v1/payment_intents")

    def find(self, id_: str, now: datetime.datetime) -> Intent:
        """The intent as it is by now. Raises ErrorAnswer."""
        intent = self._by_id.get(id_)
        if intent is None:
            raise missing(f"payment_intent: '{id_}'", param="intent", status=404)
        ends_at, code = self._processing.get(id_, (None, ""))
        if ends_at and ends_at <= now:
            del self._processing[id_]
            if code:
                self._fail(intent, code)
            else:
                self._succeed(intent, ends_at)
        return intent

    def end_processing(self, now: datetime.datetime) -> None:
        """Processing ends by the clock, also when nobody retrieves the intent."""
        for id_ in list(self._processing):
            self.find(id_, now)

    def _new(self, params: dict[str, Any], now: datetime.datetime) -> Intent:
        ensure_known(params, _PARAMETERS)
        amount = whole_number(params, "amount")
        currency = params.get("currency", "")
        if len(currency) != 3 or currency != currency.lower():
            raise invalid(f"Invalid currency: {currency}", param="currency")
        ensure_large_enough(amount=amount, currency=currency)
        for param in ("customer", "payment_method"):
            id_ = params.get(param, "")
            if not id_ or id_.endswith(MISSING):
                raise missing(f"{param}: '{id_}'", param=param)
        if (params.get("confirm"), params.get("off_session")) != ("true", "true"):
            raise invalid("This provider confirms at creation and off-session only", param="confirm")
        id_ = f"pi_{next(self._numbers):08}{uuid.uuid4().hex[:16]}"
        intent = {
            "id": id_,
            "client_secret": f"{id_}_secret_{uuid.uuid4().hex}",
            "object": "payment_intent",
            "amount": amount,
            "amount_received": 0,
            "currency": currency,
            "customer": params["customer"],
            "payment_method": params["payment_method"],
            "description": params.get("description"),
            "metadata": params.get("metadata", {}),
            "status": "requires_confirmation",
            "created": int(now.timestamp()),
            "last_payment_error": None,
            "canceled_at": None,
            "livemode": False,
        }
        self._by_id[intent["id"]] = intent
        self._by_customer.setdefault(intent["customer"], []).append(intent)
        return intent

    def _succeed(self, intent: Intent, at: datetime.datetime, *, more: int = 0) -> None:
        intent |= {"status": "succeeded", "amount_received": intent["amount"] + more}
        self.records.take(
            Movement(
                owner=intent["metadata"].get("payment", ""),
                reference=intent["id"],
                intent=intent["id"],
                amount=intent["amount_received"],
                currency=intent["currency"].upper(),
                customer=intent["customer"],
                at=at,
            )
        )

    def _decline(self, intent: Intent, code: str) -> Answer:
        self._fail(intent, code)
        error = dict(intent["last_payment_error"])
        raise ErrorAnswer(402, error.pop("type"), error.pop("message"), **error, payment_intent=dict(intent))

    def _fail(self, intent: Intent, code: str) -> None:
        error: dict[str, Any] = {"type": "card_error", "message": "Your card was declined."}
        error |= {"code": code} if code in _CODES_OF_THEIR_OWN else {"code": "card_declined", "decline_code": code}
        intent |= {"status": "requires_payment_method", "last_payment_error": error}
