"""The API against a bare view of Django REST framework that reads one row, and at many entries against few.

    python -m benchmarks [--full] api

Two databases stand side by side, and take turns. In each one account has ten thousand ledger entries, so that its
ledger has a thousandth page; in the larger, others have half a million, or ten million with `--full`. Requests go
through the whole site but its web server, and so do those of the bare view, which has no middleware.
"""

import argparse
import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from benchmarks.api_requests import BARE, ENTRIES, seconds_of_requests
from benchmarks.figures import at_most, ratios_of, report, shown
from benchmarks.sized import SizedDatabase

ROUNDS = 5
FEW, SHORT, FULL = 10, 50_000, 1_000_000
"""Accounts."""
MONTHS = 5
"""Of their past. Each is two ledger entries."""
PERCENTILES = (50, 99)
Times = Mapping[str, Sequence[float]]
"""Seconds of requests, by what is asked for."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--full", action="store_true", help="ten million entries")
    many = FULL if parser.parse_args().full else SHORT
    with ExitStack() as stack:
        databases = [
            stack.enter_context(SizedDatabase(accounts=accounts, due=[], months=MONTHS)) for accounts in (FEW, many)
        ]
        # What was never run before is slower: the first round is left out.
        rounds = [[database.ask(seconds_of_requests) for database in databases] for _ in range(ROUNDS + 1)][1:]
    of_few, of_many = ([times[at] for times in rounds] for at in range(2))
    entries = f"at {2 * MONTHS * many:,} entries: at {ENTRIES:,}"
    names = [name for name in of_few[0] if name != BARE]
    figures = []
    for percentile in PERCENTILES:
        for name in names:
            ours = [_percentile(times[name], percentile) for times in of_few]
            bare = [_percentile(times[BARE], percentile) for times in of_few]
            figures.append(shown(f"{name}, p{percentile}: of {BARE}", ratios_of(ours, bare)))
    for percentile in PERCENTILES:
        for name in names:
            small = [_percentile(times[name], percentile) for times in of_few]
            large = [_percentile(times[name], percentile) for times in of_many]
            figures.append(at_most(f"{name}, p{percentile}, {entries}", ratios_of(large, small), 1.2))
    report("api", figures)


def _percentile(seconds: Sequence[float], percentile: int) -> float:
    return statistics.quantiles(seconds, n=100)[percentile - 1]


if __name__ == "__main__":
    main()
