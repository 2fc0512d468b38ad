"""Figures: ratios within one run, each with its spread and what is wanted of it."""

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

MARGIN = 0.6
"""On a machine with as much to do beside it, the worker's ratio was 0.9 of what it is on a quiet one. The worker that
went row by row reached 0.15 of it.
"""
BUILD = Path(__file__).resolve().parents[1] / "build"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """`ratio` is the median of the rounds', between `low` and `high`. `wanted` is in words; empty, nothing is wanted of
    it, and it is there to be read beside the others.
    """

    name: str
    ratio: float
    low: float
    high: float
    wanted: str = ""
    holds: bool = True

    @property
    def nearly_holds(self) -> bool:
        """Whether it misses what is wanted of it by no more than other work on the machine may make it."""
        words, _, bound = self.wanted.rpartition(" ")
        return self.ratio >= float(bound) * MARGIN if words == "at least" else self.ratio <= float(bound) / MARGIN


def ratios_of(rates: Sequence[float], others: Sequence[float]) -> list[float]:
    """The ratio of each round's rate to the other's."""
    return [rate / other for rate, other in zip(rates, others, strict=True)]


def shown(name: str, ratios: Sequence[float]) -> Figure:
    return Figure(name=name, ratio=statistics.median(ratios), low=min(ratios), high=max(ratios))


def at_least(name: str, ratios: Sequence[float], wanted: float) -> Figure:
    return _held(shown(name, ratios), f"at least {wanted:g}", holds=statistics.median(ratios) >= wanted)


def at_most(name: str, ratios: Sequence[float], wanted: float) -> Figure:
    return _held(shown(name, ratios), f"at most {wanted:g}", holds=statistics.median(ratios) <= wanted)


def below(name: str, ratios: Sequence[float], wanted: float) -> Figure:
    return _held(shown(name, ratios), f"below {wanted:g}", holds=statistics.median(ratios) < wanted)


def _held(figure: Figure, wanted: str, *, holds: bool) -> Figure:
    return Figure(**asdict(figure) | {"wanted": wanted, "holds": holds})


def report(benchmark: str, figures: Iterable[Figure]) -> None:
    """Print the figures, and write them where `python -m benchmarks` collects them."""
    found = list(figures)
    for figure in found:
        print(row(figure), flush=True)
    path = BUILD / "bench" / f"{benchmark}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(figure) for figure in found], indent=2) + "\n", encoding="utf-8")


def row(figure: Figure) -> str:
    verdict = "" if not figure.wanted else "holds" if figure.holds else "DOES NOT HOLD"
    spread = f"({figure.low:.2f} to {figure.high:.2f})"
    return f"{figure.name:<76}{figure.ratio:>8.2f}  {spread:<18}{figure.wanted:<16}{verdict}".rstrip()


@dataclass(frozen=True, slots=True)
class Curve:
    """The values that were measured at each size."""

    name: str
    size: str
    unit: str
    values: Mapping[int, Sequence[float]]


def report_curves(benchmark: str, curves: Iterable[Curve]) -> None:
    """Print the medians, and write all values where `benchmarks.publish` finds them."""
    found = list(curves)
    for curve in found:
        medians = "   ".join(f"{size:,}: {statistics.median(values):,.3g}" for size, values in curve.values.items())
        print(f"{curve.name}, {curve.unit}, by {curve.size}: {medians}", flush=True)
    path = BUILD / "bench" / f"{benchmark}.curves.json"
    path.write_text(json.dumps([asdict(curve) for curve in found], indent=2) + "\n", encoding="utf-8")
