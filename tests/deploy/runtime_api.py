"""A Lambda function on this machine: AWS's own runtime client, on the unzipped package, served a local Runtime API.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import json
import queue
import re
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from deploy.environment import ROOT, install_for
from deploy.target import Target

PATIENCE_SECONDS = 60.0
RUNTIME_CLIENT = ["awslambdaric", "simplejson", "snapshot-restore-py"]
"""What Lambda's own runtimes bring besides boto3: their client, and what that needs."""
_PREFIX = "/2018-06-01/runtime"
_ARN = "arn:aws:lambda:us-east-1:123456789012:function:billing-test"


class FunctionError(Exception):
    """What the function raised, as Lambda tells whoever invoked it."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(f"{error.get('errorType')}: {error.get('errorMessage')}")
        self.error_type = str(error.get("errorType"))
        self.message = str(error.get("errorMessage"))


@dataclass
class _Exchange:
    """Between the tests and the runtime client."""

    events: "queue.Queue[tuple[str, bytes, float]]" = field(default_factory=queue.Queue)
    answers: "queue.Queue[tuple[str, bool, Any]]" = field(default_factory=queue.Queue)
    ready: threading.Event = field(default_factory=threading.Event)
    closing: threading.Event = field(default_factory=threading.Event)
    refused: dict[str, Any] = field(default_factory=dict)


@dataclass
class Function:
    process: "subprocess.Popen[bytes]"
    log: Path
    exchange: _Exchange
    timeout_seconds: float

    def wait_until_started(self) -> None:
        """Until it asks for its first event. Raises FunctionError when it refuses to start."""
        self._wait(self.exchange.ready.is_set)
        if self.exchange.refused:
            raise FunctionError(self.exchange.refused)

    def invoke(self, event: object, _context: object = None) -> Any:
        """Its answer. Raises FunctionError with what it raised."""
        self.wait_until_started()
        request_id = str(uuid.uuid4())
        self.exchange.events.put((request_id, json.dumps(event).encode(), time.time() + self.timeout_seconds))
        self._wait(lambda: not self.exchange.answers.empty())
        answered, succeeded, payload = self.exchange.answers.get()
        assert answered == request_id
        if not succeeded:
            raise FunctionError(payload)
        return payload

    @property
    def logged(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def _wait(self, condition: Any) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert self.process.poll() is None or condition(), f"it ended:\n{self.logged}"
            assert time.monotonic() < deadline, f"no answer:\n{self.logged}"
            time.sleep(0.005)


def install_runtime_client(*, target: Target, packages: Path) -> None:
    """Makes a folder with the runtime client and nothing else, for the Python that the functions run on."""
    pins = (ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8")
    found = [re.search(rf"^{name}==(.*\\\n)+.*\n", pins, re.MULTILINE) for name in RUNTIME_CLIENT]
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as lock:
        lock.write("".join(pin[0] for pin in found if pin))
        lock.flush()
        install_for(target, locks=[Path(lock.name)], packages=packages)


@contextmanager
def running_function(
    *,
    task_root: Path,
    runtime: Path,
    python: Path,
    handler: str,
    variables: Mapping[str, str],
    log: Path,
    name: str = "billing-test",
    timeout_seconds: float = 60,
) -> Iterator[Function]:
    """A function until the block ends. It has its variables, the package and the runtime client, and nothing else.

    `python` is named for its version, as Lambda's runtimes are.
    """
    exchange = _Exchange()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(exchange))
    server.daemon_threads = True
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    environment = {
        "PATH": "/usr/bin:/bin",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PYTHONPATH": str(runtime),
        "LAMBDA_TASK_ROOT": str(task_root),
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{python.name}",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        **variables,
    }
    # -S and -s: no site-packages of this machine. The package is its working folder, and comes first.
    command = [str(python), "-S", "-s", "-m", "awslambdaric", handler]
    with log.open("ab") as output:
        process = subprocess.Popen(command, cwd=task_root, env=environment, stdout=output, stderr=output)
    try:
        yield Function(process, log, exchange, timeout_seconds)
    finally:
        process.kill()
        process.wait(timeout=PATIENCE_SECONDS)
        exchange.closing.set()
        server.shutdown()
        server.server_close()
        serving.join(timeout=PATIENCE_SECONDS)


def _handler_of(exchange: _Exchange) -> type[BaseHTTPRequestHandler]:
    class RuntimeApi(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == f"{_PREFIX}/invocation/next"
            exchange.ready.set()
            while not exchange.closing.is_set():
                try:
                    request_id, body, deadline = exchange.events.get(timeout=0.1)
                except queue.Empty:
                    continue
                headers = {
                    "Lambda-Runtime-Aws-Request-Id": request_id,
                    "Lambda-Runtime-Deadline-Ms": str(int(deadline * 1000)),
                    "Lambda-Runtime-Invoked-Function-Arn": _ARN,
                    "Content-Type": "application/json",
                }
                self._answer(200, body, headers)
                return

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"null")
            if self.path == f"{_PREFIX}/init/error":
                exchange.refused.update(body)
                exchange.ready.set()
            else:
                request_id, how = self.path.removeprefix(f"{_PREFIX}/invocation/").split("/")
                exchange.answers.put((request_id, how == "response", body))
            self._answer(202, b"{}", {})

        def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Silent."""

    return RuntimeApi
