"""A package's target: Lambda's runtime and architecture."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from billing_site.lambda_function.runtimes import RUNTIMES, Runtime
from deploy.errors import UnableToShip
from deploy.zappa_settings import Stages, stages_of

FIND_PYTHON = Path(__file__).resolve().parent.parent / "requirements" / "find_python"

MAGIC_NUMBERS = {"python3.12": 3531, "python3.13": 3571}
"""What byte code begins with: a Python throws away what another one wrote (`importlib.util.MAGIC_NUMBER`)."""
_OLDEST_GLIBC, _NEWEST_GLIBC = 17, 34
"""Of glibc 2: manylinux2014 promises to need no newer one than the first, and Amazon Linux 2023 has the second."""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """`name` is Lambda's for it, `machine` Linux's; `elf_machine` is its number in the header of a library (ELF)."""

    name: str
    machine: str
    elf_machine: int


ARCHITECTURES = {
    architecture.name: architecture
    for architecture in (
        Architecture(name="x86_64", machine="x86_64", elf_machine=62),
        Architecture(name="arm64", machine="aarch64", elf_machine=183),
    )
}


@dataclass(frozen=True, kw_only=True)
class Target:
    runtime: Runtime
    architecture: Architecture

    @property
    def magic_number(self) -> bytes:
        return MAGIC_NUMBERS[self.runtime.name].to_bytes(2, "little") + b"\r\n"

    @property
    def cache_tag(self) -> str:
        """In the names of byte code and of compiled libraries: cpython-313."""
        return f"cpython-{self.runtime.python.replace('.', '')}"

    @property
    def platforms(self) -> list[str]:
        """The tags of the wheels that it can load, the newest first, as that is what pip prefers."""
        numbers = range(_NEWEST_GLIBC, _OLDEST_GLIBC - 1, -1)
        machine = self.architecture.machine
        return [*(f"manylinux_2_{number}_{machine}" for number in numbers), f"manylinux2014_{machine}"]

    @property
    def is_of_this_machine(self) -> bool:
        return os.uname().machine == self.architecture.machine


def target_of(stage: Mapping[str, Any]) -> Target:
    """What a stage of Zappa's settings says it runs on. Raises UnableToShip for what no package is made for."""
    runtime, architecture = stage.get("runtime"), stage.get("architecture")
    if runtime not in RUNTIMES:
        raise UnableToShip(f"no package is made for the runtime {runtime}: RUNTIME is one of {', '.join(RUNTIMES)}")
    if architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise UnableToShip(f"no package is made for the architecture {architecture}: ARCHITECTURE is one of {known}")
    return Target(runtime=RUNTIMES[runtime], architecture=ARCHITECTURES[architecture])


def python_for(target: Target) -> Path:
    """A Python of the runtime's version on this machine; its own path, and not an environment's.

    Raises UnableToShip without one: byte code is valid only for the version that wrote it.
    """
    done = subprocess.run(
        [str(FIND_PYTHON), target.runtime.python],
        env=os.environ | {"PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise UnableToShip(done.stderr.strip().removeprefix("make: "))
    return Path(done.stdout.strip())


def whole_stage(settings: Stages, stage: str) -> dict[str, Any]:
    """A stage with what it has from those that it extends, as Zappa merges them. Raises UnableToShip without it."""
    if stage not in settings:
        raise UnableToShip(f"zappa_settings.json has no stage {stage}")
    own = settings[stage]
    return {**(whole_stage(settings, own["extends"]) if "extends" in own else {}), **own}


def retargeted(*, settings: Stages, environment: str, runtime: str | None, architecture: str | None) -> Stages:
    """The settings with an environment's three functions on another runtime or architecture; None leaves it as it is.

    Raises UnableToShip for an environment without its stages, and for what no package is made for.
    """
    given = {name: value for name, value in (("runtime", runtime), ("architecture", architecture)) if value}
    result = dict(settings)
    for stage in stages_of(environment):
        held = whole_stage(result, stage)
        target_of(held | given)
        # What it has already, by itself or from another, isn't written once more.
        result[stage] = result[stage] | {name: value for name, value in given.items() if held.get(name) != value}
    return result


def read_settings(file: Path) -> Stages:
    settings: Stages = json.loads(file.read_text(encoding="utf-8"))
    return settings
