"""The package, made once for all tests here, and AWS's runtime client beside it."""

import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.package import make_package
from deploy.settings_files import SETTINGS
from deploy.target import Target, python_for, read_settings, target_of, whole_stage
from localcloud.sqs.endpoint import REGION
from tests.deploy.runtime_api import Function, install_runtime_client
from tests.deploy.surroundings import StartFunction, Surroundings, make_surroundings, starter
from tests.support.workers.queues import local_queue


@pytest.fixture(scope="session")
def target() -> Target:
    """What the package is made for, as the settings say."""
    return target_of(whole_stage(read_settings(SETTINGS), "production"))


@pytest.fixture(scope="session")
def package(target: Target, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip, as `make package` makes it of settings that are filled: Zappa writes the region into it.

    Where none can be made the tests say so and are skipped; in CI they fail.
    """
    if not target.is_of_this_machine:
        reason = f"the package holds libraries for Linux on {target.architecture.name}, and this machine is another"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    settings = json.loads(SETTINGS.read_text(encoding="utf-8"))
    settings["production"]["aws_region"] = REGION
    filled = tmp_path_factory.mktemp("settings") / "zappa_settings.json"
    filled.write_text(json.dumps(settings), encoding="utf-8")
    return make_package(environment="production", settings=filled)


@pytest.fixture(scope="session")
def task_root(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as Lambda unpacks it."""
    folder = tmp_path_factory.mktemp("task")
    with zipfile.ZipFile(package) as zipped:
        zipped.extractall(folder)
    return folder


@pytest.fixture(scope="session")
def runtime_client(target: Target, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runtime client and nothing else, for the Python that the functions run on."""
    packages = tmp_path_factory.mktemp("runtime") / "packages"
    install_runtime_client(target=target, packages=packages)
    return packages


@pytest.fixture(scope="session")
def bare_python(target: Target) -> Path:
    """The Python that the functions run on; it isn't an environment's, so that nothing of the tests is on its path."""
    return python_for(target)


@pytest.fixture(scope="session")
def start_function(
    task_root: Path, runtime_client: Path, bare_python: Path, tmp_path_factory: pytest.TempPathFactory
) -> StartFunction:
    return starter(
        task_root=task_root,
        runtime_client=runtime_client,
        bare_python=bare_python,
        logs=tmp_path_factory.mktemp("logs"),
    )


@pytest.fixture(scope="module")
def around(django_db_setup: None) -> Iterator[Surroundings]:
    """Around all functions of a module: the test's database, and queues and secrets of its own."""
    with local_queue(visibility_timeout_seconds=1) as queue:
        yield make_surroundings(queue)


@pytest.fixture(scope="module")
def api_function(around: Surroundings, start_function: StartFunction) -> Iterator[Function]:
    with start_function("api", around.variables("api")) as function:
        yield function


@pytest.fixture(scope="module")
def worker_function(around: Surroundings, start_function: StartFunction) -> Iterator[Function]:
    with start_function("worker", around.variables("worker")) as function:
        yield function
