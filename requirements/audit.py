"""Looks up what is shipped in PyPI's advisory database. Exits 1 when a vulnerability is known, or it doesn't answer.

With `--may-skip`, for CI, a database that doesn't answer is no failure: a line says that it was skipped, and why.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

import requests

DATABASE = "https://pypi.org/pypi"
TIMEOUT_SECONDS = 20
SHIPPED = ("requirements/runtime.txt", "requirements/stripe.txt", "requirements/pdf.txt")
_PIN = re.compile(r"^([\w.-]+)==([^\s\\;]+)", re.MULTILINE)


def unreachable(database: str) -> str:
    """Why the database can't be asked about a release of ours, or an empty string. A mirror may hold packages alone."""
    name, version = _PIN.findall(Path(SHIPPED[0]).read_text(encoding="utf-8"))[0]
    url = f"{database}/{name}/{version}/json"
    try:
        answer = requests.get(url, timeout=TIMEOUT_SECONDS)
        if not answer.ok:
            return f"{url} answered {answer.status_code}"
        return "" if "vulnerabilities" in answer.json() else f"{url} has no advisories"
    except requests.RequestException as error:
        return f"{url} can't be reached ({type(error).__name__})"


def audit(*, database: str, may_skip: bool) -> int:
    """The exit code."""
    why = unreachable(database)
    if not why:
        listed = [f"--requirement={name}" for name in SHIPPED]
        done = subprocess.run([sys.executable, "-m", "pip_audit", "--strict", "--disable-pip", *listed], check=False)
        # It may have gone away meanwhile, which is no vulnerability.
        why = unreachable(database) if done.returncode else ""
        if not why:
            return done.returncode
    print(f"audit {'SKIPPED' if may_skip else 'failed'}: nothing is known of vulnerabilities: {why}", flush=True)
    return 0 if may_skip else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--may-skip", action="store_true", help="exit 0 when the database doesn't answer")
    parser.add_argument("--database", default=DATABASE, metavar="URL", help="where it is asked whether it answers")
    given = parser.parse_args()
    sys.exit(audit(database=given.database, may_skip=given.may_skip))
