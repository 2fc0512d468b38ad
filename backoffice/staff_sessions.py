"""Sessions of the staff: robust against malformed cookies, and over twelve hours after the login, used or not.

That they end after half an hour without a request is Django's part (SESSION_COOKIE_AGE, SESSION_SAVE_EVERY_REQUEST).
"""

import datetime

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
from django.utils import timezone

LOGGED_IN_AT = "logged_in_at"
"""In a session: when its login was, in seconds."""
MAX_SESSION = datetime.timedelta(hours=12)


def end_if_too_old(request: HttpRequest) -> None:
    """End the session of a login that was twelve hours ago; one that doesn't say when it began has no end of its own
    but the half hour.
    """
    began = request.session.get(LOGGED_IN_AT)
    if began is not None and timezone.now().timestamp() - began >= MAX_SESSION.total_seconds():
        logout(request)


class StaffSessionMiddleware(SessionMiddleware):
    """Django's, but a cookie that can't name a session is ignored."""

    def process_request(self, request: HttpRequest) -> None:
        # A quoted cookie can contain NUL, on which the query would fail.
        if "\0" in request.COOKIES.get(settings.SESSION_COOKIE_NAME, ""):
            del request.COOKIES[settings.SESSION_COOKIE_NAME]
        super().process_request(request)
