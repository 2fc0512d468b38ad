"""Sessions of the staff, robust against malformed cookies."""

from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest


class StaffSessionMiddleware(SessionMiddleware):
    """Django's, but a cookie that can't name a session is ignored."""

    def process_request(self, request: HttpRequest) -> None:
        # A quoted cookie can contain NUL, on which the query would fail.
        if "\0" in request.COOKIES.get(settings.SESSION_COOKIE_NAME, ""):
            del request.COOKIES[settings.SESSION_COOKIE_NAME]
        super().process_request(request)
