"""`zappa manage`: an allow-list by the function's duty."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest
from django.core.management import CommandError, get_commands
from django.db import ProgrammingError, connection, transaction

from api.models import ApiKey
from billing_site.errors import UnroutedEvent
from billing_site.lambda_function.commands import ALLOWED, run_command
from billing_site.lambda_function.duties import Duty
from tests.support.databases import rolled_back

NEVER = ["shell", "dbshell", "flush", "loaddata", "dumpdata", "sqlflush", "runserver", "runlocal", "changepassword"]


@contextmanager
def _savepoint(statement: str) -> Iterator[None]:
    """A savepoint that begins with the statement; what fails in it is undone, and the statement with it."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(statement)
        yield


@pytest.fixture(params=Duty)
def duty(request: pytest.FixtureRequest, settings: Any) -> Duty:
    settings.FUNCTION_DUTY = request.param.value
    return Duty(request.param)


class TestRunCommand:
    def test_runs_only_what_the_functions_duty_allows(self, duty: Duty) -> None:
        with mock.patch("billing_site.lambda_function.commands.call_command") as called:
            for name in set().union(*ALLOWED.values(), NEVER):
                if name in ALLOWED[duty]:
                    run_command(name)
                else:
                    with pytest.raises(UnroutedEvent, match=f"the command '{name}' isn't for a function with"):
                        run_command(name)
        assert sorted(call.args[0] for call in called.call_args_list) == sorted(ALLOWED[duty])

    @pytest.mark.parametrize("line", ["", "  ", "release_run 'unended", "/bin/sh", "--help"])
    def test_refuses_what_is_no_command_line(self, duty: Duty, line: str) -> None:
        with pytest.raises(UnroutedEvent):
            run_command(line)

    def test_reads_quotes_as_a_shell_does(self, settings: Any) -> None:
        settings.FUNCTION_DUTY = "worker"
        with mock.patch("billing_site.lambda_function.commands.call_command") as called:
            run_command('release_run 0193 --reason "Ann looked at it: it\'s right"')
        assert called.call_args.args == ("release_run", "0193", "--reason", "Ann looked at it: it's right")

    def test_answers_and_logs_what_was_printed(self, settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
        settings.FUNCTION_DUTY = "worker"
        answer = run_command("check")
        assert answer == {"output": "System check identified no issues (0 silenced).\n"}
        assert capsys.readouterr().out == answer["output"]

    @rolled_back
    def test_answers_a_new_key_and_never_logs_it(self, settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
        settings.FUNCTION_DUTY = "api"
        key = run_command("create_api_key 'the shop' --scope accounts:read")["output"].split()[-1]
        assert key.startswith("sk_")
        assert ApiKey.objects.get().name == "the shop"
        printed = capsys.readouterr()
        assert (printed.out, printed.err) == ("", "")

    @pytest.mark.parametrize("line", ["sweep", "sweep --as-of tomorrow", "sweep --as-of 2026-01-01 --everything"])
    def test_lets_out_what_the_command_refuses(self, settings: Any, line: str) -> None:
        settings.FUNCTION_DUTY = "worker"
        with pytest.raises(CommandError):
            run_command(line)

    @rolled_back
    def test_says_the_databases_trouble_in_a_line(self, settings: Any) -> None:
        settings.FUNCTION_DUTY = "api"
        with pytest.raises(CommandError) as caught, _savepoint("SET TRANSACTION READ ONLY"):
            run_command("create_api_key crm --scope runs:read")
        assert str(caught.value) == ("The database is read-only. (cannot execute INSERT in a read-only transaction)")
        assert caught.value.__suppress_context__
        assert ApiKey.objects.count() == 0

    @rolled_back
    def test_lets_out_a_bug_as_it_is(self, settings: Any) -> None:
        settings.FUNCTION_DUTY = "api"
        with pytest.raises(ProgrammingError, match="permission denied"), _savepoint("SET LOCAL ROLE pg_monitor"):
            run_command("create_api_key crm --scope runs:read")
        assert ApiKey.objects.count() == 0

    def test_does_not_end_the_environment_when_a_command_leaves(self, settings: Any) -> None:
        settings.FUNCTION_DUTY = "worker"
        with pytest.raises(CommandError, match="sweep left with 0"):
            run_command("sweep --help")


class TestAllowed:
    def test_are_commands_that_there_are(self) -> None:
        assert set().union(*ALLOWED.values()) - get_commands().keys() == set()

    def test_gives_the_owners_commands_to_the_migrating_function_alone(self) -> None:
        for name in ("migrate", "prepare_database"):
            assert [duty for duty in Duty if name in ALLOWED[duty]] == [Duty.MIGRATE]
