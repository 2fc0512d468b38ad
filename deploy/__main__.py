"""What an operator types by `make`: `python -m deploy COMMAND`."""

import argparse
import datetime
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from billing_site.lambda_function.commands import ALLOWED
from deploy.cloud import the_cloud
from deploy.deployment import deploy
from deploy.environment import BUILD, ROOT
from deploy.errors import UnableToShip
from deploy.functions import Functions
from deploy.package import make_package
from deploy.removal import destroy
from deploy.rollback import roll_back
from deploy.settings_files import SETTINGS, generated_settings, write_generated
from deploy.state_bucket import bootstrap
from deploy.variables import read_variables


def main() -> None:
    options = _parser().parse_args()
    # As Ctrl-C: what runs is ended in an orderly way.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _run(options)
    except UnableToShip as refusal:
        sys.exit(f"error: {refusal}")
    except KeyboardInterrupt:
        sys.exit("cut off: the same command goes on from here")
    except OSError as error:
        sys.exit(f"error: {error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy")
    commands = parser.add_subparsers(dest="command", required=True)
    package = commands.add_parser("package", help="makes build/billing-ENVIRONMENT.zip, with Zappa")
    fill = commands.add_parser("zappa-settings", help="fills Zappa's settings from Terraform's outputs")
    first = commands.add_parser("bootstrap", help="makes the bucket of Terraform's state")
    whole = commands.add_parser("deploy", help="deploys an environment, from its package to its first reconciliation")
    again = commands.add_parser("release", help="deploys a new version")
    back = commands.add_parser("rollback", help="deploys the release before")
    command_line = commands.add_parser("manage", help="runs a manage.py command on the function that may")
    away = commands.add_parser("destroy", help="takes an environment down")
    for command in (package, fill, first, whole, again, back, command_line, away):
        command.add_argument("--environment", default="production")
    package.add_argument("--runtime", help="of Lambda, instead of the settings'; they have it from then on")
    package.add_argument("--architecture", help="the same of the machine: x86_64 or arm64")
    fill.add_argument("--outputs", type=Path, help="a file with `terraform output -json zappa_settings`")
    for command in (whole, again, back):
        command.add_argument("--yes", action="store_const", const="yes", help="go on without a question")
    back.add_argument("--to", metavar="RELEASE", help="the name of a kept release, instead of the one before")
    command_line.add_argument("line", help="as after `manage.py`, in quotes")
    away.add_argument("--confirm", metavar="NAME", help="the environment's name, as where nobody can type it")
    return parser


def _run(options: argparse.Namespace) -> None:
    environment, now = options.environment, datetime.datetime.now(datetime.UTC)
    match options.command:
        case "package":
            make_package(environment=environment, runtime=options.runtime, architecture=options.architecture)
        case "zappa-settings":
            fill_settings(environment=environment, outputs=options.outputs)
        case "bootstrap":
            variables = read_variables(environment=environment)
            bootstrap(variables=variables, cloud=the_cloud(variables))
        case "deploy" | "release":
            deploy(environment=environment, agreed=options.yes, again=options.command == "release", now=now)
        case "rollback":
            roll_back(environment=environment, named=options.to, agreed=options.yes)
        case "manage":
            print(manage(environment=environment, line=options.line), end="")
        case "destroy":
            destroy(environment=environment, confirmed=options.confirm)


def manage(*, environment: str, line: str) -> str:
    """What a command of `manage.py` prints, run by the function whose duty it is. Raises UnableToShip."""
    verb = line.split(maxsplit=1)[0] if line.strip() else ""
    duties = [duty.value for duty, allowed in ALLOWED.items() if verb in allowed]
    if not duties:
        raise UnableToShip(f"no function runs {verb or 'nothing'}: {', '.join(sorted(set().union(*ALLOWED.values())))}")
    variables = read_variables(environment=environment)
    functions = Functions(
        cloud=the_cloud(variables),
        project=variables.project,
        settings=generated_settings(environment),
        log=BUILD / f"manage-{environment}.log",
    )
    stage = environment if duties[0] == "api" else f"{environment}_{duties[0]}"
    return functions.manage(stage, line)


def fill_settings(*, environment: str, outputs: Path | None, settings: Path = SETTINGS, build: Path = BUILD) -> Path:
    """Writes an environment's filled settings; their path. Raises UnableToShip, and then changes nothing."""
    try:
        text = _terraform_output() if outputs is None else outputs.read_text(encoding="utf-8")
        given: Any = json.loads(text)
    except OSError as error:
        raise UnableToShip(f"{outputs}: {error.strerror}") from error
    except ValueError as error:
        raise UnableToShip("the outputs aren't JSON: is this `terraform output -json zappa_settings`?") from error
    if not isinstance(given, dict):
        raise UnableToShip("the outputs aren't an object of stages")
    generated = write_generated(environment=environment, outputs=given, settings=settings, build=build)
    print(f"filled the stages of {environment} in {os.path.relpath(generated, ROOT)}")
    return generated


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
