"""Roles, secrets, logs, alarms and dashboard as the real provider made them, each looked at again when spoiled."""

import json
from collections import Counter
from typing import Any

import pytest

from tests.deploy.terraform.first_applies import Applied
from tests.deploy.terraform.moto_cloud import ACCOUNT
from tests.deploy.terraform.test_applied import NAME, QUEUE_ARN, seen_broken

WORKER_LOG = f"/aws/lambda/{NAME}-worker"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:{NAME}-alarms"


def statements(applied: Applied, role: str) -> list[dict[str, Any]]:
    """All that a role may do, with action and resource as lists."""
    client = applied.cloud.client("iam")
    assert client.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
    found = []
    for name in client.list_role_policies(RoleName=role)["PolicyNames"]:
        found += client.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]["Statement"]
    for statement in found:
        for key in ("Action", "Resource"):
            statement[key] = statement[key] if isinstance(statement[key], list) else [statement[key]]
    return found


class TestRoles:
    @pytest.mark.parametrize(
        ("duty", "services"),
        [
            ("api", {"lambda.amazonaws.com", "apigateway.amazonaws.com"}),
            ("worker", {"lambda.amazonaws.com"}),
            ("migrate", {"lambda.amazonaws.com"}),
            ("scheduler", {"scheduler.amazonaws.com"}),
        ],
    )
    def test_are_taken_by_their_services_alone(self, applied: Applied, duty: str, services: set[str]) -> None:
        client = applied.cloud.client("iam")
        role = f"{NAME}-{duty}"

        def check() -> None:
            [statement] = client.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]["Statement"]
            named = statement["Principal"]["Service"]
            assert set(named if isinstance(named, list) else [named]) == services

        check()
        anyone = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}
        policy = {"Version": "2012-10-17", "Statement": [anyone]}
        seen_broken(check, by=client.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(policy)))

    @pytest.mark.parametrize("duty", ["api", "worker", "migrate", "scheduler"])
    def test_name_what_they_may_touch(self, applied: Applied, duty: str) -> None:
        """Everywhere but where AWS knows no resource: a function's place in the VPC."""
        client = applied.cloud.client("iam")

        def check() -> None:
            allowed = [one for one in statements(applied, f"{NAME}-{duty}") if one["Effect"] == "Allow"]
            anywhere = {action for one in allowed if "*" in one["Resource"] for action in one["Action"]}
            assert {action for action in anywhere if not action.startswith("ec2:")} == set()
            assert {action for one in allowed for action in one["Action"] if "*" in action} == set()

        check()
        policy = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "sqs:DeleteMessage", "Resource": "*"}],
        }
        spoiled = client.put_role_policy(
            RoleName=f"{NAME}-{duty}", PolicyName="extra", PolicyDocument=json.dumps(policy)
        )
        seen_broken(check, by=spoiled)
        client.delete_role_policy(RoleName=f"{NAME}-{duty}", PolicyName="extra")

    @pytest.mark.parametrize(("duty", "reads"), [("api", False), ("worker", False), ("migrate", True)])
    def test_lead_to_the_owners_secret_for_the_migrating_function_alone(
        self, applied: Applied, duty: str, reads: bool
    ) -> None:
        def check() -> None:
            allowed = [one for one in statements(applied, f"{NAME}-{duty}") if one["Effect"] == "Allow"]
            secrets = {
                resource
                for one in allowed
                for resource in one["Resource"]
                if "secretsmanager:GetSecretValue" in one["Action"]
            }
            assert (applied.output["master_secret_arn"] in secrets) is reads
            assert applied.output["application_secret_arn"] in secrets

        check()
        client = applied.cloud.client("iam")
        statement = {
            "Effect": "Allow",
            "Action": "secretsmanager:GetSecretValue",
            "Resource": applied.output["master_secret_arn"],
        }
        client.put_role_policy(
            RoleName=f"{NAME}-{duty}",
            PolicyName="secrets",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )
        seen_broken(check, by="put_role_policy")

    def test_let_the_worker_alone_take_messages(self, applied: Applied) -> None:
        def check() -> None:
            takes = {
                duty: {
                    resource
                    for one in statements(applied, f"{NAME}-{duty}")
                    for resource in one["Resource"]
                    if "sqs:ReceiveMessage" in one["Action"]
                }
                for duty in ("api", "worker", "migrate", "scheduler")
            }
            assert takes == {
                "api": set(),
                "worker": {QUEUE_ARN, f"{QUEUE_ARN}-dlq"},
                "migrate": set(),
                "scheduler": set(),
            }

        check()
        client = applied.cloud.client("iam")
        policy = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "sqs:ReceiveMessage", "Resource": QUEUE_ARN}],
        }
        client.put_role_policy(RoleName=f"{NAME}-api", PolicyName="queue", PolicyDocument=json.dumps(policy))
        seen_broken(check, by="put_role_policy")


class TestSecrets:
    def test_have_values_that_no_state_holds(self, applied: Applied) -> None:
        client = applied.cloud.client("secretsmanager")
        arn = applied.output["application_secret_arn"]
        django = applied.output["zappa_settings"]["production"]["aws_environment_variables"]["DJANGO_SECRET_ARN"]
        state = (applied.terraform.folder / "terraform.tfstate").read_text()

        def check() -> None:
            value = json.loads(client.get_secret_value(SecretId=arn)["SecretString"])
            assert (value["username"], value["dbname"], value["port"]) == ("billing_app", "billing", 5432)
            key = json.loads(client.get_secret_value(SecretId=django)["SecretString"])["SECRET_KEY"]
            assert (len(value["password"]), len(key)) == (64, 64)
            assert key != value["password"]
            assert value["password"] not in state
            assert key not in state

        check()
        # The state has addresses, which are no secrets: one of them in a secret's place is found there.
        known = applied.output["master_secret_arn"][:64]
        value = json.loads(client.get_secret_value(SecretId=arn)["SecretString"])
        spoiled = client.put_secret_value(SecretId=arn, SecretString=json.dumps(value | {"password": known}))
        seen_broken(check, by=spoiled)
        client.put_secret_value(SecretId=arn, SecretString=json.dumps(value))
        check()
        seen_broken(check, by=client.put_secret_value(SecretId=django, SecretString=json.dumps({"SECRET_KEY": known})))

    def test_are_rotated_by_the_migrating_function(self, applied: Applied) -> None:
        client = applied.cloud.client("secretsmanager")

        def check() -> None:
            found = client.describe_secret(SecretId=applied.output["application_secret_arn"])
            assert found["RotationEnabled"] is True
            assert found["RotationLambdaARN"].endswith(f":function:{NAME}-migrate")
            assert found["RotationRules"]["AutomaticallyAfterDays"] == 30

        check()
        seen_broken(check, by=client.cancel_rotate_secret(SecretId=applied.output["application_secret_arn"]))

    def test_let_secrets_manager_of_this_account_call_it(self, applied: Applied) -> None:
        client = applied.cloud.client("lambda")
        function = f"{NAME}-migrate"

        def check() -> None:
            [statement] = json.loads(client.get_policy(FunctionName=function)["Policy"])["Statement"]
            assert statement["Principal"] == {"Service": "secretsmanager.amazonaws.com"}
            assert statement["Condition"]["StringEquals"]["AWS:SourceAccount"] == ACCOUNT

        check()
        [right] = json.loads(client.get_policy(FunctionName=function)["Policy"])["Statement"]
        client.remove_permission(FunctionName=function, StatementId=right["Sid"])
        anybodys = {"Action": "lambda:InvokeFunction", "Principal": "secretsmanager.amazonaws.com"}
        spoiled = client.add_permission(
            FunctionName=function, StatementId="another", SourceAccount="210987654321", **anybodys
        )
        seen_broken(check, by=spoiled)


class TestWatching:
    def test_keeps_logs_for_90_days(self, applied: Applied) -> None:
        client = applied.cloud.client("logs")

        def check() -> None:
            groups = client.describe_log_groups(logGroupNamePrefix="/aws/lambda/")["logGroups"]
            kept = {group["logGroupName"]: group.get("retentionInDays") for group in groups}
            assert kept == {f"/aws/lambda/{name}": 90 for name in applied.output["function_names"].values()}

        check()
        group = f"/aws/lambda/{NAME}-worker"
        seen_broken(check, by=client.delete_retention_policy(logGroupName=group))

    def test_sets_off_an_alarm_for_each_thing_that_must_be_known(self, applied: Applied) -> None:
        client = applied.cloud.client("cloudwatch")

        def check() -> None:
            alarms = client.describe_alarms(MaxRecords=100)["MetricAlarms"]
            names = {alarm["AlarmName"].removeprefix(f"{NAME}-") for alarm in alarms}
            of_functions = {
                f"{duty}-{what}" for duty in ("api", "worker", "migrate") for what in ("errors", "throttles")
            }
            assert names == of_functions | {
                *("dead-letters", "schedule-dead-letters", "oldest-message", "unexplained", "needs-review"),
                *("run-held", "not-taken", "sweep-missed", "reconcile-missed", "api-server-errors", "refused-entries"),
                *("database-cpu", "database-connections", "database-storage"),
            }
            assert Counter(tuple(alarm["AlarmActions"]) for alarm in alarms) == {(TOPIC,): 20}

        check()
        seen_broken(check, by=client.delete_alarms(AlarmNames=[f"{NAME}-unexplained"]))

    def test_sets_off_an_alarm_when_no_sweep_was_heard_of_for_26_hours(self, applied: Applied) -> None:
        client, logs = applied.cloud.client("cloudwatch"), applied.cloud.client("logs")

        def check() -> None:
            [alarm] = client.describe_alarms(AlarmNames=[f"{NAME}-sweep-missed"])["MetricAlarms"]
            [filled, counted] = sorted(alarm["Metrics"], key=lambda query: str(query["Id"]))
            assert (alarm["EvaluationPeriods"], alarm["DatapointsToAlarm"]) == (26, 26)
            assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 1)
            assert alarm["TreatMissingData"] == "breaching"
            assert (filled["Expression"], filled["ReturnData"]) == ("FILL(heard, 0)", True)
            assert (counted["Id"], counted["MetricStat"]["Period"], counted["MetricStat"]["Stat"]) == (
                "heard",
                3600,
                "SampleCount",
            )
            counters = logs.describe_metric_filters(filterNamePrefix=f"{NAME}-sweeps", logGroupName=WORKER_LOG)[
                "metricFilters"
            ]
            counts = [one for counter in counters for one in counter["metricTransformations"]]
            metric = counted["MetricStat"]["Metric"]
            written = [(one["metricNamespace"], one["metricName"], one["metricValue"]) for one in counts]
            assert written == [(metric["Namespace"], metric["MetricName"], "1")]

        check()
        spoiled = logs.put_metric_filter(
            logGroupName=WORKER_LOG,
            filterName=f"{NAME}-sweeps",
            filterPattern="",
            metricTransformations=[{"metricNamespace": "Elsewhere", "metricName": "sweeps", "metricValue": "1"}],
        )
        seen_broken(check, by=spoiled)

    def test_shows_both_queues_and_every_functions_errors(self, applied: Applied) -> None:
        client = applied.cloud.client("cloudwatch")

        def check() -> None:
            widgets = json.loads(client.get_dashboard(DashboardName=NAME)["DashboardBody"])["widgets"]
            shown = [tuple(metric[:4]) for one in widgets for metric in one["properties"].get("metrics", [])]
            for queue in (f"{NAME}-rebilling", f"{NAME}-rebilling-dlq"):
                for metric in ("ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"):
                    assert ("AWS/SQS", metric, "QueueName", queue) in shown
            own = {"due", "charged", "succeeded", "declined", "unknown", "parked", "needs_review", "unexplained"}
            assert {metric[1] for metric in shown if metric[0] == "Billing"} == own
            [table] = [one["properties"] for one in widgets if one["type"] == "log"]
            for name in applied.output["function_names"].values():
                assert f"SOURCE '/aws/lambda/{name}' |" in table["query"]
            assert 'filter level in ["ERROR", "CRITICAL"]' in table["query"]

        check()
        spoiled = client.put_dashboard(DashboardName=NAME, DashboardBody=json.dumps({"widgets": []}))
        seen_broken(check, by=spoiled)
