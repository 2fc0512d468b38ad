import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.deploy.terraform.first_applies import Applied, apply_in_two_steps
from tests.deploy.terraform.moto_cloud import Cloud, moto_cloud
from tests.deploy.terraform.terraform_command import Terraform, Unavailable, copied, initialized

Copy = Callable[[str], Terraform]


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """The configuration, initialized in a folder of its own. Without Terraform: skipped; where CI is set, failed."""
    try:
        return initialized(folder=tmp_path_factory.mktemp("terraform") / "configuration")
    except Unavailable as reason:
        if os.environ.get("CI"):
            pytest.fail(f"CI must not skip this: {reason}")
        pytest.skip(f"NOT TESTED, Terraform is missing: {reason}")


@pytest.fixture
def copy_of(terraform: Terraform, tmp_path: Path) -> Copy:
    """Makes further copies, by name, to break."""

    def copy(name: str) -> Terraform:
        return copied(terraform=terraform, folder=tmp_path / name)

    return copy


@pytest.fixture(scope="session")
def applying(terraform: Terraform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Future[Applied]]:
    """Both applies on an empty account. The provider mostly waits, so other tests go on meanwhile."""
    folder = tmp_path_factory.mktemp("applied") / "configuration"
    with moto_cloud() as cloud, ThreadPoolExecutor(max_workers=1) as pool:
        applied = copied(terraform=terraform, folder=folder, endpoint=cloud.endpoint)
        yield pool.submit(apply_in_two_steps, terraform=applied, cloud=cloud)


@pytest.fixture(scope="session", autouse=True)
def _applying_from_the_start(request: pytest.FixtureRequest) -> None:
    if any("applied" in getattr(item, "fixturenames", ()) for item in request.session.items):
        request.getfixturevalue("applying")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits for the applies comes last."""
    items.sort(key=lambda item: "applied" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def applied(applying: Future[Applied]) -> Applied:
    return applying.result()


@pytest.fixture
def empty_cloud() -> Iterator[Cloud]:
    with moto_cloud() as cloud:
        yield cloud
