"""The real `zappa` command on a local AWS, by the real `zappa_settings.json`, filled with what Terraform gives."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.__main__ import SETTINGS, fill_settings
from deploy.environment import ROOT
from localcloud.queue_endpoint import REGION
from tests.deploy.aws_server import AwsServer, aws_server

BUCKET = "billing-production-packages"
DUTIES = {"production": "api", "production_worker": "worker", "production_migrate": "migrate"}
NAMES = {stage: f"billing-{stage}".replace("_", "-") for stage in DUTIES}
TIMEOUTS = {"production": 29, "production_worker": 300, "production_migrate": 900}
CONCURRENCY = {"production": 7, "production_worker": 3, "production_migrate": 1}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": ["lambda.amazonaws.com", "apigateway.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        }
    ],
}


@dataclass(frozen=True)
class Account:
    """An AWS account after the first `terraform apply`, and the settings filled from its outputs."""

    aws: AwsServer
    outputs: dict[str, dict[str, Any]]
    settings: Path

    def zappa(self, *arguments: str) -> str:
        """What the command prints. Fails when it does."""
        done = self.attempt(*arguments)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def attempt(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        kept = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
        return subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "zappa.cli", *arguments, "--settings_file", str(self.settings)],
            cwd=ROOT,
            env=kept | self.aws.variables | {"VIRTUAL_ENV": sys.prefix, "PYTHONUTF8": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=180,
            check=False,
        )

    def configuration(self, stage: str) -> dict[str, Any]:
        found: dict[str, Any] = self.aws.client("lambda").get_function_configuration(FunctionName=NAMES[stage])
        return found


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with aws_server() as aws:
        outputs = terraform_outputs(aws)
        folder = tmp_path_factory.mktemp("settings")
        settings = folder / "zappa_settings.json"
        settings.write_bytes(SETTINGS.read_bytes())
        given = folder / "outputs.json"
        given.write_text(json.dumps(outputs))
        fill_settings(environment="production", outputs=given, settings=settings)
        yield Account(aws, outputs, settings)


def terraform_outputs(aws: AwsServer) -> dict[str, dict[str, Any]]:
    """Makes what Terraform makes, as far as Zappa looks at it, and tells of it as Terraform's output does."""
    aws.client("s3").create_bucket(Bucket=BUCKET)
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.20.{zone}.0/24")["Subnet"]["SubnetId"] for zone in range(2)]
    outputs = {}
    for stage, duty in DUTIES.items():
        group = ec2.create_security_group(GroupName=stage, Description=stage, VpcId=vpc)["GroupId"]
        role = aws.client("iam").create_role(RoleName=NAMES[stage], AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]
        outputs[stage] = {
            "aws_region": REGION,
            "s3_bucket": BUCKET,
            "role_arn": role["Arn"],
            "vpc_config": {"SubnetIds": subnets, "SecurityGroupIds": [group]},
            "aws_environment_variables": {
                "FUNCTION_DUTY": duty,
                "DATABASE_HOST": "billing.example.internal",
                "DATABASE_SECRET_ARN": f"arn:aws:secretsmanager:{REGION}:123456789012:secret:billing/{duty}-AbCdEf",
            },
            "lambda_concurrency": CONCURRENCY[stage],
        }
    return outputs


@pytest.fixture(scope="module")
def deployed(account: Account, package: Path) -> Account:
    """The account after `zappa deploy` of the three stages, from one zip."""
    for stage in DUTIES:
        assert "Deployment complete" in account.zappa("deploy", stage, "--zip", str(package))
    return account


@pytest.fixture(scope="module")
def updated(deployed: Account) -> Account:
    """After an update without a zip, which packs anew, from an environment that is full of other things."""
    assert "Your updated Zappa deployment is live" in deployed.zappa("update", "production")
    return deployed


class TestDeploy:
    @pytest.mark.parametrize("stage", DUTIES)
    def test_makes_the_function_as_the_settings_and_terraform_say(self, deployed: Account, stage: str) -> None:
        found, given = deployed.configuration(stage), deployed.outputs[stage]
        assert found["FunctionName"] == NAMES[stage]
        assert found["Handler"] == "billing_site.lambda_entry.handler"
        assert found["Runtime"] == "python3.11"
        assert found["Timeout"] == TIMEOUTS[stage]
        assert found["Role"] == given["role_arn"]
        assert found["VpcConfig"]["SubnetIds"] == given["vpc_config"]["SubnetIds"]
        assert found["VpcConfig"]["SecurityGroupIds"] == given["vpc_config"]["SecurityGroupIds"]
        assert found["Environment"]["Variables"] == given["aws_environment_variables"] | {
            "DJANGO_SETTINGS_MODULE": "billing_site.settings",
            "INSTANTIATE_LAMBDA_HANDLER_ON_IMPORT": "1",
            "LOG_LEVEL": "INFO",
        }
        reserved = deployed.aws.client("lambda").get_function_concurrency(FunctionName=NAMES[stage])
        assert reserved["ReservedConcurrentExecutions"] == CONCURRENCY[stage]

    def test_gives_the_three_functions_the_same_code(self, deployed: Account) -> None:
        assert len({deployed.configuration(stage)["CodeSha256"] for stage in DUTIES}) == 1

    def test_makes_a_rest_api_for_the_api_alone(self, deployed: Account) -> None:
        gateway = deployed.aws.client("apigateway")
        (api,) = gateway.get_rest_apis()["items"]
        assert api["name"] == NAMES["production"]
        (stage,) = gateway.get_stages(restApiId=api["id"])["item"]
        assert stage["stageName"] == "production"
        assert deployed.aws.client("apigatewayv2").get_apis()["Items"] == []

    def test_makes_no_rule_and_no_mapping(self, deployed: Account) -> None:
        """They are Terraform's: Zappa would delete all of a function's rules with each update."""
        assert deployed.aws.client("events").list_rules()["Rules"] == []
        assert deployed.aws.client("lambda").list_event_source_mappings()["EventSourceMappings"] == []

    def test_refuses_a_stage_that_is_not_filled(self, account: Account) -> None:
        """Staging extends production, and mustn't be deployed into production's network."""
        done = account.attempt("deploy", "staging")
        assert done.returncode != 0
        assert "stage staging lacks aws_region, role_arn, s3_bucket, vpc_config" in done.stdout
        assert "make zappa-settings ENVIRONMENT=staging" in done.stdout

    def test_refuses_a_zip_that_is_unfit(self, account: Account, tmp_path: Path, package: Path) -> None:
        unfit = tmp_path / "unfit.zip"
        unfit.write_bytes(package.read_bytes())
        add(unfit, "tests/test_secret.py")
        done = account.attempt("update", "production", "--zip", str(unfit))
        assert done.returncode != 0
        assert "tests/test_secret.py doesn't belong in the package" in done.stdout


class TestUpdate:
    def test_packs_as_make_package_does(self, updated: Account) -> None:
        assert len({updated.configuration(stage)["CodeSha256"] for stage in DUTIES}) == 1

    def test_keeps_concurrency_and_variables(self, updated: Account) -> None:
        reserved = updated.aws.client("lambda").get_function_concurrency(FunctionName=NAMES["production"])
        assert reserved["ReservedConcurrentExecutions"] == CONCURRENCY["production"]
        assert updated.configuration("production")["Environment"]["Variables"]["FUNCTION_DUTY"] == "api"

    def test_leaves_the_rules_of_others_alone(self, updated: Account, package: Path) -> None:
        events = updated.aws.client("events")
        events.put_rule(Name="terraforms", ScheduleExpression="rate(1 day)")
        arn = updated.configuration("production_worker")["FunctionArn"]
        events.put_targets(Rule="terraforms", Targets=[{"Id": "1", "Arn": arn}])
        updated.zappa("update", "production_worker", "--zip", str(package))
        assert [rule["Name"] for rule in events.list_rules()["Rules"]] == ["terraforms"]

    def test_leaves_no_package_in_the_bucket(self, updated: Account) -> None:
        assert "Contents" not in updated.aws.client("s3").list_objects_v2(Bucket=BUCKET)


class TestStatusAndUndeploy:
    def test_tell_of_the_function_and_take_it_away(self, deployed: Account) -> None:
        status = json.loads(deployed.zappa("status", "production_worker", "--json"))
        assert status["Lambda Name"] == NAMES["production_worker"]
        assert status["Lambda Timeout"] == 300
        for stage in DUTIES:
            assert "Done!" in deployed.zappa("undeploy", stage, "--yes")
        assert deployed.aws.client("lambda").list_functions()["Functions"] == []
        # moto keeps the REST API of a stack that was deleted.
        stacks = deployed.aws.client("cloudformation").list_stacks()["StackSummaries"]
        assert [stack["StackStatus"] for stack in stacks] == ["DELETE_COMPLETE"]
        # What is Terraform's stays.
        assert len(deployed.aws.client("iam").list_roles()["Roles"]) == 3


def add(zip_path: Path, name: str) -> None:
    with zipfile.ZipFile(zip_path, "a") as package:
        package.writestr(name, "")
