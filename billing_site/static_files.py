"""Static files, by WhiteNoise, which lists every file before it serves the first: the API answers without that."""

from collections.abc import Callable
from functools import cache
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

GetResponse = Callable[[HttpRequest], HttpResponseBase]


def serve_static_files(get_response: GetResponse) -> GetResponse:
    """Middleware: WhiteNoise for what is below STATIC_URL, loaded with the first request for it."""
    prefix = urlsplit(settings.STATIC_URL).path

    @cache
    def whitenoise() -> GetResponse:
        from whitenoise.middleware import WhiteNoiseMiddleware  # noqa: PLC0415

        served: GetResponse = WhiteNoiseMiddleware(get_response)
        return served

    if settings.WHITENOISE_AUTOREFRESH:
        # It looks for each file when asked, and lists none.
        whitenoise()

    def served(request: HttpRequest) -> HttpResponseBase:
        return (whitenoise() if request.path_info.startswith(prefix) else get_response)(request)

    return served
