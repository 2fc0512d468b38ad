"""Habits of the source that no linter here holds: short files and functions, good names, no float, no hidden clock."""

import ast
import re
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from tests.support.project_files import DOMAIN, PRODUCT, ROOT, all_files, modules, text_of, tree_of

MAX_LINES = 250
MAX_TEST_LINES = 500
MAX_FUNCTION_LINES = 70
NAMES_OF_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc", "shared", "base_utils"}
CLOCKS = {
    *("datetime.now", "datetime.utcnow", "datetime.today", "date.today", "timezone.now", "timezone.localdate"),
    *("timezone.localtime", "time.time", "time.time_ns", "time.localtime", "time.gmtime", "functions.Now", "Now"),
}
THE_CLOCK = "clock.now"
"""`accounts.clock`, which follows the local platform's day."""
READS_REAL_TIME = {Path("localcloud/clock.py")}
NAMED_FOR_WHAT_THEY_TEST = {
    # Terms of a later day: agreed in one module, withdrawn in another, and ended by closings, pauses and trials.
    Path("tests/integration/subscriptions/test_pending_terms.py"),
    # `.ci/run`, whose folder can't be a package's name.
    Path("tests/unit/requirements/test_ci.py"),
}
"""Of the tests that are found by a module's name, those that have none."""
_CLOCK_OF_SQL = re.compile(
    r"\b(now\(\)|current_date|current_time|localtime|timeofday|(clock|statement|transaction)_timestamp)", re.IGNORECASE
)


def lines_of(path: Path) -> int:
    return len(text_of(path).splitlines())


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def dotted(node: ast.expr) -> str:
    """The last two names of `a.b.c`, or a name alone."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value).rsplit('.', 1)[-1]}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def floats_of(path: Path) -> list[str]:
    """Where the source makes a float: a literal, `float(...)`, or a true division. Seconds may be ones."""
    tree = tree_of(path)
    of_seconds = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and all(dotted(name).endswith("_SECONDS") for name in node.targets)
    }
    return [
        f"{path}:{node.lineno}"
        for node in ast.walk(tree)
        if (isinstance(node, ast.Constant) and isinstance(node.value, float) and id(node) not in of_seconds)
        or (isinstance(node, ast.Call) and dotted(node.func) == "float")
        or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and not dotted(node.left).endswith("_seconds"))
        or (isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Div))
        or (isinstance(node, ast.Attribute) and node.attr in {"FloatField", "fsum", "truediv"})
    ]


def subject_of(path: Path) -> Path | None:
    """What a test of the layers unit and integration tests, by its name: a module, a package, a script or a migration
    of its folder's. `test_books_of_items.py` is a part of the tests of `books.py`.
    """
    folder, name = Path(*path.parts[2:-1]), path.stem.removeprefix("test_")
    for stem in (name, name.split("_of_")[0]):
        named = (folder / f"{stem}.py", folder / stem / "__init__.py", folder / stem)
        migrations = sorted((ROOT / folder / "migrations").glob(f"[0-9]*_{stem}.py"))
        for found in (*(ROOT / each for each in named), *migrations):
            if found.exists():
                return found.relative_to(ROOT)
    return None


def clocks_of(path: Path, *, clocks: Collection[str] = frozenset({*CLOCKS, THE_CLOCK})) -> list[str]:
    """Where the source reads one of the clocks, or one by SQL."""
    return [
        f"{path}:{node.lineno}"
        for node in ast.walk(tree_of(path))
        if (isinstance(node, ast.Attribute | ast.Name) and dotted(node) in clocks)
        or (isinstance(node, ast.keyword) and node.arg in {"auto_now", "auto_now_add"})
        or (isinstance(node, ast.Constant) and isinstance(node.value, str) and _CLOCK_OF_SQL.search(node.value))
    ]


class TestFiles:
    def test_of_the_product_are_short(self) -> None:
        product = [path for path in modules() if path.parts[0] != "tests"]
        assert len(product) > 50
        assert {str(path): lines_of(path) for path in product if lines_of(path) > MAX_LINES} == {}

    def test_of_tests_are_not_long(self) -> None:
        assert {str(path) for path in modules("tests") if lines_of(path) > MAX_TEST_LINES} == set()

    def test_hold_no_long_function(self) -> None:
        long = {
            f"{path}: {node.name}": length
            for path in modules()
            for node in functions(path)
            if (length := (node.end_lineno or 0) - node.lineno + 1) > MAX_FUNCTION_LINES
        }
        assert long == {}

    def test_are_named_for_what_they_hold(self) -> None:
        assert [str(path) for path in all_files() if {*path.parts[:-1], path.stem} & NAMES_OF_NOTHING] == []


class TestTests:
    def test_are_found_by_the_name_of_what_they_test(self) -> None:
        """Those that go through several modules are in `tests/functional`."""
        layers = {"unit", "integration"}
        tests = [path for path in modules("tests") if path.parts[1] in layers and path.stem.startswith("test_")]
        assert len(tests) > 100
        assert {path for path in tests if subject_of(path) is None} == NAMED_FOR_WHAT_THEY_TEST

    @pytest.mark.parametrize(
        ("test", "subject"),
        [
            ("tests/unit/invoices/test_taxes.py", "invoices/taxes.py"),
            ("tests/integration/ledger/test_models.py", "ledger/models.py"),
            ("tests/integration/rebilling/test_books_of_items.py", "rebilling/books.py"),
            ("tests/integration/ledger/test_append_only.py", "ledger/migrations/0002_append_only.py"),
            ("tests/unit/requirements/test_find_python.py", "requirements/find_python"),
            ("tests/unit/invoices/test_models.py", "invoices/models/__init__.py"),
            ("tests/unit/ledger/test_taxes.py", None),
        ],
    )
    def test_are_looked_for_in_their_folder(self, test: str, subject: str | None) -> None:
        assert subject_of(Path(test)) == (None if subject is None else Path(subject))


class TestMoney:
    def test_is_never_a_float(self) -> None:
        paths = set(modules(*DOMAIN, migrations=True))
        # Numbers of the clients' own metadata, which JSON has as floats.
        paths.remove(Path("accounts/strict_json.py"))
        assert [place for path in sorted(paths) for place in floats_of(path)] == []

    def test_is_looked_for_where_it_would_be_one(self) -> None:
        """What is looked for is found: the one float of the domain is a number of seconds."""
        source = text_of(Path("payments/send_to_gateway.py"))
        assert re.findall(r"^([A-Z_]+) = [0-9]+\.[0-9]+$", source, re.MULTILINE) == ["RECORDING_SECONDS"]


class TestTime:
    def test_is_passed_to_the_domain_and_never_read_there(self) -> None:
        assert [place for path in modules(*DOMAIN, commands=False) for place in clocks_of(path)] == []

    def test_is_read_by_interfaces(self) -> None:
        """What is looked for is found: commands and Lambda's entry point read the clock."""
        assert clocks_of(Path("subscriptions/management/commands/sweep.py"))
        assert clocks_of(Path("billing_site/lambda_function/worker_events.py"))

    def test_comes_from_one_clock(self) -> None:
        """One that reads the real clock itself would stay behind when the local platform's clock is moved."""
        others = [path for path in modules(*PRODUCT) if path not in READS_REAL_TIME]
        assert [place for path in others for place in clocks_of(path, clocks=CLOCKS)] == []
        assert [clocks_of(path, clocks=CLOCKS) != [] for path in READS_REAL_TIME] == [True]


class TestPartialIndexes:
    def test_each_says_which_query_it_serves(self) -> None:
        partial = []
        for path in (found for found in modules(*DOMAIN) if "models" in (found.stem, found.parent.name)):
            lines = text_of(path).splitlines()
            for node in ast.walk(tree_of(path)):
                if not (isinstance(node, ast.Call) and dotted(node.func) == "models.Index"):
                    continue
                given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                if "condition" in given:
                    partial.append(given["name"])
                    comment = lines[node.lineno - 2]
                    assert re.match(r" +# [a-z_]+((/[a-z0-9_]+)+\.py)?( \([a-z]+\))?: .+", comment), given["name"]
        assert len(partial) >= 6
