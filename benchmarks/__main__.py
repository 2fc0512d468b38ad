"""`python -m benchmarks [NAME ...]`: each benchmark in a process of its own, one after the other, and all figures.

Prints a table, and writes `build/bench.json`: a list of name, ratio, low, high, wanted, holds. Exits 1 if a benchmark
fails or a figure doesn't hold.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import asdict

from benchmarks.figures import BUILD, Figure, row

BENCHMARKS = ("worker", "batches", "many_workers", "provider", "hordak", "cold_start", "growth", "api")
LONGER = ("growth", "api")
"""Benchmarks that have a long form, too."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(BENCHMARKS)} (default: all)")
    parser.add_argument("--full", action="store_true", help=f"the long form of {', '.join(LONGER)}")
    parser.add_argument(
        "--guard", action="store_true", help="fail only where a figure misses what is wanted by more than noise does"
    )
    arguments = parser.parse_args()
    names = arguments.names or (LONGER if arguments.full else BENCHMARKS)
    if unknown := sorted({*names} - {*BENCHMARKS}):
        parser.error(f"there is no benchmark {', '.join(unknown)}")
    figures, failed = [], []
    for name in names:
        print(f"--- {name}", flush=True)
        path = BUILD / "bench" / f"{name}.json"
        path.unlink(missing_ok=True)
        form = ["--full"] if arguments.full and name in LONGER else []
        command = [sys.executable, "-m", f"benchmarks.{name}", *form]
        if subprocess.run(command, check=False).returncode or not path.exists():
            failed.append(name)
            continue
        figures += [Figure(**figure) for figure in json.loads(path.read_text(encoding="utf-8"))]
    (BUILD / "bench.json").write_text(
        json.dumps([asdict(figure) for figure in figures], indent=2) + "\n", encoding="utf-8"
    )
    print("--- all figures")
    print("\n".join(row(figure) for figure in figures))
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    holds = [figure.holds or (arguments.guard and figure.nearly_holds) for figure in figures]
    return 1 if failed or not all(holds) else 0


if __name__ == "__main__":
    sys.exit(main())
