"""Ids are UUIDv7 (RFC 9562): made before a row is written, and sorted by time."""

import uuid

from uuid_utils.compat import uuid7


def new_id() -> uuid.UUID:
    """A new id, greater than those this process made before.

    A counter orders the ids of one millisecond, so they never run ahead of the clock: rows that several processes
    write sort in the order in which they were written, to the millisecond.
    """
    return uuid7()
