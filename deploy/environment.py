"""The clean environment for the package: the runtime's locked requirements, built for Lambda, and nothing else."""

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from deploy.errors import UnableToShip
from deploy.target import Target, python_for

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"

# It has no wheel. All the others must have one that fits Lambda.
PURE_SOURCE = "placebo"
# Botocore describes 400 services in 28 MB, and reads where each of them is, 1.2 MB, with the first client. The product
# calls these.
SERVICES = {"secretsmanager", "sqs", "sts"}
TASK_ROOT = "/var/task"
"""Where Lambda unpacks a zip."""


def runtime_environment(
    *, target: Target, extras: Sequence[str] = (), runtime: str = "runtime", build: Path = BUILD
) -> Path:
    """An environment with the runtime's requirements and those of the extras, made anew when any of it has changed.

    Raises UnableToShip for an extra that has no lock file, without a Python of the target's version, and when pip
    doesn't find or accept a package.
    """
    locks = [ROOT / "requirements" / f"{name}.txt" for name in (runtime, *extras)]
    for lock in locks:
        if not lock.is_file():
            raise UnableToShip(f"requirements/{lock.name} is missing: no such extra")
    python = python_for(target)
    environment, stamp = build / "environment", _stamp(locks, target=target, python=python)
    made_of = environment / "made-of"
    if made_of.is_file() and made_of.read_text() == stamp:
        return environment
    shutil.rmtree(environment, ignore_errors=True)
    build.mkdir(parents=True, exist_ok=True)
    _run([str(python), "-m", "venv", "--without-pip", str(environment)])
    packages = packages_of(environment)
    install_for(target, locks=locks, packages=packages)
    shutil.rmtree(packages / "bin", ignore_errors=True)
    _keep_services(packages / "botocore" / "data")
    compile_for_lambda(packages, python=python)
    made_of.write_text(stamp)
    return environment


def packages_of(environment: Path) -> Path:
    """Where the packages of an environment lie."""
    (packages,) = [path for path in environment.glob("lib/python*/site-packages") if not path.parent.is_symlink()]
    return packages


def python_of(environment: Path) -> Path:
    return environment / "bin" / "python"


def let_zappa_find_packages(environment: Path) -> None:
    """Zappa looks for them under the version of the Python that it runs on itself."""
    lib = packages_of(environment).parent
    own = lib.with_name("python{}.{}".format(*sys.version_info))
    if not own.exists():
        own.symlink_to(lib.name)


def compile_for_lambda(folder: Path, *, python: Path) -> None:
    """Byte code that Lambda uses as it is: Zappa dates all files 1980, and dated byte code would be stale there.

    The paths in it are Lambda's, so that it doesn't depend on this machine.
    """
    how = ["-q", "-f", "-j", "0", "--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", TASK_ROOT]
    _run([str(python), "-m", "compileall", *how, str(folder)])


def install_for(target: Target, *, locks: Sequence[Path], packages: Path) -> None:
    """Puts what the locks pin into a folder, as wheels that the target can load. Raises UnableToShip."""
    requirements = [part for lock in locks for part in ("--requirement", str(lock))]
    platforms = [part for platform in target.platforms for part in ("--platform", platform)]
    with tempfile.TemporaryDirectory() as folder:
        # pip checks requirements against the Python that it runs on, whatever target it is given, so it runs on a
        # Python of the target's version.
        installer = Path(folder) / "installer"
        _run([str(python_for(target)), "-m", "venv", str(installer)])
        _run(
            [
                *(str(python_of(installer)), "-m", "pip", "install", "--quiet", "--require-hashes", "--no-compile"),
                *("--no-deps", "--disable-pip-version-check", "--root-user-action", "ignore", "--use-pep517"),
                *("--only-binary", ":all:", "--no-binary", PURE_SOURCE),
                *("--implementation", "cp", "--python-version", target.runtime.python, *platforms),
                *("--target", str(packages), *requirements),
            ]
        )


def _keep_services(descriptions: Path) -> None:
    for service in descriptions.iterdir():
        if service.is_dir() and service.name not in SERVICES:
            shutil.rmtree(service)
    file = descriptions / "endpoints.json"
    endpoints = json.loads(file.read_text(encoding="utf-8"))
    for partition in endpoints["partitions"]:
        partition["services"] = {name: held for name, held in partition["services"].items() if name in SERVICES}
    file.write_text(json.dumps(endpoints), encoding="utf-8")


def _stamp(locks: Sequence[Path], *, target: Target, python: Path) -> str:
    """What the environment is made of: the locks, the target, the Python, and this file and its like, which say how."""
    digest = hashlib.sha256(_run([str(python), "-c", "import sys; print(sys.version)"]).encode())
    digest.update(repr(target).encode())
    for path in (*locks, Path(__file__), Path(__file__).with_name("target.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _run(command: Sequence[str]) -> str:
    """What it prints."""
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise UnableToShip(f"{' '.join(command[1:4])} failed:\n{done.stdout.strip()}")
    return done.stdout
