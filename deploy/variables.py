"""What an environment's file of variables says, as far as a deployment has to know before Terraform is asked."""

import json
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.environment import ROOT
from deploy.errors import UnableToShip

TERRAFORM = ROOT / "terraform"
_READ = [
    *("environment", "project", "aws_region", "aws_account_id", "payment_gateway", "functions_deployed"),
    *("reserve_concurrency", "api_concurrency", "worker_concurrency"),
]
_BLOCK = re.compile(r'^variable "(\w+)" \{\n.*?^\}\n', re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Variables:
    """`account` is None where any will do; `connect` is whether the functions are to be connected, and
    `concurrency` how many of them run at once, the migrating one too.
    """

    file: Path
    environment: str
    project: str
    region: str
    account: str | None
    payment_gateway: str
    connect: bool
    reserve_concurrency: bool
    concurrency: int

    @property
    def name(self) -> str:
        """Of the environment, as everything in it is named."""
        return f"{self.project}-{self.environment}"


def read_variables(*, environment: str, terraform: Path = TERRAFORM) -> Variables:
    """Of `<environment>.tfvars` in Terraform's folder, with Terraform's own defaults. Its plan checks them.

    Raises UnableToShip without the file, for one that Terraform can't read, and for another environment's.
    """
    file = terraform / f"{environment}.tfvars"
    if not re.fullmatch(r"[a-z][a-z0-9]{0,14}", environment):
        raise UnableToShip(f"{environment}: an environment has at most 15 small letters and digits, a letter first")
    if not file.is_file():
        raise UnableToShip(f"{_shown(file)} is missing: copy terraform/terraform.tfvars.example there, and edit it")
    found = _evaluated(file, terraform)
    if found["environment"] != environment:
        raise UnableToShip(f"{_shown(file)} is of the environment {found['environment']}, not of {environment}")
    return Variables(
        file=file,
        environment=environment,
        project=found["project"],
        region=found["aws_region"],
        account=found["aws_account_id"],
        payment_gateway=found["payment_gateway"],
        connect=found["functions_deployed"],
        reserve_concurrency=found["reserve_concurrency"],
        concurrency=found["api_concurrency"] + found["worker_concurrency"] + 1,
    )


def _evaluated(file: Path, terraform: Path) -> dict[str, Any]:
    """Terraform's console reads the file, in a folder that has these variables and nothing else."""
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(terraform.glob("variables*.tf")))
    blocks = {found[1]: found[0] for found in _BLOCK.finditer(text)}
    asked = ", ".join(f"{name} = var.{name}" for name in _READ)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "variables.tf").write_text("\n".join(blocks[name] for name in _READ), encoding="utf-8")
        try:
            done = subprocess.run(
                ["terraform", "console", f"-var-file={file}"],
                cwd=folder,
                input=f"jsonencode({{{asked}}})",
                capture_output=True,
                text=True,
                check=False,
            )
        except FileNotFoundError as error:
            raise UnableToShip("terraform isn't installed: 1.11 or newer is needed") from error
    line = done.stdout.strip().splitlines()[-1:] or [""]
    try:
        found: dict[str, Any] = json.loads(json.loads(line[0]))
    except ValueError as error:
        said = one_line(done.stderr) if "Error: " in done.stderr else "environment or payment_gateway isn't given"
        raise UnableToShip(f"{_shown(file)}: {said}") from error
    return found


def one_line(printed: str) -> str:
    """What Terraform says is wrong, without the frame around it."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", printed)
    lines = [re.sub(r"^[│╷╵]", "", line).strip() for line in plain.splitlines()]
    errors = [number for number, line in enumerate(lines) if line.startswith("Error: ")]
    if not errors:
        return " ".join(line for line in lines[-4:] if line) or "no reason given"
    said = lines[errors[0]].removeprefix("Error: ")
    # What is said of the place in the configuration comes between: "on ... line 3:", a quote of it, a table of values.
    following = lines[errors[0] + 1 :]
    if len(errors) > 1:
        following = following[: errors[1] - errors[0] - 1]
    skip = re.compile(r"^(on .* line [0-9]+.*:|with .*,|[0-9]+: .*|├.*|│.*|This was checked by .*|$)")
    words = [line for line in following if not skip.match(line)]
    return " ".join([said.rstrip(":") + ":" if words else said, *words[:4]])


def _shown(file: Path) -> str:
    return f"terraform/{file.name}"
