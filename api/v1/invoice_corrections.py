"""Correcting an invoice after it was issued: credit notes and write-offs."""

import uuid
from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers
from rest_framework.request import Request

from accounts.reasons import MAX_REASON_LENGTH
from api.endpoints import Body, Endpoint
from api.fields import Identifier, Movement, Text
from api.idempotency import MOVES_MONEY, Answer
from api.models import Scope
from api.schema import call
from api.v1.invoice_answers import CreditNoteSerializer
from api.v1.invoices import TAG
from api.v1.ledger import EntrySerializer, entry_written
from api.v1.lifecycle import ReasonSerializer
from invoices.credit_notes import issue_credit_note
from invoices.write_offs import write_off_invoice

MAX_LINES = 200


class CreditedLineSerializer(Body):
    """What to credit of one line."""

    line = Identifier(help_text="The id of the invoice's line.")
    amount_minor = Movement(help_text="In minor units of the invoice's currency, tax included.")


class IssueCreditNoteSerializer(Body):
    """A credit note to issue: of an amount, of some lines, or of all that is left."""

    amount_minor = Movement(
        required=False,
        help_text="In minor units of the invoice's currency, tax included; spread over the lines in proportion to what "
        "is left of them. Without it and without lines, all that is left is credited.",
    )
    lines: Any = serializers.ListSerializer(child=CreditedLineSerializer(), required=False, max_length=MAX_LINES)
    reason = Text(max_length=MAX_REASON_LENGTH)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "lines" not in attrs:
            return attrs
        if "amount_minor" in attrs:
            raise serializers.ValidationError({"lines": ["Give either amount_minor or lines."]})
        amounts = {line["line"]: line["amount_minor"] for line in attrs["lines"]}
        if len(amounts) < len(attrs["lines"]):
            raise serializers.ValidationError({"lines": ["A line is named more than once."]})
        return attrs | {"lines": amounts}


class IssueCreditNoteEndpoint(Endpoint):
    scopes: ClassVar = {"POST": Scope.LEDGER_WRITE}

    @call(
        "issue_credit_note",
        tag=TAG,
        summary="Credit an invoice",
        description="It takes from what is outstanding, then from what was written off; what is left goes to the "
        "account's credit balance. Not while a payment of the invoice is in flight. A period whose line is credited "
        "whole is VOIDED, and isn't billed again.",
        scope=Scope.LEDGER_WRITE,
        request=IssueCreditNoteSerializer,
        response=CreditNoteSerializer,
        status=201,
        missing=True,
        idempotency_key="required",
        examples=[
            OpenApiExample("5.00", {"amount_minor": 500, "reason": "A week of outage."}, request_only=True),
            OpenApiExample("All that is left", {"reason": "Billed by mistake."}, request_only=True),
        ],
    )
    def post(self, request: Request, invoice_id: uuid.UUID) -> HttpResponse:
        values = self.body(IssueCreditNoteSerializer)

        def work() -> Answer:
            credit_note = issue_credit_note(
                invoice_id=invoice_id, **values, author=self.author, today=self.today, now=self.now
            )
            return Answer(201, CreditNoteSerializer(credit_note).data, location=f"/v1/credit-notes/{credit_note.id}")

        return self.once(work, needs_key=MOVES_MONEY)


class WriteOffEndpoint(Endpoint):
    scopes: ClassVar = {"POST": Scope.LEDGER_WRITE}

    @call(
        "write_off_invoice",
        tag=TAG,
        summary="Write off an invoice",
        description="What is outstanding is given up, and nothing tries again to collect it. Money that still comes is "
        "a recovery. Not while a payment of it is in flight. To undo it, reverse the entry.",
        scope=Scope.LEDGER_WRITE,
        request=ReasonSerializer,
        response=EntrySerializer,
        status=201,
        missing=True,
        idempotency_key="required",
        examples=[OpenApiExample("Insolvent", {"reason": "The customer is insolvent."}, request_only=True)],
    )
    def post(self, request: Request, invoice_id: uuid.UUID) -> HttpResponse:
        reason = self.body(ReasonSerializer)["reason"]

        def work() -> Answer:
            entry = write_off_invoice(
                invoice_id=invoice_id, reason=reason, author=self.author, today=self.today, now=self.now
            )
            return entry_written(entry)

        return self.once(work, needs_key=MOVES_MONEY)
