"""Ids are UUIDv7 (RFC 9562): made by the client before it submits, and in the order of time."""

import uuid

from uuid_utils.compat import uuid7


def new_id() -> uuid.UUID:
    """A new id, greater than those this process made before.

    Within a millisecond ids are ordered by a counter, so that they never run ahead of the clock: rows that several
    processes write are in the order in which they were written, to the millisecond.
    """
    return uuid7()
