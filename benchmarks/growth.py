"""Growth: what is due decides what a sweep, a worker and the checks cost, not what exists.

    python -m benchmarks [--full] growth

Databases of different sizes stand side by side, each with accounts that were billed monthly. On each of some days as
many accounts are due in each of them, and each sweeps, looks at its run, checks and bills in turn. The short form has
up to a hundred thousand accounts; `--full` up to a million, with ten million ledger entries, and bills all of them at
the end: that takes an hour or two.
"""

import argparse
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from benchmarks.days import Billed, Checked, bill_the_others, billed_day, checked_day, whole_check
from benchmarks.figures import Curve, Figure, at_least, at_most, report, report_curves, shown
from benchmarks.sized import SizedDatabase

Day = TypeVar("Day")

ROUNDS = 5
DUE, FEW = 1000, 100
"""Accounts that are due on a day on which billing is measured; and, which a thousand accounts have enough of, on one
on which the checks are.
"""
CHECK_DAYS = range(1, ROUNDS + 2)
BILLING_DAYS = range(CHECK_DAYS.stop, CHECK_DAYS.stop + ROUNDS + 1)
SMALLEST = 1_000
SHORT, FULL = (10_000, 100_000), (10_000, 100_000, 1_000_000)
MONTHS, MONTHS_FULL = 2, 5
"""Of an account's past. Each is two ledger entries."""


@dataclass(frozen=True)
class Measure(Generic[Day]):
    """What is measured of a day, its unit, and what is wanted of a size's ratio to the smallest."""

    name: str
    unit: str
    value: Callable[[Day], float]
    figure: Callable[[str, Sequence[float]], Figure]


CHECKS = (
    Measure[Checked]("a run's page", "s", lambda day: day.run_page, partial(at_most, wanted=1.5)),
    Measure[Checked]("GET /v1/runs", "s", lambda day: day.run_list, partial(at_most, wanted=1.5)),
    Measure[Checked]("the hourly check", "s", lambda day: day.hourly_check, partial(at_most, wanted=1.5)),
    Measure[Checked]("the search for gaps, once a sweep", "s", lambda day: day.gap_search, shown),
)
BILLING = (
    Measure[Billed](
        "rebillings/s", "1/s", lambda day: day.periods / day.worker.seconds, partial(at_least, wanted=0.85)
    ),
    Measure[Billed](
        "periods swept/s", "1/s", lambda day: day.periods / day.sweep.seconds, partial(at_least, wanted=0.85)
    ),
    Measure[Billed]("peak memory of a worker", "MiB", lambda day: day.worker.peak, partial(at_most, wanted=1.2)),
    Measure[Billed]("peak memory of a sweep", "MiB", lambda day: day.sweep.peak, partial(at_most, wanted=1.2)),
)
DAILY = (Measure[float]("the day's look at all books", "s", lambda seconds: seconds, shown),)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--full", action="store_true", help="up to a million accounts")
    full = parser.parse_args().full
    sizes, months = (FULL, MONTHS_FULL) if full else (SHORT, MONTHS)
    few = [0, *[FEW for _ in CHECK_DAYS]]
    due = [*few, *[DUE for _ in BILLING_DAYS]]
    with ExitStack() as stack:
        smallest = stack.enter_context(SizedDatabase(accounts=SMALLEST, due=few, months=months))
        others = [stack.enter_context(SizedDatabase(accounts=size, due=due, months=months)) for size in sizes]
        everyone = [smallest, *others]
        # What was never run before is slower: the first day of each kind is left out.
        checked = [[database.ask(checked_day, day) for database in everyone] for day in CHECK_DAYS][1:]
        billed = [[database.ask(billed_day, day) for database in others] for day in BILLING_DAYS][1:]
        daily = [[database.ask(whole_check, BILLING_DAYS[-1]) for database in everyone]]
        found = [
            *_by_size(CHECKS, checked, everyone),
            *_by_size(DAILY, daily, everyone),
            *_by_size(BILLING, billed, others),
        ]
        if full:
            found += _by_size(
                BILLING, [[database.ask(bill_the_others) for database in others]], others, ", all of them due,"
            )
    report("growth", [figure for _, figures in found for figure in figures])
    report_curves("growth", [curve for curve, _ in found])


def _by_size(
    measures: Sequence[Measure[Day]], days: Sequence[Sequence[Day]], databases: Sequence[SizedDatabase], which: str = ""
) -> list[tuple[Curve, list[Figure]]]:
    """Each measure by size, and the ratios of each size's to the smallest's, day by day."""
    sizes = [database.accounts for database in databases]
    found = []
    for measure in measures:
        values = [[measure.value(of_size) for of_size in day] for day in days]
        name = f"{measure.name}{which} at %s accounts: at {sizes[0]:,}"
        figures = [
            measure.figure(name % f"{size:,}", [day[at] / day[0] for day in values])
            for at, size in enumerate(sizes)
            if at
        ]
        by_size = {size: [day[at] for day in values] for at, size in enumerate(sizes)}
        found.append((Curve(f"{measure.name}{which}", "accounts", measure.unit, by_size), figures))
    return found


if __name__ == "__main__":
    main()
