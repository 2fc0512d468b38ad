"""The terraform command on copies of the configuration, with a provider found on the machine or fetched by it.

Nothing here reaches AWS: the environment holds no credentials, and every endpoint is on loopback.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent.parent
CONFIGURATION = ROOT / "terraform"
SECONDS = 300
FIRST_VERSION = (1, 11)
NOWHERE = "http://127.0.0.1:9"
"""An endpoint that nothing answers at: what should be mocked and isn't fails at once."""
OF_ONE_ENVIRONMENT = [".terraform*", "*.tfstate*", "*.tfplan", "*.tfvars", "backend.tf"]
"""What lies in an operator's clone and is no part of the configuration."""
_FAILURES = {"Test assertion failed", "Missing expected failure"}
_NEEDED = {"PATH", "HOME", "LANG", "TMPDIR", "TF_PLUGIN_CACHE_DIR"}
_USUAL_ROOTS = ["opt", "srv", "usr/local/share", "usr/local/lib", "usr/share", "usr/lib", "var/lib"]


class Unavailable(Exception):
    """Terraform or its provider isn't there; says which, and what to do."""


class TerraformFailed(Exception):
    """A command ended in an error; holds what it printed."""


@dataclass(frozen=True, kw_only=True)
class Terraform:
    """One copy of the configuration, initialized."""

    folder: Path
    endpoint: str = NOWHERE

    def run(self, *arguments: str, accept: tuple[int, ...] = (0,)) -> str:
        """What the command prints. Raises `TerraformFailed` for an exit code that isn't accepted."""
        return run(*arguments, folder=self.folder, endpoint=self.endpoint, accept=accept)

    def failed_assertions(self, *arguments: str) -> list[str]:
        """The messages of what fails in `terraform test`, assertions and expected errors; empty when all pass."""
        lines = [json.loads(line) for line in self.run("test", "-json", *arguments, accept=(0, 1)).splitlines()]
        errors = [line["diagnostic"] for line in lines if line.get("diagnostic", {}).get("severity") == "error"]
        broken = [error for error in errors if error["summary"] not in _FAILURES]
        if broken:
            raise TerraformFailed("\n".join(f"{error['summary']}: {error['detail']}" for error in broken))
        return sorted({error["detail"] for error in errors})

    def output(self) -> dict[str, Any]:
        return {name: found["value"] for name, found in json.loads(self.run("output", "-json")).items()}

    def planned(self, *arguments: str) -> dict[str, dict[str, Any]]:
        """The changes that a plan would make, by address."""
        self.run("plan", "-out=planned", *arguments)
        plan = json.loads(self.run("show", "-json", "planned"))
        return {change["address"]: change["change"] for change in plan["resource_changes"]}


def initialized(*, folder: Path) -> Terraform:
    """The configuration copied into a new folder, with its provider. Raises `Unavailable`."""
    if shutil.which("terraform") is None:
        raise Unavailable("no terraform on the PATH: install 1.11 or newer")
    shutil.copytree(CONFIGURATION, folder, ignore=shutil.ignore_patterns(*OF_ONE_ENVIRONMENT))
    terraform = Terraform(folder=folder)
    version = json.loads(terraform.run("version", "-json"))["terraform_version"]
    if tuple(int(part) for part in version.split("-")[0].split(".")[:2]) < FIRST_VERSION:
        raise Unavailable(f"terraform {version} is too old: install 1.11 or newer")
    mirror = provider_mirror()
    try:
        terraform.run("init", "-backend=false", *([f"-plugin-dir={mirror}"] if mirror else []))
    except TerraformFailed as error:
        where = f"the mirror {mirror}" if mirror else "the registry, there being no mirror (TF_PLUGIN_DIR names one)"
        raise Unavailable(f"no provider from {where}: {error}") from error
    return terraform


def copied(*, terraform: Terraform, folder: Path, endpoint: str = NOWHERE) -> Terraform:
    """Another copy, initialized as the first is."""
    shutil.copytree(terraform.folder, folder, symlinks=True)
    return Terraform(folder=folder, endpoint=endpoint)


def run(*arguments: str, folder: Path, endpoint: str, accept: tuple[int, ...]) -> str:
    try:
        ended = subprocess.run(
            ["terraform", *arguments],
            cwd=folder,
            env=_environment(os.environ, endpoint=endpoint),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TerraformFailed(f"terraform {arguments[0]} took more than {SECONDS} seconds") from error
    if ended.returncode not in accept:
        raise TerraformFailed(f"terraform {' '.join(arguments)}: {ended.stdout[-6000:]}{ended.stderr[-6000:]}")
    return ended.stdout


def provider_mirror() -> Path | None:
    """The folder for `-plugin-dir`: TF_PLUGIN_DIR, or a mirror in one of the usual places that holds hashicorp/aws."""
    if named := os.environ.get("TF_PLUGIN_DIR"):
        return Path(named)
    return next((found.parent.parent.parent for found in _mirrored_providers()), None)


def _mirrored_providers() -> Iterator[Path]:
    home = Path.home()
    roots = [home / ".terraform.d", home / ".local" / "share", *(Path("/", root) for root in _USUAL_ROOTS)]
    for root in roots:
        for depth in ("", "*/", "*/*/"):
            yield from sorted(root.glob(f"{depth}*/hashicorp/aws"))


def _environment(outer: Mapping[str, str], *, endpoint: str) -> dict[str, str]:
    kept = {name: value for name, value in outer.items() if name in _NEEDED or name.lower().endswith("_proxy")}
    # A configuration that is named and isn't there only makes Terraform complain.
    if Path(outer.get("TF_CLI_CONFIG_FILE", "")).is_file():
        kept["TF_CLI_CONFIG_FILE"] = outer["TF_CLI_CONFIG_FILE"]
    return kept | {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "CHECKPOINT_DISABLE": "1",
        # The provider's schemas are a great deal of garbage, collected in vain: a third of the time of a short run.
        "GOGC": "400",
        "NO_PROXY": "127.0.0.1",
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "TF_CLI_ARGS": "-no-color",
    }
