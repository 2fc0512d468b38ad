"""An environment's three functions: put in place by Zappa, waited for, and called."""

import json
import os
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from deploy.cloud import Cloud, code_of, one_line_errors
from deploy.environment import ROOT
from deploy.errors import UnableToShip
from deploy.package import sha256_of
from deploy.processes import run
from deploy.target import read_settings, whole_stage

_HALF_MADE = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"}
_POLL_SECONDS = 5
MAX_STACK_SECONDS = 900


@dataclass(frozen=True, kw_only=True)
class Functions:
    """`settings` are Zappa's, filled."""

    cloud: Cloud
    project: str
    settings: Path
    log: Path

    def name(self, stage: str) -> str:
        """As Zappa makes it."""
        return f"{self.project}-{stage}".replace("_", "-")

    def ship(self, stage: str, package: Path) -> str:
        """Deploys or updates one function, and waits until it is in place; what was done, in a word.

        Goes on where a deployment was cut off. Raises UnableToShip, with what Zappa said.
        """
        with one_line_errors():
            configuration = self._configuration(stage)
            if configuration is not None and self._has_api(stage) and not self._api_is_whole(stage):
                # It was never served.
                self._zappa("undeploy", stage, "--yes")
                configuration = None
            if configuration is None:
                self._zappa("deploy", stage, "--zip", str(package))
                done = "deployed"
            elif self._is_in_place(stage, configuration, package):
                done = "in place already"
            else:
                self._zappa("update", stage, "--zip", str(package))
                done = "updated"
            self.wait(stage)
            self._tag(stage)
        return done

    def wait(self, stage: str) -> None:
        """Zappa returns before AWS has put a function in place; what was there before would run."""
        client = self.cloud.client("lambda")
        for waiter in ("function_active_v2", "function_updated_v2"):
            client.get_waiter(waiter).wait(FunctionName=self.name(stage))

    def code_of(self, stage: str) -> str | None:
        """The SHA-256 of a function's package, in base64; None without the function."""
        with one_line_errors():
            configuration = self._configuration(stage)
        return str(configuration["CodeSha256"]) if configuration else None

    def undeploy(self, stage: str) -> None:
        """Deletes a function, and its REST API. Nothing happens where they are gone."""
        with one_line_errors():
            if self._configuration(stage) or (self._has_api(stage) and self._stack_status(stage)):
                self._zappa("undeploy", stage, "--yes")

    def invoke(self, stage: str, event: Mapping[str, Any]) -> Any:
        """A function's answer. Raises UnableToShip with what it raised."""
        with one_line_errors():
            answer = self.cloud.client("lambda").invoke(
                FunctionName=self.name(stage), Payload=json.dumps(event).encode()
            )
            payload = json.loads(answer["Payload"].read() or b"null")
        if "FunctionError" in answer:
            kind, said = payload.get("errorType"), str(payload.get("errorMessage")).strip().splitlines()
            raise UnableToShip(f"{self.name(stage)}: {kind}: {said[-1] if said else 'no reason given'}")
        return payload

    def manage(self, stage: str, line: str) -> str:
        """What a command printed."""
        return str(self.invoke(stage, {"manage": line})["output"])

    def api_address(self, stage: str) -> str:
        with one_line_errors():
            found = self._apis(stage)
        if not found:
            raise UnableToShip(f"there is no REST API {self.name(stage)}")
        return f"{found[0]}.execute-api.{self.cloud.region}.amazonaws.com"

    def _apis(self, stage: str) -> list[str]:
        """The ids of the REST APIs of its name."""
        apis = self.cloud.client("apigateway").get_rest_apis(limit=500)["items"]
        return [each["id"] for each in apis if each["name"] == self.name(stage)]

    def _configuration(self, stage: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self.cloud.client("lambda").get_function_configuration(
                FunctionName=self.name(stage)
            )
        except ClientError as error:
            if code_of(error) == "ResourceNotFoundException":
                return None
            raise
        return found

    def _is_in_place(self, stage: str, found: Mapping[str, Any], package: Path) -> bool:
        """Code and configuration as they are wanted. What isn't compared here only a change of both changes."""
        wanted = self._wanted(stage)
        concurrency = self.cloud.client("lambda").get_function_concurrency(FunctionName=self.name(stage))
        return (
            found["CodeSha256"] == sha256_of(package)
            and found.get("Environment", {}).get("Variables", {}) == wanted["aws_environment_variables"]
            and found["Role"] == wanted["role_arn"]
            and {*found["VpcConfig"]["SubnetIds"]} == {*wanted["vpc_config"]["SubnetIds"]}
            and (found["Runtime"], found.get("Architectures", ["x86_64"]))
            == (wanted["runtime"], [wanted["architecture"]])
            and (found["MemorySize"], found["Timeout"]) == (wanted["memory_size"], wanted["timeout_seconds"])
            and concurrency.get("ReservedConcurrentExecutions") == wanted["lambda_concurrency"]
            and (not self._has_api(stage) or self._is_served(stage))
        )

    def _tag(self, stage: str) -> None:
        """Zappa tags a function only when it makes it."""
        client, tags = self.cloud.client("lambda"), self._wanted(stage).get("tags", {})
        arn = client.get_function_configuration(FunctionName=self.name(stage))["FunctionArn"]
        if not tags.items() <= client.list_tags(Resource=arn)["Tags"].items():
            client.tag_resource(Resource=arn, Tags=tags)

    def _has_api(self, stage: str) -> bool:
        return bool(self._wanted(stage).get("apigateway_enabled", True))

    def _wanted(self, stage: str) -> Mapping[str, Any]:
        """A stage's settings, with what it has of others."""
        return whole_stage(read_settings(self.settings), stage)

    def _is_served(self, stage: str) -> bool:
        client = self.cloud.client("apigateway")
        return any(
            found["stageName"] == stage
            for api in self._apis(stage)
            for found in client.get_stages(restApiId=api)["item"]
        )

    def _api_is_whole(self, stage: str) -> bool:
        """Whether its stack was made to the end; one that is being made is waited for."""
        for _ in range(MAX_STACK_SECONDS // _POLL_SECONDS):
            status = self._stack_status(stage)
            if not status.endswith("_IN_PROGRESS"):
                return bool(status) and status not in _HALF_MADE
            time.sleep(_POLL_SECONDS)
        raise UnableToShip(f"the stack {self.name(stage)} isn't ready after {MAX_STACK_SECONDS // 60} minutes")

    def _stack_status(self, stage: str) -> str:
        """Empty where there is none."""
        try:
            (stack,) = self.cloud.client("cloudformation").describe_stacks(StackName=self.name(stage))["Stacks"]
        except ClientError as error:
            if code_of(error) == "ValidationError":
                return ""
            raise
        return str(stack["StackStatus"])

    def _zappa(self, *arguments: str) -> None:
        command = [sys.executable, "-W", "ignore", "-m", "zappa.cli", *arguments, "--disable_progress"]
        ended = run(
            [*command, "--settings_file", str(self.settings)],
            log=self.log,
            variables={"VIRTUAL_ENV": sys.prefix, "AWS_DEFAULT_REGION": self.cloud.region},
        )
        if ended.code != 0:
            raise UnableToShip(
                f"zappa {' '.join(arguments[:2])}: {_said(ended.printed)} "
                f"(all of it: {os.path.relpath(self.log, ROOT)})"
            )


def _said(printed: str) -> str:
    """Why Zappa failed: what it refuses, or the exception that it shows in the middle of its own words."""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    refused = [number for number, line in enumerate(lines) if line.startswith("Error: ")]
    if refused:
        return " ".join(lines[refused[0] : refused[0] + 3]).removeprefix("Error: ")
    raised = [line for line in lines if re.match(r"[\w.]+(Error|Exception|Exists|NotFound)\b.*: ", line)]
    return (raised or lines or ["no reason given"])[-1]
