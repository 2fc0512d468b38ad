import tomllib
from pathlib import Path

import pytest
from importlinter.application.use_cases import lint_imports
from importlinter.configuration import configure

from tests.support.project_files import DOMAIN, PRODUCT, ROOT, modules, text_of


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
