"""Tables on a page: the newest rows, and a link to all of them."""

from collections.abc import Sequence
from dataclasses import dataclass

MAX_ROWS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Cells are shown as they are. `all_url` links to the whole list."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    empty: str = "None."
    all_url: str = ""
    all_label: str = "Only the newest are shown. See all"
