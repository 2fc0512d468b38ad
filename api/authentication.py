"""Who calls: `Authorization: Bearer sk_...`."""

import re

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts import clock
from api.keys import key_hash
from api.models import ApiKey
from api.throttles import refuse_after_failures

_BEARER = re.compile(r"bearer +(sk_[A-Za-z0-9_-]{43})", re.IGNORECASE)

# One message whatever is wrong with the key, so that nobody learns which keys exist or existed.
REFUSED = "A valid API key is needed: `Authorization: Bearer sk_...`."


class ApiKeyAuthentication(BaseAuthentication):
    """`request.auth` is the key; there is no user. The key itself is never logged, nor its hash."""

    def authenticate(self, request: Request) -> tuple[None, ApiKey]:
        """The key that the request presents. Raises `AuthenticationFailed`, a missing key included, and after many
        of them from one address `TooManyRequests`.
        """
        presented = _BEARER.fullmatch(request.META.get("HTTP_AUTHORIZATION", ""))
        # By hash: how long the look-up takes says nothing about the key.
        key = ApiKey.objects.filter(key_hash=key_hash(presented[1])).first() if presented else None
        if key is None or not is_valid(key):
            refuse_after_failures(request)
            raise AuthenticationFailed(REFUSED)
        return None, key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="billing"'


def is_valid(key: ApiKey) -> bool:
    """Whether the key is neither revoked nor expired."""
    return key.revoked_at is None and (key.expires_at is None or clock.now() < key.expires_at)
