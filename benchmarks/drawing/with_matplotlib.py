"""Draws the curves of docs/performance.json into docs/plots, one picture a unit: run by benchmarks/publish.py."""

import json
import statistics
import sys
from collections import defaultdict
from pathlib import Path

import matplotlib

matplotlib.use("svg")
# The same picture for the same figures.
matplotlib.rcParams["svg.hashsalt"] = "plots"

from matplotlib import pyplot  # noqa: E402

QUANTITIES = {"s": "seconds", "ms": "milliseconds", "1/s": "a second", "MiB": "memory, MiB", "KiB": "KiB"}


def main(figures: Path, folder: Path) -> None:
    by_axes = defaultdict(list)
    for curve in json.loads(figures.read_text(encoding="utf-8"))["curves"]:
        by_axes[curve["size"], curve["unit"]].append(curve)
    for (size, unit), curves in by_axes.items():
        picture, axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
        for curve in curves:
            points = sorted((int(at), values) for at, values in curve["values"].items())
            sizes = [at for at, _ in points]
            medians = [statistics.median(values) for _, values in points]
            spread = [
                [median - min(values) for median, (_, values) in zip(medians, points, strict=True)],
                [max(values) - median for median, (_, values) in zip(medians, points, strict=True)],
            ]
            axes.errorbar(sizes, medians, yerr=spread, marker="o", capsize=3, label=curve["name"])
        axes.set_xscale("log", base=10 if size == "accounts" else 2)
        if unit == "s":
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
        axes.set_xlabel(size)
        axes.set_ylabel(QUANTITIES[unit])
        axes.grid(visible=True, alpha=0.3)
        axes.legend(fontsize="small")
        picture.savefig(folder / f"{size}-{unit.replace('/', '-per-')}.svg", metadata={"Date": None})
        pyplot.close(picture)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
