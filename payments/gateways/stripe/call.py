"""One call of the gateway, which may take several requests to Stripe, all within one deadline."""

import time
from collections.abc import Callable, Iterable

import stripe
from stripe.params import PaymentIntentListParams, RefundListParams

from payments.gateways.port import (
    Answer,
    Declined,
    Finding,
    NotAttempted,
    NotFound,
    PaymentRequest,
    RefundRequest,
    Request,
    Succeeded,
    Unknown,
)
from payments.gateways.stripe.answers import (
    AUTHENTICATION_REQUIRED,
    CANCELED,
    PAYMENT,
    REFUND,
    StripeRecord,
    UnreadableAnswer,
    not_ours,
    outcome_of_intent,
    outcome_of_refund,
    owner_of,
    page_of,
    plain,
    read_intent,
    read_refund,
    short,
)
from payments.gateways.stripe.declines import declined
from payments.gateways.stripe.errors import seconds_to_wait, unanswered
from payments.gateways.stripe.transport import Deadline, DeadlineClient

API_VERSION = "2026-10-28.endive"
"""The version whose objects `answers.py` reads."""
FIRST_WAIT_SECONDS = 0.25
"""After the first 429, where Stripe names no time; doubled each time."""
TRIES = 4
PAGE, MAX_PAGES = 100, 100
CLOCKS_DIFFER_SECONDS = 300
"""How far Stripe's clock may be behind ours."""

SendRequest = Callable[[stripe.StripeClient], object]


class StripeCall:
    """`is_paced`: calls are made at a rate, which waits for all workers where the first request is one too many."""

    def __init__(self, *, api_key: str, api_base: str, timeout_seconds: float, is_paced: bool = False) -> None:
        self._tries = 1 if is_paced else TRIES
        self._deadline = Deadline(seconds=timeout_seconds)
        self._client = stripe.StripeClient(
            api_key,
            stripe_version=API_VERSION,
            base_addresses={"api": api_base} if api_base else None,
            # The library's own retries would wait past the deadline.
            max_network_retries=0,
            http_client=DeadlineClient(deadline=self._deadline),
        )

    def send(self, send: SendRequest) -> dict[str, object]:
        """Stripe's answer. A request that hit a rate limit was not executed: it is sent again under the same key, but
        for the first one of a paced call.

        Raises stripe.StripeError and UnreadableAnswer.
        """
        tries, self._tries, wait = self._tries, TRIES, FIRST_WAIT_SECONDS
        for left in reversed(range(tries)):
            try:
                return plain(send(self._client))
            except stripe.RateLimitError as error:
                wait = seconds_to_wait(error, default=wait)
                if not left or not self._deadline.outlasts(seconds=wait):
                    raise
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                # The library trusts its answers to be well-formed.
                raise UnreadableAnswer(f"Stripe's answer can't be read ({type(error).__name__})") from error
            time.sleep(wait)
            wait *= 2
        raise AssertionError

    def payment_answer(self, request: PaymentRequest, record: StripeRecord) -> Answer:
        """The answer that an intent means. One that could still move money is canceled before it counts as declined,
        unless that is to wait for the customer.
        """
        if record.status != "succeeded" and (foreign := not_ours(record, request)):
            return foreign
        if request.customer_may_act and record.waits_for_customer:
            return Unknown(
                f"{record.id} waits for the customer to authenticate it",
                reference=record.id,
                client_secret=record.client_secret,
            )
        return outcome_of_intent(record) or self._cancel(request, record)

    def _cancel(self, request: PaymentRequest, record: StripeRecord) -> Answer:
        code = record.code or {"requires_action": AUTHENTICATION_REQUIRED}.get(record.status, record.status)
        try:
            after = self._after_canceling(record.id)
        except UnreadableAnswer as error:
            return self._not_canceled(code, record, why=str(error))
        except stripe.StripeError as error:
            # In our words: Stripe's may quote a part of the API key.
            return self._not_canceled(code, record, why=unanswered(error).reason)
        if after.status == CANCELED:
            return not_ours(after, request) or declined(code=code, advice=record.advice)
        return outcome_of_intent(after) or Unknown(f"{record.id} is still {after.status}", reference=record.id)

    def _not_canceled(self, code: str, record: StripeRecord, *, why: str) -> Unknown:
        return Unknown(short(f"{code}, but {record.id} is not yet canceled: {why}"), reference=record.id)

    def _after_canceling(self, id_: str) -> StripeRecord:
        try:
            return read_intent(self.send(lambda client: client.v1.payment_intents.cancel(id_)))
        except stripe.InvalidRequestError:
            # Its status had changed by then.
            return read_intent(self.send(lambda client: client.v1.payment_intents.retrieve(id_)))

    def refund_answer(self, request: RefundRequest, record: StripeRecord) -> Answer:
        if record.status != "succeeded" and (foreign := not_ours(record, request)):
            return foreign
        return outcome_of_refund(record)

    def look_up(self, request: Request) -> Finding:
        try:
            if isinstance(request, RefundRequest):
                return _best([self.refund_answer(request, record) for record in self._refunds_of(request)])
            if not (request.reference or request.customer):
                return Unknown("there is no customer under which to look for it")
            return _best([self.payment_answer(request, record) for record in self._intents_of(request)])
        except UnreadableAnswer as error:
            return Unknown(short(error), reference=request.reference)
        except stripe.StripeError as error:
            return unanswered(error)

    def look_up_reused_key(self, request: Request) -> Answer:
        """The key came before, with other parameters: what Stripe has under it counts. If nothing, it needs review."""
        finding = self.look_up(request)
        if isinstance(finding, NotFound):
            return Unknown("the key came to Stripe before, with another request", needs_review=True)
        if isinstance(finding, NotAttempted):
            return Unknown(f"the key came to Stripe before, and it can't be looked up now: {finding.reason}")
        return finding

    def _intents_of(self, request: PaymentRequest) -> list[StripeRecord]:
        if request.reference:
            return [read_intent(self.send(lambda client: client.v1.payment_intents.retrieve(request.reference)))]
        since = int(request.submitted_at.timestamp()) - CLOCKS_DIFFER_SECONDS
        params: PaymentIntentListParams = {"customer": request.customer, "created": {"gte": since}, "limit": PAGE}
        found = []
        for _ in range(MAX_PAGES):
            objects, more = page_of(self.send(lambda client: client.v1.payment_intents.list(params)))
            found += [read_intent(data) for data in objects if owner_of(data, PAYMENT) == str(request.key)]
            if not more:
                return found
            params["starting_after"] = str(objects[-1].get("id"))
        raise UnreadableAnswer(f"the customer has more than {PAGE * MAX_PAGES} payments since")

    def _refunds_of(self, request: RefundRequest) -> list[StripeRecord]:
        if not request.payment_reference:
            return []
        params: RefundListParams = {"payment_intent": request.payment_reference, "limit": PAGE}
        found = []
        for _ in range(MAX_PAGES):
            objects, more = page_of(self.send(lambda client: client.v1.refunds.list(params)))
            found += [read_refund(data) for data in objects if owner_of(data, REFUND) == str(request.key)]
            if not more:
                return found
            params["starting_after"] = str(objects[-1].get("id"))
        raise UnreadableAnswer(f"the payment has more than {PAGE * MAX_PAGES} refunds")


def _best(answers: Iterable[Answer]) -> Finding:
    """The answer for all objects of one key: there are several if the key was forgotten and submitted again."""
    ranked = sorted(answers, key=lambda answer: [Succeeded, Unknown, Declined].index(type(answer)))
    if len([answer for answer in ranked if isinstance(answer, Succeeded)]) > 1:
        return Unknown("Stripe moved the money more than once under this key", needs_review=True)
    return ranked[0] if ranked else NotFound()
