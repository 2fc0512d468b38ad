"""CI never passes over the Python that is shipped for. `make` is a stand-in that writes down what it is asked for."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.unit.requirements.scripts import ROOT, a_script, stand_in

SUMMARY = "1 failed, 2 passed in 3.00s"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A machine whose own Python is 3.11. `make` fails what is named in the file `fails`."""
    stand_in(tmp_path / "bin" / "python3", "3.11")
    failing = f'echo "{SUMMARY}"; echo "make: *** [Makefile:1: x] Error 1"; exit 2'
    case = f'case "$*" in *"$(cat "$HOME/fails")"*) {failing} ;; esac'
    a_script(tmp_path / "bin" / "make", f'echo "$@" >> "$HOME/asked"\n{case}')
    a_script(tmp_path / "bin" / "chromium", "")
    for name in ("bash", "cat", "dirname", "sed"):
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    (tmp_path / "fails").write_text("nothing\n")
    return tmp_path


def run_ci(machine: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(ROOT / ".ci" / "run")],
        env={"PATH": str(machine / "bin"), "HOME": str(machine)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def asked(machine: Path) -> list[str]:
    return (machine / "asked").read_text().splitlines()


class TestCi:
    def test_fails_loudly_without_the_python_that_is_shipped_for(self, machine: Path) -> None:
        done = run_ci(machine)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("make: Python 3.13 is needed, and none was found: ")
        assert not (machine / "asked").exists()

    def test_runs_all_on_its_own_python_and_the_product_on_the_other(self, machine: Path) -> None:
        other = stand_in(machine / "home" / "python3.13", "3.13")
        (machine / "bin" / "python3.13").symlink_to(other)
        assert run_ci(machine).returncode == 0
        assert asked(machine) == [
            f"--no-print-directory test-core PYTHON={machine}/home/python3.13 VENV=build/venv-3.13",
            f"--no-print-directory audit MAY_SKIP=yes PYTHON={machine}/bin/python3",
            f"--no-print-directory bench-guard PYTHON={machine}/bin/python3",
            f"--no-print-directory test-all PYTHON={machine}/bin/python3",
        ]

    def test_runs_once_where_its_own_is_the_one_that_is_shipped_for(self, machine: Path) -> None:
        stand_in(machine / "bin" / "python3", "3.13")
        (machine / "bin" / "python3.13").symlink_to(machine / "bin" / "python3")
        assert run_ci(machine).returncode == 0
        assert asked(machine) == [
            f"--no-print-directory audit MAY_SKIP=yes PYTHON={machine}/bin/python3",
            f"--no-print-directory bench-guard PYTHON={machine}/bin/python3",
            f"--no-print-directory test-all PYTHON={machine}/bin/python3",
        ]

    @pytest.mark.parametrize(("fails", "runs"), [("test-core", 1), ("audit", 4), ("bench-guard", 4), ("test-all", 4)])
    def test_fails_with_each_and_ends_with_its_summary(self, machine: Path, fails: str, runs: int) -> None:
        stand_in(machine / "bin" / "python3.13", "3.13")
        (machine / "fails").write_text(f"{fails}\n")
        done = run_ci(machine)
        assert (done.returncode, len(asked(machine))) == (2, runs)
        assert done.stdout.splitlines() == [SUMMARY]
