"""What Zappa calls, as `zappa_settings.json` names it: `zappa deploy` and `zappa update` pack as `make package` does.

Zappa loads this file by its path, so the folder that the other modules are imported from is made known first.
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

from billing_site.lambda_runtimes import warning_of  # noqa: E402
from deploy.contents import NO_AUTHORITIES, faults_of, modules_of_the_checkout, report_of  # noqa: E402
from deploy.environment import BUILD, let_zappa_find_packages, runtime_environment  # noqa: E402
from deploy.refusals import UnableToShip  # noqa: E402
from deploy.source import AUTHORITIES, staged_source  # noqa: E402
from deploy.target import Target, python_for, target_of  # noqa: E402
from deploy.zappa_settings import NEEDED_TO_DEPLOY, secrets_in  # noqa: E402
from deploy.zip_file import write_reproducibly  # noqa: E402

DEPLOYING = {"deploy", "update"}


def before_anything(zappa: Any) -> None:
    """`callbacks.settings`: refuses settings with a secret, to deploy a stage that isn't filled or an unfit zip, and to
    pack without the authorities that the settings name or the Python that the functions run on. Warns of a runtime that
    ends.
    """
    # Zappa looks through every file below this folder for websockets, and finds its own in an environment of any name
    # that it doesn't know: it would make a websocket API for them.
    zappa.use_websocket = None
    found = secrets_in(zappa.zappa_settings)
    if found:
        raise ClickException("zappa_settings.json holds what looks like a secret: " + ", ".join(found))
    given = zappa.vargs.get("zip")
    packs = zappa.command == "package" or (zappa.command in DEPLOYING and not given)
    if packs and _variables(zappa).get("DATABASE_SSLROOTCERT") and not AUTHORITIES.is_file():
        # Looking at the zip would tell the same, a minute later.
        raise ClickException(NO_AUTHORITIES)
    if packs or zappa.command in DEPLOYING:
        _look_at_target(_target(zappa), packs=packs, today=datetime.datetime.now(datetime.UTC).date())
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
        _tell_of_another_release(Path(given))


def _target(zappa: Any) -> Target:
    try:
        return target_of(zappa.stage_config)
    except UnableToShip as refusal:
        raise ClickException(str(refusal)) from refusal


def _look_at_target(target: Target, *, packs: bool, today: datetime.date) -> None:
    warning = warning_of(target.runtime, today=today)
    if warning:
        echo(f"warning: {warning}", err=True)
    if packs:
        try:
            python_for(target)
        except UnableToShip as refusal:
            raise ClickException(str(refusal)) from refusal
        # `prepare` is called without the settings.
        os.environ["RUNTIME"], os.environ["ARCHITECTURE"] = target.runtime.name, target.architecture.name


def _tell_of_another_release(zip_path: Path) -> None:
    """Rolling back deploys one on purpose; whoever forgot `make package` does so unawares."""
    with zipfile.ZipFile(zip_path) as package:
        lacking = [name for name in modules_of_the_checkout() if name not in package.NameToInfo]
    if lacking:
        echo(f"{zip_path} is of another release than this checkout: {lacking[0]} isn't in it")


def _set_variables_exactly(lambda_client: Any, *, wanted: Mapping[str, str]) -> None:
    """Takes from the update what Zappa puts back: it keeps every variable of the function that the settings lack.

    What was taken out of Terraform's settings would hold on, unseen: a brake that was loosened for a day stays loose.
    """

    def only_the_wanted(params: dict[str, Any], **_: object) -> None:
        leftovers = sorted(params["Environment"]["Variables"].keys() - wanted.keys())
        if leftovers:
            echo(f"Removing variables that the settings no longer have: {', '.join(leftovers)}")
        params["Environment"] = {"Variables": dict(wanted)}

    # In the one request that Zappa makes, so that the function never runs with half of it.
    lambda_client.meta.events.register("provide-client-params.lambda.UpdateFunctionConfiguration", only_the_wanted)


def _set_architecture(lambda_client: Any, *, name: str) -> None:
    """Zappa tells it only when it makes a function, and would put code for another one into a function that stays."""

    def with_it(params: dict[str, Any], **_: object) -> None:
        params["Architectures"] = [name]

    lambda_client.meta.events.register("provide-client-params.lambda.UpdateFunctionCode", with_it)


def prepare() -> None:
    """`prebuild_script`: has Zappa pack the clean environment and the staged source, and nothing that lies here."""
    _wait_for_other_builds()
    try:
        target = target_of({"runtime": os.environ["RUNTIME"], "architecture": os.environ["ARCHITECTURE"]})
        environment = runtime_environment(target=target, extras=os.environ.get("EXTRAS", "").split())
        source = staged_source(environment=environment, target=target)
        let_zappa_find_packages(environment)
    except UnableToShip as refusal:
        raise ClickException(str(refusal)) from refusal
    # Zappa packs the folder and the environment that it finds itself in.
    os.environ["VIRTUAL_ENV"] = str(environment)
    os.chdir(source)


def _wait_for_other_builds() -> None:
    """Two at once would take each other's files away. Held until this process ends."""
    BUILD.mkdir(exist_ok=True)
    fcntl.flock(os.open(BUILD / "lock", os.O_RDONLY | os.O_CREAT, 0o644), fcntl.LOCK_EX)


def finish_zip(zappa: Any) -> None:
    """`callbacks.zip`: writes the zip reproducibly, prints what it weighs, and refuses what Lambda wouldn't run."""
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
