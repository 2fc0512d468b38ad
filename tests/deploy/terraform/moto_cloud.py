"""AWS on loopback for the real provider: a moto server in a process of its own, and what Zappa would make in it."""

import io
import re
import subprocess
import sys
import threading
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3

REGION = "us-east-1"
ACCOUNT = "123456789012"
_LISTENS = re.compile(r"Running on (http://127\.0\.0\.1:\d+)")


@dataclass(frozen=True, kw_only=True)
class Cloud:
    endpoint: str

    def client(self, service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )


@contextmanager
def moto_cloud() -> Iterator[Cloud]:
    """An empty account, on a port that the system chooses."""
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", "0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stderr
        printed = []
        for line in server.stderr:
            printed.append(line)
            if found := _LISTENS.search(line):
                break
        else:
            raise AssertionError(f"moto didn't start: {''.join(printed)}")
        with _drained(server):
            without_docker(found[1])
            yield Cloud(endpoint=found[1])
    finally:
        server.terminate()
        server.wait(timeout=30)
        if server.stderr:
            server.stderr.close()


@contextmanager
def _drained(server: "subprocess.Popen[str]") -> Iterator[None]:
    """Reads on what the server logs: a full pipe would stop it."""
    assert server.stderr
    reader = threading.Thread(target=lambda stream: [None for _ in stream], args=(server.stderr,), daemon=True)
    reader.start()
    try:
        yield
    finally:
        server.terminate()
        reader.join(timeout=30)


def without_docker(endpoint: str) -> None:
    """Secrets Manager tries a rotation out by calling its function: moto answers for it, and starts no container."""
    request = urllib.request.Request(f"{endpoint}/moto-api/config", data=b'{"lambda": {"use_docker": false}}')
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 201, answer.status


def deploy_functions(*, cloud: Cloud, settings: dict[str, dict[str, Any]], names: dict[str, str]) -> None:
    """Make the functions as `zappa deploy` does, of Terraform's `zappa_settings` and `function_names`."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("handler.py", "")
    for stage in settings.values():
        duty = stage["aws_environment_variables"]["FUNCTION_DUTY"]
        cloud.client("lambda").create_function(
            FunctionName=names[duty],
            Runtime="python3.13",
            Role=stage["role_arn"],
            Handler="billing_site.lambda_function.entry.handler",
            Code={"ZipFile": package.getvalue()},
            VpcConfig=stage["vpc_config"],
            Environment={"Variables": stage["aws_environment_variables"]},
        )
