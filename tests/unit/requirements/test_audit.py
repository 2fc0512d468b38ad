"""The audit never passes in silence. The advisory database is a local server, and pip-audit a stand-in."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.unit.requirements.scripts import ROOT

FOUND = "django 5.0 PYSEC-2026-1"

Audited = Callable[..., tuple[int, list[str]]]


@contextmanager
def served(status: int, body: str) -> Iterator[str]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/pypi"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def nobody() -> Iterator[str]:
    """An address that nobody listens on any more."""
    with served(200, "") as url:
        pass
    yield url


@pytest.fixture
def audited(tmp_path: Path) -> Audited:
    """Runs the audit with a pip-audit that exits with a code; returns its own code, and its lines."""

    def run(*arguments: str, finds: int = 0) -> tuple[int, list[str]]:
        (tmp_path / "pip_audit").mkdir()
        (tmp_path / "pip_audit" / "__init__.py").touch()
        (tmp_path / "pip_audit" / "__main__.py").write_text(f"print({FOUND!r})\nraise SystemExit({finds})\n")
        done = subprocess.run(
            [sys.executable, str(ROOT / "requirements" / "audit.py"), *arguments],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(tmp_path), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stderr == ""
        return done.returncode, done.stdout.splitlines()

    return run


class TestAudit:
    @pytest.mark.parametrize("arguments", [[], ["--may-skip"]])
    @pytest.mark.parametrize("finds", [0, 1])
    def test_fails_for_what_is_found(self, audited: Audited, arguments: list[str], finds: int) -> None:
        with served(200, '{"vulnerabilities": []}') as url:
            assert audited("--database", url, *arguments, finds=finds) == (finds, [FOUND])

    @pytest.mark.parametrize(
        ("database", "why"),
        [
            (lambda: served(404, ""), "answered 404"),
            (lambda: served(200, '{"files": []}'), "has no advisories"),
            (lambda: served(200, "a page"), "can't be reached (JSONDecodeError)"),
            (nobody, "can't be reached (ConnectionError)"),
        ],
        ids=["missing", "a mirror", "a page", "nobody"],
    )
    def test_says_that_it_looked_nothing_up_and_why(
        self, audited: Audited, database: Callable[[], AbstractContextManager[str]], why: str
    ) -> None:
        with database() as url:
            code, (said,) = audited("--database", url, "--may-skip")
        assert code == 0
        assert said.startswith(f"audit SKIPPED: nothing is known of vulnerabilities: {url}/")
        assert said.endswith(f"/json {why}")

    def test_fails_without_the_database_where_it_may_not_be_skipped(self, audited: Audited) -> None:
        with nobody() as url:
            code, (said,) = audited("--database", url)
        assert code == 1
        assert said.startswith("audit failed: nothing is known of vulnerabilities: ")
