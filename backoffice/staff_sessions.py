"""Sessions of the staff: robust against malformed cookies, and over twelve hours after the login, used or not.

That they end after half an hour without a request is Django's part (SESSION_COOKIE_AGE, SESSION_SAVE_EVERY_REQUEST).
"""

import datetime

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.signing import BadSignature, TimestampSigner
from django.http import HttpRequest

LOGIN = "login"
"""In a session: when its login was. A signature holds the real time, as sessions themselves do, which the local
platform's clock doesn't move.
"""
MAX_SESSION = datetime.timedelta(hours=12)

_signer = TimestampSigner(salt="backoffice.login")


def note_login(request: HttpRequest) -> None:
    request.session[LOGIN] = _signer.sign(LOGIN)


def end_if_too_old(request: HttpRequest) -> None:
    """End the session of a login that was twelve hours ago."""
    if LOGIN not in request.session:
        return  # nobody has logged in
    try:
        _signer.unsign(request.session[LOGIN], max_age=MAX_SESSION)
    except BadSignature:
        logout(request)


class StaffSessionMiddleware(SessionMiddleware):
    """Django's, but a cookie that can't name a session is ignored."""

    def process_request(self, request: HttpRequest) -> None:
        # A quoted cookie can contain NUL, on which the query would fail.
        if "\0" in request.COOKIES.get(settings.SESSION_COOKIE_NAME, ""):
            del request.COOKIES[settings.SESSION_COOKIE_NAME]
        super().process_request(request)
