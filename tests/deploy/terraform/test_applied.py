"""What the real provider made of it on a moto server, read back with boto3.

Each test looks twice: first at what was applied, then at the same after it was spoiled. What doesn't see the second
proves nothing by the first. Tests spoil different things, and none what another looks at.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.deploy.terraform.first_applies import Applied
from tests.deploy.terraform.moto_cloud import ACCOUNT
from tests.deploy.terraform.terraform_command import TerraformFailed

NAME = "billing-production"
QUEUE_ARN = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{NAME}-rebilling"
ALL_MAY = json.dumps({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Condition": {}}]})


def seen_broken(check: Callable[[], None], *, by: object) -> None:
    """`by` is the spoiling call, already made."""
    assert by is not None
    with pytest.raises(AssertionError):
        check()


class TestOrder:
    def test_connects_nothing_before_the_functions_are_there(self, applied: Applied) -> None:
        assert applied.connected_at_first == []
        assert len(applied.cloud.client("scheduler").list_schedules()["Schedules"]) == 2
        assert len(applied.cloud.client("lambda").list_event_source_mappings()["EventSourceMappings"]) == 1

    def test_has_nothing_more_to_do_after_the_second_apply(self, applied: Applied) -> None:
        """But for what moto doesn't keep: which parameters are ours, and how a queue's policies were written."""
        changes = {address for address, change in applied.terraform.planned().items() if change["actions"] != ["no-op"]}
        assert changes <= {"aws_db_parameter_group.main", "aws_sqs_queue.rebilling", "aws_sqs_queue.dead_letters"}

    def test_takes_no_other_environments_variables(self, applied: Applied) -> None:
        with pytest.raises(TerraformFailed) as refused:
            applied.terraform.run("plan", "-parallelism=30", "-var=environment=staging")
        said = " ".join(str(refused.value).split())
        assert (
            "This is the state of billing-production in us-east-1, and these are the variables of billing-sta" in said
        )
        assert said.count("Error: ") == 1


class TestQueue:
    def attributes(self, applied: Applied, url: str) -> dict[str, str]:
        found = applied.cloud.client("sqs").get_queue_attributes(QueueUrl=applied.output[url], AttributeNames=["All"])
        attributes: dict[str, str] = found["Attributes"]
        return attributes

    def test_redrives_after_five_receives(self, applied: Applied) -> None:
        def check() -> None:
            redrive = json.loads(self.attributes(applied, "queue_url")["RedrivePolicy"])
            assert redrive == {"deadLetterTargetArn": f"{QUEUE_ARN}-dlq", "maxReceiveCount": 5}

        check()
        spoiled = json.dumps({"deadLetterTargetArn": f"{QUEUE_ARN}-dlq", "maxReceiveCount": 1})
        client = applied.cloud.client("sqs")
        url = applied.output["queue_url"]
        seen_broken(check, by=client.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": spoiled}))

    def test_hides_a_message_for_six_times_the_workers_timeout(self, applied: Applied) -> None:
        def check() -> None:
            assert self.attributes(applied, "queue_url")["VisibilityTimeout"] == "1800"

        check()
        client = applied.cloud.client("sqs")
        url = applied.output["queue_url"]
        seen_broken(check, by=client.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "30"}))

    def test_keeps_dead_letters_for_two_weeks_encrypted_and_by_tls_alone(self, applied: Applied) -> None:
        def check() -> None:
            attributes = self.attributes(applied, "dead_letter_queue_url")
            assert attributes["MessageRetentionPeriod"] == "1209600"
            assert attributes["SqsManagedSseEnabled"] == "true"
            statement = json.loads(attributes["Policy"])["Statement"][0]
            assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})

        check()
        client = applied.cloud.client("sqs")
        url = applied.output["dead_letter_queue_url"]
        spoiled = {"MessageRetentionPeriod": "60", "SqsManagedSseEnabled": "false", "Policy": ALL_MAY}
        found = self.attributes(applied, "dead_letter_queue_url")
        right = {name: found[name] for name in spoiled}
        for name, bad in spoiled.items():
            # All of them each time: moto forgets a policy that isn't repeated.
            seen_broken(check, by=client.set_queue_attributes(QueueUrl=url, Attributes=right | {name: bad}))
        client.set_queue_attributes(QueueUrl=url, Attributes=right)
        check()

    def test_feeds_the_worker_and_takes_partial_failures(self, applied: Applied) -> None:
        client = applied.cloud.client("lambda")

        def mapping() -> dict[str, Any]:
            found: dict[str, Any] = client.list_event_source_mappings()["EventSourceMappings"][0]
            return found

        def check() -> None:
            assert mapping()["EventSourceArn"] == QUEUE_ARN
            assert mapping()["FunctionArn"].endswith(f":function:{NAME}-worker")
            assert mapping()["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
            assert mapping()["ScalingConfig"] == {"MaximumConcurrency": 8}
            assert mapping()["BatchSize"] == 2

        check()
        spoiled = client.update_event_source_mapping(UUID=mapping()["UUID"], FunctionResponseTypes=[], BatchSize=10)
        seen_broken(check, by=spoiled)


class TestSchedules:
    @pytest.mark.parametrize(
        ("name", "expression", "age", "retries"),
        [("sweep", "cron(0 4 * * ? *)", 21600, 60), ("reconcile", "cron(20 * * * ? *)", 1800, 10)],
    )
    def test_start_the_worker_in_the_billing_time_zone(
        self, applied: Applied, name: str, expression: str, age: int, retries: int
    ) -> None:
        client = applied.cloud.client("scheduler")

        def check() -> None:
            schedule = client.get_schedule(Name=name, GroupName=NAME)
            target = schedule["Target"]
            assert (schedule["ScheduleExpression"], schedule["ScheduleExpressionTimezone"]) == (
                expression,
                "Europe/Berlin",
            )
            assert (schedule["FlexibleTimeWindow"], schedule["State"]) == ({"Mode": "OFF"}, "ENABLED")
            assert target["Arn"].endswith(f":function:{NAME}-worker")
            # Letter by letter: Scheduler fills in what stands between < and >, and knows no escapes.
            assert target["Input"] == f'{{"command": "{name}", "time": "<aws.scheduler.scheduled-time>"}}'
            assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": age, "MaximumRetryAttempts": retries}
            assert target["DeadLetterConfig"] == {"Arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:{NAME}-schedule-dlq"}
            assert target["RoleArn"] == f"arn:aws:iam::{ACCOUNT}:role/{NAME}-scheduler"

        check()
        schedule = client.get_schedule(Name=name, GroupName=NAME)
        schedule["Target"]["Input"] = json.dumps({"command": name})
        kept = (
            "State",
            "Name",
            "GroupName",
            "ScheduleExpression",
            "ScheduleExpressionTimezone",
            "FlexibleTimeWindow",
            "Target",
        )
        seen_broken(check, by=client.update_schedule(**{key: schedule[key] for key in kept}))

    def test_that_the_worker_fails_at_are_kept(self, applied: Applied) -> None:
        client = applied.cloud.client("lambda")

        def check() -> None:
            configs = client.list_function_event_invoke_configs(FunctionName=f"{NAME}-worker")
            assert len(configs["FunctionEventInvokeConfigs"]) == 1
            [found] = configs["FunctionEventInvokeConfigs"]
            kept = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{NAME}-schedule-dlq"
            assert found["DestinationConfig"]["OnFailure"] == {"Destination": kept}
            assert (found["MaximumRetryAttempts"], found["MaximumEventAgeInSeconds"]) == (2, 21600)

        check()
        spoiled = client.delete_function_event_invoke_config(FunctionName=f"{NAME}-worker")
        seen_broken(check, by=spoiled)


class TestNetwork:
    def groups(self, applied: Applied) -> list[dict[str, Any]]:
        subnet = applied.output["zappa_settings"]["production"]["vpc_config"]["SubnetIds"][0]
        client = applied.cloud.client("ec2")
        vpc = client.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["VpcId"]
        filters = [{"Name": "vpc-id", "Values": [vpc]}]
        groups: list[dict[str, Any]] = client.describe_security_groups(Filters=filters)["SecurityGroups"]
        return groups

    def test_has_no_rule_with_an_address(self, applied: Applied) -> None:
        def check() -> None:
            groups = self.groups(applied)
            rules = [rule for group in groups for rule in [*group["IpPermissions"], *group["IpPermissionsEgress"]]]
            assert len(groups) == 7
            # To and from the database 3 each, and the endpoints 5 each.
            assert sum(len(rule["UserIdGroupPairs"]) + len(rule["PrefixListIds"]) for rule in rules) == 16
            assert [rule for rule in rules if rule["IpRanges"] or rule["Ipv6Ranges"]] == []

        check()
        rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        group = next(group for group in self.groups(applied) if group["GroupName"] == f"{NAME}-endpoint-sqs")
        client = applied.cloud.client("ec2")
        seen_broken(check, by=client.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[rule]))

    def test_lets_the_three_functions_to_the_database(self, applied: Applied) -> None:
        def check() -> None:
            names = {group["GroupId"]: group["GroupName"] for group in self.groups(applied)}
            database = next(group for group in self.groups(applied) if group["GroupName"] == f"{NAME}-database")
            lets_in = {
                (names[pair["GroupId"]], rule["FromPort"], rule["ToPort"])
                for rule in database["IpPermissions"]
                for pair in rule["UserIdGroupPairs"]
            }
            assert lets_in == {(f"{NAME}-{duty}", 5432, 5432) for duty in ("api", "worker", "migrate")}
            assert database["IpPermissionsEgress"] == []

        check()
        database = next(group for group in self.groups(applied) if group["GroupName"] == f"{NAME}-database")
        pair = [{"GroupId": database["GroupId"]}]
        rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "UserIdGroupPairs": pair}
        client = applied.cloud.client("ec2")
        seen_broken(
            check, by=client.authorize_security_group_ingress(GroupId=database["GroupId"], IpPermissions=[rule])
        )

    def test_has_the_two_endpoints_for_our_own_roles_alone(self, applied: Applied) -> None:
        client = applied.cloud.client("ec2")

        def endpoints() -> dict[str, dict[str, Any]]:
            return {one["ServiceName"]: one for one in client.describe_vpc_endpoints()["VpcEndpoints"]}

        def check() -> None:
            found = endpoints()
            prefix = "com.amazonaws.us-east-1."
            kinds = {service.removeprefix(prefix): one["VpcEndpointType"] for service, one in found.items()}
            assert kinds == {"sqs": "Interface", "secretsmanager": "Interface"}
            roles = {f"arn:aws:iam::{ACCOUNT}:role/{NAME}-{duty}" for duty in ("api", "worker", "migrate")}
            for service, one in found.items():
                for statement in json.loads(one["PolicyDocument"])["Statement"]:
                    admitted = statement["Condition"]["ArnEquals"]["aws:PrincipalArn"]
                    assert set(admitted if isinstance(admitted, list) else [admitted]) <= roles, service
            for service in ("sqs", "secretsmanager"):
                assert len(found[prefix + service]["SubnetIds"]) == 2
                assert found[prefix + service]["PrivateDnsEnabled"] is True

        check()
        statement = {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "*",
            "Resource": "*",
            "Condition": {"ArnEquals": {"aws:PrincipalArn": "*"}},
        }
        client.modify_vpc_endpoint(
            VpcEndpointId=endpoints()["com.amazonaws.us-east-1.sqs"]["VpcEndpointId"],
            PolicyDocument=json.dumps({"Statement": [statement]}),
        )
        seen_broken(check, by="modify_vpc_endpoint")

    def test_has_no_way_to_the_internet(self, applied: Applied) -> None:
        client = applied.cloud.client("ec2")

        def check() -> None:
            subnets = applied.output["zappa_settings"]["production"]["vpc_config"]["SubnetIds"]
            filters = [{"Name": "association.subnet-id", "Values": subnets}]
            tables = client.describe_route_tables(Filters=filters)["RouteTables"]
            assert len(tables) == 2
            ways = [route.get("DestinationCidrBlock") for table in tables for route in table["Routes"]]
            assert "0.0.0.0/0" not in ways
            assert client.describe_nat_gateways()["NatGateways"] == []
            own = [gateway for gateway in client.describe_internet_gateways()["InternetGateways"] if gateway["Tags"]]
            assert own == []

        check()
        tags = [{"ResourceType": "internet-gateway", "Tags": [{"Key": "Name", "Value": "by hand"}]}]
        seen_broken(check, by=client.create_internet_gateway(TagSpecifications=tags))
