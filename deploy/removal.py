"""`make destroy`: an environment taken down, in the order in which AWS lets go of it."""

import time
from typing import Any

from deploy.cloud import one_line_errors
from deploy.deployment import Site, the_site
from deploy.errors import UnableToShip
from deploy.releases import Releases
from deploy.steps import Steps, ask

STEPS = [
    "disconnect the functions, and let go of the database",
    "delete the API, the worker and the migrating function",
    "wait until Lambda has given their network interfaces back: 20 to 60 minutes",
    "empty the bucket of packages",
    "destroy what Terraform owns; RDS takes a final snapshot of the database",
]
MAX_INTERFACE_SECONDS = 90 * 60
_POLL_SECONDS = 30


def destroy(*, environment: str, confirmed: str | None) -> None:
    """Asks for the environment's name first. The database goes with a final snapshot, which stays.

    Safe to repeat after a cut-off. Raises UnableToShip for another name.
    """
    with the_site(environment) as site:
        steps = Steps(STEPS)
        steps.announce(
            f"Takes {site.variables.name} down, in the account {site.cloud.account}, {site.cloud.region}: all of it, "
            "for good. What stays is a final snapshot of the database, and for seven days the secrets."
        )
        ask("   This can't be taken back.", answer=site.variables.name, given=confirmed)
        steps.begin()
        plan = site.infrastructure.plan(functions_deployed="false", database_deletion_protection="false")
        site.infrastructure.apply(plan)
        settings = site.infrastructure.output("zappa_settings")
        site.write_settings()
        steps.begin()
        # Functions before their roles: with its role gone, Lambda can't give a network interface back.
        for stage in site.stages:
            site.functions.undeploy(stage)
        steps.begin()
        groups = [group for stage in settings.values() for group in stage["vpc_config"]["SecurityGroupIds"]]
        _wait_for_interfaces(site, steps, groups)
        steps.begin()
        releases = Releases(s3=site.cloud.client("s3"), bucket=settings[site.stages[0]]["s3_bucket"])
        steps.say(f"{releases.empty()} packages deleted")
        steps.begin()
        site.infrastructure.destroy(functions_deployed="false", database_deletion_protection="false")
        print(f"{site.variables.name} is gone. The state's bucket stays, for other environments.")


def _wait_for_interfaces(site: Site, steps: Steps, groups: list[str]) -> None:
    """Lambda's, in the functions' security groups: neither these nor the subnets can go before."""
    ec2 = site.cloud.client("ec2")
    for waited in range(0, MAX_INTERFACE_SECONDS, _POLL_SECONDS):
        left = _interfaces(ec2, groups)
        if not left:
            return
        if waited % 300 == 0:
            steps.say(f"{len(left)} are left after {waited // 60} minutes")
        time.sleep(_POLL_SECONDS)
    raise UnableToShip("Lambda still holds network interfaces: run the same command again later")


def _interfaces(ec2: Any, groups: list[str]) -> list[Any]:
    with one_line_errors():
        found: list[Any] = ec2.describe_network_interfaces(Filters=[{"Name": "group-id", "Values": groups}])[
            "NetworkInterfaces"
        ]
    return found
