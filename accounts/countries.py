"""Countries, by their codes (ISO 3166-1 alpha-2), as the tz database lists them."""

from functools import cache
from importlib.resources import files


@cache
def countries() -> frozenset[str]:
    """The codes of all countries."""
    table = files("tzdata").joinpath("zoneinfo", "iso3166.tab").read_text(encoding="utf-8")
    return frozenset(line.split("\t")[0] for line in table.splitlines() if not line.startswith("#"))
