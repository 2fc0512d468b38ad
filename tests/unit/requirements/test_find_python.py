"""Which Python `make` takes. Those that this machine may not have are stand-ins that answer as they would."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.requirements.scripts import broken_shim, run_script, stand_in

HOW = "`uv python install 3.13`, `pyenv install 3.13` or your distribution's package brings one"
NEEDED = "make: Python 3.11, 3.12 or 3.13 with 64 bits is needed, and "


def find(tmp_path: Path, *arguments: str, **variables: str) -> tuple[int, str, str]:
    """With the stand-ins in `tmp_path/bin` as the only Pythons, and a home that has no others."""
    (tmp_path / "bin").mkdir(exist_ok=True)
    return run_script(
        "find_python", *arguments, path=str(tmp_path / "bin"), home=tmp_path / "home", variables=variables
    )


class TestFindPython:
    def test_takes_python3_where_that_serves(self, tmp_path: Path) -> None:
        taken = stand_in(tmp_path / "bin" / "python3", "3.12")
        stand_in(tmp_path / "bin" / "python3.13", "3.13")
        assert find(tmp_path) == (0, f"{taken}\n", "")

    @pytest.mark.parametrize("version", ["2.7", "3.9", "3.10", "3.14"])
    def test_takes_the_newest_tested_one_where_python3_is_none_of_them(self, tmp_path: Path, version: str) -> None:
        stand_in(tmp_path / "bin" / "python3", version)
        for each in ("3.11", "3.12"):
            stand_in(tmp_path / "bin" / f"python{each}", each)
        assert find(tmp_path) == (0, f"{tmp_path}/bin/python3.12\n", "")

    def test_passes_a_shim_over_that_only_prints_an_error(self, tmp_path: Path) -> None:
        """Also one that hides a real Python, further down the path."""
        for name in ("python3", "python3.13", "python3.12"):
            broken_shim(tmp_path / "shims" / name)
        taken = stand_in(tmp_path / "bin" / "python3.12", "3.12")
        path = f"{tmp_path / 'shims'}:{tmp_path / 'bin'}"
        assert run_script("find_python", path=path, home=tmp_path, variables={}) == (0, f"{taken}\n", "")

    @pytest.mark.parametrize(
        "place",
        [".pyenv/versions/3.13.0/bin/python", ".local/share/uv/python/cpython-3.13.9-linux-x86_64-gnu/bin/python3.13"],
    )
    def test_looks_where_pyenv_and_uv_keep_theirs(self, tmp_path: Path, place: str) -> None:
        taken = stand_in(tmp_path / "home" / place, "3.13")
        stand_in(tmp_path / "bin" / "python3.12", "3.12")
        assert find(tmp_path) == (0, f"{taken}\n", "")
        assert find(tmp_path, "3.13") == (0, f"{taken}\n", "")

    def test_looks_behind_pyenv_shims_outside_the_home(self, tmp_path: Path) -> None:
        pyenv = tmp_path / "opt" / "pyenv"
        broken_shim(pyenv / "shims" / "python3.13")
        taken = stand_in(pyenv / "versions" / "3.13.0" / "bin" / "python", "3.13")
        path, home = str(pyenv / "shims"), tmp_path / "home"
        assert run_script("find_python", "3.13", path=path, home=home, variables={}) == (0, f"{taken}\n", "")

    def test_says_in_one_line_how_to_get_one(self, tmp_path: Path) -> None:
        code, out, error = find(tmp_path)
        assert (code, out) == (1, "")
        assert error == f"{NEEDED}no python3 was found: {HOW}; or name one: PYTHON=/path/to/python3.13\n"

    @pytest.mark.parametrize(
        ("version", "bits", "venv", "fault"),
        [
            ("2.7", 64, "none", "is Python 2.7"),
            ("3.10", 64, "venv", "is Python 3.10"),
            ("3.13", 32, "venv", "is a 32-bit Python"),
            ("3.12", 64, "none", "has no venv (on Debian and Ubuntu: apt install python3.12-venv)"),
        ],
    )
    def test_refuses_one_that_does_not_serve(
        self, tmp_path: Path, version: str, bits: int, venv: str, fault: str
    ) -> None:
        named = stand_in(tmp_path / "bin" / "python3", version, bits=bits, venv=venv)
        message = f"{NEEDED}python3 {fault}: {HOW}; or name one: PYTHON=/path/to/python3.13\n"
        assert find(tmp_path) == (1, "", message)
        message = f"{NEEDED}PYTHON={named} {fault}: name another, or none; {HOW}\n"
        assert find(tmp_path, PYTHON=str(named)) == (1, "", message)

    def test_takes_the_one_that_is_named_and_no_other(self, tmp_path: Path) -> None:
        stand_in(tmp_path / "bin" / "python3", "3.13")
        named = stand_in(tmp_path / "other", "3.11")
        assert find(tmp_path, PYTHON=str(named)) == (0, f"{named}\n", "")
        shim = broken_shim(tmp_path / "bin" / "python3.12")
        message = f"{NEEDED}PYTHON={shim} doesn't start: name another, or none; {HOW}\n"
        assert find(tmp_path, PYTHON=str(shim)) == (1, "", message)

    def test_takes_one_behind_a_shim_where_a_version_is_named(self, tmp_path: Path) -> None:
        broken_shim(tmp_path / "bin" / "python3.13")
        assert find(tmp_path, PYTHON="python3.13")[2].startswith(f"{NEEDED}PYTHON=python3.13 doesn't start: ")
        taken = stand_in(tmp_path / "home" / ".pyenv" / "versions" / "3.13.0" / "bin" / "python", "3.13")
        assert find(tmp_path, PYTHON="python3.13") == (0, f"{taken}\n", "")

    def test_goes_on_with_an_untested_one_and_says_so(self, tmp_path: Path) -> None:
        taken = stand_in(tmp_path / "bin" / "python3", "3.14")
        said = "make: Python 3.14 is untested: going on with it, as "
        assert find(tmp_path) == (0, f"{taken}\n", f"{said}no other was found\n")
        assert find(tmp_path, PYTHON=str(taken)) == (0, f"{taken}\n", f"{said}PYTHON names it\n")

    def test_finds_one_of_a_given_version(self, tmp_path: Path) -> None:
        """As the package needs it: whatever else PYTHON names, that is passed over."""
        stand_in(tmp_path / "bin" / "python3", "3.11")
        taken = stand_in(tmp_path / "bin" / "python3.13", "3.13")
        assert find(tmp_path, "3.13", PYTHON="python3") == (0, f"{taken}\n", "")
        assert find(tmp_path, "3.13", PYTHON=str(taken)) == (0, f"{taken}\n", "")
        code, out, error = find(tmp_path, "3.12")
        assert (code, out) == (1, "")
        assert error.startswith("make: Python 3.12 is needed, and none was found: `uv python install 3.12`, ")
        assert error.count("\n") == 1

    def test_names_the_python_that_an_environment_was_made_from(self, tmp_path: Path) -> None:
        """The environment of these tests is asked: it may be about to be made anew, from itself."""
        code, out, error = find(tmp_path, PYTHON=sys.executable)
        assert (code, error) == (0, "")
        asked = [out.strip(), "-c", "import sys; print(sys.prefix, sys.version_info[:2])"]
        output = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        assert output == f"{sys.base_prefix} {sys.version_info[:2]}\n"
        assert os.access(out.strip(), os.X_OK)
