"""Write-offs of unpaid charges."""

import uuid
from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample
from rest_framework import serializers
from rest_framework.request import Request

from api.endpoints import Body, Endpoint
from api.fields import Identifier, Text
from api.idempotency import MOVES_MONEY, Answer
from api.models import Scope
from api.schema import call
from api.v1.ledger import TAG, EntrySerializer
from ledger.models import EntryType
from rebilling.write_offs import write_off


class WriteOffSerializer(Body):
    """What to write off."""

    charge = Identifier(required=False, help_text="The charge's entry. Default: every unpaid charge of the account.")
    reason = Text(max_length=500)


class WrittenOffSerializer(serializers.Serializer[Any]):
    """The entries written, one for each charge, the oldest period first."""

    entries = EntrySerializer(many=True)


class WriteOffsEndpoint(Endpoint):
    scopes: ClassVar = {"POST": Scope.LEDGER_WRITE}

    @call(
        "write_off",
        tag=TAG,
        summary="Write off unpaid charges",
        description="The unpaid amounts aren't owed or collected any more, and money that still comes in is credit. "
        "All or none: a charge can't be written off while a payment of it is in flight. To undo it, reverse the entry.",
        scope=Scope.LEDGER_WRITE,
        request=WriteOffSerializer,
        response=WrittenOffSerializer,
        status=201,
        missing=True,
        idempotency_key="required",
        examples=[OpenApiExample("Everything unpaid", {"reason": "The customer is insolvent."}, request_only=True)],
    )
    def post(self, request: Request, account_id: uuid.UUID) -> HttpResponse:
        values = self.body(WriteOffSerializer)
        charge_ids = [values["charge"]] if "charge" in values else None

        def work() -> Answer:
            entries = write_off(
                account_id=account_id,
                charge_ids=charge_ids,
                reason=values["reason"],
                author=self.author,
                today=self.today,
                now=self.now,
            )
            location = f"/v1/accounts/{account_id}/ledger?type={EntryType.WRITE_OFF}"
            return Answer(201, WrittenOffSerializer({"entries": entries}).data, location=location)

        return self.once(work, needs_key=MOVES_MONEY)
