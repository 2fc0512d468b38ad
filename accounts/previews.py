"""Transactions that are rolled back: what a change would do is found by doing it, and nothing of it is kept."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction


class Preview:
    """Stands for a transaction that is rolled back, whatever happens in it: `preview` alone makes one. What must never
    be kept takes it.
    """

    __slots__ = ("_is_over",)

    def __init__(self) -> None:
        self._is_over = False

    def check(self) -> None:
        """Raises `RuntimeError` once it has been rolled back: what is done then would be kept."""
        if self._is_over:
            raise RuntimeError("this preview is over")

    def end(self) -> None:
        """It is rolled back."""
        self._is_over = True


@contextmanager
def preview() -> Iterator[Preview]:
    """A transaction of which nothing is kept or sent; within another one, that goes on as if this hadn't been."""
    made = Preview()
    try:
        with transaction.atomic():
            yield made
            transaction.set_rollback(True)
    finally:
        made.end()


@contextmanager
def kept_unless(*, dry_run: bool) -> Iterator[None]:
    """A transaction; for a dry run, one of which nothing is kept or sent."""
    with preview() if dry_run else transaction.atomic():
        yield
