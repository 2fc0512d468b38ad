"""The platform's log file: its owner's alone, also once it is begun anew, and shared with who works beside it."""

import logging
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler

from localcloud import web_server
from localcloud.platform import log as platform_log
from localcloud.platform.log import errors_to_terminal, log_to_file
from localcloud.ports import HOST
from tests.support.platforms import status_of


@pytest.fixture(autouse=True)
def _loggers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the call changes is put back; the umask is the usual one."""
    root, requests = logging.getLogger(), logging.getLogger("django.server")
    handlers = (list(root.handlers), list(requests.handlers), requests.propagate)
    root.handlers.clear()
    before = os.umask(0o022)
    yield
    os.umask(before)
    for handler in root.handlers:
        handler.close()
    root.handlers[:], requests.handlers[:], requests.propagate = handlers


def mode(path: Path) -> str:
    return oct(path.stat().st_mode & 0o777)


def test_is_begun_anew_when_it_is_full_and_both_files_are_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform_log, "MAX_BYTES", 100)
    log_to_file(data=tmp_path)
    for _ in range(3):
        logging.getLogger("a test").error("x" * 60)
    assert {path.name: mode(path) for path in tmp_path.iterdir()} == {
        "platform.log": "0o600",
        "platform.log.1": "0o600",
    }


def test_is_followed_by_who_shares_it_when_the_platform_begins_a_new_one(tmp_path: Path) -> None:
    log_to_file(data=tmp_path, shared=True)
    logging.getLogger("a test").error("before")
    (tmp_path / "platform.log").rename(tmp_path / "platform.log.1")
    logging.getLogger("a test").error("after")
    read = [(tmp_path / name).read_text() for name in ("platform.log.1", "platform.log")]
    assert [("before" in text, "after" in text) for text in read] == [(True, False), (False, True)]
    assert mode(tmp_path / "platform.log") == "0o600"


def test_says_once_on_the_terminal_that_a_request_failed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def fails(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        logging.getLogger("api.outages").error("GET %s: no database", environ["PATH_INFO"])
        start_response("503 Service Unavailable", [("Content-Length", "0")])
        return [b""]

    log_to_file(data=tmp_path)
    errors_to_terminal()
    with ThreadedWSGIServer((HOST, 0), WSGIRequestHandler) as server:
        server.set_app(fails)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            assert status_of(f"{web_server.address(server=server)}/x") == 503
            with socket.create_connection((HOST, server.server_port)) as client:
                # Nothing but the server tells of this one: the beginning of TLS.
                client.sendall(b"\x16\x03\x01\n")
                assert client.recv(1000)
        finally:
            server.shutdown()
            thread.join()
    message = "You're accessing the development server over HTTPS, but it only supports HTTP."
    assert capsys.readouterr().err.splitlines() == [
        "ERROR: GET /x: no database (see platform.log)",
        f"ERROR: {message} (see platform.log)",
    ]
    assert '"GET /x HTTP/1.1" 503' in (tmp_path / "platform.log").read_text()


def test_keeps_tracebacks_which_the_terminal_does_not_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log_to_file(data=tmp_path)
    errors_to_terminal()
    try:
        raise ValueError("of this test")
    except ValueError:
        logging.getLogger("a test").exception("it failed")
    assert capsys.readouterr().err == "ERROR: it failed (see platform.log)\n"
    assert 'raise ValueError("of this test")' in (tmp_path / "platform.log").read_text()
