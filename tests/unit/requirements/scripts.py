"""The scripts of `requirements/`, run with nothing around them but what a test puts there."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent.parent


def run_script(
    name: str, *arguments: str, path: str, home: Path, cwd: Path = ROOT, variables: Mapping[str, str]
) -> tuple[int, str, str]:
    """A script's exit code, and what it printed to each of its streams."""
    done = subprocess.run(
        [str(ROOT / "requirements" / name), *arguments],
        cwd=cwd,
        env={"PATH": path, "HOME": str(home), "PYTHONUTF8": "1", **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def a_script(file: Path, text: str) -> Path:
    """A file that can be run."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{text}\n")
    os.chmod(file, 0o755)
    return file


def stand_in(file: Path, version: str, *, bits: int = 64, venv: str = "venv") -> Path:
    """What answers as a Python of some kind would, when it is asked what it is."""
    return a_script(file, f'echo "{version} {bits} {venv} {file}"')


def broken_shim(file: Path) -> Path:
    """As pyenv's, of a version that isn't active: it is there, and only prints an error."""
    return a_script(file, f'echo "pyenv: {file.name}: command not found" >&2; exit 127')
