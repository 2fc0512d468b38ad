"""The real `zappa` command on a local AWS, by the real `zappa_settings.json`, filled with what Terraform gives."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.__main__ import fill_settings
from tests.deploy.aws_server import aws_server
from tests.deploy.surroundings import needs_the_package
from tests.deploy.zappa_account import BUCKET, CONCURRENCY, DUTIES, NAMES, Account, terraform_outputs

pytestmark = needs_the_package
TIMEOUTS = {"production": 29, "production_worker": 300, "production_migrate": 900}


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with aws_server() as aws:
        outputs = terraform_outputs(aws)
        folder = tmp_path_factory.mktemp("settings")
        given = folder / "outputs.json"
        given.write_text(json.dumps(outputs))
        settings = fill_settings(environment="production", outputs=given, build=folder)
        yield Account(aws, outputs, settings)


@pytest.fixture(scope="module")
def deployed(account: Account, package: Path) -> Account:
    """The account after `zappa deploy` of the three stages, from one zip."""
    for stage in DUTIES:
        assert "Deployment complete" in account.zappa("deploy", stage, "--zip", str(package))
    return account


@pytest.fixture(scope="module")
def updated(deployed: Account) -> Account:
    """After an update without a zip, which packages anew, from an environment that is full of other things."""
    assert "Your updated Zappa deployment is live" in deployed.zappa("update", "production")
    return deployed


class TestDeploy:
    @pytest.mark.parametrize("stage", DUTIES)
    def test_makes_the_function_as_the_settings_and_terraform_say(self, deployed: Account, stage: str) -> None:
        found, given = deployed.configuration(stage), deployed.outputs[stage]
        assert found["FunctionName"] == NAMES[stage]
        assert found["Handler"] == "billing_site.lambda_function.entry.handler"
        assert found["Runtime"] == "python3.13"
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
    def test_batches_as_make_package_does(self, updated: Account) -> None:
        assert len({updated.configuration(stage)["CodeSha256"] for stage in DUTIES}) == 1

    def test_keeps_concurrency_and_variables(self, updated: Account) -> None:
        reserved = updated.aws.client("lambda").get_function_concurrency(FunctionName=NAMES["production"])
        assert reserved["ReservedConcurrentExecutions"] == CONCURRENCY["production"]
        assert updated.configuration("production")["Environment"]["Variables"]["FUNCTION_DUTY"] == "api"

    def test_takes_away_a_variable_that_the_settings_no_longer_have(self, updated: Account, package: Path) -> None:
        """Zappa keeps it: a volume check that was loosened for a day would stay loose."""
        before = updated.configuration("production_worker")["Environment"]["Variables"]
        updated.aws.client("lambda").update_function_configuration(
            FunctionName=NAMES["production_worker"],
            Environment={"Variables": before | {"VOLUME_CHECK_MULTIPLE": "9", "LOG_LEVEL": "ERROR"}},
        )
        printed = updated.zappa("update", "production_worker", "--zip", str(package))
        assert "Removing variables that the settings no longer have: VOLUME_CHECK_MULTIPLE" in printed
        assert updated.configuration("production_worker")["Environment"]["Variables"] == before

    def test_takes_a_zip_of_a_release_that_had_fewer_modules(
        self, updated: Account, package: Path, tmp_path: Path
    ) -> None:
        """Rolling back, from the checkout of the release that is taken back."""
        kept = tmp_path / "before.zip"
        copy_without(package, kept, "volume_check")
        printed = updated.zappa("update", "production", "--zip", str(kept))
        assert "is of another release than this checkout: rebilling/volume_check.py isn't in it" in printed
        assert "Your updated Zappa deployment is live" in printed
        updated.zappa("update", "production", "--zip", str(package))

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


def copy_without(zip_path: Path, copy: Path, module: str) -> None:
    with zipfile.ZipFile(zip_path) as package, zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED) as written:
        left_out = {name for name in package.namelist() if Path(name).name.split(".")[0] == module}
        assert len(left_out) == 2, "a module and its byte code"
        for name in package.namelist():
            if name not in left_out:
                written.writestr(name, package.read(name))


def add(zip_path: Path, name: str) -> None:
    with zipfile.ZipFile(zip_path, "a") as package:
        package.writestr(name, "")
