"""The worker against django-hordak, a general ledger for Django, posting the same charge and payment by its own API.

    python -m benchmarks hordak

A rebilling of the worker writes a period, an invoice with its line, two entries and a payment, and moves the account
on. Of all that hordak posts the two entries, each a transaction of two legs: the least that a billing system written in
the usual way costs. It runs from its package, in an environment of its own (requirements/hordak.txt), on the same
server. Beside it stands what hand-written SQL does of the rebillings.
"""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.database import benchmark_database
from benchmarks.figures import at_least, ratios_of, report, shown
from benchmarks.worker import rebillings_a_second

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / "build" / "venv-hordak"
DATABASE = "hordak"
ROUNDS = 5


def main() -> None:
    variables = os.environ | {"VENV": str(ENVIRONMENT)}
    subprocess.run([ROOT / "requirements" / "environment", "hordak"], check=True, env=variables)
    worker: list[float] = []
    limit: list[float] = []
    hordak: list[float] = []
    with benchmark_database(), _posting() as posted_a_second:
        for number in range(ROUNDS + 1):
            ours, theirs = rebillings_a_second()
            figures = ours, theirs, posted_a_second()
            # What was never run before is slower: the first round is left out.
            if number:
                for rates, rate in zip((worker, limit, hordak), figures, strict=True):
                    rates.append(rate)
    print(f"hordak, charges and payments/s: {sorted(hordak)[ROUNDS // 2]:,.0f}")
    report(
        "hordak",
        [
            at_least("worker, rebillings/s: of hordak's charges and payments", ratios_of(worker, hordak), 10),
            shown("hand-written SQL, rebillings/s: of hordak's charges and payments", ratios_of(limit, hordak)),
        ],
    )


@contextmanager
def _posting() -> Iterator[Callable[[], float]]:
    """Has hordak post charges and payments, each time it is called: how many of both a second."""
    from django.db import connections

    with connections["owner"].cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {DATABASE}")
    owner = connections["owner"].settings_dict
    process = subprocess.Popen(
        [ENVIRONMENT / "bin" / "python", Path(__file__).parent / "posting" / "with_hordak.py"],
        env={"NAME": DATABASE, "USER": owner["USER"], "HOST": owner["HOST"] or owner["OPTIONS"]["host"]},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    asked, answers = process.stdin, process.stdout

    def posted_a_second() -> float:
        print("post", file=asked, flush=True)
        return float(answers.readline())

    try:
        yield posted_a_second
    finally:
        asked.close()
        process.wait()


if __name__ == "__main__":
    main()
