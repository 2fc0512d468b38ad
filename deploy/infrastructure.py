"""Terraform, on one environment's state."""

import json
import re
import subprocess
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.environment import ROOT
from deploy.errors import UnableToShip
from deploy.processes import Ended, run
from deploy.variables import Variables, one_line

_FOLDER = "-chdir=terraform"
_CONNECTIONS = {"aws_scheduler_schedule", "aws_lambda_event_source_mapping", "aws_secretsmanager_secret_rotation"}
_HOLDS_DATA = {"aws_db_instance", "aws_secretsmanager_secret", "aws_sqs_queue"}
_LOCK_WAIT = "-lock-timeout=2m"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`file` is in Terraform's folder. `cost` is of a month, idle, in US dollars; None where Terraform has none yet."""

    file: str
    changes: list[tuple[str, str]]
    """What is done, `create`, `update`, `delete` or `replace`, and to which address."""
    cost: float | None

    def summary(self) -> str:
        counted = Counter(done for done, _ in self.changes)
        named = [f"  {done} {address}" for done, address in self.changes if done != "create"]
        numbers = ", ".join(f"{done} {counted[done]}" for done in ("create", "update", "replace", "delete"))
        return "\n".join([f"Terraform's plan: {numbers}", *named])

    @property
    def takes_data_away(self) -> list[str]:
        return [
            address
            for done, address in self.changes
            if done in {"delete", "replace"} and address.split(".")[0] in _HOLDS_DATA
        ]


@dataclass(frozen=True, kw_only=True)
class Infrastructure:
    variables: Variables
    log: Path
    settings: dict[str, str] = field(default_factory=dict)
    """Further values of variables, which win over the file's."""

    def initialize(self) -> None:
        """Goes to the environment's state, and takes the provider. Raises UnableToShip for another environment's."""
        key = f"{self.variables.project}/{self.variables.environment}.tfstate"
        self._run("init", "-reconfigure", f"-backend-config=key={key}")
        held = self._resources().get("terraform_data.environment", {}).get("input")
        wanted = {"name": self.variables.name, "region": self.variables.region}
        if held is not None and held != wanted:
            raise UnableToShip(
                f"this is the state of {held['name']} in {held['region']}, and terraform/{self.variables.file.name} "
                f"is of {wanted['name']} in {wanted['region']}"
            )

    def is_connected(self) -> bool:
        """Whether schedules, queue and rotation lead to the functions: from when connecting them began."""
        return any(address.split(".")[0] in _CONNECTIONS for address in self._resources())

    def plan(self, **settings: str) -> Plan:
        file = f"{self.variables.environment}.tfplan"
        self._run("plan", _LOCK_WAIT, f"-out={file}", *self._variables(settings))
        found = json.loads(self._output("show", "-json", file))
        changes = [(_verb(each["change"]["actions"]), each["address"]) for each in found.get("resource_changes", [])]
        outputs = found.get("planned_values", {}).get("outputs", {})
        return Plan(
            file=file,
            changes=[(done, address) for done, address in changes if done],
            cost=outputs.get("monthly_cost", {}).get("value", {}).get("total"),
        )

    def apply(self, plan: Plan) -> None:
        self._run("apply", _LOCK_WAIT, plan.file)

    def destroy(self, **settings: str) -> None:
        self._run("destroy", _LOCK_WAIT, "-auto-approve", *self._variables(settings))

    def output(self, name: str) -> Any:
        """An output's value; None for one that is null, which Terraform doesn't keep."""
        return json.loads(self._output("output", "-json")).get(name, {}).get("value")

    def _variables(self, settings: dict[str, str]) -> list[str]:
        given = {**self.settings, **settings}
        return [f"-var-file={self.variables.file.name}", *(f"-var={name}={value}" for name, value in given.items())]

    def _resources(self) -> dict[str, dict[str, Any]]:
        """The values of what is in the state, by address."""
        state = json.loads(self._output("show", "-json"))
        resources = state.get("values", {}).get("root_module", {}).get("resources", [])
        return {each["address"]: each["values"] for each in resources}

    def _run(self, verb: str, *arguments: str) -> Ended:
        command = ["terraform", _FOLDER, verb, "-no-color", "-input=false", *arguments]
        ended = run(command, log=self.log, variables={"TF_IN_AUTOMATION": "1"})
        if ended.code != 0:
            raise UnableToShip(self._refusal(verb, ended.printed))
        return ended

    def _refusal(self, verb: str, printed: str) -> str:
        if "Error acquiring the state lock" in printed:
            who, since, lock = (
                re.search(rf"^\W*{name}:\s+(\S+.*)$", printed, re.MULTILINE) for name in ("Who", "Created", "ID")
            )
            return (
                f"the state is locked by {who[1] if who else 'somebody'} since {since[1] if since else 'some time'}: "
                f"wait. "
                f"If nothing runs there any more: terraform -chdir=terraform force-unlock {lock[1] if lock else 'ID'}"
            )
        return f"terraform {verb}: {one_line(printed)} (all of it: {self.log.relative_to(ROOT)})"

    def _output(self, *arguments: str) -> str:
        done = subprocess.run(["terraform", _FOLDER, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise UnableToShip(f"terraform {arguments[0]}: {one_line(done.stderr)}")
        return done.stdout


def _verb(actions: list[str]) -> str:
    """Empty for what changes nothing at AWS."""
    if {"create", "delete"} <= {*actions}:
        return "replace"
    return actions[0] if actions[0] in {"create", "update", "delete"} else ""
