"""With RDS's bundle in the clone the package holds it, and its functions verify the database by it.

The bundle here is of an authority made for the occasion, as is the server that it signed for.
"""

import base64
import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from billing_site.database.authorities import BUNDLE
from deploy.__main__ import fill_settings
from deploy.environment import BUILD, TASK_ROOT
from tests.deploy.aws_server import aws_server
from tests.deploy.runtime_api import FunctionError
from tests.deploy.surroundings import StartFunction, http_event, needs_the_package, starter
from tests.deploy.zappa_account import Account, terraform_outputs
from tests.support.lambdas.environments import Cloud, cloud
from tests.support.lambdas.password_server import HOST
from tests.support.lambdas.tls import Certificate, a_certificate, tls_in_front_of
from tests.support.project_files import ROOT, all_files

pytestmark = needs_the_package
# Of the tests' own process, and of a server without TLS.
NOT_THE_FUNCTIONS = {"HOME", "PATH", "PYTHONPATH", "PYTHONUTF8", "AWS_LAMBDA_FUNCTION_NAME", "DATABASE_SSLMODE"}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return a_certificate(folder=tmp_path_factory.mktemp("own") / "authority")


@pytest.fixture(scope="module")
def account(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """A clone whose settings Terraform filled so that the database is verified. It has no bundle yet."""
    clone = tmp_path_factory.mktemp("clone") / "billing"
    for path in all_files():
        if path != Path(BUNDLE):
            (clone / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, clone / path)
    # What the package was made with is made.
    (clone / "build").mkdir()
    (clone / "build" / "environment").symlink_to(BUILD / "environment")
    with aws_server() as aws:
        outputs = terraform_outputs(aws)
        for settings in outputs.values():
            settings["aws_environment_variables"]["DATABASE_SSLROOTCERT"] = f"{TASK_ROOT}/{BUNDLE}"
        given = clone.parent / "outputs.json"
        given.write_text(json.dumps(outputs))
        filled = fill_settings(environment="production", outputs=given, build=clone / "build")
        yield Account(aws, outputs, filled, clone)


def make_package(clone: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "deploy", "package"],
        cwd=clone,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=180,
        check=False,
    )


@pytest.fixture(scope="module")
def refused(account: Account) -> str:
    """What `make package` says while there is no bundle."""
    done = make_package(account.clone)
    assert done.returncode != 0
    assert list((account.clone / "build").glob("*.zip")) == []
    return done.stdout


@pytest.fixture(scope="module")
def verifying(account: Account, refused: str, own: Certificate) -> Path:
    """The package that it makes when there is one."""
    (account.clone / BUNDLE).parent.mkdir()
    shutil.copy(own.file, account.clone / BUNDLE)
    done = make_package(account.clone)
    assert done.returncode == 0, done.stdout
    return account.clone / "build" / "billing-production.zip"


@dataclass(frozen=True)
class Site:
    """The functions of the package, which look for the bundle where the package was unpacked."""

    cloud: Cloud
    task_root: Path
    start: StartFunction

    def variables(self, duty: str, *, port: int, **more: str) -> dict[str, str]:
        found = self.cloud.variables(duty, DATABASE_HOST="localhost", DATABASE_PORT=str(port))
        found["DATABASE_SSLROOTCERT"] = str(self.task_root / BUNDLE)
        return {name: value for name, value in found.items() if name not in NOT_THE_FUNCTIONS} | more

    def refusal(self, duty: str, *, port: int, **more: str) -> str:
        with self.start(duty, self.variables(duty, port=port, **more)) as function:
            with pytest.raises(FunctionError) as raised:
                function.wait_until_started()
            assert function.logged.count('"start.refused"') == 1
        return raised.value.message


@pytest.fixture(scope="module")
def site(
    verifying: Path, runtime_client: Path, bare_python: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    task_root = tmp_path_factory.mktemp("verifying")
    with zipfile.ZipFile(verifying) as zipped:
        zipped.extractall(task_root)
    logs = tmp_path_factory.mktemp("logs")
    start = starter(task_root=task_root, runtime_client=runtime_client, bare_python=bare_python, logs=logs)
    with cloud(folder=tmp_path_factory.mktemp("cloud")) as made:
        yield Site(made, task_root, start)


@pytest.fixture(scope="module")
def port(site: Site, own: Certificate) -> Iterator[int]:
    """Of the database, after the migrating function has set it up."""
    with tls_in_front_of(port=site.cloud.server.port, certificate=own) as port:
        with site.start("migrate", site.variables("migrate", port=port)) as migrate:
            assert "was made" in migrate.invoke({"manage": "prepare_database"})["output"]
            migrate.invoke({"manage": "migrate --noinput -v0"})
        yield port


class TestPackage:
    def test_is_refused_without_the_bundle_that_its_settings_name(self, refused: str) -> None:
        assert "DATABASE_SSLROOTCERT needs certificates/rds.pem: download it (docs/deploy.md) and make the" in refused
        assert "zipped" not in refused, "it was made all the same"

    def test_holds_the_bundle_as_it_was_downloaded(self, verifying: Path, own: Certificate) -> None:
        with zipfile.ZipFile(verifying) as package:
            assert [name for name in package.namelist() if name.startswith("certificates")] == [BUNDLE]
            assert package.read(BUNDLE) == own.file.read_bytes()

    def test_is_the_same_that_zappa_batches_by_itself(self, account: Account, verifying: Path) -> None:
        assert "Deployment complete" in account.zappa("deploy", "production")
        deployed = account.configuration("production")
        assert deployed["CodeSha256"] == base64.b64encode(hashlib.sha256(verifying.read_bytes()).digest()).decode()
        assert deployed["Environment"]["Variables"]["DATABASE_SSLROOTCERT"] == "/var/task/certificates/rds.pem"

    def test_that_was_made_before_is_refused_beside_those_settings(
        self, account: Account, verifying: Path, tmp_path: Path
    ) -> None:
        before = tmp_path / "before.zip"
        with zipfile.ZipFile(verifying) as package, zipfile.ZipFile(before, "w", zipfile.ZIP_DEFLATED) as written:
            for name in {*package.namelist()} - {BUNDLE}:
                written.writestr(name, package.read(name))
        done = account.attempt("deploy", "production_worker", "--zip", str(before))
        assert done.returncode != 0
        assert "DATABASE_SSLROOTCERT needs certificates/rds.pem" in done.stdout


class TestFunctions:
    def test_work_on_a_database_that_they_verified(self, site: Site, port: int) -> None:
        with site.start("api", site.variables("api", port=port)) as api:
            assert api.invoke(http_event("GET", "/healthz"))["statusCode"] == 200
        with site.start("worker", site.variables("worker", port=port)) as worker:
            assert worker.invoke({"command": "reconcile", "time": "2026-01-01T07:00:00Z"})["unexplained"] == 0

    @pytest.mark.parametrize("duty", ["api", "worker"])
    def test_refuse_to_start_on_one_of_another_authority(
        self, site: Site, port: int, tmp_path: Path, duty: str
    ) -> None:
        other = a_certificate(folder=tmp_path / "other")
        with tls_in_front_of(port=site.cloud.server.port, certificate=other) as strange:
            assert "certificate verify failed: download RDS's bundle anew" in site.refusal(duty, port=strange)

    @pytest.mark.parametrize("duty", ["api", "worker"])
    def test_refuse_to_start_on_one_of_another_name(self, site: Site, port: int, duty: str) -> None:
        message = site.refusal(duty, port=port, DATABASE_HOST=HOST)
        assert 'does not match host name "127.0.0.1": download RDS\'s bundle anew' in message

    @pytest.mark.parametrize("duty", ["api", "worker", "migrate"])
    def test_refuse_to_start_without_the_bundle(self, site: Site, port: int, tmp_path: Path, duty: str) -> None:
        message = site.refusal(duty, port=port, DATABASE_SSLROOTCERT=str(tmp_path / "rds.pem"))
        assert message.startswith(
            f"The database can't be verified: {tmp_path}/rds.pem, which DATABASE_SSLROOTCERT names, "
        )
        assert message.endswith("bundle to certificates/rds.pem and make the package anew. (billing_site.E012)")
