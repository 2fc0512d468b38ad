"""What is typed goes by the environment's filled settings, without naming their file."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click import ClickException

from deploy import zappa_hooks
from deploy.settings_files import SETTINGS, generated_settings, write_generated
from deploy.target import read_settings
from tests.unit.deploy.test_zappa_settings import outputs


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(zappa_hooks, "ROOT", tmp_path)
    monkeypatch.setattr(
        zappa_hooks, "generated_settings", lambda environment: generated_settings(environment, build=tmp_path)
    )
    return tmp_path


def a_zappa(command: str = "update", *, stage: str = "production_worker", **vargs: Any) -> Any:
    """As far as the hook looks at it, and the files that it was made to load."""
    zappa = SimpleNamespace(api_stage=stage, command=command, vargs=vargs, loaded=[])
    zappa.zappa_settings = read_settings(SETTINGS)
    zappa.load_settings = zappa.loaded.append
    return zappa


class TestTakeFilledSettings:
    @pytest.mark.parametrize("command", ["update", "deploy", "manage", "status"])
    def test_goes_by_them(self, build: Path, command: str) -> None:
        generated = write_generated(environment="production", outputs=outputs(), build=build)
        zappa = a_zappa(command)
        zappa_hooks._take_filled_settings(zappa)
        assert zappa.loaded == [str(generated)]

    def test_leaves_it_where_there_are_none_or_others_were_named(self, build: Path) -> None:
        for zappa in (a_zappa(), a_zappa(settings_file="other.json"), a_zappa("package"), a_zappa(stage="staging")):
            zappa_hooks._take_filled_settings(zappa)
            assert zappa.loaded == []
            write_generated(environment="production", outputs=outputs(), build=build)

    def test_refuses_those_of_another_fixed_part(self, build: Path) -> None:
        """As after a pull, or another runtime: what is deployed would be half old."""
        write_generated(environment="production", outputs=outputs(), build=build)
        zappa = a_zappa()
        zappa.zappa_settings["production"]["runtime"] = "python3.12"
        with pytest.raises(ClickException) as refused:
            zappa_hooks._take_filled_settings(zappa)
        assert refused.value.message == (
            "zappa-production.json was filled before zappa_settings.json changed: run `make zappa-settings "
            "ENVIRONMENT=production`"
        )
        assert zappa.loaded == []

    def test_takes_an_environment_that_the_fixed_part_does_not_name(self, build: Path) -> None:
        of_another = {name.replace("production", "trial"): held for name, held in outputs().items()}
        generated = write_generated(environment="trial", outputs=of_another, build=build)
        assert read_settings(generated)["trial_worker"]["extends"] == "production_worker"
        assert not {"trial", "trial_worker"} & read_settings(SETTINGS).keys()
