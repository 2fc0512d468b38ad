"""The eight steps of `docs/deploy.md`, typed as they stand there into a clone: from an empty account to the first
reconciliation, cut off and typed again, and taken down.
"""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deploy.deployment import STEPS
from tests.deploy.clones import SECONDS, cloned, ended, missing, surroundings, terminal
from tests.deploy.rehearsal_cloud import API, RehearsalCloud, rehearsal_cloud
from tests.deploy.surroundings import needs_the_package
from tests.deploy.terraform.moto_cloud import ACCOUNT
from tests.deploy.terraform.terraform_command import ROOT
from tests.deploy.zappa_account import NAMES

pytestmark = needs_the_package
DEPLOY = "make deploy ENVIRONMENT=production"
STATE_BUCKET = f"billing-terraform-state-{ACCOUNT}"
CUT_OFFS = [2, 8]
"""After so many steps have begun; with CUT_OFFS=all in the environment at each."""
CLONE = ["git clone https://github.com/<you>/billing", "cd billing", "make setup"]
NOT_ON_MOTO = "aws service-quotas "


def lines_of(heading: str) -> list[str]:
    """What a section of the page has typed, line by line."""
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    section = page.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return "".join(re.findall(r"^```\n(.*?)^```", section, re.MULTILINE | re.DOTALL)).splitlines()


@dataclass
class Operator:
    """Somebody at a terminal, in a clone."""

    clone: Path
    environment: dict[str, str]
    cloud: RehearsalCloud
    printed: dict[str, str] = field(default_factory=dict)

    def type(self, script: str, **more: str) -> "subprocess.CompletedProcess[str]":
        """A script's lines, the first that fails ends it."""
        return ended(f"set -eu\n{script}", folder=self.clone, environment=self.environment | more)

    def does(self, script: str, **more: str) -> str:
        done = self.type(script, **more)
        assert done.returncode == 0, done.stdout[-4000:]
        return done.stdout

    def is_refused(self, script: str, **more: str) -> str:
        """The one line that says why."""
        done = self.type(script, **more)
        assert done.returncode != 0, done.stdout
        assert "Traceback" not in done.stdout, done.stdout
        (line,) = [line for line in done.stdout.splitlines() if line.startswith("error: ")]
        return line.removeprefix("error: ")

    def cut_off(self, script: str, *, after: int, by: signal.Signals) -> str:
        """Ends all that the script started, but what runs in a session of its own, once a step has begun."""
        log = self.clone.parent / f"cut-off-{after}.log"
        with terminal(script, folder=self.clone, environment=self.environment, log=log) as process:
            deadline = time.monotonic() + SECONDS
            while f"[{after}/" not in log.read_text(errors="replace"):
                assert process.poll() is None, log.read_text(errors="replace")
                assert time.monotonic() < deadline
                time.sleep(0.1)
            time.sleep(1.5)
            os.killpg(process.pid, by)
            process.wait(timeout=120)
        return log.read_text(errors="replace")


@pytest.fixture(scope="module")
def operator(
    package: Path, runtime_client: Path, bare_python: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Operator]:
    if lacking := missing():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"NOT TESTED, this is missing: {lacking}")
    folder = tmp_path_factory.mktemp("eight")
    functions = folder / "functions"
    functions.mkdir()
    with rehearsal_cloud(folder=functions, runtime_client=runtime_client, bare_python=bare_python) as cloud:
        clone = cloned(folder / "clone")
        # The package is made already, of these very sources.
        build = clone / "build"
        build.mkdir()
        for made in (package, package.with_suffix(".made-of")):
            shutil.copy(made, build)
        yield Operator(clone, surroundings(folder) | cloud.aws.variables, cloud)


@pytest.fixture(scope="module")
def deployed(operator: Operator) -> Operator:
    """After the first five steps: cut off, and typed again."""
    lines = lines_of("The eight steps")
    assert [line for line in lines[:4] if not line.startswith(NOT_ON_MOTO)] == CLONE
    copy, bootstrap, deploy = lines[4:7]
    assert deploy == DEPLOY
    assert operator.is_refused(bootstrap).startswith("terraform/production.tfvars is missing: copy ")
    operator.does(copy)
    variables = operator.clone / "terraform" / "production.tfvars"
    variables.write_text(variables.read_text() + operator.cloud.variables_file)
    (operator.clone / "terraform" / "rehearsal_override.tf").write_text(operator.cloud.override)
    assert operator.is_refused(deploy) == "terraform/backend.tf is missing: run `make bootstrap` first"
    operator.printed["bootstrap"] = operator.does(f"{bootstrap}\n{bootstrap}")
    cut_offs = range(1, len(STEPS) + 1) if os.environ.get("CUT_OFFS") == "all" else CUT_OFFS
    for number, after in enumerate(cut_offs):
        # Killed, or asked to end.
        by = signal.SIGKILL if number % 2 else signal.SIGTERM
        operator.printed[f"cut off {after}"] = operator.cut_off(f"{deploy} YES=1", after=after, by=by)
    operator.printed["deploy"] = operator.does(f"{deploy} YES=1")
    return operator


class TestDeploy:
    def test_goes_on_where_it_was_cut_off(self, deployed: Operator) -> None:
        printed = deployed.printed["deploy"]
        assert f"[{len(STEPS)}/{len(STEPS)}] {STEPS[-1]}" in printed
        assert printed.splitlines()[-1] == "billing-production is deployed."
        assert "/healthz answers 200" in printed
        assert "unexplained 0" in printed
        for after in CUT_OFFS:
            assert "is deployed" not in deployed.printed[f"cut off {after}"]

    def test_says_what_it_will_do_and_what_that_costs(self, deployed: Operator) -> None:
        printed = deployed.printed[f"cut off {CUT_OFFS[0]}"] + deployed.printed["deploy"]
        for number, step in enumerate(STEPS, start=1):
            assert f"{number:2} {step}" in printed
        assert "costs about 42.76 USD a month while nobody is billed" in deployed.printed["deploy"]

    def test_makes_the_three_functions_and_connects_them(self, deployed: Operator) -> None:
        aws = deployed.cloud.aws
        functions = {each["FunctionName"]: each for each in aws.client("lambda").list_functions()["Functions"]}
        assert functions.keys() == {*NAMES.values()}
        assert len({each["CodeSha256"] for each in functions.values()}) == 1
        assert {tag for each in functions for tag in self.tags(deployed, each)} >= {("Environment", "production")}
        assert len(aws.client("lambda").list_event_source_mappings()["EventSourceMappings"]) == 1
        assert len(aws.client("scheduler").list_schedules()["Schedules"]) == 2

    def tags(self, deployed: Operator, name: str) -> set[tuple[str, str]]:
        client = deployed.cloud.aws.client("lambda")
        arn = client.get_function_configuration(FunctionName=name)["FunctionArn"]
        return {*client.list_tags(Resource=arn)["Tags"].items()}

    def test_leaves_the_repository_as_it_was(self, deployed: Operator) -> None:
        """What is filled, and what is an operator's own, is ignored. The provider's pin is for them to commit."""
        assert deployed.does("git status --porcelain") == "?? terraform/.terraform.lock.hcl\n"

    def test_keeps_the_state_private_and_versioned(self, deployed: Operator) -> None:
        s3 = deployed.cloud.aws.client("s3")
        assert s3.get_bucket_versioning(Bucket=STATE_BUCKET)["Status"] == "Enabled"
        blocked = s3.get_public_access_block(Bucket=STATE_BUCKET)["PublicAccessBlockConfiguration"]
        assert set(blocked.values()) == {True}
        keys = {each["Key"] for each in s3.list_objects_v2(Bucket=STATE_BUCKET)["Contents"]}
        # Neither lock is left.
        assert keys == {"billing/production.tfstate"}

    def test_bills_the_first_account(self, deployed: Operator) -> None:
        """Steps 7 and 8."""
        login, key, export, plan, account, sweep, reconcile = lines_of("The eight steps")[7:]
        assert "anna" in deployed.does(login)
        (secret,) = re.findall(r"sk_[\w-]+", deployed.does(key))
        typed = export.replace("https://billing.example.com", deployed.cloud.api).replace("sk_...", secret)
        opened = deployed.does(f"{typed}\n{plan}\n{account}")
        assert '"status":"PENDING"' in opened
        swept = deployed.does(sweep)
        assert re.search(r"due +1 ", swept), opened + swept
        deployed.cloud.deliver()
        printed = deployed.does(reconcile)
        assert re.search(r"charged +1 ", printed), printed
        assert re.search(r"unexplained +0", printed)

    def test_has_nothing_to_do_when_nothing_changed(self, deployed: Operator) -> None:
        """As a release: but for what moto doesn't keep of queues and parameters."""
        printed = deployed.does("make release ENVIRONMENT=production YES=1")
        assert printed.count("in place already") == 3
        assert "create 0, update 2, replace 0, delete 0" in printed
        assert printed.count("done before") == 2


class TestBadInput:
    """One clear line each, and nothing is done."""

    def test_another_account(self, deployed: Operator) -> None:
        with changed(deployed, 'aws_account_id    = "123456789012"', 'aws_account_id    = "210987654321"'):
            said = deployed.is_refused(DEPLOY)
        assert said == f"the credentials are for the account {ACCOUNT}, and billing-production belongs to 210987654321"

    def test_another_region(self, deployed: Operator) -> None:
        with changed(deployed, 'aws_region        = "us-east-1"', 'aws_region        = "eu-west-1"'):
            said = deployed.is_refused(DEPLOY)
        assert said == (
            "this is the state of billing-production in us-east-1, and terraform/production.tfvars is of "
            "billing-production in eu-west-1"
        )

    def test_another_environments_variables(self, deployed: Operator) -> None:
        with changed(deployed, 'environment       = "production"', 'environment       = "staging"'):
            said = deployed.is_refused(DEPLOY)
        assert said == "terraform/production.tfvars is of the environment staging, not of production"

    def test_no_credentials(self, deployed: Operator) -> None:
        said = deployed.is_refused(f"unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY\n{DEPLOY}")
        assert said == "there are no AWS credentials: sign in, or set AWS_PROFILE"

    def test_two_at_once(self, deployed: Operator) -> None:
        """On another machine: its lock is in the state's bucket."""
        s3 = deployed.cloud.aws.client("s3")
        theirs = b'{"by": "anna", "on": "elsewhere", "in": "/srv/billing"}'
        s3.put_object(Bucket=STATE_BUCKET, Key="billing/production.deploying", Body=theirs)
        said = deployed.is_refused(f"{DEPLOY} YES=1")
        assert said.startswith("anna on elsewhere deploys this environment since ")
        assert said.endswith(f"If it was cut off: aws s3 rm s3://{STATE_BUCKET}/billing/production.deploying")
        assert s3.get_object(Bucket=STATE_BUCKET, Key="billing/production.deploying")["Body"].read() == theirs
        s3.delete_object(Bucket=STATE_BUCKET, Key="billing/production.deploying")

    def test_two_at_once_in_a_clone(self, deployed: Operator) -> None:
        held = "exec 9>build/deployment.lock; flock --nonblock 9"
        said = deployed.is_refused(f"{held}\n{DEPLOY} YES=1")
        assert said == "another deployment runs in this clone: wait for its end"

    def test_a_release_to_roll_back_to_that_is_not_kept(self, deployed: Operator) -> None:
        assert deployed.is_refused("make rollback ENVIRONMENT=production YES=1") == "no release before this one is kept"

    def test_another_name(self, deployed: Operator) -> None:
        said = deployed.is_refused("make destroy ENVIRONMENT=production CONFIRM=production")
        assert said == "nothing was done: production isn't billing-production"
        assert len(deployed.cloud.aws.client("lambda").list_functions()["Functions"]) == 3


class TestTakingItDown:
    def test_leaves_the_state_alone(self, deployed: Operator) -> None:
        (line,) = [line for line in lines_of("Taking it down") if line.startswith("make ")]
        printed = deployed.does(f"{line} CONFIRM={API}")
        assert printed.splitlines()[-1].startswith("billing-production is gone.")
        aws = deployed.cloud.aws
        assert aws.client("lambda").list_functions()["Functions"] == []
        assert [each["Name"] for each in aws.client("s3").list_buckets()["Buckets"]] == [STATE_BUCKET]
        assert aws.client("iam").list_roles()["Roles"] == []


class changed:  # noqa: N801
    """The variables with another line, until the block ends."""

    def __init__(self, operator: Operator, line: str, other: str) -> None:
        self.file = operator.clone / "terraform" / "production.tfvars"
        self.text = self.file.read_text()
        assert self.text.count(line) == 1
        self.file.write_text(self.text.replace(line, other))

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self.file.write_text(self.text)
