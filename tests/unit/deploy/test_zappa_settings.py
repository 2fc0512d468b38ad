"""`make zappa-settings`: what Terraform knows goes beside what is fixed, and nothing else does."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from deploy.__main__ import fill_settings
from deploy.errors import UnableToShip
from deploy.settings_files import SETTINGS
from deploy.zappa_settings import as_text, filled, secrets_in, with_stages

HELD: dict[str, Any] = json.loads(SETTINGS.read_text(encoding="utf-8"))
SECRET_ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!db-0a1b2c3d-AbCdEf"


def outputs(environment: str = "production") -> dict[str, Any]:
    return {
        stage: {
            "aws_region": "eu-central-1",
            "s3_bucket": f"billing-{environment}-123456789012",
            "role_arn": f"arn:aws:iam::123456789012:role/{stage}",
            "vpc_config": {"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": [f"sg-{stage}"]},
            "lambda_concurrency": 7,
            "aws_environment_variables": {
                "FUNCTION_DUTY": duty,
                "LOG_LEVEL": "WARNING",
                "DATABASE_HOST": "billing-production.c9akciq32abc.eu-central-1.rds.amazonaws.com",
                "DATABASE_SECRET_ARN": SECRET_ARN,
                "REBILLING_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/billing-production-rebilling",
                "BILLING_TIME_ZONE": "America/Argentina/Buenos_Aires",
                "PAYMENT_GATEWAY": "payments.gateways.logging_gateway.LoggingGateway",
            },
        }
        for stage, duty in (
            (environment, "api"),
            (f"{environment}_worker", "worker"),
            (f"{environment}_migrate", "migrate"),
        )
    }


def refusal(**changes: Any) -> str:
    """Why the outputs are refused once `production_worker` has these changes."""
    given = outputs()
    given["production_worker"] |= changes
    with pytest.raises(UnableToShip) as raised:
        filled(settings=HELD, outputs=given, environment="production")
    return str(raised.value)


def with_variable(name: str, value: Any) -> str:
    return refusal(
        aws_environment_variables=outputs()["production_worker"]["aws_environment_variables"] | {name: value}
    )


class TestFilling:
    def test_puts_what_terraform_knows_beside_what_is_fixed(self) -> None:
        worker = filled(settings=HELD, outputs=outputs(), environment="production")["production_worker"]
        assert worker["role_arn"] == "arn:aws:iam::123456789012:role/production_worker"
        assert worker["lambda_concurrency"] == 7
        assert worker["extends"] == "production"
        assert worker["timeout_seconds"] == 300
        variables = worker["aws_environment_variables"]
        assert variables["DATABASE_SECRET_ARN"] == SECRET_ARN
        assert variables["DJANGO_SETTINGS_MODULE"] == "billing_site.settings"
        assert variables["LOG_LEVEL"] == "WARNING"

    def test_leaves_the_other_environment_alone(self) -> None:
        result = filled(settings=HELD, outputs=outputs("staging"), environment="staging")
        assert {stage for stage in result if result[stage] != HELD[stage]} == {
            "staging",
            "staging_worker",
            "staging_migrate",
        }

    def test_done_again_gives_the_same_text_whatever_was_there(self) -> None:
        before = outputs()
        before["production"]["aws_environment_variables"]["GONE_SINCE"] = "x"
        first = filled(settings=HELD, outputs=before, environment="production")
        again = filled(settings=first, outputs=outputs(), environment="production")
        assert as_text(again) == as_text(filled(settings=HELD, outputs=outputs(), environment="production"))
        assert "GONE_SINCE" not in as_text(again)

    def test_changes_nothing_that_it_was_given(self) -> None:
        held, given = copy.deepcopy(HELD), outputs()
        filled(settings=held, outputs=given, environment="production")
        assert (held, given) == (HELD, outputs())


class TestRefusing:
    def test_names_a_stage_that_is_not_one_of_the_environment(self) -> None:
        with pytest.raises(UnableToShip, match="'production_cron'"):
            filled(settings=HELD, outputs=outputs() | {"production_cron": {}}, environment="production")
        with pytest.raises(UnableToShip, match="staging has"):
            filled(settings=HELD, outputs=outputs(), environment="staging")
        with pytest.raises(UnableToShip, match="no stage canary"):
            filled(settings=HELD, outputs=outputs(), environment="canary")

    def test_are_given_to_an_environment_of_any_name(self) -> None:
        """As staging's are, which the file has."""
        assert with_stages(HELD, environment="staging") == HELD
        canary = with_stages(HELD, environment="canary")
        for duty in ("", "_worker", "_migrate"):
            assert canary[f"canary{duty}"]["extends"] == f"production{duty}"
            variables = canary[f"canary{duty}"]["aws_environment_variables"]
            assert variables == HELD[f"production{duty}"]["aws_environment_variables"]
        assert {name: canary[name] for name in HELD} == HELD

    def test_names_a_key_that_is_not_terraforms(self) -> None:
        assert refusal(lambda_handler="evil.handler") == "production_worker: lambda_handler isn't Terraform's to give"
        assert refusal(environment_variables={}) == "production_worker: environment_variables isn't Terraform's to give"

    def test_names_a_fixed_variable_that_would_change(self) -> None:
        assert with_variable("FUNCTION_DUTY", "migrate").endswith(
            "FUNCTION_DUTY is 'worker' here and can't be 'migrate'"
        )

    def test_names_a_value_that_lambda_does_not_take(self) -> None:
        assert with_variable("CONN_MAX_AGE", 60).startswith("production_worker: CONN_MAX_AGE isn't a string")

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("DATABASE_PASSWORD", "x"),
            ("SECRET_KEY", "x"),
            ("DJANGO_SECRET_ARN", "not-an-arn"),
            ("DATABASE_URL", "postgres://billing_app@host/billing"),
            ("BROKER", "amqp://app:hunter2@host/"),
            ("PROVIDER", "sk_" + "test_4eC39HqLyjWDarjtT1zdp7dc"),
            ("ACCESS", "AKIA" + "IOSFODNN7EXAMPLE"),
            ("SIGNING", "-----BEGIN " + "EC PRIVATE KEY-----"),
            ("ANYTHING", "q7RtY2mXc9LpZ4vB8nKs"),
            ("DATABASE", '{"username": "billing_app", "password": "x"}'),
        ],
    )
    def test_says_where_a_secret_is_and_not_what(self, name: str, value: str) -> None:
        message = with_variable(name, value)
        assert message.endswith(f"looks like a secret: production_worker.aws_environment_variables.{name}")
        assert len(value) < 2 or value not in message

    def test_takes_no_arn_or_address_for_a_secret(self) -> None:
        assert secrets_in(outputs()) == []


class TestTheCommand:
    @pytest.fixture
    def settings(self, tmp_path: Path) -> Path:
        path = tmp_path / "zappa_settings.json"
        path.write_text(as_text(HELD), encoding="utf-8")
        return path

    def test_writes_a_file_of_its_own(self, settings: Path, tmp_path: Path) -> None:
        """The fixed part is committed, and stays as it is."""
        given = tmp_path / "outputs.json"
        given.write_text(json.dumps(outputs()))
        generated = fill_settings(environment="production", outputs=given, settings=settings, build=tmp_path / "build")
        expected = as_text(filled(settings=HELD, outputs=outputs(), environment="production"))
        assert generated == tmp_path / "build" / "zappa-production.json"
        assert generated.read_text(encoding="utf-8") == expected
        assert settings.read_text(encoding="utf-8") == as_text(HELD)
        assert [path.name for path in generated.parent.iterdir()] == ["zappa-production.json"]

    @pytest.mark.parametrize("text", ["", "[]", "{", json.dumps({"production": {}})])
    def test_leaves_the_filled_file_as_it_is_when_the_outputs_are_none(
        self, settings: Path, tmp_path: Path, text: str
    ) -> None:
        given, before = tmp_path / "outputs.json", tmp_path / "zappa-production.json"
        given.write_text(text)
        before.write_text("{}")
        with pytest.raises(UnableToShip):
            fill_settings(environment="production", outputs=given, settings=settings, build=tmp_path)
        assert before.read_text(encoding="utf-8") == "{}"
        assert {path.name for path in tmp_path.iterdir()} == {given.name, before.name, settings.name}

    def test_says_that_the_outputs_are_not_there(self, settings: Path, tmp_path: Path) -> None:
        with pytest.raises(UnableToShip, match="No such file"):
            fill_settings(environment="production", outputs=tmp_path / "none.json", settings=settings, build=tmp_path)
