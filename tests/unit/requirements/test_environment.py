"""The environment that `make` makes: a failure is one line, and doesn't keep the next try from succeeding."""

import hashlib
import os
import sys
import zipfile
from pathlib import Path

import pytest

from tests.unit.requirements.scripts import a_script, run_script

SETTING_UP = "setting up .venv from requirements/one.txt on Python"
HERE = "{}.{}".format(*sys.version_info)
NOBODY_LISTENS = "http://127.0.0.1:9/simple"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with a lock of one package, and that package in a folder beside it."""
    wheel = tmp_path / "wheels" / "one-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as written:
        written.writestr("one.py", "NUMBER = 1\n")
        written.writestr("one-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: one\nVersion: 1.0\n")
        written.writestr("one-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        written.writestr("one-1.0.dist-info/RECORD", "one.py,,\n")
    (tmp_path / "requirements").mkdir()
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (tmp_path / "requirements" / "one.txt").write_text(f"one==1.0 --hash=sha256:{digest}\n")
    return tmp_path


def set_up(clone: Path, **variables: str) -> tuple[int, str, str]:
    """With the folder of packages for an index, and this process's Python where no other is named."""
    index = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(clone / "wheels"), "PIP_CONFIG_FILE": os.devnull}
    variables = {"PYTHON": sys.executable} | index | variables
    return run_script("environment", "one", path="/usr/bin:/bin", home=clone, cwd=clone, variables=variables)


def holds_the_package(clone: Path) -> bool:
    return [path.name for path in clone.glob(".venv/lib/python*/site-packages/one.py")] == ["one.py"]


class TestEnvironment:
    def test_is_made_once(self, clone: Path) -> None:
        assert set_up(clone) == (0, f"{SETTING_UP} {HERE} (a minute or two)...\n", "")
        assert holds_the_package(clone)
        made = (clone / ".venv" / "one.stamp").stat().st_mtime_ns
        assert set_up(clone) == (0, "", "")
        assert (clone / ".venv" / "one.stamp").stat().st_mtime_ns == made

    def test_is_made_anew_after_one_that_was_cut_off(self, clone: Path) -> None:
        set_up(clone)
        (clone / ".venv" / "unfinished").touch()
        leftover = clone / ".venv" / "half"
        leftover.touch()
        assert set_up(clone) == (0, f"{SETTING_UP} {HERE} (a minute or two)...\n", "")
        assert holds_the_package(clone)
        assert not leftover.exists()
        assert not (clone / ".venv" / "unfinished").exists()

    def test_is_made_anew_for_a_python_of_another_version(self, clone: Path) -> None:
        """An environment that another Python made, or one that is gone."""
        a_script(clone / ".venv" / "bin" / "python", 'echo "3.10"')
        (clone / ".venv" / "one.stamp").touch()
        assert set_up(clone) == (0, f"{SETTING_UP} {HERE} (a minute or two)...\n", "")
        assert holds_the_package(clone)

    def test_is_not_made_without_a_python_that_serves(self, clone: Path) -> None:
        code, out, error = set_up(clone, PYTHON="/nowhere/python3")
        assert (code, out, error.count("\n")) == (1, "", 1)
        assert "PYTHON=/nowhere/python3 doesn't start" in error
        assert not (clone / ".venv").exists()

    def test_says_in_one_line_that_there_is_no_network(self, clone: Path) -> None:
        """And leaves none half made; one that was whole is as it was."""
        away = {"PIP_NO_INDEX": "", "PIP_FIND_LINKS": "", "PIP_INDEX_URL": NOBODY_LISTENS, "PIP_RETRIES": "1"}
        message = (
            "make: there is no network, and setting up needs it: the package index can't be reached. Connect, or set "
            "an index that can be (PIP_INDEX_URL), and run make again\n"
        )
        assert set_up(clone, **away) == (1, f"{SETTING_UP} {HERE} (a minute or two)...\n", message)
        assert not (clone / ".venv").exists()
        assert set_up(clone)[0] == 0
        with (clone / "requirements" / "one.txt").open("a") as lock:
            lock.write(f"two==1.0 --hash=sha256:{'0' * 64}\n")
        os.utime(clone / ".venv" / "one.stamp", (0, 0))
        assert set_up(clone, **away) == (1, f"{SETTING_UP} {HERE} (a minute or two)...\n", message)
        assert holds_the_package(clone)
        assert not (clone / ".venv" / "unfinished").exists()

    @pytest.mark.parametrize("at", ["-m venv", "-m pip"])
    def test_says_in_one_line_that_there_is_no_space(self, clone: Path, at: str) -> None:
        """A stand-in for Python, whose environments or whose pip find the disk full."""
        full = 'echo "ERROR: Could not install: [Errno 28] No space left on device: x" >&2; exit 1'
        python = clone / "full" / "python3"
        text = f"""case "$*" in
"{at}"*) {full} ;;
"-m venv"*) mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
*version_info*venv*) echo "3.13 64 venv {python}" ;;
*) echo 3.13 ;;
esac"""
        a_script(python, text)
        message = "make: there is no space for .venv, which takes up to 1 GB: free some, and run make again\n"
        assert set_up(clone, PYTHON=str(python)) == (1, f"{SETTING_UP} 3.13 (a minute or two)...\n", message)
        assert not (clone / ".venv").exists()

    def test_says_what_pip_said_of_anything_else(self, clone: Path) -> None:
        (clone / "requirements" / "one.txt").write_text(f"one==1.0 --hash=sha256:{'0' * 64}\n")
        code, _, error = set_up(clone)
        assert code == 1
        assert "DO NOT MATCH THE HASHES" in error
        assert error.endswith("make: .venv wasn't made, for the reason above\n")
        assert not (clone / ".venv").exists()
