"""API keys: created once, shown once, stored as a hash."""

import datetime
import hashlib
import secrets
import uuid
from collections.abc import Iterable
from contextlib import suppress

from django.db.models import Q

from accounts.errors import Conflict, Invalid, Missing
from accounts.ids import new_id
from accounts.text import text_error
from api.models import ApiKey, Scope

SECRET_MARK = "sk_"  # noqa: S105 (a mark by which people and scanners know a key)
SECRET_BYTES = 32
PREFIX_LENGTH = 12
MAX_NAME_LENGTH = 100


class UnableToCreateApiKey(Invalid):
    """A value of the key can't be accepted."""

    code = "unable-to-create-api-key"


class UnknownApiKey(Missing):
    code = "unknown-api-key"


class AmbiguousApiKey(Conflict):
    code = "ambiguous-api-key"


def key_hash(secret: str) -> bytes:
    """What is stored of a key. Plain SHA-256: a key is 256 random bits, so there is nothing to guess slowly."""
    return hashlib.sha256(secret.encode()).digest()


def create_api_key(
    *,
    name: str,
    scopes: Iterable[str],
    expires_at: datetime.datetime | None,
    now: datetime.datetime,
    client_id: uuid.UUID | None = None,
) -> tuple[ApiKey, str]:
    """Create a key. Returns it with its secret, which is shown only this once.

    It belongs to a new client unless `client_id` names one. Raises `UnableToCreateApiKey` with errors by field.
    """
    wanted = sorted(set(scopes))
    unknown = [scope for scope in wanted if scope not in Scope.values]
    errors = {}
    if not name.strip() or len(name) > MAX_NAME_LENGTH:
        errors["name"] = f"Must be from 1 to {MAX_NAME_LENGTH} characters."
    elif error := text_error(name):
        errors["name"] = error
    if not wanted or unknown:
        errors["scopes"] = f"Must be one or more of {', '.join(Scope.values)}."
    if expires_at is not None and expires_at <= now:
        errors["expires_at"] = "Must lie in the future."
    if errors:
        raise UnableToCreateApiKey("The key was not created.", **errors)
    secret = SECRET_MARK + secrets.token_urlsafe(SECRET_BYTES)
    key = ApiKey.objects.create(
        client_id=client_id or new_id(),
        name=name,
        prefix=secret[:PREFIX_LENGTH],
        key_hash=key_hash(secret),
        scopes=wanted,
        expires_at=expires_at,
        created_at=now,
    )
    return key, secret


def replace_api_key(
    *,
    prefix_or_id: str,
    now: datetime.datetime,
    expires_at: datetime.datetime | None = None,
    name: str | None = None,
    scopes: Iterable[str] | None = None,
) -> tuple[ApiKey, str]:
    """Create a key for the client of another, with the same name and scopes unless others are given.

    The client's Idempotency-Keys are valid with both. The old key works until it is revoked or expires. A key that
    expires can only be replaced by one that expires, so that the end isn't lost by mistake.

    Raises as `create_api_key` and `api_key_named`.
    """
    replaced = api_key_named(prefix_or_id)
    if replaced.expires_at is not None and expires_at is None:
        end = f"The key that it replaces ends at {replaced.expires_at.isoformat()}"
        raise UnableToCreateApiKey(
            "The key was not created.", expires_at=f"{end}: say when this one does (--expires DATE)."
        )
    return create_api_key(
        name=replaced.name if name is None else name,
        scopes=replaced.scopes if scopes is None else scopes,
        expires_at=expires_at,
        now=now,
        client_id=replaced.client_id,
    )


def revoke_api_key(*, prefix_or_id: str, now: datetime.datetime) -> ApiKey:
    """Revoke a key, from now on. Revoking it again changes nothing. Raises as `api_key_named`."""
    key = api_key_named(prefix_or_id)
    if key.revoked_at is None:
        key.revoked_at = now
        key.save(update_fields=["revoked_at"])
    return key


def api_key_named(prefix_or_id: str) -> ApiKey:
    """The key that begins so, or has this id.

    Raises `UnknownApiKey`, and `AmbiguousApiKey` where two keys share the prefix (then its id tells them apart).
    """
    named = Q(prefix=prefix_or_id)
    with suppress(ValueError):  # it may be no id
        named |= Q(id=uuid.UUID(prefix_or_id))
    found = list(ApiKey.objects.filter(named)[:2])
    if not found:
        # What was given isn't repeated: it may be a whole key.
        raise UnknownApiKey(f"There is no such key; give its first {PREFIX_LENGTH} characters or its id.")
    if len(found) > 1:
        raise AmbiguousApiKey("More than one key starts so; give its id.")
    return found[0]
