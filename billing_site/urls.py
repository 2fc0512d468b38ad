"""Paths: the API, the staff's admin, and what leads to both."""

from django.contrib import admin
from django.urls import include, path

from billing_site.front_page import front

urlpatterns = [
    path("", front),
    path("", include("api.urls")),
    path("admin/", admin.site.urls),
]

# Under the API's paths every error is a problem detail, those that no view sees included.
handler400 = "api.problems.bad_request"
handler404 = "api.problems.not_found"
handler500 = "api.problems.server_error"
