"""What was measured, as docs/performance.md shows it."""

import json
from typing import Any

from benchmarks.publish import PAGE, PUBLISHED, with_table


def figure(**given: Any) -> dict[str, Any]:
    usual = {"name": "a: of b", "ratio": 0.5, "low": 0.4, "high": 0.612, "wanted": "at least 0.45", "holds": True}
    return usual | {"measured_on": "2026-12-01", "cores": 2} | given


class TestWithTable:
    def test_shows_a_figure_in_a_row_between_the_marks(self) -> None:
        page = "before\n<!-- figures -->\nold\n<!-- end of figures -->\nafter\n"

        shown = with_table(page, [figure(), figure(wanted="at least 0.65", holds=False)])

        assert shown == (
            "before\n<!-- figures -->\n"
            "| what | ratio | low to high | wanted | measured on |\n"
            "| --- | --- | --- | --- | --- |\n"
            "| a: of b | 0.50 | 0.40 to 0.61 | at least 0.45 | 1 Dec 2026, 2 cores |\n"
            "| a: of b | 0.50 | 0.40 to 0.61 | at least 0.65, **doesn't hold** | 1 Dec 2026, 2 cores |\n"
            "<!-- end of figures -->\nafter\n"
        )

    def test_is_what_the_page_has(self) -> None:
        page = PAGE.read_text(encoding="utf-8")
        assert "| what | ratio |" in page
        assert with_table(page, json.loads(PUBLISHED.read_text(encoding="utf-8"))["figures"]) == page
