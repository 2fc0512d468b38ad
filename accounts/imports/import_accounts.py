"""Importing accounts from a file: all of them, or none."""

import datetime
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from django.db import IntegrityError, connection, transaction

from accounts.account_opening import opening_of, reference_taken
from accounts.billing_calendar import DayOutOfRange, in_range
from accounts.billing_day import billing_day
from accounts.errors import Invalid, violated_constraint
from accounts.imports.catch_up import CatchUp
from accounts.imports.columns import COLUMNS
from accounts.imports.file import FileRow, read_rows
from accounts.imports.problems import Cause, Fault, Problem, Problems, UnreadableFile
from accounts.imports.rows import UnableToReadRow, account_of_row
from accounts.models import Account, Plan, StatusChange

ROWS_IN_A_BATCH = 1000
MAX_REFERENCE_LENGTH = Account._meta.get_field("external_reference").max_length or 0


class UnableToImport(Invalid):
    """No account was imported. `causes` sum up what is wrong, by column; `problems` are the first bad rows, and `more`
    is the number of the others.
    """

    def __init__(
        self,
        detail: str,
        *,
        causes: Sequence[Cause] = (),
        problems: Sequence[Problem] = (),
        more: int = 0,
        **errors: str,
    ) -> None:
        super().__init__(detail, **errors)
        self.causes = causes
        self.problems = problems
        self.more = more


@dataclass(slots=True, kw_only=True)
class Imported:
    """How many accounts an import opened, or would open, and what they are billed for past days.

    `before_import` is counted to the day of the import, and `before_today` to the billing day, where that is later.
    """

    before_import: CatchUp
    before_today: CatchUp | None
    active: int = 0
    inactive: int = 0

    @property
    def accounts(self) -> int:
        return self.active + self.inactive

    def add(self, account: Account) -> None:
        if account.status == Account.Status.INACTIVE:
            self.inactive += 1
            return
        self.active += 1
        self.before_import.add(account)
        if self.before_today:
            self.before_today.add(account)


def import_accounts(
    *,
    file: io.BufferedIOBase,
    as_of: datetime.date,
    author: str,
    now: datetime.datetime,
    dry_run: bool = False,
    progress: Callable[[int], object] = lambda rows: None,
) -> Imported:
    """Open every account in the file, in one transaction. `dry_run` reads the whole file and writes nothing.

    `as_of` is the day of the import: an account is billed from its first period start on or after it, unless
    its row names a rebilling date. The file is read as a stream, and memory stays flat however long it is; `progress`
    is called with the number of rows read so far. Raises `UnableToImport`.
    """
    try:
        in_range(as_of)
    except DayOutOfRange as error:
        raise UnableToImport(f"The day of the import: {error}.", as_of=f"{error}.") from None
    with transaction.atomic():
        task = _Import(
            as_of=as_of,
            author=author,
            now=now,
            dry_run=dry_run,
            plans={plan.code: plan for plan in Plan.objects.all()},
            imported=_nothing_yet(as_of=as_of, today=billing_day(now)),
        )
        with connection.cursor() as cursor:
            cursor.execute(_START)
        candidates = task.candidates(file=file)
        rows = 0
        while batch := list(islice(candidates, ROWS_IN_A_BATCH)):
            task.take(batch)
            rows += len(batch)
            progress(rows)
        problems = task.problems
        if problems.bad_rows:
            raise UnableToImport(
                "No account was imported.",
                causes=problems.causes(columns=COLUMNS),
                problems=problems.rows,
                more=problems.bad_rows - len(problems.rows),
            )
        with connection.cursor() as cursor:
            cursor.execute(_END)
        return task.imported


def _nothing_yet(*, as_of: datetime.date, today: datetime.date) -> Imported:
    return Imported(
        before_import=CatchUp(day=as_of),
        before_today=CatchUp(day=today) if today > as_of else None,
    )


@dataclass(slots=True)
class _Candidate:
    """A row on its way to an account, and what is wrong with it."""

    line: int
    reference: str = ""
    account: Account | None = None
    faults: list[Fault] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class _Import:
    """An import in progress, in the caller's transaction."""

    as_of: datetime.date
    author: str
    now: datetime.datetime
    dry_run: bool
    plans: dict[str, Plan]
    imported: Imported
    problems: Problems = field(default_factory=Problems)

    def candidates(self, *, file: io.BufferedIOBase) -> Iterator[_Candidate]:
        try:
            for row in read_rows(file=file):
                yield self._candidate(row)
        except UnreadableFile as error:
            yield _Candidate(line=error.line, faults=[Fault(error.reason)])

    def _candidate(self, row: FileRow) -> _Candidate:
        if row.fault:
            return _Candidate(line=row.line, faults=[row.fault])
        reference = row.cells["external_reference"]
        # A reference that is too long is refused by its own rule, and an index couldn't hold it.
        candidate = _Candidate(line=row.line, reference=reference if len(reference) <= MAX_REFERENCE_LENGTH else "")
        try:
            candidate.account = account_of_row(row=row, plans=self.plans, as_of=self.as_of, now=self.now)
        except UnableToReadRow as refusal:
            candidate.faults = [Fault(message, column=column) for column, message in refusal.errors.items()]
        return candidate

    def take(self, batch: Sequence[_Candidate]) -> None:
        """Insert a batch. On a dry run, and once a bad row was found, only check it."""
        _mark_repeated(batch)
        _mark_taken(batch)
        good = not self.problems.bad_rows and not any(candidate.faults for candidate in batch)
        if good and not self.dry_run:
            self._insert(batch)
        for candidate in batch:
            self._count(candidate)

    def _insert(self, batch: Sequence[_Candidate]) -> None:
        accounts = [candidate.account for candidate in batch if candidate.account]
        try:
            with transaction.atomic():
                Account.objects.bulk_create(accounts)
                StatusChange.objects.bulk_create(
                    opening_of(account=account, reason="imported", author=self.author, now=self.now)
                    for account in accounts
                )
        except IntegrityError as error:
            if violated_constraint(error) != "account_external_reference_once":
                raise
            # Another account took a reference after this import checked. Check again, to name the row.
            _mark_taken(batch)
            if not any(candidate.faults for candidate in batch):
                raise

    def _count(self, candidate: _Candidate) -> None:
        if candidate.faults:
            self.problems.add(line=candidate.line, faults=candidate.faults)
        elif candidate.account:
            self.imported.add(candidate.account)


# The lines of the file by reference are kept in the database: a dictionary would grow with the file.
_START = "CREATE TEMPORARY TABLE import_line (external_reference text PRIMARY KEY, line bigint NOT NULL)"
_REMEMBER = """
    INSERT INTO import_line (external_reference, line)
    SELECT * FROM unnest(%(references)s::text[], %(lines)s::bigint[]) ON CONFLICT DO NOTHING
"""
_RECALL = "SELECT external_reference, line FROM import_line WHERE external_reference = ANY(%(references)s)"
_END = "DROP TABLE import_line"


def _mark_repeated(batch: Sequence[_Candidate]) -> None:
    """Add a fault to each candidate whose reference is on an earlier line of the file."""
    first_lines: dict[str, int] = {}
    for candidate in batch:
        if candidate.reference:
            first_lines.setdefault(candidate.reference, candidate.line)
    references = list(first_lines)
    with connection.cursor() as cursor:
        cursor.execute(_REMEMBER, {"references": references, "lines": list(first_lines.values())})
        cursor.execute(_RECALL, {"references": references})
        first_lines = dict(cursor.fetchall())
    for candidate in batch:
        if candidate.reference and first_lines[candidate.reference] != candidate.line:
            line = first_lines[candidate.reference]
            reason = f"{candidate.reference!r} is on line {line} already."
            candidate.faults.append(Fault(reason, column="external_reference"))


def _mark_taken(batch: Sequence[_Candidate]) -> None:
    """Add a fault to each candidate whose reference another account has."""
    references = {candidate.reference for candidate in batch if candidate.reference}
    taken = set(Account.objects.filter(external_reference__in=references).values_list("external_reference", flat=True))
    for candidate in batch:
        # A repeated one has its fault already; the account that has its reference may be this import's own.
        if candidate.reference in taken and not candidate.faults:
            candidate.faults.append(Fault(reference_taken(candidate.reference).detail, column="external_reference"))
