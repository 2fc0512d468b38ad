"""Payment method sessions: a customer gives a payment method in the client's front end."""

import uuid
from typing import ClassVar

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.endpoints import EmptyBody, Endpoint
from api.fields import TextOrNull
from api.idempotency import Answer
from api.models import Scope
from api.schema import call
from api.v1.accounts import TAG
from api.wait_parameter import PARAMETER, look_until, seconds_to_wait, wait_parameter
from payments.method_sessions.requests import get_session, request_look_up, request_session
from payments.models import PaymentMethodSession


class PaymentMethodSessionSerializer(serializers.ModelSerializer[PaymentMethodSession]):
    """A session in which a customer gives a payment method. OPEN until they have, or for 24 hours."""

    failure_code = TextOrNull(help_text="Why a FAILED one gives the account no payment method.")
    client_secret = TextOrNull(
        help_text="The gateway's secret for the front end, once the session is opened there and until it ends. Only "
        "in the answer to a GET."
    )
    gateway_reference = TextOrNull(help_text="The session's id at the gateway.")
    payment_customer = TextOrNull(source="customer", help_text="The customer at the gateway.")
    payment_method = TextOrNull(help_text="What the customer gave.")

    class Meta:
        model = PaymentMethodSession
        fields = (
            "id",
            "account",
            "status",
            "failure_code",
            "client_secret",
            "gateway",
            "gateway_reference",
            "payment_customer",
            "payment_method",
            "created_at",
            "expires_at",
            "completed_at",
            "created_by",
        )
        read_only_fields = fields


def _accepted(session: PaymentMethodSession) -> Answer:
    """Without the secret: stored with its Idempotency-Key, the answer would keep it when the session is over."""
    shown = PaymentMethodSessionSerializer(session).data | {"client_secret": None}
    return Answer(202, shown, location=f"/v1/accounts/{session.account_id}/payment-method-session/{session.id}")


class OpenSessionEndpoint(Endpoint):
    scopes: ClassVar = {"POST": Scope.ACCOUNTS_WRITE}

    @call(
        "open_payment_method_session",
        tag=TAG,
        summary="Open a payment method session",
        description="With its client secret your front end takes a card or another payment method from the customer. "
        "The gateway is called from the queue: get the session, with `?wait=10`, for the secret. Nothing is charged.",
        scope=Scope.ACCOUNTS_WRITE,
        response=PaymentMethodSessionSerializer,
        status=202,
        missing=True,
        idempotency_key="optional",
    )
    def post(self, request: Request, account_id: uuid.UUID) -> HttpResponse:
        self.body(EmptyBody)

        def work() -> Answer:
            return _accepted(request_session(account_id=account_id, author=self.author, now=self.now))

        return self.once(work)


class SessionEndpoint(Endpoint):
    # Who has the secret can give the account a payment method: reading it is as good as changing the account.
    scopes: ClassVar = {"GET": Scope.ACCOUNTS_WRITE}
    query_parameters = (PARAMETER,)

    @call(
        "get_payment_method_session",
        tag=TAG,
        summary="Get a payment method session",
        description="With `?wait=` it answers once the session has its client secret or, after it was said to be "
        "complete, once that was looked up.",
        scope=Scope.ACCOUNTS_WRITE,
        response=PaymentMethodSessionSerializer,
        missing=True,
        parameters=[wait_parameter("Seconds to wait for it, 0 to 10. Without it the answer comes at once.")],
    )
    def get(self, request: Request, account_id: uuid.UUID, session_id: uuid.UUID) -> Response:
        session = look_until(
            lambda: get_session(account_id=account_id, session_id=session_id),
            is_done=lambda found: not found.awaits_the_gateway,
            seconds=seconds_to_wait(request),
        )
        return Response(PaymentMethodSessionSerializer(session).data)


class CompleteSessionEndpoint(Endpoint):
    scopes: ClassVar = {"POST": Scope.ACCOUNTS_WRITE}

    @call(
        "complete_payment_method_session",
        tag=TAG,
        summary="Say that a session is complete",
        description="Call it when your front end is through. What became of the session is looked up at the gateway: "
        "get the session, with `?wait=10`, for the outcome. Of a session that has ended, nothing changes. Without this "
        "call, it is looked up each hour.",
        scope=Scope.ACCOUNTS_WRITE,
        response=PaymentMethodSessionSerializer,
        status=202,
        missing=True,
        idempotency_key="optional",
    )
    def post(self, request: Request, account_id: uuid.UUID, session_id: uuid.UUID) -> HttpResponse:
        self.body(EmptyBody)

        def work() -> Answer:
            return _accepted(request_look_up(account_id=account_id, session_id=session_id, now=self.now))

        return self.once(work)
