"""Real processes on real folders. Each is ended by its own id, whatever a test did."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.postgres import server as postgres
from tests.support.platforms import Start, data_folder, platforms
from tests.support.processes import HOLD, ROOT, Hold, Holder, bare_environment


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with data_folder() as folder:
        yield folder


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts commands on the test's folder."""
    with platforms(tmp_path) as start:
        yield start


@pytest.fixture
def start_holder(tmp_path: Path) -> Iterator[Hold]:
    """Starts holders without waiting for them; ends them and their servers when the test is over."""
    holders: list[Holder] = []

    def start(data: Path) -> Holder:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(data)],
            cwd=ROOT,
            env=bare_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        holders.append(Holder(process=process, data=data))
        return holders[-1]

    yield start
    for holder in holders:
        holder.process.kill()
        with holder.process:  # closes its pipes
            holder.process.wait(timeout=60)
        postgres.stop(cluster=(holder.data / "postgres").resolve())


@pytest.fixture
def hold(start_holder: Hold) -> Hold:
    return lambda data: start_holder(data).wait_until_attached()
