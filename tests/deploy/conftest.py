"""The package, made once for all tests here, and AWS's runtime client beside it."""

import importlib.metadata
import json
import os
import platform
import shutil
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.__main__ import SETTINGS, make_package
from localcloud.queue_endpoint import REGION
from tests.deploy.runtime_api import Function
from tests.deploy.surroundings import StartFunction, Surroundings, make_surroundings, starter
from tests.workers.queues import local_queue

RUNTIME_CLIENT = ["awslambdaric", "simplejson", "snapshot-restore-py"]
"""What Lambda's python3.11 brings besides boto3: its client, and what that needs."""


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip, as `make package` makes it of settings that are filled: Zappa writes the region into it.

    Where none can be made the tests say so and are skipped; in CI they fail.
    """
    here = f"{platform.system()} on {platform.machine()}"
    if here != "Linux on x86_64":
        reason = f"the package holds libraries for Linux on x86_64, and this is {here}"
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
def runtime_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runtime client and nothing else."""
    folder = tmp_path_factory.mktemp("runtime")
    for name in RUNTIME_CLIENT:
        for file in importlib.metadata.files(name) or []:
            if ".." not in file.parts:
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(str(file.locate()), folder / file)
    return folder


@pytest.fixture(scope="session")
def bare_python() -> Path:
    """The interpreter that the environment of the tests was made from, so that nothing of theirs is on its path."""
    return Path(os.path.realpath(sys.executable))


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
