"""The real package refuses to start with bad settings: one line says how to fix them, and no secret is in it."""

import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.contents import MIB
from deploy.target import Target
from tests.deploy.runtime_api import FunctionError
from tests.deploy.surroundings import (
    StartFunction,
    Surroundings,
    http_event,
    make_secret,
    needs_the_package,
    starter,
)

pytestmark = needs_the_package
WEAK = "weak-but-secret"
NOT_JSON = "swordfish-in-the-wrong-place"


def refused(start_function: StartFunction, duty: str, variables: dict[str, str]) -> tuple[str, str]:
    """The line that the start is refused with, and all that was logged."""
    with start_function(duty, variables) as function:
        with pytest.raises(FunctionError) as raised:
            function.wait_until_started()
        logged = function.logged
    (line,) = [line for line in logged.splitlines() if '"start.refused"' in line]
    entry = json.loads(line)
    assert entry["level"] == "CRITICAL"
    assert entry["message"] == f"not started: {raised.value.message}"
    return raised.value.message, logged


class TestStart:
    @pytest.mark.parametrize(
        ("duty", "changes", "says"),
        [
            ("worker", {"DEBUG": "true"}, "DEBUG is on"),
            ("worker", {"FUNCTION_DUTY": "both"}, "FUNCTION_DUTY is 'both'"),
            ("worker", {"DJANGO_SECRET_ARN": ""}, "set DJANGO_SECRET_ARN"),
            ("worker", {"DATABASE_HOST": ""}, "There is no database"),
            ("worker", {"REBILLING_QUEUE_URL": ""}, "REBILLING_QUEUE_URL is missing"),
            ("worker", {"DATABASE_NAME": "none"}, 'database "none" does not exist'),
            ("worker", {"REBILLING_DUE_MINUTES": "1h"}, "REBILLING_DUE_MINUTES must be a whole number"),
            ("api", {"BILLING_TIME_ZONE": "Europe/Berln"}, "BILLING_TIME_ZONE must be a time zone"),
        ],
        ids=["debug", "duty", "secret", "database", "queue", "no_such_database", "number", "zone"],
    )
    def test_is_refused_with_how_to_fix_it(
        self,
        around: Surroundings,
        start_function: StartFunction,
        duty: str,
        changes: dict[str, str],
        says: str,
    ) -> None:
        message, logged = refused(start_function, duty, around.variables(duty) | changes)
        assert says in message
        assert [value for value in around.secret_values if value in logged] == []

    @pytest.mark.parametrize("text", [f'{{"SECRET_KEY": "{WEAK}"}}', NOT_JSON, '{"KEY": "x"}'])
    def test_is_refused_with_a_bad_secret_that_is_not_shown(
        self, around: Surroundings, start_function: StartFunction, text: str
    ) -> None:
        arn = make_secret(around.queue, text)
        message, logged = refused(start_function, "api", around.variables("api") | {"DJANGO_SECRET_ARN": arn})
        assert "SECRET_KEY" in message or arn in message
        assert WEAK not in logged
        assert NOT_JSON not in logged

    def test_is_refused_without_the_queue(self, around: Surroundings, start_function: StartFunction) -> None:
        url = around.queue.endpoint.queue_url + "-gone"
        message, _ = refused(start_function, "worker", around.variables("worker") | {"REBILLING_QUEUE_URL": url})
        assert message.startswith("the queue in REBILLING_QUEUE_URL can't be used")


class TestStartLoads:
    """What a first event needs, and not what another function or a later request does."""

    @pytest.mark.parametrize(
        ("duty", "left_out"),
        [
            (
                "api",
                {
                    "backoffice.admin",
                    "drf_spectacular.openapi",
                    "rebilling.worker",
                    "requests.models",
                    "whitenoise.base",
                },
            ),
            ("worker", {"api.urls", "boto3", "django.contrib.admin", "rest_framework", "zappa"}),
        ],
    )
    def test_only_what_its_duty_needs(
        self, around: Surroundings, start_function: StartFunction, duty: str, left_out: set[str]
    ) -> None:
        with start_function(duty, around.variables(duty) | {"PYTHONPROFILEIMPORTTIME": "1"}) as function:
            function.wait_until_started()
            lines = [line for line in function.logged.splitlines() if line.startswith("import time:")]
        loaded = {line.rpartition("|")[2].strip() for line in lines}
        assert loaded >= {"accounts.models.account", "rebilling.models.rebilling", "botocore.session"}
        assert loaded & left_out == set()


class TestSize:
    def test_is_at_most_20_mib_without_extras(self, package: Path) -> None:
        assert package.stat().st_size <= 20 * MIB

    def test_has_no_map_of_a_script(self, package: Path) -> None:
        with zipfile.ZipFile(package) as zipped:
            static = [name for name in zipped.namelist() if name.startswith("staticfiles/")]
        assert [name for name in static if name.endswith(".js")]
        assert [name for name in static if ".map" in name] == []


class TestByteCode:
    """All of it is the runtime's own, and used as it is."""

    @pytest.fixture
    def without_sources(self, package: Path, tmp_path: Path) -> Iterator[Path]:
        """The package with a text that is no Python in the place of every source that has byte code."""
        spoiled = tmp_path / "task"
        with zipfile.ZipFile(package) as zipped:
            zipped.extractall(spoiled)
        compiled = [*spoiled.rglob("__pycache__/*.pyc")]
        assert len(compiled) > 1500
        for file in compiled:
            source = file.parent.parent / f"{file.name.split('.')[0]}.py"
            if source.is_file():
                source.write_text("this is not Python")
        yield spoiled
        shutil.rmtree(spoiled)

    def test_is_of_the_python_that_lambda_has(self, package: Path, target: Target) -> None:
        with zipfile.ZipFile(package) as zipped:
            begins = {zipped.read(name)[:8] for name in zipped.namelist() if name.endswith(".pyc")}
        # 3571 is what Python 3.13 begins it with. 1: it is used without a look at its source.
        assert target.runtime.name == "python3.13"
        assert begins == {(3571).to_bytes(2, "little") + b"\r\n" + (1).to_bytes(4, "little")}

    def test_is_all_that_a_start_needs(
        self, around: Surroundings, without_sources: Path, runtime_client: Path, bare_python: Path, tmp_path: Path
    ) -> None:
        """Where a source were read, the start would fail of its syntax; and what is compiled is written down here.

        That is only the few lines of settings that Zappa writes into the package.
        """
        before = {*without_sources.rglob("*.pyc")}
        start = starter(
            task_root=without_sources, runtime_client=runtime_client, bare_python=bare_python, logs=tmp_path
        )
        for duty in ("api", "worker"):
            with start(duty, around.variables(duty)) as function:
                function.wait_until_started()
                if duty == "api":
                    assert function.invoke(http_event("GET", "/admin/login/"))["statusCode"] == 200
        compiled = {*without_sources.rglob("*.pyc")} - before
        assert [file.name for file in compiled] == ["zappa_settings.cpython-313.pyc"]
