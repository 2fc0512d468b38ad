"""Ids are UUIDv7 (RFC 9562): made by the client before it submits, and in the order of time."""

import uuid

import uuid6


def new_id() -> uuid.UUID:
    """A new id, greater than those this process made before."""
    return uuid.UUID(int=uuid6.uuid7().int)
