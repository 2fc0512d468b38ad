"""`make rollback`: the release before, on the database and the settings of now."""

from deploy.deployment import the_site
from deploy.environment import BUILD
from deploy.errors import UnableToShip
from deploy.steps import Steps, ask

STEPS = ["fetch the kept package", "put the API in place", "put the worker in place", "smoke test"]


def roll_back(*, environment: str, named: str | None, agreed: str | None) -> None:
    """Only code changes, in the order opposite to a release's. What was migrated stays: old code works on it.

    Raises UnableToShip without an earlier release, and for a package that today's settings don't fit.
    """
    with the_site(environment) as site:
        api, worker, _ = site.stages
        code = site.functions.code_of(api)
        if code is None:
            raise UnableToShip(f"{site.variables.name} isn't deployed")
        site.write_settings()
        releases = site.releases()
        release = releases.before(code, named=named)
        steps = Steps(STEPS)
        steps.announce(
            f"Rolls {site.variables.name} back to the release of {release.name} UTC"
            f"{f' ({release.commit})' if release.commit else ''}. Migrations stay, and so do settings."
        )
        ask("   ", answer="yes", given=agreed)
        steps.begin()
        package = BUILD / f"billing-{environment}-{release.name}.zip"
        releases.fetch(release, package)
        for stage in (api, worker):
            steps.begin()
            steps.say(site.functions.ship(stage, package))
        steps.begin()
        steps.say(site.smoke_test())
        print(f"{site.variables.name} runs the release of {release.name}. `make release` goes forward again.")
