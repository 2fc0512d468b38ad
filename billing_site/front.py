"""The site's own address: whoever comes there is led on."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers


@require_safe
@vary_on_headers("Accept")
def front(request: HttpRequest) -> HttpResponse:
    """A person with a browser gets to the admin; a client that asks for no page is told where things are."""
    admin = reverse("admin:index")
    # In this order, so that a client which takes anything, as curl does, isn't sent to a page.
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
