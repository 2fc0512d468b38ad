"""The rehearsal of `docs/deploy.md`: its commands as they stand on the page, in a clone of its own, on a local AWS."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from localcloud.sqs.endpoint import REGION
from tests.deploy.surroundings import needs_the_package
from tests.deploy.terraform.terraform_command import ROOT, provider_mirror
from tests.deploy.zappa_account import NAMES

pytestmark = needs_the_package
PORT = "5599"
SECONDS = 600
_KEPT = ["PATH", "HOME", "LANG", "TMPDIR", "TF_PLUGIN_CACHE_DIR"]


def blocks() -> tuple[str, str, str]:
    """What is typed into one terminal, into the other, and afterwards."""
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    section = page.split("\n## A rehearsal without AWS\n")[1].split("\n## ")[0]
    server, commands, afterwards = re.findall(r"^```\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    return server, commands, afterwards


def missing() -> str:
    """What the page needs beside the package, and isn't here."""
    if absent := [name for name in ("terraform", "git", "make", "bash") if shutil.which(name) is None]:
        return ", ".join(absent)
    return "" if (ROOT / ".git").exists() else "a git repository"


@dataclass(frozen=True, kw_only=True)
class Rehearsed:
    printed: str
    functions: dict[str, dict[str, object]]
    stages: list[str]
    changed: str
    """What git has to say of the clone afterwards."""
    variables_left: set[str]


@pytest.fixture(scope="module")
def rehearsed(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Rehearsed:
    if lacking := missing():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"NOT TESTED, this is missing: {lacking}")
    folder = tmp_path_factory.mktemp("rehearsal")
    clone, environment = cloned(folder / "clone"), surroundings(folder)
    port = str(free_port())
    server, commands, afterwards = (block.replace(PORT, port) for block in blocks())
    # Packing takes minutes, and is proven elsewhere.
    command = "make package ENVIRONMENT=production\n"
    assert commands.count(command) == 1
    commands = commands.replace(command, f"mkdir build && cp {package} build/billing-production.zip\n")
    with terminal(server, folder=clone, environment=environment, log=folder / "server.log"):
        wait_for(int(port))
        printed = typed(f"{commands}{afterwards}echo 'left:' ${{!AWS_*}}\n", folder=clone, environment=environment)
        functions = client("lambda", port).list_functions()["Functions"]
        gateway = client("apigateway", port)
        (api,) = gateway.get_rest_apis()["items"]
        stages = [stage["stageName"] for stage in gateway.get_stages(restApiId=api["id"])["item"]]
    return Rehearsed(
        printed=printed,
        functions={function["FunctionName"]: function for function in functions},
        stages=stages,
        # What Terraform leaves is ignored by git, and would be taken for the real thing.
        changed=git("status", "--porcelain", folder=clone)
        + git("status", "--porcelain", "--ignored", "--", "terraform", folder=clone),
        variables_left={*printed.splitlines()[-1].split()[1:]} - environment.keys(),
    )


class TestRehearsal:
    def test_deploys_the_three_functions(self, rehearsed: Rehearsed) -> None:
        assert rehearsed.functions.keys() == {*NAMES.values()}
        for name, function in rehearsed.functions.items():
            assert str(function["Role"]).endswith(
                f":role/{name}" if name != "billing-production" else f":role/{name}-api"
            )
            assert len(function["VpcConfig"]["SubnetIds"]) == 2  # type: ignore[index]
        assert rehearsed.stages == ["production"]

    def test_makes_as_much_as_the_page_says(self, rehearsed: Rehearsed) -> None:
        made = re.search(r"Apply complete! Resources: ([0-9]+) added, 0 changed, 0 destroyed", rehearsed.printed)
        assert made
        assert f"Plan: {made[1]} to add, 0 to change, 0 to destroy" in rehearsed.printed
        assert f"Terraform makes {made[1]} resources:" in (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")

    def test_leaves_nothing_behind(self, rehearsed: Rehearsed) -> None:
        assert rehearsed.changed == ""
        assert rehearsed.variables_left == set()


def cloned(folder: Path) -> Path:
    """This clone as it lies here, committed, with an environment that nothing can be installed into."""
    listed = git("ls-files", "--cached", "--others", "--exclude-standard", "-z", folder=ROOT).split("\0")
    for name in (name for name in listed if (ROOT / name).is_file()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    git("init", "--quiet", folder=folder)
    git("add", "--all", folder=folder)
    git("-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "--message=all", folder=folder)
    (folder / ".venv").mkdir()
    for path in Path(sys.prefix).iterdir():
        if path.suffix != ".stamp":
            (folder / ".venv" / path.name).symlink_to(path)
    # Newer than the requirements, so that make installs nothing.
    for name in ("local.stamp", "dev.stamp"):
        (folder / ".venv" / name).touch()
    return folder


def surroundings(folder: Path) -> dict[str, str]:
    """A terminal's variables: nothing of an AWS account, and Terraform's provider from where it was found."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    mirror = provider_mirror()
    if mirror is not None:
        configuration = folder / "terraform.rc"
        configuration.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n')
        kept["TF_CLI_CONFIG_FILE"] = str(configuration)
    return kept | {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "CHECKPOINT_DISABLE": "1",
        "NO_PROXY": "127.0.0.1",
        "PYTHONUTF8": "1",
        "PYTHONWARNINGS": "ignore",
        "TF_CLI_ARGS": "-no-color",
        "TF_INPUT": "0",
    }


def typed(script: str, *, folder: Path, environment: dict[str, str]) -> str:
    """What is printed when each line is typed; the first that fails fails the test."""
    log = folder.parent / "typed.log"
    with terminal(f"set -eux\n{script}", folder=folder, environment=environment, log=log) as process:
        code = process.wait(timeout=SECONDS)
    printed = log.read_text(encoding="utf-8", errors="replace")
    assert code == 0, printed[-6000:]
    return printed


@contextmanager
def terminal(
    script: str, *, folder: Path, environment: dict[str, str], log: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    """A shell in a folder, gone with all that it started when the block ends."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["bash", "-c", script],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < deadline, "the local AWS didn't start"
            time.sleep(0.2)


def client(service: str, port: str) -> Any:
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name=REGION,
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )


def git(*arguments: str, folder: Path) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout
