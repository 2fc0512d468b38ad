"""The addresses of the API's description. Its views are loaded late: they need most of drf-spectacular."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt


@csrf_exempt
def openapi(request: HttpRequest) -> HttpResponseBase:
    """For machines."""
    from api.docs_views import SchemaView  # noqa: PLC0415

    return SchemaView.as_view()(request)


@csrf_exempt
def docs(request: HttpRequest) -> HttpResponseBase:
    """For people."""
    from api.docs_views import DocsView  # noqa: PLC0415

    return DocsView.as_view()(request)
