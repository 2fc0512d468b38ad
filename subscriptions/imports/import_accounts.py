"""Importing accounts from a file: all of them, or none."""

import datetime
import io
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from django.db import IntegrityError, transaction

from accounts.account_opening import Draft
from accounts.billing_calendar import DayOutOfRange, in_range
from accounts.billing_day import billing_day
from accounts.errors import Invalid, violated_constraint
from accounts.models import Account, AccountChange, Plan, TaxRate, Terms
from accounts.number_prefix import with_unused_prefixes
from subscriptions.imports.catch_up import CatchUp
from subscriptions.imports.columns import COLUMNS
from subscriptions.imports.file import FileRow, read_rows
from subscriptions.imports.opening_balances import OpeningBalances, post_opening_balances
from subscriptions.imports.problems import Cause, Fault, Problem, Problems, UnreadableFile
from subscriptions.imports.references import Candidate, end_references, mark_repeated, mark_taken, start_references
from subscriptions.imports.rows import UnableToReadRow, draft_of_row

ROWS_IN_A_BATCH = 1000
MAX_REFERENCE_LENGTH = Account._meta.get_field("external_reference").max_length or 0


class UnableToImport(Invalid):
    """No account was imported. `causes` sum up what is wrong, by column; `problems` are the first bad rows, and `more`
    is the number of the others.
    """

    code = "unable-to-import"

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
    opening_balances: OpeningBalances = field(default_factory=OpeningBalances)
    active: int = 0
    inactive: int = 0

    @property
    def accounts(self) -> int:
        return self.active + self.inactive

    def add(self, draft: Draft) -> None:
        self.opening_balances.add(draft)
        if draft.account.status == Account.Status.INACTIVE:
            self.inactive += 1
            return
        self.active += 1
        self.before_import.add(draft)
        if self.before_today:
            self.before_today.add(draft)


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
            tax_rates={rate.id: rate for rate in TaxRate.objects.all()},
            imported=_nothing_yet(as_of=as_of, today=billing_day(now)),
        )
        start_references()
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
        end_references()
        return task.imported


def _nothing_yet(*, as_of: datetime.date, today: datetime.date) -> Imported:
    return Imported(
        before_import=CatchUp(day=as_of),
        before_today=CatchUp(day=today) if today > as_of else None,
    )


@dataclass(slots=True, kw_only=True)
class _Import:
    """An import in progress, in the caller's transaction."""

    as_of: datetime.date
    author: str
    now: datetime.datetime
    dry_run: bool
    plans: dict[str, Plan]
    tax_rates: dict[uuid.UUID, TaxRate]
    imported: Imported
    problems: Problems = field(default_factory=Problems)

    def candidates(self, *, file: io.BufferedIOBase) -> Iterator[Candidate]:
        try:
            for row in read_rows(file=file):
                yield self._candidate(row)
        except UnreadableFile as error:
            yield Candidate(line=error.line, faults=[Fault(error.reason)])

    def _candidate(self, row: FileRow) -> Candidate:
        if row.fault:
            return Candidate(line=row.line, faults=[row.fault])
        reference = row.cells["external_reference"]
        # A reference that is too long is refused by its own rule, and an index couldn't hold it.
        candidate = Candidate(line=row.line, reference=reference if len(reference) <= MAX_REFERENCE_LENGTH else "")
        try:
            candidate.draft = draft_of_row(
                row=row,
                plans=self.plans,
                tax_rates=self.tax_rates,
                as_of=self.as_of,
                author=self.author,
                now=self.now,
            )
        except UnableToReadRow as refusal:
            candidate.faults = [Fault(message, column=column) for column, message in refusal.errors.items()]
        return candidate

    def take(self, batch: Sequence[Candidate]) -> None:
        """Insert a batch. On a dry run, and once a bad row was found, only check it."""
        mark_repeated(batch)
        mark_taken(batch)
        good = not self.problems.bad_rows and not any(candidate.faults for candidate in batch)
        if good and not self.dry_run:
            self._insert(batch)
        for candidate in batch:
            self._count(candidate)

    def _insert(self, batch: Sequence[Candidate]) -> None:
        drafts = [candidate.draft for candidate in batch if candidate.draft]
        accounts = [draft.account for draft in drafts]
        try:
            with transaction.atomic():
                with_unused_prefixes(accounts, lambda: Account.objects.bulk_create(accounts))
                Terms.objects.bulk_create(draft.terms for draft in drafts)
                AccountChange.objects.bulk_create(draft.opening(now=self.now) for draft in drafts)
                post_opening_balances(drafts, today=billing_day(self.now), author=self.author)
        except IntegrityError as error:
            if violated_constraint(error) != "account_external_reference_once":
                raise
            # Another account took a reference after this import checked. Check again, to name the row.
            mark_taken(batch)
            if not any(candidate.faults for candidate in batch):
                raise

    def _count(self, candidate: Candidate) -> None:
        if candidate.faults:
            self.problems.add(line=candidate.line, faults=candidate.faults)
        elif candidate.draft:
            self.imported.add(candidate.draft)
