"""`make package` and `make zappa-settings`."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy.environment import BUILD, ROOT
from deploy.errors import UnableToShip
from deploy.target import python_for, read_settings, retargeted, target_of, whole_stage
from deploy.zappa_settings import Stages, as_text, filled

SETTINGS = ROOT / "zappa_settings.json"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy")
    commands = parser.add_subparsers(dest="command", required=True)
    package = commands.add_parser("package", help="makes build/billing-ENVIRONMENT.zip, with Zappa")
    fill = commands.add_parser("zappa-settings", help="fills zappa_settings.json from Terraform's outputs")
    for command in (package, fill):
        command.add_argument("--environment", default="production")
    package.add_argument("--runtime", help="of Lambda, instead of the settings'; they have it from then on")
    package.add_argument("--architecture", help="the same of the machine: x86_64 or arm64")
    fill.add_argument("--outputs", type=Path, help="a file with `terraform output -json zappa_settings`")
    options = parser.parse_args()
    try:
        if options.command == "package":
            make_package(environment=options.environment, runtime=options.runtime, architecture=options.architecture)
        else:
            fill_settings(environment=options.environment, outputs=options.outputs)
    except UnableToShip as refusal:
        sys.exit(f"error: {refusal}")


def make_package(
    *, environment: str, settings: Path = SETTINGS, runtime: str | None = None, architecture: str | None = None
) -> Path:
    """One zip for the environment's three functions. What it is made of is in `zappa_hooks`.

    With another runtime or architecture than the settings' these are changed, once the package is made: Zappa deploys
    by them. Raises UnableToShip, and then changes nothing.
    """
    held = read_settings(settings)
    wanted = retargeted(settings=held, environment=environment, runtime=runtime, architecture=architecture)
    target = target_of(whole_stage(wanted, environment))
    try:
        python_for(target)
    except UnableToShip as refusal:
        raise UnableToShip(f"the package is for {target.runtime.name}. {refusal}") from refusal
    BUILD.mkdir(exist_ok=True)
    zip_path = BUILD / f"billing-{environment}.zip"
    zip_path.unlink(missing_ok=True)
    with _written_beside(settings, wanted) as unfinished:
        _run_zappa_package(environment=environment, settings=unfinished, zip_path=zip_path)
        if wanted != held:
            unfinished.replace(settings)
            what = f"{target.runtime.name} on {target.architecture.name}"
            print(f"{settings.name} has the functions of {environment} run {what} from now on")
    return zip_path


def _run_zappa_package(*, environment: str, settings: Path, zip_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-W", "ignore", "-m", "zappa.cli", "package", environment),
            *("--output", str(zip_path), "--settings_file", str(settings), "--disable_progress"),
        ],
        cwd=ROOT,
        # Nothing is asked of AWS, but Zappa makes its clients all the same.
        env={"AWS_DEFAULT_REGION": "us-east-1", **os.environ, "VIRTUAL_ENV": sys.prefix},
        check=False,
    )
    if done.returncode != 0 or not zip_path.is_file():
        zip_path.unlink(missing_ok=True)
        raise UnableToShip("no package was made")


def fill_settings(*, environment: str, outputs: Path | None, settings: Path = SETTINGS) -> None:
    """Writes the filled settings in the place of the old ones. Raises UnableToShip, and then changes nothing."""
    try:
        text = _terraform_output() if outputs is None else outputs.read_text(encoding="utf-8")
        given: Any = json.loads(text)
    except OSError as error:
        raise UnableToShip(f"{outputs}: {error.strerror}") from error
    except ValueError as error:
        raise UnableToShip("the outputs aren't JSON: is this `terraform output -json zappa_settings`?") from error
    if not isinstance(given, dict):
        raise UnableToShip("the outputs aren't an object of stages")
    wanted = filled(settings=read_settings(settings), outputs=given, environment=environment)
    with _written_beside(settings, wanted) as unfinished:
        unfinished.replace(settings)
    print(f"filled the stages of {environment} in {settings.name}")


@contextmanager
def _written_beside(settings: Path, wanted: Stages) -> Iterator[Path]:
    """A file of the settings that are wanted, to take the place of the held ones in one step: a file that is cut off
    would be a broken deployment. Gone when the block ends.
    """
    unfinished = settings.with_suffix(".unfinished.json")
    unfinished.write_text(as_text(wanted), encoding="utf-8")
    try:
        yield unfinished
    finally:
        unfinished.unlink(missing_ok=True)


def _terraform_output() -> str:
    try:
        done = subprocess.run(
            ["terraform", "-chdir=terraform", "output", "-json", "zappa_settings"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise UnableToShip("terraform isn't installed; OUTPUTS= takes a file with its output") from error
    if done.returncode != 0:
        raise UnableToShip(f"terraform has no output zappa_settings: {done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    main()
