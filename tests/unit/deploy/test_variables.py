"""An environment's variables, read by Terraform itself, and what Terraform says is wrong, in one line."""

import shutil
from pathlib import Path

import boto3
import pytest
from botocore.stub import Stubber

from deploy.errors import UnableToShip
from deploy.quota import check_quota
from deploy.variables import TERRAFORM, Variables, one_line, read_variables
from tests.support.deployments import some_variables

needs_terraform = pytest.mark.skipif(shutil.which("terraform") is None, reason="NOT TESTED, Terraform is missing")
GIVEN = 'environment = "trial"\npayment_gateway = "payments.gateways.logging_gateway.LoggingGateway"\n'


@pytest.fixture
def terraform(tmp_path: Path) -> Path:
    for path in TERRAFORM.glob("variables*.tf"):
        shutil.copy(path, tmp_path)
    return tmp_path


@needs_terraform
class TestReadVariables:
    def test_have_terraforms_own_defaults(self, terraform: Path) -> None:
        (terraform / "trial.tfvars").write_text(GIVEN)
        found = read_variables(environment="trial", terraform=terraform)
        assert found == Variables(
            file=terraform / "trial.tfvars",
            environment="trial",
            project="billing",
            region="us-east-1",
            account=None,
            payment_gateway="payments.gateways.logging_gateway.LoggingGateway",
            connect=True,
            reserve_concurrency=True,
            concurrency=31,
        )
        assert found.name == "billing-trial"

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (GIVEN + "aws_region = us-east-1\n", "terraform/trial.tfvars: "),
            (GIVEN.replace("trial", "staging"), "terraform/trial.tfvars is of the environment staging, not of trial"),
            ('environment = "trial"\n', "terraform/trial.tfvars: environment or payment_gateway isn't given"),
        ],
    )
    def test_refuse_in_one_line(self, terraform: Path, text: str, said: str) -> None:
        (terraform / "trial.tfvars").write_text(text)
        with pytest.raises(UnableToShip) as refused:
            read_variables(environment="trial", terraform=terraform)
        assert said in str(refused.value)
        assert "\n" not in str(refused.value)

    def test_must_be_there(self, terraform: Path) -> None:
        with pytest.raises(UnableToShip, match=r"^terraform/trial.tfvars is missing: copy terraform/terraform.tfvars"):
            read_variables(environment="trial", terraform=terraform)

    @pytest.mark.parametrize("name", ["../production", "Production", "trial_worker", ""])
    def test_are_of_a_name_that_a_stage_can_have(self, terraform: Path, name: str) -> None:
        with pytest.raises(UnableToShip, match="an environment has at most 15 small letters and digits"):
            read_variables(environment=name, terraform=terraform)


class TestOneLine:
    def test_leaves_out_where_it_is(self) -> None:
        printed = """
╷
│ Error: Invalid value for variable
│
│   on production.tfvars line 5:
│    5: aws_region = "frankfurt"
│     ├────────────────
│     │ var.aws_region is "frankfurt"
│
│ A region is written as us-east-1 is.
│
│ This was checked by the validation rule at variables.tf:8,3-13.
╵
"""
        assert one_line(printed) == "Invalid value for variable: A region is written as us-east-1 is."

    def test_has_the_first_of_two(self) -> None:
        assert one_line("Error: no bucket\n\nit is gone\n\nError: another\n") == "no bucket: it is gone"


class TestCheckQuota:
    def check(self, limit: int, *, reserve: bool = True) -> None:
        client = boto3.client("lambda", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
        with Stubber(client) as stub:
            stub.add_response("get_account_settings", {"AccountLimit": {"ConcurrentExecutions": limit}})
            check_quota(lambda_client=client, variables=some_variables(reserve_concurrency=reserve))

    def test_refuses_a_new_account_before_anything_is_made(self) -> None:
        with pytest.raises(UnableToShip) as refused:
            self.check(130)
        assert str(refused.value) == (
            "the account may run 130 functions at once, and to reserve 31 takes 131: ask for a larger quota "
            "(docs/deploy.md, step 1), or set reserve_concurrency = false"
        )

    def test_takes_one_that_has_enough_or_reserves_nothing(self) -> None:
        self.check(131)
        self.check(10, reserve=False)
