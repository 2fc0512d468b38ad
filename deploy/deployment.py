"""`make deploy` and `make release`: from the sources to an environment that bills. Safe to repeat after each step."""

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.cloud import Cloud, one_line_errors, the_cloud
from deploy.deployment_lock import the_clone_to_ourselves, the_environment_to_ourselves
from deploy.environment import BUILD
from deploy.errors import UnableToShip
from deploy.functions import Functions
from deploy.infrastructure import Infrastructure, Plan
from deploy.package import make_package
from deploy.quota import check_quota
from deploy.releases import Releases
from deploy.settings_files import generated_settings, write_generated
from deploy.smoke_test import first_sweep, smoke_test
from deploy.state_bucket import state_bucket
from deploy.steps import Steps, ask
from deploy.target import read_settings
from deploy.variables import Variables, read_variables
from deploy.zappa_settings import stages_of

STEPS = [
    "make the package",
    "make or change what Terraform owns",
    "write Zappa's settings",
    "put the migrating function in place",
    "make the application's database role",
    "migrate the database",
    "put the worker in place",
    "put the API in place",
    "sweep and reconcile for the first time, where nothing is due",
    "connect the schedules, the queue and the rotation",
    "smoke test: the API's health, and a reconciliation",
]


@dataclass(frozen=True, kw_only=True)
class Site:
    """An environment, with the lock on it."""

    variables: Variables
    cloud: Cloud
    infrastructure: Infrastructure
    functions: Functions

    @property
    def stages(self) -> tuple[str, str, str]:
        """The API's, the worker's and the migrating function's."""
        api, worker, migrate = stages_of(self.variables.environment)
        return api, worker, migrate

    def releases(self) -> Releases:
        bucket = read_settings(generated_settings(self.variables.environment))[self.stages[0]]["s3_bucket"]
        return Releases(s3=self.cloud.client("s3"), bucket=bucket)

    def worker_variables(self) -> dict[str, str]:
        settings = read_settings(generated_settings(self.variables.environment))
        held: dict[str, str] = settings[self.stages[1]]["aws_environment_variables"]
        return held

    def write_settings(self) -> None:
        write_generated(environment=self.variables.environment, outputs=self.infrastructure.output("zappa_settings"))

    def address(self) -> str:
        """Where the API answers that it is well: at its host name, or at its own address."""
        named = self.infrastructure.output("api_domain")
        if named is not None:
            return f"https://{named['name']}/healthz"
        api = self.stages[0]
        return f"https://{self.functions.api_address(api)}/{api}/healthz"

    def smoke_test(self) -> str:
        api, worker, _ = self.stages
        return smoke_test(
            functions=self.functions,
            api=api,
            worker=worker,
            variables=self.worker_variables(),
            address=self.address(),
        )


@contextmanager
def the_site(environment: str) -> Iterator[Site]:
    """An environment to oneself, with its state. Raises UnableToShip for what keeps it from being worked on."""
    variables = read_variables(environment=environment)
    log = BUILD / f"deployment-{environment}.log"
    with the_clone_to_ourselves():
        log.unlink(missing_ok=True)
        cloud = the_cloud(variables)
        bucket = state_bucket(cloud=cloud)
        s3 = cloud.client("s3")
        with the_environment_to_ourselves(s3=s3, bucket=bucket, name=f"{variables.project}/{environment}"):
            infrastructure = Infrastructure(variables=variables, log=log)
            infrastructure.initialize()
            settings = generated_settings(environment)
            functions = Functions(cloud=cloud, project=variables.project, settings=settings, log=log)
            yield Site(variables=variables, cloud=cloud, infrastructure=infrastructure, functions=functions)


def deploy(*, environment: str, agreed: str | None, again: bool, now: datetime.datetime) -> None:
    """From the package to the first reconciliation. `again` is a new release of what is deployed already.

    `agreed` is the answer to the question before Terraform's plan is applied; None asks. Raises UnableToShip.
    """
    with the_site(environment) as site:
        connected = site.infrastructure.is_connected()
        if again and not connected:
            raise UnableToShip(f"{site.variables.name} isn't connected yet: make deploy ENVIRONMENT={environment}")
        with one_line_errors():
            check_quota(lambda_client=site.cloud.client("lambda"), variables=site.variables)
        steps = Steps(STEPS)
        what = "Releases this clone to" if again else "Deploys"
        steps.announce(
            f"{what} {site.variables.name} in the account {site.cloud.account}, {site.cloud.region}. "
            f"It is safe to repeat, and goes on where it was cut off."
        )
        package = _package(steps, site)
        _apply(steps, site, connected=connected, agreed=agreed)
        _put_in_place(steps, site, package, now=now)
        _connect(steps, site, connected=connected, now=now)
        steps.begin()
        steps.say(site.smoke_test())
        print(f"{site.variables.name} is deployed.")


def _package(steps: Steps, site: Site) -> Path:
    steps.begin()
    variables = site.variables
    extras = ["stripe"] if ".stripe." in variables.payment_gateway else []
    return make_package(
        environment=variables.environment, extras=extras, known={"aws_region": variables.region}, unless_made=True
    )


def _apply(steps: Steps, site: Site, *, connected: bool, agreed: str | None) -> None:
    """Before the functions are there nothing is connected to them. What was connected stays so, if that is wanted."""
    steps.begin()
    plan = site.infrastructure.plan(functions_deployed=str(connected and site.variables.connect).lower())
    steps.say(plan.summary())
    if plan.changes:
        _agree(plan, steps=steps, site=site, agreed=agreed)
        site.infrastructure.apply(plan)


def _agree(plan: Plan, *, steps: Steps, site: Site, agreed: str | None) -> None:
    if plan.takes_data_away:
        raise UnableToShip(
            f"the plan takes away what holds data: {', '.join(plan.takes_data_away)}. If that is meant, apply it by "
            f"hand: terraform -chdir=terraform apply {plan.file}"
        )
    steps.say(f"All of the plan: terraform -chdir=terraform show {plan.file}")
    steps.say(_cost(plan, site))
    ask("    Apply it?", answer="yes", given=agreed)


def _cost(plan: Plan, site: Site) -> str:
    if plan.cost is None:
        return f"What {site.variables.name} costs isn't known: the database's class has no price in terraform/costs.tf."
    return (
        f"{site.variables.name} then costs about {plan.cost:.2f} USD a month while nobody is billed, by the list "
        "prices of us-east-1 (docs/costs.md)."
    )


def _put_in_place(steps: Steps, site: Site, package: Path, *, now: datetime.datetime) -> None:
    """The new migrating function migrates while the release before still works; then the others are updated."""
    api, worker, migrate = site.stages
    steps.begin()
    site.write_settings()
    site.releases().keep(package, now=now)
    steps.begin()
    steps.say(site.functions.ship(migrate, package))
    steps.begin()
    steps.say(site.functions.manage(migrate, "prepare_database"))
    steps.begin()
    steps.say(_end_of(site.functions.manage(migrate, "migrate --noinput")))
    for stage in (worker, api):
        steps.begin()
        steps.say(site.functions.ship(stage, package))


def _connect(steps: Steps, site: Site, *, connected: bool, now: datetime.datetime) -> None:
    done = "done before" if connected else "" if site.variables.connect else "not done: functions_deployed is false"
    steps.begin()
    if done:
        steps.say(done)
    else:
        worker = site.stages[1]
        steps.say(first_sweep(functions=site.functions, worker=worker, variables=site.worker_variables(), now=now))
    steps.begin()
    if done:
        steps.say(done)
        return
    plan = site.infrastructure.plan(functions_deployed="true")
    steps.say(plan.summary())
    site.infrastructure.apply(plan)


def _end_of(printed: str, *, max_lines: int = 5) -> str:
    return "\n".join(line.strip() for line in printed.strip().splitlines()[-max_lines:])
