"""`terraform test` on a mocked provider passes, and fails on copies that are broken in the ways that matter."""

import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.deploy.terraform.breaks import broken_by
from tests.deploy.terraform.broken_copies import BROKEN
from tests.deploy.terraform.terraform_command import CONFIGURATION, Terraform, copied

CONCERNS = sorted({*BROKEN, "variables"})
Runs = dict[str, "Future[list[str]]"]


def failures_of_the_broken(concern: str, broken: Terraform) -> list[str]:
    for each in BROKEN[concern]:
        broken_by(each, folder=broken.folder)
    return broken.failed_assertions(f"-filter=tests/{concern}.tftest.hcl")


@pytest.fixture(scope="session")
def runs(terraform: Terraform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Runs]]:
    """What fails, by concern, in the configuration as it is and in a broken copy: two runs at a time."""
    folder = tmp_path_factory.mktemp("broken")
    with ThreadPoolExecutor(max_workers=2) as pool:
        as_it_is = {
            name: pool.submit(terraform.failed_assertions, f"-filter=tests/{name}.tftest.hcl") for name in CONCERNS
        }
        broken = {
            name: pool.submit(failures_of_the_broken, name, copied(terraform=terraform, folder=folder / name))
            for name in BROKEN
        }
        yield {"as it is": as_it_is, "broken": broken}
        pool.shutdown(cancel_futures=True)


class TestMocked:
    @pytest.mark.parametrize("concern", CONCERNS)
    def test_passes(self, runs: dict[str, Runs], concern: str) -> None:
        assert runs["as it is"][concern].result() == []

    @pytest.mark.parametrize("concern", sorted(BROKEN))
    def test_fails_on_a_broken_copy_just_where_it_is_broken(self, runs: dict[str, Runs], concern: str) -> None:
        """All breaks of a concern in one copy: each fails the assertions meant to catch it, and nothing else fails."""
        expected = sorted(message for each in BROKEN[concern] for message in each.caught_by)
        assert runs["broken"][concern].result() == expected

    @pytest.mark.parametrize("concern", CONCERNS)
    def test_has_no_assertion_that_was_never_seen_to_fail(self, concern: str) -> None:
        """One that can't fail proves nothing: each is caught in a broken copy, and by its own words."""
        text = (CONFIGURATION / "tests" / f"{concern}.tftest.hcl").read_text()
        messages = Counter(re.findall(r'^ +error_message += "(.+)"$', text, re.MULTILINE))
        assert messages.total() == len(re.findall(r"^ *assert \{$", text, re.MULTILINE))
        assert max(messages.values(), default=1) == 1
        caught = {message for each in BROKEN.get(concern, []) for message in each.caught_by}
        assert messages.keys() - caught == set()
        # A missing refusal is reported with what should have refused.
        refusing = re.findall(r"expect_failures = \[(.+?)\]", text, re.DOTALL) if concern in BROKEN else []
        expected = {name.strip() for names in refusing for name in names.split(",") if name.strip()}
        assert {name for name in expected if not any(f" {name}, " in message for message in caught)} == set()

    def test_has_no_file_that_is_not_run_here(self, terraform: Terraform) -> None:
        files = {path.name.removesuffix(".tftest.hcl") for path in (terraform.folder / "tests").glob("*.tftest.hcl")}
        assert files == set(CONCERNS)
