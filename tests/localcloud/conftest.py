"""Real processes on real folders. Each is ended by its own id, whatever a test did."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud import postgres
from tests.localcloud.processes import HOLD, ROOT, Hold, Holder, bare_environment


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder that isn't below pytest's own: each start of pytest by root closes that to PostgreSQL's user."""
    folder = Path(tempfile.mkdtemp(prefix="billing-test-")).resolve()
    yield folder
    shutil.rmtree(folder)


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
