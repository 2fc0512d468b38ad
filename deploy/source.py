"""The source that goes into the package: the folders that are named here, and no others."""

import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

from billing_site.database.authorities import BUNDLE
from deploy.environment import BUILD, ROOT, compile_for_lambda, python_of
from deploy.errors import UnableToShip
from deploy.target import Target

SHIPPED = [
    "accounts",
    "api",
    "backoffice",
    "billing_site",
    "invoices",
    "ledger",
    "papers",
    "payments",
    "rebilling",
    "subscriptions",
]
"""All of the product but `localcloud`."""
STATIC_FOLDER = "staticfiles"
UNSERVED = ["redoc", "rest_framework"]
"""Static files of pages that there aren't: another reader of the API's description, and REST framework's own pages."""
AUTHORITIES = ROOT / BUNDLE
"""RDS's, where an operator has downloaded them."""
LOGO = ROOT / "company" / "logo.png"
"""The company's, for its papers, where an operator has put one there; COMPANY_LOGO names it."""


def staged_source(*, environment: Path, target: Target, build: Path = BUILD) -> Path:
    """A folder of what is shipped, made anew: the packages, their byte code, the static files collected, and the
    authorities and the logo where they are.

    Raises UnableToShip when the static files can't be collected.
    """
    source = build / "source"
    shutil.rmtree(source, ignore_errors=True)
    for name in SHIPPED:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    # Within the environment that is shipped, so that what is missing there is missed here. Where this machine can't
    # load its libraries, within that of this process: it holds the same versions.
    python = python_of(environment)
    _collect_static_files(source=source, python=python if target.is_of_this_machine else Path(sys.executable))
    for given in (AUTHORITIES, LOGO):
        if given.is_file():
            copied = source / given.relative_to(ROOT)
            copied.parent.mkdir()
            shutil.copyfile(given, copied)
    compile_for_lambda(source, python=python)
    return source


def _collect_static_files(*, source: Path, python: Path) -> None:
    """Within the folder that is shipped."""
    ignored = [part for name in UNSERVED for part in ("--ignore", name)]
    done = subprocess.run(
        [str(python), "-B", "-m", "django", "collectstatic", "--noinput", "--verbosity", "0", *ignored],
        cwd=source,
        env={
            "PATH": os.environ.get("PATH", ""),
            "PYTHONUTF8": "1",
            "DJANGO_SETTINGS_MODULE": "billing_site.settings",
            # Nothing connects, and nothing is signed.
            "DATABASE_URL": "postgres:///none",
            "SECRET_KEY": secrets.token_urlsafe(48),
            "STATIC_ROOT": str(source / STATIC_FOLDER),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise UnableToShip(f"collectstatic failed:\n{done.stdout.strip()}")
    # A script names its map, so that it must be there to be collected. Only somebody who debugs the script would ask.
    for pattern in ("*.map", "*.map.gz"):
        for source_map in (source / STATIC_FOLDER).rglob(pattern):
            source_map.unlink()
