"""The clean environment that Zappa packs: the runtime's locked requirements, built for Lambda, and nothing else."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.refusals import UnableToShip

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"

PYTHON = "3.11"
# Lambda's python3.11 runs on glibc 2.26: a wheel that may need a newer one isn't taken, whatever this machine has.
PLATFORMS = ["manylinux_2_26_x86_64", "manylinux_2_24_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"]
# It has no wheel. All the others must have one that fits Lambda.
PURE_SOURCE = "placebo"
# Botocore describes 400 services in 28 MB; these are the ones that the product calls.
SERVICES = {"secretsmanager", "sqs", "sts"}
TASK_ROOT = "/var/task"
"""Where Lambda unpacks a zip."""


def runtime_environment(*, extras: Sequence[str] = (), build: Path = BUILD) -> Path:
    """An environment with the runtime's requirements and those of the extras, made anew when any of it has changed.

    Raises UnableToShip for an extra that has no lock file, and when pip doesn't find or accept a package.
    """
    locks = [ROOT / "requirements" / f"{name}.txt" for name in ("runtime", *extras)]
    for lock in locks:
        if not lock.is_file():
            raise UnableToShip(f"requirements/{lock.name} is missing: no such extra")
    environment, stamp = build / "environment", _stamp(locks)
    made_of = environment / "made-of"
    if made_of.is_file() and made_of.read_text() == stamp:
        return environment
    shutil.rmtree(environment, ignore_errors=True)
    build.mkdir(parents=True, exist_ok=True)
    _run([sys.executable, "-m", "venv", "--without-pip", str(environment)])
    _install(locks=locks, packages=packages_of(environment))
    compile_for_lambda(packages_of(environment))
    made_of.write_text(stamp)
    return environment


def packages_of(environment: Path) -> Path:
    """Where the packages of an environment lie."""
    return environment / "lib" / f"python{PYTHON}" / "site-packages"


def python_of(environment: Path) -> Path:
    return environment / "bin" / "python"


def compile_for_lambda(folder: Path) -> None:
    """Byte code that Lambda uses as it is: Zappa dates all files 1980, and dated byte code would be stale there.

    The paths in it are Lambda's, so that it doesn't depend on this machine.
    """
    how = ["-q", "-f", "-j", "0", "--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", TASK_ROOT]
    _run([sys.executable, "-m", "compileall", *how, str(folder)])


def _install(*, locks: Sequence[Path], packages: Path) -> None:
    requirements = [part for lock in locks for part in ("--requirement", str(lock))]
    platforms = [part for platform in PLATFORMS for part in ("--platform", platform)]
    _run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes", "--no-compile", "--no-deps"),
            *("--disable-pip-version-check", "--root-user-action", "ignore"),
            *(
                "--only-binary",
                ":all:",
                "--no-binary",
                PURE_SOURCE,
                "--use-pep517",
                "--implementation",
                "cp",
                "--python-version",
                PYTHON,
            ),
            *platforms,
            *("--target", str(packages)),
            *requirements,
        ]
    )
    shutil.rmtree(packages / "bin", ignore_errors=True)
    for service in (packages / "botocore" / "data").iterdir():
        if service.is_dir() and service.name not in SERVICES:
            shutil.rmtree(service)


def _stamp(locks: Sequence[Path]) -> str:
    """What the environment is made of: the locks, and this file, which says how."""
    digest = hashlib.sha256(sys.version.encode())
    for path in (*locks, Path(__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise UnableToShip(f"{' '.join(command[1:4])} failed:\n{done.stdout.strip()}")
