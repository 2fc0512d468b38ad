"""An AWS account as Terraform leaves it, and the real `zappa` command in it."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.environment import ROOT
from localcloud.sqs.endpoint import REGION
from tests.deploy.aws_server import AwsServer

BUCKET = "billing-production-packages"
DUTIES = {"production": "api", "production_worker": "worker", "production_migrate": "migrate"}
NAMES = {stage: f"billing-{stage}".replace("_", "-") for stage in DUTIES}
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
    """An AWS account after the first `terraform apply`, and the settings filled from its outputs, of a clone."""

    aws: AwsServer
    outputs: dict[str, dict[str, Any]]
    settings: Path
    clone: Path = ROOT

    def zappa(self, *arguments: str) -> str:
        """What the command prints. Fails when it does."""
        done = self.attempt(*arguments)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def attempt(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        kept = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
        return subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "zappa.cli", *arguments, "--settings_file", str(self.settings)],
            cwd=self.clone,
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
