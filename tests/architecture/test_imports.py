import ast
import tomllib
from pathlib import Path

import pytest
from importlinter.application.use_cases import lint_imports
from importlinter.configuration import configure

from tests.support.project_files import DOMAIN, PRODUCT, ROOT, modules, text_of, tree_of


class TestImports:
    def test_keep_their_contracts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(ROOT)
        configure()
        assert lint_imports(cache_dir=None, no_logo=True) is True

    def test_point_down_the_house_as_the_design_has_it(self) -> None:
        contracts = tomllib.loads(text_of(Path("pyproject.toml")))["tool"]["importlinter"]
        assert set(contracts["root_packages"]) == set(PRODUCT)
        by_name = {contract["name"]: contract for contract in contracts["contracts"]}
        assert by_name["Imports point down the house"]["layers"] == [
            "localcloud",
            "billing_site",
            "api | backoffice",
            *reversed(DOMAIN),
        ]
        assert "ignore_imports" not in by_name["Imports point down the house"]
        assert "django" in by_name["The billing calendar is pure"]["forbidden_modules"]

    def test_of_the_product_never_reach_into_tests(self) -> None:
        reaching = [path for path in modules(*PRODUCT, migrations=True) if "from tests" in text_of(path)]
        assert reaching == []

    def test_of_tests_reach_into_no_other_suite(self) -> None:
        """What several suites need is in `tests/support`, or built by `tests/builders.py`."""
        reaching = [
            f"{path}: {node.module}"
            for path in modules("tests")
            for node in ast.walk(tree_of(path))
            if isinstance(node, ast.ImportFrom) and not may_be_imported(node.module or "", by=path)
        ]
        assert reaching == []

    @pytest.mark.parametrize(
        ("module", "allowed"),
        [
            ("tests.support.owing", True),
            ("tests.builders", True),
            ("tests.unit.requirements.scripts", True),
            ("tests.conformance.benches", False),
            ("tests", False),
            ("datetime", True),
        ],
    )
    def test_of_tests_are_looked_at_by_their_suite(self, module: str, allowed: bool) -> None:
        assert may_be_imported(module, by=Path("tests/unit/requirements/test_audit.py")) is allowed


def may_be_imported(module: str, *, by: Path) -> bool:
    """Whether a test may import from this module: any but another suite's."""
    parts = module.split(".")
    return parts[0] != "tests" or parts[1:2] in (["support"], ["builders"], [by.parts[1]])
