"""Invoices as PDF."""

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ValidationError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request

from accounts.phrases import one_of
from api.endpoints import Endpoint
from api.models import Scope
from api.schema import call
from api.v1.invoices import TAG
from papers.files import MEDIA_TYPE, invoice_file
from papers.paper import SIZES


class AnyMediaType(DefaultContentNegotiation):
    """A client may say that it accepts the PDF: what is answered doesn't depend on it."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class InvoicePdfEndpoint(Endpoint):
    scopes: ClassVar = {"GET": Scope.LEDGER_READ}
    query_parameters = ("size",)
    content_negotiation_class = AnyMediaType

    @call(
        "get_invoice_pdf",
        tag=TAG,
        summary="Get an invoice as PDF",
        description="In Latin, Greek, Cyrillic, Hebrew and Arabic; with a character of another script, 409 "
        "`script-not-in-pdf`. Where the installation makes no PDF, 404 `pdf-not-installed`.",
        scope=Scope.LEDGER_READ,
        response=OpenApiTypes.BINARY,
        media_type=MEDIA_TYPE,
        missing=True,
        refused=True,
        parameters=[
            OpenApiParameter(
                "size",
                {"type": "string", "pattern": f"^({'|'.join(SIZES)})$"},
                description="The paper's size, A4 or Letter; by default the installation's.",
            ),
        ],
    )
    def get(self, request: Request, invoice_id: uuid.UUID) -> HttpResponse:
        asked = request.query_params.get("size", settings.COMPANY_PAPER_SIZE)
        size = next((each for each in SIZES if each == asked), None)
        if size is None:
            raise ValidationError({"size": [one_of(SIZES)]})
        file = invoice_file(invoice_id, size=size)
        disposition = {"Content-Disposition": f'attachment; filename="{file.name}"'}
        return HttpResponse(file.content, content_type=file.media_type, headers=disposition)
