"""Customers, and setup intents in which they give a card: created, retrieved, canceled, confirmed by a front end."""

import datetime
import itertools
import uuid
from typing import Any

from localcloud.simulated_stripe.intents import MISSING
from localcloud.simulated_stripe.wire import Answer, Call, ErrorAnswer, answered, ensure_known, invalid, missing

REFUSED = "pm_refused"
"""A payment method whose id begins like this is declined when it is given: the setup intent waits for another."""

_CANCELLABLE = {"requires_payment_method", "requires_confirmation", "requires_action"}

SetupIntent = dict[str, Any]


class SetupIntents:
    """Not safe for several threads: the provider holds the lock."""

    def __init__(self) -> None:
        self._by_id: dict[str, SetupIntent] = {}
        self._customers: dict[str, dict[str, Any]] = {}
        self._numbers = itertools.count(1)

    def create_customer(self, call: Call, now: datetime.datetime) -> Answer:
        ensure_known(call.params, {"metadata"})
        customer = {
            "id": f"cus_{next(self._numbers):08}{uuid.uuid4().hex[:16]}",
            "object": "customer",
            "metadata": call.params.get("metadata", {}),
            "created": int(now.timestamp()),
            "livemode": False,
        }
        self._customers[customer["id"]] = customer
        return answered(customer)

    def create(self, call: Call, now: datetime.datetime) -> Answer:
        ensure_known(call.params, {"customer", "usage", "automatic_payment_methods", "metadata"})
        customer = call.params.get("customer", "")
        # As with payment intents: customers that were made elsewhere exist, but for those that are said not to.
        if not customer or customer.endswith(MISSING):
            raise missing(f"customer: '{customer}'", param="customer")
        if call.params.get("usage") != "off_session":
            raise invalid("This provider sets up off-session use only", param="usage")
        id_ = f"seti_{next(self._numbers):08}{uuid.uuid4().hex[:16]}"
        self._by_id[id_] = {
            "id": id_,
            "object": "setup_intent",
            "client_secret": f"{id_}_secret_{uuid.uuid4().hex}",
            "customer": customer,
            "payment_method": None,
            "usage": "off_session",
            "metadata": call.params.get("metadata", {}),
            "status": "requires_payment_method",
            "created": int(now.timestamp()),
            "last_setup_error": None,
            "livemode": False,
        }
        return answered(self._by_id[id_])

    def retrieve(self, call: Call, now: datetime.datetime) -> Answer:
        return answered(self._find(call.id))

    def cancel(self, call: Call, now: datetime.datetime) -> Answer:
        intent = self._find(call.id)
        if intent["status"] not in _CANCELLABLE:
            raise _unexpected_state(intent, "canceled")
        intent["status"] = "canceled"
        return answered(intent)

    def confirm(self, *, client_secret: str, payment_method: str) -> Answer:
        """The customer gives a payment method, in whose front end the client secret is."""
        intent = next((found for found in self._by_id.values() if found["client_secret"] == client_secret), None)
        if intent is None:
            raise missing("setup_intent with this client secret", param="client_secret", status=404)
        if intent["status"] not in _CANCELLABLE:
            raise _unexpected_state(intent, "confirmed")
        if not payment_method or payment_method.endswith(MISSING):
            raise missing(f"payment_method: '{payment_method}'", param="payment_method")
        if payment_method.startswith(REFUSED):
            error = {"type": "card_error", "code": "card_declined", "message": "Your card was declined."}
            intent["last_setup_error"] = error
            raise ErrorAnswer(402, error["type"], error["message"], code=error["code"], setup_intent=dict(intent))
        intent |= {"status": "succeeded", "payment_method": payment_method, "last_setup_error": None}
        return answered(intent)

    @property
    def created(self) -> list[SetupIntent]:
        """All, as they are, oldest first."""
        return [dict(intent) for intent in self._by_id.values()]

    @property
    def customers(self) -> list[dict[str, Any]]:
        """Those that were made here, oldest first."""
        return list(self._customers.values())

    def _find(self, id_: str) -> SetupIntent:
        intent = self._by_id.get(id_)
        if intent is None:
            raise missing(f"setupintent: '{id_}'", param="intent", status=404)
        return intent


def _unexpected_state(intent: SetupIntent, what: str) -> ErrorAnswer:
    return invalid(
        f"This SetupIntent can't be {what}: its status is {intent['status']}",
        code="setup_intent_unexpected_state",
        setup_intent=dict(intent),
    )
