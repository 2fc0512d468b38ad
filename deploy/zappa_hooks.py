"""Zappa's hooks, named in `zappa_settings.json`: `zappa deploy` and `zappa update` package as `make package` does.

Zappa loads this file by its path, so the root of the project is added to the import path first.
"""

import datetime
import fcntl
import os
import sys
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from click import ClickException, echo

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from billing_site.lambda_function.runtimes import warning_of  # noqa: E402
from deploy.contents import NO_AUTHORITIES, faults_of, modules_of_the_checkout, report_of  # noqa: E402
from deploy.environment import BUILD, let_zappa_find_packages, runtime_environment  # noqa: E402
from deploy.errors import UnableToShip  # noqa: E402
from deploy.settings_files import generated_settings  # noqa: E402
from deploy.source import AUTHORITIES, staged_source  # noqa: E402
from deploy.target import Target, python_for, read_settings, target_of  # noqa: E402
from deploy.zappa_settings import FILLED, NEEDED_TO_DEPLOY, filled, secrets_in, with_stages  # noqa: E402
from deploy.zip_file import write_reproducibly  # noqa: E402

DEPLOYING = {"deploy", "update"}


def before_anything(zappa: Any) -> None:
    """`callbacks.settings`: refuses settings with a secret, a stage that isn't filled and an unfit zip. Won't package
    without the authorities that the settings name, or without the Python that the functions run on. Warns of a
    runtime that ends soon.
    """
    # Zappa looks through every file below this folder for websockets, and finds its own in an environment of any name
    # that it doesn't know: it would make a websocket API for them.
    _take_filled_settings(zappa)
    zappa.use_websocket = None
    found = secrets_in(zappa.zappa_settings)
    if found:
        raise ClickException("zappa_settings.json holds what looks like a secret: " + ", ".join(found))
    given = zappa.vargs.get("zip")
    packages = zappa.command == "package" or (zappa.command in DEPLOYING and not given)
    if packages and _variables(zappa).get("DATABASE_SSLROOTCERT") and not AUTHORITIES.is_file():
        # The check of the zip would find the same, a minute later.
        raise ClickException(NO_AUTHORITIES)
    if packages or zappa.command in DEPLOYING:
        _check_target(_target(zappa), packages=packages, today=datetime.datetime.now(datetime.UTC).date())
    if zappa.command not in DEPLOYING:
        return
    stage = zappa.api_stage
    # Its own, not those of a stage that it extends: staging mustn't run in production's network.
    missing = sorted(NEEDED_TO_DEPLOY - zappa.zappa_settings[stage].keys())
    if missing:
        environment = stage.partition("_")[0]
        raise ClickException(
            f"stage {stage} lacks {', '.join(missing)}: run `make zappa-settings ENVIRONMENT={environment}` first"
        )
    _set_variables_exactly(zappa.zappa.lambda_client, wanted=_variables(zappa))
    _set_architecture(zappa.zappa.lambda_client, name=_target(zappa).architecture.name)
    if given and "://" not in given:
        _refuse_unfit(Path(given), target=_target(zappa), variables=_variables(zappa))
        _mention_another_release(Path(given))


def _take_filled_settings(zappa: Any) -> None:
    """Goes by the environment's filled settings, where no others were named: what is typed needs no file's name."""
    environment = zappa.api_stage.partition("_")[0]
    generated = generated_settings(environment)
    if zappa.vargs.get("settings_file") or zappa.command == "package" or not generated.is_file():
        return
    held = read_settings(generated)
    given = {name: {key: stage[key] for key in stage.keys() & FILLED} for name, stage in held.items()}
    own = {name: stage for name, stage in given.items() if name.partition("_")[0] == environment}
    try:
        wanted = filled(
            settings=with_stages(zappa.zappa_settings, environment=environment), outputs=own, environment=environment
        )
    except UnableToShip:
        wanted = {}
    if wanted != held:
        raise ClickException(
            f"{generated.relative_to(ROOT)} was filled before zappa_settings.json changed: run `make zappa-settings "
            f"ENVIRONMENT={environment}`"
        )
    zappa.load_settings(str(generated))


def _target(zappa: Any) -> Target:
    try:
        return target_of(zappa.stage_config)
    except UnableToShip as refusal:
        raise ClickException(str(refusal)) from refusal


def _check_target(target: Target, *, packages: bool, today: datetime.date) -> None:
    warning = warning_of(target.runtime, today=today)
    if warning:
        echo(f"warning: {warning}", err=True)
    if packages:
        try:
            python_for(target)
        except UnableToShip as refusal:
            raise ClickException(str(refusal)) from refusal
        # `prepare` is called without the settings.
        os.environ["RUNTIME"], os.environ["ARCHITECTURE"] = target.runtime.name, target.architecture.name


def _mention_another_release(zip_path: Path) -> None:
    """Rolling back deploys an old package on purpose; it may also be that `make package` was forgotten."""
    with zipfile.ZipFile(zip_path) as package:
        lacking = [name for name in modules_of_the_checkout() if name not in package.NameToInfo]
    if lacking:
        echo(f"{zip_path} is of another release than this checkout: {lacking[0]} isn't in it")


def _set_variables_exactly(lambda_client: Any, *, wanted: Mapping[str, str]) -> None:
    """Removes from the update what Zappa keeps: every variable of the function that the settings lack.

    A setting that was removed from Terraform would stay in force, unnoticed: a volume check that was loosened for a
    day would stay loose.
    """

    def only_the_wanted(params: dict[str, Any], **_: object) -> None:
        leftovers = sorted(params["Environment"]["Variables"].keys() - wanted.keys())
        if leftovers:
            echo(f"Removing variables that the settings no longer have: {', '.join(leftovers)}")
        params["Environment"] = {"Variables": dict(wanted)}

    # In Zappa's own request, so that the function never runs with half of the variables.
    lambda_client.meta.events.register("provide-client-params.lambda.UpdateFunctionConfiguration", only_the_wanted)


def _set_architecture(lambda_client: Any, *, name: str) -> None:
    """Zappa sets it only when it creates a function, and would put code for another one into an existing function."""

    def with_it(params: dict[str, Any], **_: object) -> None:
        params["Architectures"] = [name]

    lambda_client.meta.events.register("provide-client-params.lambda.UpdateFunctionCode", with_it)


def prepare() -> None:
    """`prebuild_script`: makes Zappa package the clean environment and the staged source, and nothing else."""
    _wait_for_other_builds()
    try:
        target = target_of({"runtime": os.environ["RUNTIME"], "architecture": os.environ["ARCHITECTURE"]})
        environment = runtime_environment(target=target, extras=os.environ.get("EXTRAS", "").split())
        source = staged_source(environment=environment, target=target)
        let_zappa_find_packages(environment)
    except UnableToShip as refusal:
        raise ClickException(str(refusal)) from refusal
    # Zappa packages the current folder and environment.
    os.environ["VIRTUAL_ENV"] = str(environment)
    os.chdir(source)


def _wait_for_other_builds() -> None:
    """Two at once would delete each other's files. The lock is held until this process ends."""
    BUILD.mkdir(exist_ok=True)
    fcntl.flock(os.open(BUILD / "lock", os.O_RDONLY | os.O_CREAT, 0o644), fcntl.LOCK_EX)


def finish_zip(zappa: Any) -> None:
    """`callbacks.zip`: writes the zip reproducibly, prints its size, and refuses what Lambda wouldn't run."""
    zip_path = Path(zappa.zip_path).resolve()
    write_reproducibly(zip_path)
    print(report_of(zip_path))
    _refuse_unfit(zip_path, target=_target(zappa), variables=_variables(zappa), modules=modules_of_the_checkout())


def _variables(zappa: Any) -> dict[str, str]:
    return dict(zappa.stage_config["aws_environment_variables"])


def _refuse_unfit(
    zip_path: Path, *, target: Target, variables: Mapping[str, str], modules: Collection[str] = ()
) -> None:
    if not zip_path.is_file():
        raise ClickException(f"{zip_path} is missing: `make package` makes it")
    faults = faults_of(zip_path, target=target, variables=variables, modules=modules)
    if faults:
        raise ClickException("the package can't be deployed:\n  " + "\n  ".join(faults))
