"""`docs/deploy.md` from where Terraform has been applied to the first reconciliation.

The real zip is deployed by the real Zappa to a local AWS, and each invocation is handed to the deployed package with
the variables that were deployed.
"""

import datetime
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from deploy.__main__ import fill_settings
from localcloud.sqs.poller import Poller
from tests.deploy.aws_server import AwsServer, aws_server
from tests.deploy.runtime_api import Function
from tests.deploy.surroundings import HANDLER, StartFunction, http_event, needs_the_package
from tests.deploy.zappa_account import DUTIES, NAMES, Account, terraform_outputs
from tests.support.lambdas.environments import Cloud, cloud

pytestmark = needs_the_package
TODAY = datetime.datetime.now(datetime.UTC).date()
# Of the tests' own process, or of this machine: not Terraform's.
NOT_TERRAFORMS = {"HOME", "PATH", "PYTHONPATH", "PYTHONUTF8", "AWS_LAMBDA_FUNCTION_NAME"}


@dataclass
class Lambda:
    """Runs deployed functions: each starts with its first invocation, and has the variables it was deployed with."""

    aws: AwsServer
    start: StartFunction
    surroundings: dict[str, str]
    stack: ExitStack
    running: dict[str, Function] = field(default_factory=dict)

    def invoke(self, name: str, event: Any) -> tuple[Any, str]:
        function = self.running.get(name) or self._started(name)
        before = len(function.logged)
        answer = function.invoke(event)
        return answer, function.logged[before:]

    def _started(self, name: str) -> Function:
        found = self.aws.client("lambda").get_function_configuration(FunctionName=name)
        assert found["Handler"] == HANDLER
        variables = found["Environment"]["Variables"] | self.surroundings
        function = self.stack.enter_context(self.start(variables["FUNCTION_DUTY"], variables))
        function.wait_until_started()
        # Lambda throws an environment away that didn't start, and tries another with the next invocation.
        self.running[name] = function
        return function


@dataclass(frozen=True)
class Site:
    account: Account
    cloud: Cloud
    functions: Lambda

    def manage(self, stage: str, *command: str) -> str:
        return self.account.zappa("manage", stage, *command)

    def invoke(self, stage: str, event: Any) -> Any:
        """As `aws lambda invoke` does, or API Gateway, or a schedule."""
        answer = self.account.aws.client("lambda").invoke(FunctionName=NAMES[stage], Payload=json.dumps(event))
        payload = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, payload
        return payload

    def request(self, method: str, path: str, *, key: str, body: Any = None, once: str = "") -> Any:
        headers: dict[str, Any] = {"Authorization": f"Bearer {key}"} | ({"Idempotency_Key": once} if once else {})
        answer = self.invoke("production", http_event(method, path, body=body, **headers))
        assert answer["statusCode"] in {200, 201}, answer
        return json.loads(answer["body"])


@pytest.fixture(scope="module")
def deployed_site(
    tmp_path_factory: pytest.TempPathFactory, package: Path, start_function: StartFunction
) -> Iterator[Site]:
    """The three functions deployed, on a database that is empty."""
    folder = tmp_path_factory.mktemp("site")
    with aws_server() as aws, cloud(folder=folder) as made, ExitStack() as stack:
        outputs = terraform_outputs(aws)
        for stage, duty in DUTIES.items():
            variables = made.variables(duty)
            # The local PostgreSQL has no TLS, and clients have to be sent here: that is no setting of a deployment.
            local = {name for name in variables if name.startswith("AWS_")} | {"DATABASE_SSLMODE"} | NOT_TERRAFORMS
            outputs[stage]["aws_environment_variables"] = {n: v for n, v in variables.items() if n not in local}
        given = folder / "outputs.json"
        given.write_text(json.dumps(outputs))
        settings = fill_settings(environment="production", outputs=given, build=folder)
        account = Account(aws, outputs, settings)
        surroundings = {"AWS_ENDPOINT_URL": made.queue.endpoint.endpoint_url, "DATABASE_SSLMODE": "disable"}
        functions = Lambda(aws, start_function, surroundings, stack)
        aws.invoke = functions.invoke
        for stage in DUTIES:
            account.zappa("deploy", stage, "--zip", str(package))
        yield Site(account, made, functions)


@pytest.fixture(scope="module")
def site(deployed_site: Site) -> Site:
    """After the database was prepared. Before that nothing starts that would work on it."""
    early = deployed_site.account.attempt("manage", "production_worker", "reconcile")
    assert early.returncode != 0
    assert "the database can't be used" in early.stdout
    assert "The role billing_app was made" in deployed_site.manage("production_migrate", "prepare_database")
    half = deployed_site.account.attempt("manage", "production", "check")
    assert half.returncode != 0
    assert "migrations aren't applied" in half.stdout
    assert "Applying rebilling" in deployed_site.manage("production_migrate", "migrate --noinput")
    assert "No migrations to apply" in deployed_site.manage("production_migrate", "migrate --noinput")
    return deployed_site


class TestFirstReconciliation:
    def test_comes_of_the_steps_in_the_documentation(self, site: Site) -> None:
        key = self.a_key(site)
        account = self.an_account(site, key)
        assert account["status"] == "PENDING"

        # What the schedule sends, with its own time; then what Lambda's poller does; then the hourly schedule.
        site.invoke("production_worker", {"command": "sweep", "time": f"{TODAY.isoformat()}T04:00:00Z"})
        poller = Poller(
            client=site.cloud.queue.client,
            queue_url=site.cloud.queue.endpoint.queue_url,
            handler=lambda event, _: site.invoke("production_worker", event),
        )
        assert (poller.poll(wait_seconds=5).received, site.cloud.queue.on_its_way) == (1, 0)
        hourly = site.invoke("production_worker", {"command": "reconcile", "time": f"{TODAY.isoformat()}T05:00:00Z"})
        assert (hourly["runs"], hourly["unexplained"]) == (1, 0)

        (run,) = site.request("GET", "/v1/runs", key=key)["results"]
        assert (run["status"], run["as_of"]) == ("RECONCILED", TODAY.isoformat())
        assert run["charged"] == {"periods": 1, "amount_minor": {"USD": 1999}}
        assert run["unexplained"]["periods"] == 0
        reconciliation = site.manage("production_worker", f"reconcile {run['id']}")
        assert "RECONCILED" in reconciliation
        assert site.request("GET", f"/v1/accounts/{account['id']}", key=key)["status"] == "ACTIVE"

    @pytest.mark.parametrize(
        ("stage", "command"),
        [
            ("production", "migrate --noinput"),
            ("production_worker", "migrate --noinput"),
            ("production_migrate", "sweep --as-of 2026-01-01"),
            ("production", "shell"),
        ],
    )
    def test_a_function_runs_no_command_of_another(self, site: Site, stage: str, command: str) -> None:
        done = site.account.attempt("manage", stage, command)
        assert done.returncode != 0
        assert "UnroutedEvent" in done.stdout

    @pytest.mark.parametrize("stage", DUTIES)
    def test_zappa_invoke_runs_no_python(self, site: Site, stage: str) -> None:
        done = site.account.attempt("invoke", stage, "print(1)", "--raw")
        assert done.returncode != 0
        assert "UnroutedEvent" in done.stdout

    def test_no_log_holds_a_secret(self, site: Site) -> None:
        """Nor the API's key, though a command made it: it is in the answer alone."""
        key = self.a_key(site)
        secret = [site.cloud.application.value()["password"], site.cloud.owner.value()["password"], key]
        site.manage("production_worker", "reconcile")
        assert {*site.functions.running} == {*NAMES.values()}
        for function in site.functions.running.values():
            assert [value for value in secret if value in function.logged] == []

    def a_key(self, site: Site) -> str:
        scopes = ["accounts:read", "accounts:write", "ledger:read", "ledger:write", "runs:read"]
        line = "create_api_key first " + " ".join(f"--scope {scope}" for scope in scopes)
        output: str = site.invoke("production", {"manage": line})["output"]
        (key,) = [word for word in output.split() if word.startswith("sk_")]
        return key

    def an_account(self, site: Site, key: str) -> Any:
        plan = {
            "code": "team",
            "name": "Team",
            "currency": "USD",
            "unit_amount_minor": 1999,
            "interval_count": 1,
            "interval_unit": "month",
        }
        site.request("POST", "/v1/plans", key=key, body=plan, once="plan")
        body = {"name": "Ada", "email": "ada@example.com", "plan": "team", "billing": "next_sweep"}
        body["anchor_date"] = TODAY.isoformat()
        return site.request("POST", "/v1/accounts", key=key, body=body, once="account")
