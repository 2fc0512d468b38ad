"""References of a file's rows: each is there once, and no other account has it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from accounts.account_opening import Draft, reference_taken
from accounts.models import Account
from accounts.sql_files import query
from subscriptions.imports.problems import Fault

# The lines of the file by reference are kept in the database: a dictionary would grow with the file.
_START = "CREATE TEMPORARY TABLE import_line (external_reference text PRIMARY KEY, line bigint NOT NULL)"
_END = "DROP TABLE import_line"


@dataclass(slots=True)
class Candidate:
    """A row on its way to an account, and what is wrong with it."""

    line: int
    reference: str = ""
    draft: Draft | None = None
    faults: list[Fault] = field(default_factory=list)


def start_references() -> None:
    """Begin to remember lines, in the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_START)


def end_references() -> None:
    with connection.cursor() as cursor:
        cursor.execute(_END)


def mark_repeated(batch: Sequence[Candidate]) -> None:
    """Add a fault to each candidate whose reference is on an earlier line of the file."""
    first_lines: dict[str, int] = {}
    for candidate in batch:
        if candidate.reference:
            first_lines.setdefault(candidate.reference, candidate.line)
    references = list(first_lines)
    with connection.cursor() as cursor:
        remembered: dict[str, list[Any]] = {"references": references, "lines": list(first_lines.values())}
        cursor.execute(query(__file__, "remember_lines"), remembered)
        cursor.execute(query(__file__, "first_lines"), {"references": references})
        first_lines = dict(cursor.fetchall())
    for candidate in batch:
        if candidate.reference and first_lines[candidate.reference] != candidate.line:
            line = first_lines[candidate.reference]
            reason = f"{candidate.reference!r} is on line {line} already."
            candidate.faults.append(Fault(reason, column="external_reference"))


def mark_taken(batch: Sequence[Candidate]) -> None:
    """Add a fault to each candidate whose reference another account has."""
    references = {candidate.reference for candidate in batch if candidate.reference}
    held = Account.objects.filter(external_reference__in=references).exclude(
        status=Account.Status.INACTIVE, inactive_reason=Account.InactiveReason.CLOSED
    )
    taken = set(held.values_list("external_reference", flat=True))
    for candidate in batch:
        # A repeated one has its fault already; the account that has its reference may be this import's own.
        if candidate.reference in taken and not candidate.faults:
            candidate.faults.append(Fault(reference_taken(candidate.reference).detail, column="external_reference"))
