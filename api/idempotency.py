"""Requests that may be sent again: the `Idempotency-Key` header.

A key belongs to the client, the method and the path, and outlives a change of the client's API key. The first request
with it does the work and stores its answer in the same transaction; the same request again gets that answer, byte for
byte. Two bodies are the same when their JSON is: the order of keys and the white space may differ.

Successes are stored, and final answers with 409 or 422. Everything else may be sent again as if it were new, above all
a conflict that waiting resolves (`Conflict.passing`).
"""

import datetime
import hashlib
import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.http import HttpResponse
from rest_framework.exceptions import APIException
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from accounts.errors import Conflict, Invalid
from api.models import IdempotentAnswer
from api.problems import refusal_problem

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"

KEPT = datetime.timedelta(hours=48)
"""How long an answer is kept, at least. Clients are promised half of it."""
MAX_DELETED = 20
"""The most old answers that storing a new one deletes. More than one, so that the table shrinks."""

_PRINTABLE = re.compile(r"[\x20-\x7e]{1,255}")


MOVES_MONEY = "This call moves money, so it needs an Idempotency-Key header."
"""Why a call needs a key, when it does."""


class IdempotencyKeyMissing(APIException):
    """Its detail is the call's own reason to need one."""

    status_code = 400
    default_code = "idempotency_key_missing"


class IdempotencyKeyMalformed(APIException):
    status_code = 400
    default_code = "idempotency_key_malformed"
    default_detail = "An Idempotency-Key is 1 to 255 printable ASCII characters."


class IdempotencyKeyReused(APIException):
    status_code = 422
    default_code = "idempotency_key_reused"
    default_detail = "This Idempotency-Key was used for a request with another body; take a new one."


class RequestInFlight(APIException):
    status_code = 409
    default_code = "request_in_flight"
    default_detail = "A request with this Idempotency-Key is being worked on; send it again in a moment."


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call answers: a status of success, the data, and the address of what was created."""

    status: int
    data: Any
    location: str = ""

    def response(self) -> HttpResponse:
        content = JSONRenderer().render(self.data)
        return _response(content, status=self.status, content_type="application/json", location=self.location)


def answer_once(
    *, request: Request, client_id: uuid.UUID, work: Callable[[], Answer], needs_key: str, now: datetime.datetime
) -> HttpResponse:
    """Do the work and answer, or give the answer that the same request was given before.

    `needs_key` is why the call needs a key, or empty where it may come without one. `work` must not read the body: what
    could be wrong with its shape was found before, and isn't stored.
    The work and the rendering of its answer are one transaction, with a key or without: no error comes after a commit.
    Raises the errors of this module, and `Missing`, errors that pass and bugs of the work as they are, with nothing
    stored.
    """
    key = _idempotency_key(request, needed_because=needs_key)
    if key is None:
        with transaction.atomic():
            return work().response()
    body_hash = hashlib.sha256(json.dumps(request.data, sort_keys=True).encode()).digest()
    method, path = str(request.method), request.path_info
    of_request = {"client_id": client_id, "method": method, "path": path, "idempotency_key": key}
    with transaction.atomic():
        if not _lock([str(client_id), method, path, key]):
            raise RequestInFlight
        stored = IdempotentAnswer.objects.filter(**of_request).first()
        if stored is not None:
            return _replay(stored, body_hash=body_hash)
        response = _work_or_refusal(work)
        IdempotentAnswer.objects.create(
            **of_request,
            body_hash=body_hash,
            status_code=response.status_code,
            content_type=response["Content-Type"],
            content=response.content,
            location=response.get("Location", ""),
            created_at=now,
        )
        delete_old_answers(now=now, max_answers=MAX_DELETED)
        return response


def delete_old_answers(*, now: datetime.datetime, max_answers: int = 1000) -> int:
    """Delete up to `max_answers` answers that are old enough, oldest first. Returns how many were deleted.

    Each answer that is stored calls it, so no schedule is needed, and the table never outgrows its traffic.
    """
    old = IdempotentAnswer.objects.filter(created_at__lt=now - KEPT).order_by("created_at")
    with transaction.atomic():
        # Rows that another request is deleting are skipped, not waited for.
        ids = list(old.select_for_update(skip_locked=True).values_list("id", flat=True)[:max_answers])
        return IdempotentAnswer.objects.filter(id__in=ids).delete()[0] if ids else 0


def _idempotency_key(request: Request, *, needed_because: str) -> str | None:
    key = request.headers.get(HEADER)
    if key is None:
        if needed_because:
            raise IdempotencyKeyMissing(needed_because)
        return None
    if not _PRINTABLE.fullmatch(key):
        raise IdempotencyKeyMalformed
    return key


def _lock(names: list[str]) -> bool:
    """Take the lock of this name until the transaction ends; false when another request has it. Locks are 64-bit."""
    name = json.dumps(["idempotency", *names]).encode()
    number = int.from_bytes(hashlib.sha256(name).digest()[:8], signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        return bool(cursor.fetchone()[0])


def _work_or_refusal(work: Callable[[], Answer]) -> HttpResponse:
    try:
        with transaction.atomic():  # a refused operation is rolled back; its answer is stored all the same
            return work().response()
    except (Conflict, Invalid) as refusal:
        if isinstance(refusal, Conflict) and refusal.passing:
            raise
        return refusal_problem(refusal)


def _replay(stored: IdempotentAnswer, *, body_hash: bytes) -> HttpResponse:
    if bytes(stored.body_hash) != body_hash:
        raise IdempotencyKeyReused
    response = _response(
        bytes(stored.content), status=stored.status_code, content_type=stored.content_type, location=stored.location
    )
    response[REPLAYED] = "true"
    return response


def _response(content: bytes, *, status: int, content_type: str, location: str) -> HttpResponse:
    headers = {"Location": location} if location else None
    return HttpResponse(content, status=status, content_type=content_type, headers=headers)
