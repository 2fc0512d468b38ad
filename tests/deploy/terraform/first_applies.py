"""Both applies as an operator makes them, by the real provider on a moto server."""

from dataclasses import dataclass
from typing import Any

from tests.deploy.terraform.moto_cloud import Cloud, deploy_functions
from tests.deploy.terraform.terraform_command import Terraform

VARIABLES = """
environment       = "production"
allowed_hosts     = ["billing.example.com"]
alarm_emails      = ["billing@example.com"]
billing_time_zone = "Europe/Berlin"
payment_gateway   = "payments.gateways.logging_gateway.LoggingGateway"
database_multi_az = true
"""
# The provider waits 80 seconds for an RDS instance, and for ever for a redrive allow policy, which moto doesn't know.
# Nor does it know of recursive loops. All three are asserted on by `terraform test`.
OVERRIDES = """
provider "aws" {
  s3_use_path_style = true
}

locals {
  database_address  = "billing-production.example.us-east-1.rds.amazonaws.com"
  master_secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:master"
}

resource "aws_db_instance" "main" {
  count = 0
}

resource "aws_sqs_queue" "dead_letters" {
  redrive_allow_policy = null
}

resource "aws_lambda_function_recursion_config" "worker" {
  count = 0
}
"""


@dataclass(frozen=True, kw_only=True)
class Applied:
    terraform: Terraform
    cloud: Cloud
    output: dict[str, Any]
    connected_at_first: list[str]
    """Schedules and mappings that were there after the first apply."""


def apply_in_two_steps(*, terraform: Terraform, cloud: Cloud) -> Applied:
    """Everything but what is connected to the functions; the functions, as Zappa makes them; then the rest."""
    (terraform.folder / "terraform.tfvars").write_text(VARIABLES)
    (terraform.folder / "moto_override.tf").write_text(OVERRIDES)
    terraform.run("apply", "-auto-approve", "-parallelism=30", "-var=functions_deployed=false")
    output = terraform.output()
    schedules = cloud.client("scheduler").list_schedules()["Schedules"]
    mappings = cloud.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    deploy_functions(cloud=cloud, settings=output["zappa_settings"], names=output["function_names"])
    terraform.run("apply", "-auto-approve", "-parallelism=30")
    return Applied(
        terraform=terraform,
        cloud=cloud,
        output=terraform.output(),
        connected_at_first=[found.get("Name") or found["UUID"] for found in [*schedules, *mappings]],
    )
