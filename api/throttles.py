"""How many requests a client and an address may send in a minute, and how many wrong keys an address may.

The header fields are RateLimit-Limit, RateLimit-Remaining and RateLimit-Reset, as in
draft-ietf-httpapi-ratelimit-headers-06; later drafts have one structured field instead, which fewer clients know.
"""

import datetime
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.http import HttpRequest
from rest_framework.exceptions import ErrorDetail, Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts import clock
from accounts.client_address import client_address
from api.models import ApiKey
from api.request_counts import count_request, seconds_left

if TYPE_CHECKING:  # the views' own module loads this one
    from rest_framework.views import APIView

logger = logging.getLogger(__name__)

WINDOW = datetime.timedelta(minutes=1)
FAILED_KEYS_WINDOW = datetime.timedelta(minutes=5)


class TooManyRequests(Throttled):
    """429. `wait` is in seconds."""

    default_code = "too_many_requests"

    def __init__(self, detail: str, *, wait: int) -> None:
        super().__init__()
        self.detail = ErrorDetail(f"{detail} Send it again in {wait} s.", self.default_code)
        self.wait: int = wait


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a limit, of the one that is nearest to its end. `reset` is in seconds."""

    limit: int
    remaining: int
    reset: int

    @property
    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset),
        }


class RequestThrottle(BaseThrottle):
    """Counts each request for its client and its address at once, in one statement. Replays count, too.

    Raises `TooManyRequests` itself: REST framework's own error has neither our slug nor `Retry-After`.
    """

    def allow_request(self, request: Request, view: "APIView") -> bool:
        limits = _limits(request)
        if not limits:
            return True
        now = clock.now()
        counts = count_request(limits, window=WINDOW, now=now)
        if not counts:
            return True
        reset = seconds_left(window=WINDOW, now=now)
        limit, left = min(((limits[subject], limits[subject] - made) for subject, made in counts.items()), key=_left)
        view.allowance = Allowance(limit=limit, remaining=max(left, 0), reset=reset)  # type: ignore[attr-defined]  # an Endpoint
        if left < 0:
            raise TooManyRequests("Too many requests in this minute.", wait=reset)
        return True


def refuse_after_failures(request: HttpRequest) -> None:
    """Count a request without a valid key. Raises `TooManyRequests` where its address had too many in five minutes.

    A valid key isn't counted and gets in from any address: keys are 256 random bits, so that nothing is guessed by
    trying, and whoever shares an address with somebody who tries isn't shut out.
    """
    limit = settings.API_MAX_FAILED_KEYS
    address = client_address(request)
    if not limit or not address:
        return
    now = clock.now()
    subject = f"failed-keys:{address}"
    made = count_request([subject], window=FAILED_KEYS_WINDOW, now=now).get(subject, 0)
    if made <= limit:
        return
    if made == limit + 1:  # once a window, so that who tries doesn't fill the log
        logger.warning("too many failed keys", extra={"event": "api.failed_keys", "address": address, "limit": limit})
    wait = seconds_left(window=FAILED_KEYS_WINDOW, now=now)
    raise TooManyRequests("This address sent too many requests without a valid key.", wait=wait)


def _limits(request: Request) -> dict[str, int]:
    """The limits that are on, by subject."""
    limits = {}
    if isinstance(request.auth, ApiKey) and settings.API_CLIENT_REQUESTS_PER_MINUTE:
        limits[f"client:{request.auth.client_id}"] = settings.API_CLIENT_REQUESTS_PER_MINUTE
    address = client_address(request)
    if address and settings.API_ADDRESS_REQUESTS_PER_MINUTE:
        limits[f"address:{address}"] = settings.API_ADDRESS_REQUESTS_PER_MINUTE
    return limits


def _left(limit_and_left: tuple[int, int]) -> int:
    return limit_and_left[1]
