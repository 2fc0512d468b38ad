"""Bisecting a batch: one row that the database refuses doesn't keep the others from being written."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db import DataError, IntegrityError, InternalError, transaction

from accounts.errors import violated_constraint

Item = TypeVar("Item")
Result = TypeVar("Result")

ROW_ERRORS = (IntegrityError, DataError, InternalError)
"""What the database raises for a bad row. Anything else (a lost connection, a bug) is no row's fault, and is raised."""


@dataclass(frozen=True, slots=True)
class FailedItem(Generic[Item]):
    """One item that the database refuses by itself, and why."""

    item: Item
    error: Exception


def bisect_batch(
    *, items: Sequence[Item], work: Callable[[Sequence[Item]], Result]
) -> Iterator[Result | FailedItem[Item]]:
    """Call `work` with all items in one transaction; where the database refuses, with each half, and so on.

    Yields what `work` returned for each part that succeeded, once its transaction is over, and each item that failed
    alone. Within the caller's transaction, each part has a savepoint.
    """
    parts = [items]
    while parts:
        part = parts.pop()
        try:
            with transaction.atomic():
                done: Result | FailedItem[Item] = work(part)
        except ROW_ERRORS as error:
            if len(part) > 1:
                middle = len(part) // 2
                parts += [part[middle:], part[:middle]]
                continue
            done = FailedItem(part[0], error)
        yield done


def describe(error: Exception) -> str:
    """One of ROW_ERRORS in one line, by the constraint's name where there is one."""
    constraint = violated_constraint(error) if isinstance(error, IntegrityError) else ""
    return f"{type(error).__name__}: {constraint or error}".splitlines()[0]
