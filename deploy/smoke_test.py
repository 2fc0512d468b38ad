"""What is asked of an environment that was just deployed: the API's health, and the books."""

import datetime
import os
import secrets
import time
import urllib.request
import zoneinfo
from collections.abc import Mapping
from typing import Any

from deploy.errors import UnableToShip
from deploy.functions import Functions

_PATIENCE_SECONDS = 30


def first_sweep(*, functions: Functions, worker: str, variables: Mapping[str, str], now: datetime.datetime) -> str:
    """Sweeps a database that has nothing due, before anything is connected: the alarms about silence then hear of it.

    What is due is left to the schedule. Returns what was done.
    """
    day = now.astimezone(zoneinfo.ZoneInfo(variables["BILLING_TIME_ZONE"])).date()
    found = functions.manage(worker, f"sweep --as-of {day} --dry-run").strip()
    if "find 0 periods due" not in found:
        return f"{found.splitlines()[0]}: left to the schedule"
    run = functions.invoke(worker, {"command": "sweep", "time": now.isoformat()})["run"]
    functions.invoke(worker, {"command": "reconcile", "time": now.isoformat()})
    return functions.manage(worker, f"reconcile {run}").strip()


def smoke_test(*, functions: Functions, api: str, worker: str, variables: Mapping[str, str], address: str) -> str:
    """Asks the API how it is, by its function and at its address, and has the worker reconcile.

    Raises UnableToShip for what isn't well.
    """
    host = variables["ALLOWED_HOSTS"].split(",")[0]
    # A leading dot stands for all below it.
    answer = functions.invoke(api, _request("/healthz", host=f"smoke{host}" if host.startswith(".") else host))
    if answer.get("statusCode") != 200:
        raise UnableToShip(f"/healthz answered {answer.get('statusCode')}: {answer.get('body')}")
    said = ["/healthz answers 200", _asked_at(address)]
    checked = functions.invoke(worker, {"command": "reconcile", "time": _now().isoformat()})
    if checked["unexplained"]:
        raise UnableToShip(f"reconcile: {checked['unexplained']} unexplained. See docs/runbook.md, periods unexplained")
    said.append(f"reconciled: {checked['runs']} open runs, unexplained {checked['unexplained']}")
    return "\n".join(said)


def _asked_at(address: str) -> str:
    if os.environ.get("AWS_ENDPOINT_URL"):
        return f"{address} isn't asked: AWS_ENDPOINT_URL leads to an AWS that has no such address"
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            with urllib.request.urlopen(address, timeout=10) as response:  # noqa: S310
                return f"{address} answers {response.status}"
        except OSError as error:
            # A new name has to become known first, and the first request waits for a start.
            if time.monotonic() > deadline:
                return f"{address} doesn't answer yet: {error}"
            time.sleep(2)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _request(path: str, *, host: str) -> dict[str, Any]:
    """As API Gateway hands it to a function: the REST API's event."""
    sent = {"Host": host, "X-Forwarded-Proto": "https", "X-Forwarded-Port": "443"}
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": "GET",
        "headers": sent,
        "multiValueHeaders": {name: [value] for name, value in sent.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": {"proxy": path.lstrip("/")},
        "stageVariables": None,
        "requestContext": {
            "httpMethod": "GET",
            "identity": {"sourceIp": "127.0.0.1", "userAgent": "smoke test"},
            "path": path,
            "protocol": "HTTP/1.1",
            "requestId": secrets.token_hex(8),
            "resourcePath": "/{proxy+}",
            "stage": "smoke",
        },
        "body": None,
        "isBase64Encoded": False,
    }
