"""Starts Lambda environments, and what surrounds them."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localcloud.sqs.endpoint import REGION
from localcloud.sqs.server import VISIBILITY_TIMEOUT_SECONDS
from tests.support.lambdas.password_server import DATABASE, HOST, OWNER, OWNER_PASSWORD, PasswordServer, password_server
from tests.support.lambdas.secrets import Secret, secrets_client
from tests.support.workers.queues import LocalQueue, local_queue

ROOT = Path(__file__).resolve().parents[3]
ROLE = "billing_app"
SECRET_KEY = "a-random-text-of-the-tests-0123456789-abcdefghijklmnopqrstuvwxyz"
SITE = "billing.example.com"

# What Zappa writes into a zip, where a test of the zip itself looks at it.
ZAPPA_SETTINGS = """
EXCEPTION_HANDLER = DOMAIN = BASE_PATH = SETTINGS_FILE = None
DEBUG = False
LOG_LEVEL = "DEBUG"
BINARY_SUPPORT = True
CONTEXT_HEADER_MAPPINGS = ENVIRONMENT_VARIABLES = AWS_EVENT_MAPPING = AWS_BOT_EVENT_MAPPING = {}
COGNITO_TRIGGER_MAPPING = {}
API_STAGE = "production"
PROJECT_NAME = "billing"
DJANGO_SETTINGS = "billing_site.settings"
"""


@dataclass(frozen=True)
class Environment:
    """A process that started; it handles one event at a time."""

    process: subprocess.Popen[str]
    log: Path
    one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def invoke(self, event: dict[str, Any]) -> dict[str, Any]:
        """`{"answer": ...}`, or `{"error": name, "message": text}` when the handler raised."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with self.one_at_a_time:
            self.process.stdin.write(json.dumps(event) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        assert line, f"the environment is gone:\n{self.log.read_text()}"
        content: dict[str, Any] = json.loads(line)
        return content

    def answer(self, event: dict[str, Any]) -> Any:
        content = self.invoke(event)
        assert "answer" in content, f"{content}\n{self.log.read_text()}"
        return content["answer"]


@dataclass(frozen=True)
class Refusal:
    """How a start ended: the lines of the log that say so, and the whole log."""

    lines: list[dict[str, Any]]
    log: str


@dataclass(frozen=True)
class Cloud:
    """What functions find around them."""

    folder: Path
    server: PasswordServer
    queue: LocalQueue
    client: Any
    application: Secret
    owner: Secret
    django: Secret

    def variables(self, duty: str, **more: str) -> dict[str, str]:
        """A function's variables, as Terraform sets them; `more` are others, or other values for them."""
        kept = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
        zappa = self.folder / "zappa"
        zappa.mkdir(exist_ok=True)
        (zappa / "zappa_settings.py").write_text(ZAPPA_SETTINGS)
        migrating = {
            "DATABASE_SECRET_ARN": self.owner.arn,
            "DATABASE_APPLICATION_SECRET_ARN": self.application.arn,
        }
        return kept | {
            "PYTHONUTF8": "1",
            "PYTHONPATH": str(zappa),
            "AWS_LAMBDA_FUNCTION_NAME": f"billing-tests-{duty}",
            "FUNCTION_DUTY": duty,
            "DATABASE_HOST": HOST,
            "DATABASE_PORT": str(self.server.port),
            "DATABASE_NAME": DATABASE,
            # The embedded PostgreSQL can't TLS.
            "DATABASE_SSLMODE": "disable",
            "DATABASE_SECRET_ARN": self.application.arn,
            "DATABASE_APPLICATION_ROLE": ROLE,
            "DJANGO_SECRET_ARN": self.django.arn,
            "ALLOWED_HOSTS": SITE,
            "PAYMENT_GATEWAY": "payments.gateways.logging_gateway.LoggingGateway",
            "REBILLING_QUEUE_URL": self.queue.endpoint.queue_url,
            "REBILLING_DLQ_URL": self.queue.endpoint.dead_letter_queue_url,
            "AWS_ENDPOINT_URL": self.queue.endpoint.endpoint_url,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": REGION,
            "INSTANTIATE_LAMBDA_HANDLER_ON_IMPORT": "1",
            **(migrating if duty == "migrate" else {}),
            **more,
        }

    @contextmanager
    def environment(self, duty: str, **more: str) -> Iterator[Environment]:
        """An environment that has started, until the block ends."""
        log = self.folder / f"{duty}-{len(list(self.folder.iterdir()))}.log"
        with log.open("w") as errors, self._process(duty, errors, **more) as process:
            try:
                assert process.stdout is not None
                line = process.stdout.readline()
                assert "started" in line, f"not started:\n{log.read_text()}"
                yield Environment(process, log)
            finally:
                process.kill()

    def refusal(self, duty: str, **more: str) -> Refusal:
        """Starts an environment that must refuse to start."""
        log = self.folder / f"{duty}-{len(list(self.folder.iterdir()))}.log"
        with log.open("w") as errors, self._process(duty, errors, **more) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == "", "it started"
                assert process.wait(timeout=60) == 1
            finally:
                process.kill()
        text = log.read_text()
        lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        return Refusal([line for line in lines if line.get("event") == "start.refused"], text)

    def _process(self, duty: str, errors: Any, **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.support.lambdas.environment"],
            cwd=ROOT,
            # Set to nothing is to be without, and an `.env` of this clone can't change it.
            env=self.variables(duty, **more),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )


@contextmanager
def cloud(*, folder: Path) -> Iterator[Cloud]:
    """A server whose database is empty, a queue, and the secrets that Terraform makes, until the block ends."""
    with password_server() as server, local_queue(visibility_timeout_seconds=VISIBILITY_TIMEOUT_SECONDS) as queue:
        client = secrets_client(endpoint_url=queue.endpoint.endpoint_url)
        application = {"engine": "postgres", "username": ROLE, "password": "the-first-password"}
        yield Cloud(
            folder,
            server,
            queue,
            client,
            application=Secret.made(client, application),
            owner=Secret.made(client, {"username": OWNER, "password": OWNER_PASSWORD}),
            django=Secret.made(client, {"SECRET_KEY": SECRET_KEY}),
        )


def request_event(path: str, *, key: str = "", body: dict[str, Any] | None = None) -> dict[str, Any]:
    """A request as a REST API hands it on: a POST when there is something to post."""
    headers = {"Host": SITE, "X-Forwarded-Proto": "https"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    if key:
        headers["Authorization"] = f"Bearer {key}"
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": "GET" if body is None else "POST",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "requestContext": {"stage": "production", "identity": {"sourceIp": "203.0.113.7"}},
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }
