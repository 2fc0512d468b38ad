"""One call of the gateway, which may take several requests to Stripe, all within one deadline."""

import time
from collections.abc import Callable, Iterable

import stripe
from stripe.params import PaymentIntentListParams, RefundListParams

from payments.gateways import (
    Answer,
    Declined,
    Finding,
    NotAttempted,
    NotFound,
    PaymentRequest,
    RefundRequest,
    Succeeded,
    Unknown,
)
from payments.gateways.stripe_answers import (
    CANCELED,
    PAYMENT,
    REFUND,
    Garbage,
    Told,
    intent_told,
    not_ours,
    owner_of,
    page_of,
    plain,
    refund_told,
    settled_intent,
    settled_refund,
    short,
)
from payments.gateways.stripe_declines import declined
from payments.gateways.stripe_refusals import unanswered
from payments.gateways.stripe_transport import Deadline, DeadlineClient

API_VERSION = "2026-10-28.endive"
"""The one whose objects `stripe_answers` reads."""
FIRST_WAIT_SECONDS = 0.25
"""After a first 429; then twice as long each time."""
TRIES = 4
PAGE, MOST_PAGES = 100, 100
CLOCKS_DIFFER_SECONDS = 300
"""So far Stripe's clock may be behind ours."""

Ask = Callable[[stripe.StripeClient], object]


class StripeCall:
    def __init__(self, *, api_key: str, api_base: str, timeout_seconds: float) -> None:
        self._deadline = Deadline(seconds=timeout_seconds)
        self._client = stripe.StripeClient(
            api_key,
            stripe_version=API_VERSION,
            base_addresses={"api": api_base} if api_base else None,
            # Its own retries would wait past the deadline.
            max_network_retries=0,
            http_client=DeadlineClient(deadline=self._deadline),
        )

    def ask(self, ask: Ask) -> dict[str, object]:
        """What Stripe answers. A rate limit is known not to have been executed: it is tried again under the same key.

        Raises stripe.StripeError and Garbage.
        """
        wait = FIRST_WAIT_SECONDS
        for left in reversed(range(TRIES)):
            try:
                return plain(ask(self._client))
            except stripe.RateLimitError:
                if not left or not self._deadline.outlasts(seconds=wait):
                    raise
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                # The library trusts what it is answered.
                raise Garbage(f"Stripe's answer can't be read ({type(error).__name__})") from error
            time.sleep(wait)
            wait *= 2
        raise AssertionError

    def payment_answer(self, request: PaymentRequest, told: Told) -> Answer:
        """What an intent amounts to. One by which money could still be moved is cancelled before it is a decline."""
        if told.status != "succeeded" and (foreign := not_ours(told, request)):
            return foreign
        return settled_intent(told) or self._cancelled(request, told)

    def _cancelled(self, request: PaymentRequest, told: Told) -> Answer:
        code = told.code or {"requires_action": "authentication_required"}.get(told.status, told.status)
        try:
            after = self._after_cancelling(told.id)
        except Garbage as garbage:
            return self._not_cancelled(code, told, why=str(garbage))
        except stripe.StripeError as error:
            # In our words: Stripe's may quote a part of the key.
            return self._not_cancelled(code, told, why=unanswered(error).reason)
        if after.status == CANCELED:
            return not_ours(after, request) or declined(code=code, advice=told.advice)
        return settled_intent(after) or Unknown(f"{told.id} is still {after.status}", reference=told.id)

    def _not_cancelled(self, code: str, told: Told, *, why: str) -> Unknown:
        return Unknown(short(f"{code}, but {told.id} is not yet cancelled: {why}"), reference=told.id)

    def _after_cancelling(self, id_: str) -> Told:
        try:
            return intent_told(self.ask(lambda client: client.v1.payment_intents.cancel(id_)))
        except stripe.InvalidRequestError:
            # Its state was another by then.
            return intent_told(self.ask(lambda client: client.v1.payment_intents.retrieve(id_)))

    def refund_answer(self, request: RefundRequest, told: Told) -> Answer:
        if told.status != "succeeded" and (foreign := not_ours(told, request)):
            return foreign
        return settled_refund(told)

    def look_up(self, request: PaymentRequest) -> Finding:
        if not (request.reference or request.customer):
            return Unknown("there is no customer under which to look for it")
        try:
            found = [intent_told(self._intent(request.reference))] if request.reference else self._intents_of(request)
            return _best([self.payment_answer(request, told) for told in found])
        except Garbage as garbage:
            return Unknown(short(garbage), reference=request.reference)
        except stripe.StripeError as error:
            return unanswered(error)

    def look_up_refund(self, request: RefundRequest) -> Finding:
        try:
            return _best([self.refund_answer(request, told) for told in self._refunds_of(request)])
        except Garbage as garbage:
            return Unknown(short(garbage), reference=request.reference)
        except stripe.StripeError as error:
            return unanswered(error)

    def under_a_taken_key(self, finding: Finding) -> Answer:
        """The key came with other parameters: what Stripe found under it stands. Nothing found, a person is asked."""
        if isinstance(finding, NotFound):
            return Unknown("the key came to Stripe before, with another request", needs_person=True)
        if isinstance(finding, NotAttempted):
            return Unknown(f"the key came to Stripe before, and it can't be looked up now: {finding.reason}")
        return finding

    def _intent(self, id_: str) -> dict[str, object]:
        return self.ask(lambda client: client.v1.payment_intents.retrieve(id_))

    def _intents_of(self, request: PaymentRequest) -> list[Told]:
        since = int(request.submitted_at.timestamp()) - CLOCKS_DIFFER_SECONDS
        params: PaymentIntentListParams = {"customer": request.customer, "created": {"gte": since}, "limit": PAGE}
        found = []
        for _ in range(MOST_PAGES):
            objects, more = page_of(self.ask(lambda client: client.v1.payment_intents.list(params)))
            found += [intent_told(data) for data in objects if owner_of(data, PAYMENT) == str(request.key)]
            if not more:
                return found
            params["starting_after"] = str(objects[-1].get("id"))
        raise Garbage(f"the customer has more than {PAGE * MOST_PAGES} payments since")

    def _refunds_of(self, request: RefundRequest) -> list[Told]:
        if not request.payment_reference:
            return []
        params: RefundListParams = {"payment_intent": request.payment_reference, "limit": PAGE}
        found = []
        for _ in range(MOST_PAGES):
            objects, more = page_of(self.ask(lambda client: client.v1.refunds.list(params)))
            found += [refund_told(data) for data in objects if owner_of(data, REFUND) == str(request.key)]
            if not more:
                return found
            params["starting_after"] = str(objects[-1].get("id"))
        raise Garbage(f"the payment has more than {PAGE * MOST_PAGES} refunds")


def _best(answers: Iterable[Answer]) -> Finding:
    """The answer of all that bear one key: more than one after the key was forgotten and submitted anew."""
    ranked = sorted(answers, key=lambda answer: [Succeeded, Unknown, Declined].index(type(answer)))
    if len([answer for answer in ranked if isinstance(answer, Succeeded)]) > 1:
        return Unknown("Stripe moved the money more than once under this key", needs_person=True)
    return ranked[0] if ranked else NotFound()
