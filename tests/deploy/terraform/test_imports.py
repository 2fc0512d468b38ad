"""Hand-made resources are taken over: the real provider plans to import them and makes none anew."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.deploy.terraform.first_applies import OVERRIDES, VARIABLES
from tests.deploy.terraform.moto_cloud import Cloud
from tests.deploy.terraform.terraform_command import Terraform, TerraformFailed, copied

DATABASE: dict[str, Any] = {
    "DBInstanceIdentifier": "billing-production",
    "DBInstanceClass": "db.t4g.small",
    "Engine": "postgres",
    "DBName": "billing",
    "AllocatedStorage": 20,
    "StorageEncrypted": True,
    "DBSubnetGroupName": "billing-production",
    "MasterUsername": "billing_owner",
    "ManageMasterUserPassword": True,
}
Importing = Callable[..., Terraform]


def made_by_hand(cloud: Cloud, **of_the_database: Any) -> dict[str, Any]:
    """What someone would click together, and the variables that name it."""
    ec2, sqs, rds = cloud.client("ec2"), cloud.client("sqs"), cloud.client("rds")
    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    subnets = {
        letter: ec2.create_subnet(VpcId=vpc, CidrBlock=block, AvailabilityZone=f"us-east-1{letter}")["Subnet"][
            "SubnetId"
        ]
        for letter, block in {"a": "10.20.64.0/19", "b": "10.20.96.0/19"}.items()
    }
    dead_letters = sqs.create_queue(QueueName="billing-production-rebilling-dlq")["QueueUrl"]
    queue = sqs.create_queue(QueueName="billing-production-rebilling")["QueueUrl"]
    group = {"DBSubnetGroupName": "billing-production", "DBSubnetGroupDescription": "by hand"}
    rds.create_db_subnet_group(**group, SubnetIds=list(subnets.values()))
    rds.create_db_instance(**DATABASE | of_the_database)
    cloud.client("s3").create_bucket(Bucket="packages-by-hand")
    cloud.client("logs").create_log_group(logGroupName="/aws/lambda/billing-production-worker")
    cloud.client("cloudwatch").put_dashboard(DashboardName="billing-production", DashboardBody='{"widgets": []}')
    secret = cloud.client("secretsmanager").create_secret(Name="billing-production/database-application")["ARN"]
    return {
        "import_vpc_id": vpc,
        "import_database_subnet_ids": subnets,
        "import_database_subnet_group_name": "billing-production",
        "import_database_identifier": "billing-production",
        "import_queue_url": queue,
        "import_dead_letter_queue_url": dead_letters,
        "import_package_bucket_name": "packages-by-hand",
        "package_bucket_name": "packages-by-hand",
        "import_log_group_duties": ["worker"],
        "import_dashboard_name": "billing-production",
        "import_application_secret_arn": secret,
    }


@pytest.fixture
def importing(terraform: Terraform, empty_cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Importing:
    """Copies that take over what was made by hand, with a database that differs in what is named."""

    def copy(**of_the_database: Any) -> Terraform:
        folder = tmp_path_factory.mktemp("imports") / "configuration"
        made = copied(terraform=terraform, folder=folder, endpoint=empty_cloud.endpoint)
        (folder / "terraform.tfvars").write_text(f"{VARIABLES}functions_deployed = false\n")
        (folder / "moto_override.tf").write_text(OVERRIDES.split("locals {")[0])
        variables = made_by_hand(empty_cloud, **of_the_database)
        (folder / "hand_made.auto.tfvars.json").write_text(json.dumps(variables))
        return made

    return copy


class TestImports:
    def test_take_over_what_was_made_by_hand(self, importing: Importing) -> None:
        changes = importing().planned("-parallelism=30")
        taken_over = {address: change["actions"] for address, change in changes.items() if change.get("importing")}
        assert taken_over.keys() == {
            "aws_vpc.main",
            'aws_subnet.database["a"]',
            'aws_subnet.database["b"]',
            "aws_db_subnet_group.main",
            "aws_db_instance.main",
            "aws_sqs_queue.rebilling",
            "aws_sqs_queue.dead_letters",
            "aws_s3_bucket.package",
            'aws_cloudwatch_log_group.function["worker"]',
            "aws_cloudwatch_dashboard.main",
            "aws_secretsmanager_secret.application",
        }
        # In place or not at all: nothing that holds data is replaced.
        assert {action for actions in taken_over.values() for action in actions} <= {"update", "no-op"}

    def test_leave_the_rest_to_be_made(self, importing: Importing) -> None:
        configuration = importing()
        (configuration.folder / "hand_made.auto.tfvars.json").unlink()
        changes = configuration.planned("-parallelism=30")
        assert [address for address, change in changes.items() if change.get("importing")] == []
        assert changes["aws_db_instance.main"]["actions"] == ["create"]


class TestDatabase:
    def test_is_taken_over_with_the_owner_that_it_has(self, importing: Importing) -> None:
        configuration = importing(MasterUsername="postgres", DBName="payments")
        owner, name = "-var=database_owner=postgres", "-var=database_name=payments"
        change = configuration.planned("-parallelism=30", owner, name)["aws_db_instance.main"]
        assert (change["actions"], change["after"]["username"]) == (["update"], "postgres")
        assert change["after"]["deletion_protection"] is True

    def test_is_not_taken_over_with_a_password_that_rds_does_not_manage(self, importing: Importing) -> None:
        """And nothing asks for the secret that it lacks before that is said."""
        [said] = self.errors(importing(ManageMasterUserPassword=False, MasterUserPassword="known-to-somebody"))
        assert "RDS doesn't manage the owner's password of billing-production. Turn that on first: " in said
        turn_on = "aws rds modify-db-instance --db-instance-identifier billing-production --manage-master-user-password"
        assert turn_on in said

    def test_is_not_taken_over_as_what_it_is_not(self, importing: Importing) -> None:
        said = self.errors(importing(Engine="mysql", StorageEncrypted=False, MasterUsername="postgres"))
        assert len(said) == 3
        assert "runs mysql, and the product needs PostgreSQL." in said[0]
        assert "The storage of billing-production isn't encrypted" in said[1]
        assert "The owner of billing-production is postgres: set database_owner to that." in said[2]

    def test_is_never_replaced_even_if_nothing_refuses_it(self, importing: Importing) -> None:
        """The errors say how to fix it. That a plan destroys nothing doesn't depend on them."""
        configuration = importing(MasterUsername="postgres", DBName="other", StorageEncrypted=False)
        database = configuration.folder / "database.tf"
        text, postconditions = re.subn(r"postcondition \{.*?\n    \}\n", "", database.read_text(), flags=re.DOTALL)
        assert postconditions == 4
        database.write_text(text)
        assert configuration.planned("-parallelism=30")["aws_db_instance.main"]["actions"] == ["update"]

    def errors(self, configuration: Terraform) -> list[str]:
        """What a plan ends with, each in one line."""
        with pytest.raises(TerraformFailed) as refused:
            configuration.planned("-parallelism=30")
        return [" ".join(error.split()) for error in str(refused.value).split("Error: ")[1:]]
