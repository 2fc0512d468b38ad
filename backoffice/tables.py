"""Tables on a page: the newest rows, and a link to all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

MAX_ROWS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Cells are shown as they are. `all_url` links to the whole list."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    empty: str = "None."
    all_url: str = ""
    all_label: str = "Only the first are shown. See all"


def table(
    *,
    title: str,
    columns: Sequence[str],
    rows: QuerySet[Any],
    cells: Callable[[Any], Sequence[object]],
    all_url: str = "",
    empty: str = "None.",
    max_rows: int = MAX_ROWS,
) -> Table:
    """The first of the rows, which are in the order to be shown; `all_url` is linked if there are more."""
    found = list(rows[: max_rows + 1])
    more = len(found) > max_rows
    return Table(
        title=f"{title}, the first {max_rows}" if more else title,
        columns=columns,
        rows=[cells(row) for row in found[:max_rows]],
        empty=empty,
        all_url=all_url if more else "",
    )
