"""The workflow for a user's own CI says what the Makefile and Terraform have."""

import re
from typing import Any

import yaml

from tests.deploy.terraform.terraform_command import ROOT

TEXT = (ROOT / ".github" / "workflows" / "deploy.yml").read_text(encoding="utf-8")
JOBS: dict[str, Any] = yaml.safe_load(TEXT)["jobs"]


class TestWorkflow:
    def test_plans_on_a_pull_request_and_releases_what_is_approved(self) -> None:
        assert JOBS.keys() == {"plan", "release"}
        assert "github.event_name == 'pull_request'" in JOBS["plan"]["if"]
        assert JOBS["release"]["if"] == "github.event_name == 'workflow_dispatch'"
        # The environment of GitHub, whose reviewers approve, and whose name the role trusts.
        assert JOBS["release"]["environment"] == "${{ inputs.environment }}"
        assert "environment" not in JOBS["plan"]

    def test_has_no_key_of_aws(self) -> None:
        assert "secrets." not in TEXT
        for job in JOBS.values():
            assert job["permissions"] == {"contents": "read", "id-token": "write"}
        roles = re.findall(r"role-to-assume: \$\{\{ vars\.(\w+) \}\}", TEXT)
        assert roles == ["CI_PLAN_ROLE", "CI_DEPLOY_ROLE"]

    def test_puts_no_input_into_a_command(self) -> None:
        """Whoever starts it could write commands of their own there: they come as variables."""
        commands = [step["run"] for job in JOBS.values() for step in job["steps"] if "run" in step]
        assert len(commands) == 8
        assert [command for command in commands if "${{" in command] == []

    def test_asks_make_for_what_it_has(self) -> None:
        targets = set(re.findall(r"^([a-z-]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE))
        assert set(re.findall(r"run: make ([a-z-]+)", TEXT)) == {"setup", "release"} <= targets

    def test_plans_without_a_look_at_aws(self) -> None:
        (plan,) = [step["run"] for step in JOBS["plan"]["steps"] if " plan " in step.get("run", "")]
        assert {"-lock=false", "-refresh=false"} <= {*plan.split()}
