"""Lambda on this machine: what was deployed to moto runs under AWS's runtime client, with the variables it was deployed
with. The API has an address, too.
"""

import base64
import hashlib
import json
import threading
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from moto.awslambda_simple.models import lambda_simple_backends

from localcloud.sqs.endpoint import REGION
from tests.deploy.aws_server import AwsServer
from tests.deploy.runtime_api import Function
from tests.deploy.surroundings import http_event, starter
from tests.deploy.terraform.moto_cloud import ACCOUNT


@dataclass
class Running:
    function: Function
    made_of: tuple[str, dict[str, str]]
    """Its code's hash, and its variables."""
    ending: ExitStack


@dataclass
class DeployedFunctions:
    """Each starts with its first invocation, and anew once another code or other variables are deployed."""

    aws: AwsServer
    folder: Path
    runtime_client: Path
    bare_python: Path
    surroundings: dict[str, str]
    running: dict[str, Running] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def invoke(self, name: str, event: Any) -> tuple[Any, str]:
        with self.lock:
            function = self._function(name)
            before = len(function.logged)
            answer = function.invoke(event)
            return answer, function.logged[before:]

    def end(self) -> None:
        for each in self.running.values():
            each.ending.close()

    def _function(self, name: str) -> Function:
        deployed = lambda_simple_backends[ACCOUNT][REGION].get_function(name)
        variables: dict[str, str] = dict(deployed.environment_vars)
        digest = hashlib.sha256(deployed.code_bytes).digest()
        made_of = (base64.b64encode(digest).decode(), variables)
        held = self.running.get(name)
        if held is not None and held.made_of == made_of:
            return held.function
        if held is not None:
            held.ending.close()
        task_root = self.folder / digest.hex()[:16]
        if not task_root.is_dir():
            code = self.folder / "code.zip"
            code.write_bytes(deployed.code_bytes)
            with zipfile.ZipFile(code) as zipped:
                zipped.extractall(task_root)
        start = starter(
            task_root=task_root, runtime_client=self.runtime_client, bare_python=self.bare_python, logs=self.folder
        )
        ending = ExitStack()
        function = ending.enter_context(start(variables["FUNCTION_DUTY"], variables | self.surroundings))
        try:
            function.wait_until_started()
        except BaseException:
            # Lambda throws an environment away that didn't start, and tries another with the next invocation.
            ending.close()
            raise
        self.running[name] = Running(function, made_of, ending)
        return function


@contextmanager
def served(functions: DeployedFunctions, name: str, *, host: str) -> Iterator[str]:
    """The API at an address of this machine, until the block ends: each request as API Gateway hands it on."""

    class Gateway(BaseHTTPRequestHandler):
        def _handed_on(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            headers = {key.replace("-", "_"): value for key, value in self.headers.items() if key != "Host"}
            headers.pop("Content_Type", None)
            event = http_event(self.command, self.path, body=body, query=None, **headers, Host=host)
            answer, _ = functions.invoke(name, event)
            self.send_response(answer["statusCode"])
            for key, value in answer.get("headers", {}).items():
                if key.lower() != "content-length":
                    self.send_header(key, value)
            content = str(answer["body"]).encode()
            if answer.get("isBase64Encoded"):
                content = base64.b64decode(content)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _handed_on  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
