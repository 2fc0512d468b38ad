"""The platform of a data folder as its users have it: processes that serve, its API, and its admin."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest

from localcloud.postgres import server as postgres
from tests.support.processes import ROOT, bare_environment, manage

Platform = subprocess.Popen[str]
Start = Callable[..., Platform]


@contextmanager
def data_folder() -> Iterator[Path]:
    """A folder that isn't below pytest's own: each start of pytest by root closes that to PostgreSQL's user."""
    folder = Path(tempfile.mkdtemp(prefix="billing-test-")).resolve()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def platforms(data: Path) -> Iterator[Start]:
    """Starts commands on a folder, serving ones on any free port; ends what is left of them after the block."""
    processes: list[Platform] = []

    def start(command: str = "runlocal", *more: str, **environment: str) -> Platform:
        port = ("--port", "0") if command in {"runlocal", "demo"} else ()
        process = subprocess.Popen(
            [sys.executable, "manage.py", command, *port, "--data", str(data), *more],
            cwd=ROOT,
            env=bare_environment(**environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    try:
        yield start
    finally:
        for process in processes:
            process.kill()
            with process:
                process.wait(timeout=60)
        postgres.stop(cluster=(data / "postgres").resolve())


def output_until_serving(process: Platform) -> str:
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line == "Ctrl-C stops it.\n":
            return "".join(lines)
    pytest.fail(f"ended instead of serving: {''.join(lines)}")


def base_of(output: str) -> str:
    """The address in what a serving command said."""
    return str(re.findall(r"http://127\.0\.0\.1:\d+", output)[0])


def status_of(url: str, *, key: str = "") -> int:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"} if key else {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@dataclass(frozen=True)
class Api:
    """The API at an address, with a key of every scope."""

    base: str
    key: str

    @classmethod
    def of(cls, *, base: str, data: Path) -> "Api":
        scopes = ("accounts:read", "accounts:write", "ledger:read", "ledger:write", "runs:read")
        options = [option for scope in scopes for option in ("--scope", scope)]
        done = manage("create_api_key", "tests", *options, BILLING_DATA=str(data))
        assert done.returncode == 0, done.stderr
        return cls(base=base, key=re.findall(r"sk_\S+", done.stdout)[0])

    def get(self, path: str) -> Any:
        return self._answer(urllib.request.Request(self.base + path))

    def all_of(self, path: str) -> list[dict[str, Any]]:
        """A list, to its last page."""
        page = self.get(path)
        found: list[dict[str, Any]] = page["results"]
        while page["next"]:
            page = self.get(page["next"].removeprefix(self.base))
            found += page["results"]
        return found

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self._send("POST", path, body)

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        return self._send("PATCH", path, body)

    def _send(self, method: str, path: str, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(self.base + path, data=json.dumps(body).encode(), method=method)
        request.add_header("Content-Type", "application/json")
        request.add_header("Idempotency-Key", str(uuid.uuid4()))
        return self._answer(request)

    def _answer(self, request: urllib.request.Request) -> Any:
        request.add_header("Authorization", f"Bearer {self.key}")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())


class Admin:
    """A superuser's browser."""

    def __init__(self, *, base: str, data: Path) -> None:
        self.base = base
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        done = manage("create_login", "tests", "--email", "tests@example.com", BILLING_DATA=str(data))
        assert done.returncode == 0, done.stderr
        self.submit("/admin/login/", username="tests", password=done.stdout.splitlines()[-1])

    def page(self, path: str) -> str:
        with self._opener.open(self.base + path, timeout=30) as answer:
            return str(answer.read().decode())

    def submit(self, path: str, **fields: str) -> str:
        """Fills the form of a page in and sends it, with what is hidden in it."""
        return self._send(path, self.page(path), fields)

    def act(self, path: str, **fields: str) -> str:
        """Takes an action that shows first what it would do."""
        return self._send(path, self.submit(path, **fields), fields)

    def _send(self, path: str, form: str, fields: dict[str, str]) -> str:
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form))
        data = urllib.parse.urlencode(hidden | fields).encode()
        with self._opener.open(urllib.request.Request(self.base + path, data=data), timeout=30) as answer:
            return str(answer.read().decode())
