"""The address `/`."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers


@require_safe
@vary_on_headers("Accept")
def front(request: HttpRequest) -> HttpResponse:
    """A browser is redirected to the admin; any other client gets a list of addresses."""
    admin = reverse("admin:index")
    # JSON first, so that a client which accepts anything, such as curl, isn't redirected to a page.
    if request.get_preferred_type(["application/json", "text/html"]) == "text/html":
        return HttpResponseRedirect(admin)
    return JsonResponse(
        {
            "admin": admin,
            "docs": reverse("api-docs"),
            "openapi": reverse("api-schema"),
            "health": f"{request.path}healthz",
        }
    )
