"""SQL statements in files: each beside its one caller, and none reads a clock."""

import ast
import re
from collections import Counter
from pathlib import Path

from tests.support.project_files import PRODUCT, all_files, modules, text_of, tree_of

OF_REAL_TIME = {
    Path("payments/sql/reserve_calls.sql"),
    Path("payments/sql/pause_calls.sql"),
    Path("rebilling/sql/database_time.sql"),
    Path("rebilling/sql/delete_expired_rows.sql"),
}
"""How often the gateway is called goes by the clock on the wall, and so does since when something was written, and when
a session ends. Nothing is billed by it.
"""
CLOCK = re.compile(
    r"\b(now\(\)|current_date|current_time|localtime|timeofday|(clock|statement|transaction)_timestamp)", re.IGNORECASE
)


def statements() -> list[Path]:
    return [path for path in all_files() if path.parts[0] in PRODUCT and path.parent.name == "sql"]


def queries_of(path: Path) -> list[Path]:
    """The files of the module's `query(__file__, "name")`."""
    return [
        path.parent / "sql" / f"{ast.literal_eval(node.args[1])}.sql"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "query"
        and isinstance(node.args[1], ast.Constant)
    ]


class TestStatements:
    def test_have_one_caller_each_beside_them(self) -> None:
        called = Counter(query for path in modules(*PRODUCT) for query in queries_of(path))
        assert len(called) >= 6
        assert called == Counter(statements())

    def test_read_no_clock(self) -> None:
        assert [path for path in statements() if CLOCK.search(text_of(path)) and path not in OF_REAL_TIME] == []

    def test_are_sql_files(self) -> None:
        assert [path for path in statements() if path.suffix != ".sql"] == []
