"""Rows that the database refuses: one of them in a pack doesn't keep the others from being done."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from django.db import DataError, IntegrityError, InternalError, transaction

from accounts.refusals import violated_constraint

T = TypeVar("T")
R = TypeVar("R")

ROW_FAULTS = (IntegrityError, DataError, InternalError)
"""Raised for a bad row by the database. Anything else (a lost connection, a bug) is no row's fault; the pack fails."""


def in_halves(
    *, items: Sequence[T], work: Callable[[Sequence[T]], list[R]], alone: Callable[[T, Exception], list[R]]
) -> Iterator[R]:
    """What `work` brings of all items, in one transaction, once that is over.

    When a row breaks it, it is undone and each half worked on, until the bad item is found: that one goes to `alone`.
    Each part is a transaction of its own, or in the caller's.
    """
    try:
        with transaction.atomic():
            done = work(items)
    except ROW_FAULTS as error:
        fault = error
    else:
        yield from done
        return
    if len(items) == 1:
        with transaction.atomic():
            done = alone(items[0], fault)
        yield from done
        return
    middle = len(items) // 2
    for half in (items[:middle], items[middle:]):
        yield from in_halves(items=half, work=work, alone=alone)


def told(error: Exception) -> str:
    """A row fault in one line, by the constraint's name where there is one."""
    what = violated_constraint(error) if isinstance(error, IntegrityError) else ""
    return f"{type(error).__name__}: {what or error}".splitlines()[0]
