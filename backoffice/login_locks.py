"""Failed logins are counted by django-axes and logged; the pair of a username and an address is locked for a while."""

import logging
from typing import Any

from axes.backends import AxesStandaloneBackend
from axes.signals import user_locked_out
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.views.defaults import ERROR_PAGE_TEMPLATE

from accounts.client_address import client_address
from backoffice.staff_sessions import note_login

logger = logging.getLogger(__name__)

LOCKED_MINUTES = 15


class LockBackend(AxesStandaloneBackend):  # type: ignore[misc]  # the package has no types
    """Refuses a login that is locked, before its password is looked at."""

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> None:
        # Without a request nobody logs in over the network: it is a command that looks at a password.
        if request is not None:
            super().authenticate(request, **credentials)


def locked_page(request: HttpRequest, response: HttpResponse, credentials: Any) -> HttpResponse:
    """429, the same for a right and a wrong password."""
    details = (
        f"Too many failed logins. Try again in {LOCKED_MINUTES} minutes, or ask a colleague to look at the runbook."
    )
    page = ERROR_PAGE_TEMPLATE % {"title": "Locked", "details": details}
    return HttpResponse(
        page, status=429, headers={"Retry-After": str(LOCKED_MINUTES * 60), "Cache-Control": "no-store"}
    )


@receiver(user_login_failed, dispatch_uid="backoffice.login_failed")
def log_failure(request: HttpRequest | None = None, **_: Any) -> None:
    """What was typed isn't logged: people type passwords into the wrong field."""
    if request is not None:
        logger.warning("a login failed", extra={"event": "login.failed", "address": client_address(request)})


@receiver(user_locked_out, dispatch_uid="backoffice.login_locked")
def log_lock(request: HttpRequest, **_: Any) -> None:
    logger.warning("a login was locked", extra={"event": "login.locked", "address": client_address(request)})


@receiver(user_logged_in, dispatch_uid="backoffice.logged_in")
def note_when(request: HttpRequest, **_: Any) -> None:
    """From when a session's whole life is counted."""
    note_login(request)
