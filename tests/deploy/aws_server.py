"""AWS on this machine for Zappa: moto's server, with the two calls that it lacks.

moto has no ListFunctionUrlConfigs, which `zappa update` asks for, and runs functions in Docker. Here an invocation is
handed to whoever the test names: the real package under AWS's runtime client.
"""

import base64
import json
import logging
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from localcloud.ports import HOST
from localcloud.sqs.endpoint import REGION
from tests.deploy.runtime_api import FunctionError

MAX_LOG_BYTES = 4096
"""The end of a log that Lambda hands back with an answer."""
_URLS = re.compile(r"/2021-10-31/functions/(?P<name>[^/]+)/urls")
_INVOCATIONS = re.compile(r"/2015-03-31/functions/(?P<name>[^/]+)/invocations")

Invoke = Callable[[str, Any], tuple[Any, str]]
"""A function's name and an event, to its answer and its log. Raises FunctionError."""


@dataclass
class AwsServer:
    url: str
    invoke: Invoke | None = None
    invoked: list[tuple[str, Any]] = field(default_factory=list)

    def client(self, service: str) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )

    @property
    def variables(self) -> dict[str, str]:
        """What sends every AWS client of a process here."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": REGION,
        }

    def answer(self, environ: Any) -> Response | None:
        """The calls that moto doesn't have; None for all others."""
        request = Request(environ)
        if request.method == "GET" and _URLS.fullmatch(request.path):
            return Response(json.dumps({"FunctionUrlConfigs": []}), content_type="application/json")
        found = _INVOCATIONS.fullmatch(request.path)
        if request.method == "POST" and found and self.invoke is not None:
            return self._invocation(found["name"], json.loads(request.get_data()))
        return None

    def _invocation(self, name: str, event: Any) -> Response:
        assert self.invoke is not None
        self.invoked.append((name, event))
        headers = {"X-Amz-Executed-Version": "$LATEST"}
        try:
            payload, log = self.invoke(name, event)
        except FunctionError as error:
            payload, log = {"errorType": error.error_type, "errorMessage": error.message}, str(error)
            headers["X-Amz-Function-Error"] = "Unhandled"
        headers["X-Amz-Log-Result"] = base64.b64encode(log.encode()[-MAX_LOG_BYTES:]).decode()
        return Response(json.dumps(payload), content_type="application/json", headers=headers)


@contextmanager
def aws_server() -> Iterator[AwsServer]:
    """Serves until the block ends, on a port that the system chooses. Then all that was made is gone.

    moto keeps what is made for the life of the process, whichever server it was made by: begin with this one.
    """
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    moto = DomainDispatcherApplication(create_backend_app)
    aws = AwsServer(url="")

    def application(environ: Any, start_response: Any) -> Any:
        ours = aws.answer(environ)
        return ours(environ, start_response) if ours is not None else moto(environ, start_response)

    server = make_server(HOST, 0, application, threaded=True)
    aws.url = f"http://{HOST}:{server.server_port}"
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        yield aws
    finally:
        moto_api_backend.reset()
        server.shutdown()
        serving.join()
        server.server_close()
