"""Paging by cursor, newest first.

On the id alone: ids are UUIDv7, so their order is the order of time, and no two are equal.
"""

import base64
import binascii
import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rest_framework.exceptions import APIException, ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

if TYPE_CHECKING:  # the views' own module loads this one
    from rest_framework.views import APIView

MAX_PAGE_SIZE = 200
USUAL_PAGE_SIZE = 50

CURSOR = "cursor"
PAGE_SIZE = "page_size"

_DIGEST_BYTES = 8
_NEXT, _PREVIOUS = b"n", b"p"


class InvalidCursor(APIException):
    """The cursor was not made here, or was made for another list or other filters."""

    status_code = 400
    default_code = "invalid_cursor"
    default_detail = "This cursor isn't one of this list and these filters; follow `next` and `previous` as given."


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a list: what comes `after` the row of this id (older), or before it (newer)."""

    id: uuid.UUID
    after: bool

    def encoded(self, *, belongs_to: bytes) -> str:
        place = (_NEXT if self.after else _PREVIOUS) + self.id.bytes
        return base64.urlsafe_b64encode(place + _digest(place, belongs_to)).decode().rstrip("=")

    @classmethod
    def decoded(cls, text: str, *, belongs_to: bytes) -> "Cursor":
        """The cursor that this text is. Raises `InvalidCursor`."""
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            raise InvalidCursor from None
        place, digest = raw[:-_DIGEST_BYTES], raw[-_DIGEST_BYTES:]
        if len(place) != 17 or place[:1] not in (_NEXT, _PREVIOUS) or digest != _digest(place, belongs_to):
            raise InvalidCursor
        return cls(id=uuid.UUID(bytes=place[1:]), after=place[:1] == _NEXT)


def _digest(place: bytes, belongs_to: bytes) -> bytes:
    return hashlib.sha256(belongs_to + place).digest()[:_DIGEST_BYTES]


def _list_of(request: Request) -> bytes:
    """What a cursor belongs to: the path and the filters."""
    filters = sorted(item for item in request.query_params.items() if item[0] not in (CURSOR, PAGE_SIZE))
    return hashlib.sha256(repr((request.path_info, filters)).encode()).digest()


class IdCursorPagination(BasePagination):
    """`{"next", "previous", "results"}`; `next` and `previous` are addresses, or null at the ends."""

    parameters = frozenset({CURSOR, PAGE_SIZE})

    def paginate_queryset(self, queryset: Any, request: Request, view: "APIView | None" = None) -> list[Any]:
        """One page, in one statement. Raises `InvalidCursor`, and `ValidationError` for a page size out of range."""
        self._address = request.build_absolute_uri()
        self._list = _list_of(request)
        size = _page_size(request)
        text = request.query_params.get(CURSOR)
        cursor = None if text is None else Cursor.decoded(text, belongs_to=self._list)
        backwards = cursor is not None and not cursor.after
        if cursor is not None:
            queryset = queryset.filter(**{"id__lt" if cursor.after else "id__gt": cursor.id})
        rows = list(
            queryset.order_by("id" if backwards else "-id")[: size + 1]
        )  # one more shows whether there is another page
        page = rows[:size]
        more = len(rows) > size
        if backwards:
            page.reverse()
        self._next = page[-1].pk if page and (more or backwards) else None
        self._previous = page[0].pk if page and (more if backwards else cursor is not None) else None
        return page

    def get_paginated_response(self, data: Any) -> Response:
        return Response(
            {
                "next": self._link(self._next, after=True),
                "previous": self._link(self._previous, after=False),
                "results": data,
            }
        )

    def _link(self, id: uuid.UUID | None, *, after: bool) -> str | None:
        if id is None:
            return None
        return replace_query_param(self._address, CURSOR, Cursor(id=id, after=after).encoded(belongs_to=self._list))

    def get_paginated_response_schema(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        address = {"type": "string", "nullable": True, "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {
                "next": address | {"description": "The page of older rows; null on the last one."},
                "previous": address | {"description": "The page of newer rows; null on the first one."},
                "results": schema,
            },
        }

    def get_schema_operation_parameters(self, view: "APIView") -> list[dict[str, Any]]:
        size = {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE, "default": USUAL_PAGE_SIZE}
        return [
            {
                "name": CURSOR,
                "in": "query",
                "description": "A place in this list with these filters, from `next` or `previous` of another page.",
                "schema": {"type": "string"},
            },
            {"name": PAGE_SIZE, "in": "query", "description": "Rows a page.", "schema": size},
        ]


def _page_size(request: Request) -> int:
    text = request.query_params.get(PAGE_SIZE)
    if text is None:
        return USUAL_PAGE_SIZE
    if text.isascii() and text.isdecimal() and len(text) <= 3 and 1 <= int(text) <= MAX_PAGE_SIZE:
        return int(text)
    raise ValidationError({PAGE_SIZE: [f"Must be a whole number from 1 to {MAX_PAGE_SIZE}."]})
