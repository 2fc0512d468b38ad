"""Paths: the API, the staff's admin, and what leads to both."""

from django.urls import URLResolver, include, path
from django.urls.resolvers import RoutePattern

from billing_site.front_page import front

urlpatterns = [
    path("", front),
    path("", include("api.urls")),
    # As `include` does it, but by name: the API answers without the admin's pages, and the first request for one loads
    # them.
    URLResolver(RoutePattern("admin/"), "backoffice.urls", app_name="admin", namespace="admin"),
]

# Under the API's paths every error is a problem detail, those that no view sees included.
handler400 = "api.problems.bad_request"
handler404 = "api.problems.not_found"
handler500 = "api.problems.server_error"
