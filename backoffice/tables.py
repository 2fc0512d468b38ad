"""Tables on a page: the newest rows of something, and a link to all of them."""

from collections.abc import Sequence
from dataclasses import dataclass

MOST_ROWS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Cells are shown as they are; `all_url` leads to more than the table shows."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    empty: str = "None."
    all_url: str = ""
    all_label: str = "The newest are shown; see all of them"
