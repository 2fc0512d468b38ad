"""`make package`: one zip for an environment's three functions, by Zappa. What it is made of is in `zappa_hooks`."""

import base64
import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy.environment import BUILD, ROOT
from deploy.errors import UnableToShip
from deploy.settings_files import SETTINGS, generated_settings, written_beside
from deploy.source import AUTHORITIES, LOGO, SHIPPED
from deploy.target import python_for, read_settings, retargeted, target_of, whole_stage
from deploy.zappa_settings import Stages, with_stages

_FROM_TERRAFORM = ("aws_region", "aws_environment_variables")
"""Zappa writes the region into the zip; the variables say what must be in it."""


def make_package(
    *,
    environment: str,
    settings: Path = SETTINGS,
    runtime: str | None = None,
    architecture: str | None = None,
    extras: Sequence[str] | None = None,
    known: Mapping[str, Any] | None = None,
    unless_made: bool = False,
) -> Path:
    """The zip's path. Nothing is made when `unless_made` and the zip that is there is of these very sources.

    `extras` are those of the variable EXTRAS where None. `known` is what the functions will have of Terraform; None
    takes it from the filled settings, where they are.

    With another runtime or architecture than the settings' these are changed, once the package is made: Zappa deploys
    by them. Raises UnableToShip, and then changes nothing.
    """
    held = read_settings(settings)
    wanted = retargeted(
        # The file has to hold the stages that it is to change.
        settings=held if runtime or architecture else with_stages(held, environment=environment),
        environment=environment,
        runtime=runtime,
        architecture=architecture,
    )
    target = target_of(whole_stage(wanted, environment))
    try:
        python_for(target)
    except UnableToShip as refusal:
        raise UnableToShip(f"the package is for {target.runtime.name}. {refusal}") from refusal
    BUILD.mkdir(exist_ok=True)
    zip_path = BUILD / f"billing-{environment}.zip"
    stamp = zip_path.with_suffix(".made-of")
    complete = _with_known(wanted, environment=environment, known=known)
    made_of = _made_of(whole_stage(complete, environment), extras=extras)
    if unless_made and _is_made(zip_path, stamp=stamp, made_of=made_of):
        return zip_path
    zip_path.unlink(missing_ok=True)
    with written_beside(settings, complete) as unfinished:
        _run_zappa_package(
            environment=environment, settings=unfinished, zip_path=zip_path, extras=extras, quiet=unless_made
        )
    stamp.write_text(f"{made_of} {sha256_of(zip_path)}")
    changed = {stage: wanted[stage] for stage in held}
    if changed != held:
        with written_beside(settings, changed) as unfinished:
            unfinished.replace(settings)
        what = f"{target.runtime.name} on {target.architecture.name}"
        print(f"{settings.name} has the functions of {environment} run {what} from now on")
    return zip_path


def _made_of(stage: Mapping[str, Any], *, extras: Sequence[str] | None) -> str:
    """What a package is made of: the sources, the locks, what makes it, and the settings."""
    given = os.environ.get("EXTRAS", "").split() if extras is None else extras
    digest = hashlib.sha256(repr((sorted(stage.items()), sorted(given))).encode())
    folders = [*SHIPPED, "deploy", "requirements"]
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if "__pycache__" not in path.parts]
    for path in sorted([*files, AUTHORITIES, LOGO]):
        if path.is_file():
            digest.update(f"{path.relative_to(ROOT)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _is_made(zip_path: Path, *, stamp: Path, made_of: str) -> bool:
    return zip_path.is_file() and stamp.is_file() and stamp.read_text() == f"{made_of} {sha256_of(zip_path)}"


def sha256_of(package: Path) -> str:
    """Of a package's bytes, as Lambda shows it."""
    return base64.b64encode(hashlib.sha256(package.read_bytes()).digest()).decode()


def _with_known(settings: Stages, *, environment: str, known: Mapping[str, Any] | None) -> Stages:
    """The settings with what is known of the environment's API, which stands for the three functions."""
    if known is None:
        generated = generated_settings(environment)
        filled = read_settings(generated)[environment] if generated.is_file() else {}
        known = {name: filled[name] for name in _FROM_TERRAFORM if name in filled}
    return settings | {environment: {**settings[environment], **known}}


def _run_zappa_package(
    *, environment: str, settings: Path, zip_path: Path, extras: Sequence[str] | None, quiet: bool
) -> None:
    given = {} if extras is None else {"EXTRAS": " ".join(extras)}
    done = subprocess.run(
        [
            *(sys.executable, "-W", "ignore", "-m", "zappa.cli", "package", environment),
            *("--output", str(zip_path), "--settings_file", str(settings), "--disable_progress"),
        ],
        cwd=ROOT,
        # Nothing is asked of AWS, but Zappa makes its clients all the same.
        env={"AWS_DEFAULT_REGION": "us-east-1", **os.environ, **given, "VIRTUAL_ENV": sys.prefix},
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
        text=True,
        check=False,
    )
    if done.returncode != 0 or not zip_path.is_file():
        zip_path.unlink(missing_ok=True)
        said = [line for line in (done.stdout or "").splitlines() if line.strip()]
        raise UnableToShip(f"no package was made: {said[-1].strip()}" if said else "no package was made")
