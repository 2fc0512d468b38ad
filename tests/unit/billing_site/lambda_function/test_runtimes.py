"""When AWS ends a runtime, and from when on a warning says so."""

import datetime
import re
from pathlib import Path

import pytest
import time_machine
from django.core.checks import run_checks

from billing_site.lambda_function.runtimes import RUNTIMES, warning_of
from deploy import zappa_hooks
from deploy.target import MAGIC_NUMBERS, target_of

PAGE = Path(__file__).resolve().parents[4] / "docs" / "deploy.md"
WARNING = (
    "Lambda's python3.13 ends on 2029-06-30: it gets no fixes after that day, and from 2029-08-31 on no "
    "function of it can be updated. Move to a newer one (docs/deploy.md)"
)
LAST_SILENT, FIRST_WARNED = datetime.date(2028, 12, 29), datetime.date(2028, 12, 30)


class TestWarning:
    def test_is_given_from_half_a_year_before(self) -> None:
        runtime = RUNTIMES["python3.13"]
        assert warning_of(runtime, today=LAST_SILENT) is None
        assert warning_of(runtime, today=FIRST_WARNED) == WARNING
        assert warning_of(runtime, today=runtime.ends) == WARNING
        after = runtime.ends + datetime.timedelta(days=1)
        assert warning_of(runtime, today=after) == WARNING.replace("ends on", "ended on")

    def test_is_given_by_the_deployment_checks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """`check --deploy`, which goes on with it. A function's start looks at no warnings, and so not at this one."""
        monkeypatch.setenv("AWS_EXECUTION_ENV", "AWS_Lambda_python3.13")
        with time_machine.travel(datetime.datetime(2028, 12, 29, 12, tzinfo=datetime.UTC)):
            assert run_checks(tags=["runtime"], include_deployment_checks=True) == []
        with time_machine.travel(datetime.datetime(2028, 12, 30, 12, tzinfo=datetime.UTC)):
            (found,) = run_checks(tags=["runtime"], include_deployment_checks=True)
            assert run_checks(tags=["production"], include_deployment_checks=True).count(found) == 0
            monkeypatch.delenv("AWS_EXECUTION_ENV")
            assert run_checks(tags=["runtime"], include_deployment_checks=True) == []
        assert (found.id, found.msg, found.is_serious()) == ("billing_site.W001", f"{WARNING}.", False)

    def test_is_given_when_a_package_is_made_or_deployed(self, capsys: pytest.CaptureFixture[str]) -> None:
        target = target_of({"runtime": "python3.13", "architecture": "x86_64"})
        zappa_hooks._check_target(target, packages=False, today=LAST_SILENT)
        assert capsys.readouterr().err == ""
        zappa_hooks._check_target(target, packages=False, today=FIRST_WARNED)
        assert capsys.readouterr().err == f"warning: {WARNING}\n"


class TestRuntimes:
    def test_are_those_that_a_package_is_made_for(self) -> None:
        assert RUNTIMES.keys() == MAGIC_NUMBERS.keys()

    def test_end_as_the_page_on_deploying_says(self) -> None:
        rows = re.findall(
            r"^\| `(python3\.\d+)` \| ([\d-]+) \| ([\d-]+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE
        )
        assert rows == [(each.name, str(each.ends), str(each.blocked)) for each in reversed(RUNTIMES.values())]
