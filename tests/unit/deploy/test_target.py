"""What a package is made for, and how the settings are changed to another runtime or machine."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from deploy import package as packages
from deploy import target as target_module
from deploy import zappa_hooks
from deploy.errors import UnableToShip
from deploy.settings_files import SETTINGS as SETTINGS_FILE
from deploy.target import python_for, read_settings, retargeted, target_of, whole_stage
from tests.unit.requirements.scripts import a_script

SETTINGS = read_settings(SETTINGS_FILE)


def a_target(runtime: str = "python3.13", architecture: str = "x86_64") -> target_module.Target:
    return target_of({"runtime": runtime, "architecture": architecture})


class TestTarget:
    def test_takes_wheels_that_amazon_linux_2023_can_load(self) -> None:
        tags = a_target().platforms
        assert (tags[0], tags[-2:]) == ("manylinux_2_34_x86_64", ["manylinux_2_17_x86_64", "manylinux2014_x86_64"])
        assert len(tags) == 19
        assert {tag.split("_", 3)[-1] for tag in a_target(architecture="arm64").platforms[:-1]} == {"aarch64"}

    def test_is_named_as_files_are(self) -> None:
        assert (a_target().cache_tag, a_target("python3.12").cache_tag) == ("cpython-313", "cpython-312")

    @pytest.mark.parametrize("runtime", ["python3.11", "python3.14", "python3", None])
    def test_refuses_a_runtime_that_no_package_is_made_for(self, runtime: str | None) -> None:
        with pytest.raises(UnableToShip) as refused:
            target_of({"runtime": runtime, "architecture": "x86_64"})
        message = f"no package is made for the runtime {runtime}: RUNTIME is one of python3.12, python3.13"
        assert str(refused.value) == message

    def test_refuses_an_architecture_that_lambda_does_not_have(self) -> None:
        with pytest.raises(
            UnableToShip, match=r"^no package .* architecture aarch64: ARCHITECTURE is one of x86_64, arm64$"
        ):
            a_target(architecture="aarch64")


class TestPythonFor:
    def test_is_one_of_the_runtimes_version(self) -> None:
        """And it begins byte code as the package is looked at for."""
        python = python_for(a_target())
        asked = "import importlib.util, sys; print(sys.version_info[:2], importlib.util.MAGIC_NUMBER)"
        output = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True).stdout
        assert output == f"(3, 13) {a_target().magic_number!r}\n"

    def test_is_missed_in_one_line(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """Before anything is made, changed or taken away."""
        message = (
            "Python 3.12 is needed, and none was found: `uv python install 3.12`, `pyenv install 3.12` or your "
            "distribution's package brings one"
        )
        (tmp_path / "message").write_text(f"make: {message}\n")
        a_script(tmp_path / "find", f"cat {tmp_path}/message >&2; exit 1")
        monkeypatch.setattr(target_module, "FIND_PYTHON", tmp_path / "find")
        monkeypatch.setattr(packages, "BUILD", tmp_path / "build")
        settings = tmp_path / "zappa_settings.json"
        settings.write_bytes(SETTINGS_FILE.read_bytes())
        kept = tmp_path / "build" / "billing-production.zip"
        kept.parent.mkdir()
        kept.touch()
        with pytest.raises(UnableToShip) as refused:
            packages.make_package(environment="production", settings=settings, runtime="python3.12")
        assert str(refused.value) == f"the package is for python3.12. {message}"
        assert (capfd.readouterr(), kept.exists()) == (("", ""), True)
        assert settings.read_bytes() == SETTINGS_FILE.read_bytes()


class TestRetargeted:
    def test_changes_the_three_functions_of_one_environment(self) -> None:
        wanted = retargeted(settings=SETTINGS, environment="staging", runtime="python3.12", architecture="arm64")
        for stage in SETTINGS:
            whole = whole_stage(wanted, stage)
            expected = ("python3.12", "arm64") if stage.startswith("staging") else ("python3.13", "x86_64")
            assert (whole["runtime"], whole["architecture"]) == expected, stage
        kept = {name: {**stage, "runtime": None, "architecture": None} for name, stage in wanted.items()}
        assert kept == {name: {**stage, "runtime": None, "architecture": None} for name, stage in SETTINGS.items()}

    @pytest.mark.parametrize("runtime", [None, "python3.13"])
    def test_changes_nothing_where_it_is_so_already(self, runtime: str | None) -> None:
        assert retargeted(settings=SETTINGS, environment="production", runtime=runtime, architecture=None) == SETTINGS

    def test_refuses_an_environment_that_has_no_stages(self) -> None:
        with pytest.raises(UnableToShip, match=r"^zappa_settings.json has no stage trial$"):
            retargeted(settings=SETTINGS, environment="trial", runtime=None, architecture=None)

    def test_is_written_only_once_the_package_is_made(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        settings = tmp_path / "zappa_settings.json"
        settings.write_text(json.dumps(SETTINGS), encoding="utf-8")
        monkeypatch.setattr(packages, "BUILD", tmp_path / "build")
        monkeypatch.setattr(packages, "python_for", lambda _: Path(sys.executable))
        zapped: list[dict[str, Any]] = []

        def fail(**_: Any) -> None:
            raise UnableToShip("no package was made")

        def succeed(*, settings: Path, zip_path: Path, **_: Any) -> None:
            zip_path.touch()
            zapped.append(whole_stage(read_settings(settings), "production_worker"))

        monkeypatch.setattr(packages, "_run_zappa_package", fail)
        with pytest.raises(UnableToShip):
            packages.make_package(environment="production", settings=settings, runtime="python3.12")
        assert read_settings(settings) == SETTINGS
        monkeypatch.setattr(packages, "_run_zappa_package", succeed)
        packages.make_package(environment="production", settings=settings, runtime="python3.12")
        assert (
            zapped[0]["runtime"] == whole_stage(read_settings(settings), "production_worker")["runtime"] == "python3.12"
        )
        assert sorted(os.listdir(tmp_path)) == ["build", "zappa_settings.json"]


class TestArchitecture:
    def test_goes_with_the_code_of_a_function_that_is_there(self) -> None:
        client = boto3.client("lambda", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        zappa_hooks._set_architecture(client, name="arm64")
        sent = {"FunctionName": "billing", "S3Bucket": "packages", "S3Key": "k", "Architectures": ["arm64"]}
        with Stubber(client) as stubber:
            stubber.add_response("update_function_code", {}, sent)
            client.update_function_code(FunctionName="billing", S3Bucket="packages", S3Key="k")
            stubber.assert_no_pending_responses()
