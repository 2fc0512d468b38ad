"""All of AWS that a deployment meets, on this machine: moto, a PostgreSQL, and functions that run what was deployed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from moto.awslambda_simple.models import LambdaSimpleBackend

from localcloud.sqs.poller import Poller
from tests.deploy.aws_server import AwsServer, aws_server
from tests.deploy.deployed_functions import DeployedFunctions, served
from tests.deploy.terraform.moto_cloud import without_docker
from tests.support.lambdas.password_server import DATABASE, HOST, OWNER, OWNER_PASSWORD, PasswordServer, password_server

API = "billing-production"
SITE = "billing.example.com"
LACKING = """
provider "aws" {{
  s3_use_path_style = true
}}

locals {{
  database_address  = "{host}"
  database_port     = {port}
  master_secret_arn = "{master_secret_arn}"
}}

resource "aws_db_instance" "main" {{
  count = 0
}}

resource "aws_sqs_queue" "dead_letters" {{
  redrive_allow_policy = null
}}

resource "aws_s3_bucket_policy" "package" {{
  count = 0
}}

resource "aws_lambda_function_recursion_config" "worker" {{
  count = 0
}}
"""
"""What moto lacks is off: RDS, whose instance the provider waits for long, a redrive allow policy, and recursive loops.
So is the bucket's policy, which refuses whatever isn't TLS. `terraform test` asserts on all of them.
"""


@dataclass(frozen=True, kw_only=True)
class RehearsalCloud:
    aws: AwsServer
    functions: DeployedFunctions
    database: PasswordServer
    api: str
    master_secret_arn: str

    @property
    def override(self) -> str:
        """For a file beside the configuration, named for an override."""
        return LACKING.format(host=HOST, port=self.database.port, master_secret_arn=self.master_secret_arn)

    def deliver(self) -> None:
        """What waits in the queue, to the worker, as Lambda's poller does."""
        (url,) = [each for each in self.aws.client("sqs").list_queues()["QueueUrls"] if each.endswith("-rebilling")]
        poller = Poller(
            client=self.aws.client("sqs"),
            queue_url=url,
            handler=lambda event, _: self.functions.invoke(f"{API}-worker", event)[0],
        )
        assert poller.poll(wait_seconds=5).received == 1

    @property
    def variables_file(self) -> str:
        """What an operator edits in `terraform/production.tfvars`, and the names that the database has here."""
        return (
            'payment_gateway = "payments.gateways.logging_gateway.LoggingGateway"\n'
            f'allowed_hosts   = ["{SITE}"]\n'
            f'database_owner  = "{OWNER}"\n'
            f'database_name   = "{DATABASE}"\n'
        )


@contextmanager
def rehearsal_cloud(*, folder: Path, runtime_client: Path, bare_python: Path) -> Iterator[RehearsalCloud]:
    """An empty account, until the block ends."""
    # moto would take a message for delivered as soon as it is sent, and run nothing.
    undelivered = patch.object(LambdaSimpleBackend, "send_sqs_batch", return_value=False)
    with undelivered, aws_server() as aws, password_server() as database:
        without_docker(aws.url)
        owner = json.dumps({"username": OWNER, "password": OWNER_PASSWORD})
        arn = aws.client("secretsmanager").create_secret(Name="rds!billing", SecretString=owner)["ARN"]
        surroundings = aws.variables | {"DATABASE_SSLMODE": "disable"}
        functions = DeployedFunctions(aws, folder, runtime_client, bare_python, surroundings)
        aws.invoke = functions.invoke
        try:
            with served(functions, API, host=SITE) as api:
                yield RehearsalCloud(aws=aws, functions=functions, database=database, api=api, master_secret_arn=arn)
        finally:
            functions.end()
