"""Credit notes: what reduced invoices after they were issued."""

import uuid
from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from api.endpoints import Endpoint, ListEndpoint
from api.filters import DayFilter, FilterSet, IdFilter, InvoiceOfRunFilter
from api.models import Scope
from api.schema import call
from api.v1.invoice_answers import CreditNoteSerializer
from api.v1.invoices import TAG
from invoices.models import CreditNote
from papers.credit_note_paper import UnknownCreditNote


class CreditNoteFilters(FilterSet):
    """Filters of the credit notes of all accounts."""

    account = IdFilter("account_id", label="The id of the account.")
    invoice = IdFilter("invoice_id", label="The id of the invoice.")
    issued_since = DayFilter("issued_on", "gte", label="Issued on this day or later.")
    issued_until = DayFilter("issued_on", "lte", label="Issued on this day or earlier.")
    run = InvoiceOfRunFilter("invoice_id")


class CreditNotesEndpoint(ListEndpoint):
    scopes: ClassVar = {"GET": Scope.LEDGER_READ}
    queryset = CreditNote.objects.prefetch_related("lines")
    serializer_class = CreditNoteSerializer
    filterset_class = CreditNoteFilters

    @call(
        "list_credit_notes",
        tag=TAG,
        summary="List credit notes",
        description="Of all accounts, newest first.",
        scope=Scope.LEDGER_READ,
        response=CreditNoteSerializer,
    )
    def get(self, request: Request, **kwargs: Any) -> Response:
        return self.list(request)


class CreditNoteEndpoint(Endpoint):
    scopes: ClassVar = {"GET": Scope.LEDGER_READ}

    @call(
        "get_credit_note",
        tag=TAG,
        summary="Get a credit note",
        scope=Scope.LEDGER_READ,
        response=CreditNoteSerializer,
        missing=True,
    )
    def get(self, request: Request, credit_note_id: uuid.UUID) -> Response:
        credit_note = CreditNote.objects.filter(id=credit_note_id).first()
        if credit_note is None:
            raise UnknownCreditNote(f"There is no credit note {credit_note_id}.")
        return Response(CreditNoteSerializer(credit_note).data)
