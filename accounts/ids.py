"""Ids are UUIDv7 (RFC 9562): made before a row is written, and sorted by time."""

import uuid
from functools import lru_cache

from psycopg2 import extensions
from uuid_utils.compat import uuid7

MAX_KEPT = 10_000
"""Ids that are kept: some 2 MB, and more than a batch of 500 periods has."""
_OIDS = (2950,)
"""Of PostgreSQL's type `uuid` (https://www.postgresql.org/docs/current/catalog-pg-type.html, `pg_type.dat`)."""


def new_id() -> uuid.UUID:
    """A new id, greater than those this process made before.

    A counter orders the ids of one millisecond, so they never run ahead of the clock: rows that several processes
    write sort in the order in which they were written, to the millisecond.
    """
    return uuid7()


@lru_cache(maxsize=MAX_KEPT)
def id_of(text: str) -> uuid.UUID:
    """The id that the text is. Raises `ValueError` for one that is none.

    A batch reads each of its ids several times, and is a fiftieth faster where each is made once.
    """
    return uuid.UUID(text)


def read_ids_once() -> None:
    """Have the database's ids read by `id_of`, once Django has registered its own way."""
    extensions.register_type(extensions.new_type(_OIDS, "UUID", lambda text, _: text and id_of(text)))
