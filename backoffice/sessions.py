"""Sessions of the staff, by the cookie that a browser sends, whatever is in it."""

from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest


class StaffSessionMiddleware(SessionMiddleware):
    """Django's, but a cookie that names no session because none can have that name is like no cookie."""

    def process_request(self, request: HttpRequest) -> None:
        # A quoted cookie can say NUL, which the database can't be asked for.
        if "\0" in request.COOKIES.get(settings.SESSION_COOKIE_NAME, ""):
            del request.COOKIES[settings.SESSION_COOKIE_NAME]
        super().process_request(request)
