"""What a function finds around it, as Terraform sets it up: the database, the queues, its secrets and its variables."""

import json
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from django.db import connections

from localcloud.sqs.endpoint import REGION
from tests.deploy.runtime_api import Function, running_function
from tests.support.workers.queues import LocalQueue

HOST = "billing.example.com"
HANDLER = "billing_site.lambda_function.entry.handler"
NAMES = {"api": "billing-production", "worker": "billing-production-worker", "migrate": "billing-production-migrate"}

needs_the_package = pytest.mark.xdist_group("package")
"""With xdist one worker runs all that needs the package, so that it is made once."""

StartFunction = Callable[..., AbstractContextManager[Function]]


@dataclass(frozen=True)
class Surroundings:
    """The secrets' values are kept to look for them where they mustn't be."""

    queue: LocalQueue
    database_arn: str
    django_arn: str
    secret_values: tuple[str, ...]

    def variables(self, duty: str, **more: str) -> dict[str, str]:
        """A function's variables: of the stage in `zappa_settings.json`, and those that Terraform adds."""
        settings = json.loads((Path(__file__).resolve().parent.parent.parent / "zappa_settings.json").read_text())
        stage = "production" if duty == "api" else f"production_{duty}"
        parameters: dict[str, Any] = dict(connections["default"].get_connection_params())
        return {
            **settings[stage]["aws_environment_variables"],
            "AWS_ENDPOINT_URL": self.queue.endpoint.endpoint_url,
            "DATABASE_HOST": str(parameters["host"]),
            "DATABASE_PORT": str(parameters.get("port") or 5432),
            "DATABASE_NAME": str(parameters["dbname"]),
            "DATABASE_SECRET_ARN": self.database_arn,
            "DATABASE_APPLICATION_ROLE": str(parameters["user"]),
            "DJANGO_SECRET_ARN": self.django_arn,
            "REBILLING_QUEUE_URL": self.queue.endpoint.queue_url,
            "REBILLING_DLQ_URL": self.queue.endpoint.dead_letter_queue_url,
            "PAYMENT_GATEWAY": "payments.gateways.logging_gateway.LoggingGateway",
            "BILLING_TIME_ZONE": "UTC",
            "ALLOWED_HOSTS": HOST,
            "CSRF_TRUSTED_ORIGINS": f"https://{HOST}",
            **more,
        }


def make_surroundings(queue: LocalQueue) -> Surroundings:
    """The secrets are made at the queue's server, which has Secrets Manager too."""
    parameters: dict[str, Any] = dict(connections["default"].get_connection_params())
    password = str(parameters.get("password") or secrets.token_urlsafe(32))
    key = secrets.token_urlsafe(64)
    return Surroundings(
        queue=queue,
        database_arn=make_secret(queue, json.dumps({"username": parameters["user"], "password": password})),
        django_arn=make_secret(queue, json.dumps({"SECRET_KEY": key})),
        secret_values=(password, key),
    )


def make_secret(queue: LocalQueue, text: str) -> str:
    """A new secret's ARN."""
    client = boto3.client(
        "secretsmanager",
        endpoint_url=queue.endpoint.endpoint_url,
        region_name=REGION,
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    arn: str = client.create_secret(Name=f"billing/{secrets.token_hex(4)}", SecretString=text)["ARN"]
    return arn


def starter(*, task_root: Path, runtime_client: Path, bare_python: Path, logs: Path) -> StartFunction:
    """Starts functions of the unzipped package, by duty and variables."""

    def start(duty: str, variables: dict[str, str]) -> AbstractContextManager[Function]:
        return running_function(
            task_root=task_root,
            runtime=runtime_client,
            python=bare_python,
            handler=HANDLER,
            variables=variables,
            log=logs / f"{duty}-{secrets.token_hex(4)}.log",
            name=NAMES.get(duty, "billing-test"),
        )

    return start


def http_event(
    method: str, path: str, *, body: Any = None, query: dict[str, str] | None = None, **headers: str
) -> dict[str, Any]:
    """A request as API Gateway hands it to a function: the REST API's event, payload format 1.0."""
    sent = {"Host": HOST, "X-Forwarded-Proto": "https", "X-Forwarded-For": "198.51.100.7", "X-Forwarded-Port": "443"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None:
        sent["Content-Type"] = "application/json"
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": sent,
        "multiValueHeaders": {name: [value] for name, value in sent.items()},
        "queryStringParameters": query,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} if query else None,
        "pathParameters": {"proxy": path.lstrip("/")},
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abcdef1234",
            "httpMethod": method,
            "identity": {"sourceIp": "203.0.113.9", "userAgent": "proof"},
            "path": path,
            "protocol": "HTTP/1.1",
            "requestId": secrets.token_hex(8),
            "resourcePath": "/{proxy+}",
            "stage": "production",
        },
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }
