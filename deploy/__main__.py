"""`make package` and `make zappa-settings`."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from deploy.environment import BUILD, ROOT
from deploy.refusals import UnableToShip
from deploy.zappa_settings import as_text, filled

SETTINGS = ROOT / "zappa_settings.json"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy")
    commands = parser.add_subparsers(dest="command", required=True)
    package = commands.add_parser("package", help="makes build/billing-ENVIRONMENT.zip, with Zappa")
    fill = commands.add_parser("zappa-settings", help="fills zappa_settings.json from Terraform's outputs")
    for command in (package, fill):
        command.add_argument("--environment", default="production")
    fill.add_argument("--outputs", type=Path, help="a file with `terraform output -json zappa_settings`")
    options = parser.parse_args()
    try:
        if options.command == "package":
            make_package(environment=options.environment)
        else:
            fill_settings(environment=options.environment, outputs=options.outputs)
    except UnableToShip as refusal:
        sys.exit(f"error: {refusal}")


def make_package(*, environment: str, settings: Path = SETTINGS) -> Path:
    """One zip for the environment's three functions. What it is made of is in `zappa_hooks`. Raises UnableToShip."""
    if environment not in json.loads(settings.read_text(encoding="utf-8")):
        raise UnableToShip(f"zappa_settings.json has no stage {environment}")
    BUILD.mkdir(exist_ok=True)
    zip_path = BUILD / f"billing-{environment}.zip"
    zip_path.unlink(missing_ok=True)
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
    return zip_path


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
    held = json.loads(settings.read_text(encoding="utf-8"))
    # Written in one step: a file that is cut off would be a broken deployment.
    unfinished = settings.with_suffix(".unfinished")
    unfinished.write_text(as_text(filled(settings=held, outputs=given, environment=environment)), encoding="utf-8")
    unfinished.replace(settings)
    print(f"filled the stages of {environment} in {settings.name}")


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
