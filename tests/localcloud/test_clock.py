"""`manage.py clock`, and `--today`: the platform's day, how it passes, and what is refused."""

import datetime
import json
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.platforms import Start, data_folder, output_until_serving, platforms
from tests.support.processes import Hold, manage, server_pid, shell

OPEN_ACCOUNTS = """
from accounts import clock
from accounts.billing_day import billing_day
from accounts.account_opening import NewAccount, open_account
from accounts.plans import create_plan
now = clock.now()
today = billing_day(now)
create_plan(code="p", name="P", currency="USD", unit_amount_minor=500, interval_count=1, interval_unit="week", now=now)
for number in range(2):
    terms = NewAccount(name=str(number), email="a@example.com", plan="p", payment_customer="c", payment_method="m")
    open_account(new=terms, author="test", today=today, now=now)
"""
PRINT_RUNS = """
from rebilling.models import Run
for run in Run.objects.order_by("id"):
    print(run.as_of, run.status, run.rebillings.count())
"""
PRINT_CHARGES = """
from ledger.models import Entry
for entry in Entry.objects.filter(type="charge").order_by("period_start", "account__name"):
    print(entry.account.name, entry.period_start)
"""
COLLECTED = "payments are collected by the logging gateway, which moves no money"
STRIPE = {
    "PAYMENT_GATEWAY": "payments.gateways.stripe.gateway.StripeGateway",
    "STRIPE_API_KEY": "sk_test_of_this_test",
}
KNOWN = "and only the logging gateway and a provider on this machine are known to move no money"


@pytest.fixture(scope="module")
def seed() -> Iterator[Path]:
    """A platform that began on 2026-03-01, with two accounts that pay weekly from then on, and was stopped."""
    with data_folder() as data, platforms(data) as start:
        process = start("runlocal", "--today", "2026-03-01")
        output_until_serving(process)
        shell(OPEN_ACCOUNTS, BILLING_DATA=str(data))
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
        yield data


@pytest.fixture
def begun(seed: Path, tmp_path: Path) -> Path:
    """A copy of it, with PostgreSQL's data its own user's still."""
    subprocess.run(["cp", "-a", f"{seed}/.", str(tmp_path)], check=True)
    return tmp_path


@pytest.fixture(scope="class")
def running(seed: Path) -> Iterator[Path]:
    """It itself, running."""
    with platforms(seed) as start:
        output_until_serving(start())
        yield seed


def clock(data: Path, *arguments: str, **environment: str) -> tuple[int, str, str]:
    done = manage("clock", *arguments, BILLING_DATA=str(data), **environment)
    return done.returncode, done.stdout, done.stderr


class TestToday:
    def test_begins_a_new_data_folder_on_that_day_and_keeps_it(self, tmp_path: Path, start: Start) -> None:
        first = start("runlocal", "--today", "2026-01-31")
        output_until_serving(first)
        assert clock(tmp_path) == (0, "2026-01-31\n", "")
        first.send_signal(signal.SIGTERM)
        assert first.wait(timeout=60) == 0
        kept = (tmp_path / "clock.json").read_text()
        again = start("runlocal", "--today", "2026-01-31")
        output_until_serving(again)
        again.send_signal(signal.SIGTERM)
        assert again.wait(timeout=60) == 0
        for command in ("runlocal", "demo"):
            other = manage(command, "--port", "0", "--data", str(tmp_path), "--today", "2026-02-01")
            assert (other.returncode, other.stdout) == (1, "")
            assert other.stderr == (
                f"CommandError: the platform in {tmp_path} is there already, and its day is 2026-01-31: leave --today "
                "(TODAY=) out, move it forward with `.venv/bin/python manage.py clock --to 2026-02-01 --data "
                f"{tmp_path}`, or begin in another folder with --data\n"
            )
        assert (tmp_path / "clock.json").read_text() == kept

    @pytest.mark.parametrize(
        ("day", "why"),
        [
            ("2026-02-30", "'2026-02-30' is not a day of the calendar"),
            ("tomorrow", "'tomorrow' is not a date written YYYY-MM-DD"),
            ("1066-10-14", "1066-10-14 is not between "),
        ],
    )
    def test_that_is_none_is_one_line_and_nothing_is_started(self, tmp_path: Path, day: str, why: str) -> None:
        data = tmp_path / "data"
        for command, option in (("runlocal", "--today"), ("demo", "--today"), ("clock", "--to")):
            done = manage(command, option, day, "--data", str(data))
            assert (done.returncode, done.stdout) == (1, "")
            assert done.stderr.startswith(f"error: argument {option}: {why}")
            assert done.stderr.count("\n") == 1
        assert not data.exists()


class TestTo:
    def test_works_each_day_without_a_running_platform(self, begun: Path) -> None:
        code, out, err = clock(begun, "--to", "2026-03-16")
        assert (code, err) == (0, "")
        assert out.splitlines() == [
            "2026-03-02  2 periods due, 2 payments",
            "2026-03-08  2 periods due, 2 payments",
            "2026-03-15  2 periods due, 2 payments",
            f"it is 2026-03-16; {COLLECTED}",
        ]
        assert clock(begun) == (0, "2026-03-16\n", "")
        charges = [f"{name} {day}" for day in ("2026-03-01", "2026-03-08", "2026-03-15") for name in (0, 1)]
        assert shell(PRINT_CHARGES, BILLING_DATA=str(begun)).splitlines() == charges
        found = {15: 2, 8: 2, 2: 2}
        runs = [f"2026-03-{day:02} RECONCILED {found.get(day, 0)}" for day in range(2, 17)]
        assert shell(PRINT_RUNS, BILLING_DATA=str(begun)).splitlines() == runs
        assert server_pid(begun) is None

    def test_stops_at_a_held_run_and_goes_on_once_it_is_decided_about(self, begun: Path) -> None:
        code, out, err = clock(begun, "--to", "2026-03-04", VOLUME_CHECK_FIRST_PERIODS="1")
        found = re.match(r"CommandError: stopped on 2026-03-02: run (\S+) of 2026-03-02 is held: ", err)
        assert found is not None
        assert (code, out, err.count("\n")) == (1, "", 1)
        typed = f".venv/bin/python manage.py cancel_run {found[1]} --reason R --data {begun}"
        assert f"cancel it (`{typed}`)" in err
        assert err.endswith(f"go on with `.venv/bin/python manage.py clock --to 2026-03-04 --data {begun}`\n")
        kept = (begun / "clock.json").read_text()
        assert json.loads(kept)["unfinished"] == "2026-03-02"

        undecided = clock(begun, "--to", "2026-03-04")
        assert (undecided[0], undecided[1]) == (1, "")
        assert f"stopped on 2026-03-02: run {found[1]} of 2026-03-02 is held" in undecided[2]
        assert (begun / "clock.json").read_text() == kept
        assert shell(PRINT_CHARGES, BILLING_DATA=str(begun)) == ""

        decided = manage(*typed.split()[2:])
        assert (decided.returncode, decided.stderr) == (0, "")
        assert clock(begun, "--to", "2026-03-04") == (
            0,
            f"2026-03-02  2 periods due, 2 payments\nit is 2026-03-04; {COLLECTED}\n",
            "",
        )
        assert shell(PRINT_RUNS, BILLING_DATA=str(begun)).splitlines() == [
            "2026-03-02 CANCELLED 2",
            "2026-03-02 RECONCILED 2",
            "2026-03-03 RECONCILED 0",
            "2026-03-04 RECONCILED 0",
        ]

    def test_that_is_interrupted_leaves_a_day_from_which_it_goes_on(self, begun: Path, start: Start) -> None:
        process = start("clock", "--to", "2036-03-01")
        assert process.stdout is not None
        assert process.stdout.readline() == "2026-03-02  2 periods due, 2 payments\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 130
        stopped = re.fullmatch(r"stopped on (2026-03-\d\d): go on with `.+ clock --to 2036-03-01 --data .+`\n", err)
        assert stopped is not None
        assert clock(begun) == (0, f"{stopped[1]}\n", "")
        code, out, err = clock(begun, "--to", "2026-04-05")
        assert (code, err, out.splitlines()[-1]) == (0, "", f"it is 2026-04-05; {COLLECTED}")
        days = ["2026-03-01", "2026-03-08", "2026-03-15", "2026-03-22", "2026-03-29", "2026-04-05"]
        charges = [f"{name} {day}" for day in days for name in (0, 1)]
        assert shell(PRINT_CHARGES, BILLING_DATA=str(begun)).splitlines() == charges

    def test_stops_at_the_databases_trouble_and_takes_the_day_up_again(
        self, begun: Path, hold: Hold, start: Start
    ) -> None:
        output_until_serving(start("runlocal"))
        holder = hold(begun)
        holder.execute("ALTER DATABASE billing SET default_transaction_read_only = on")
        code, out, err = clock(begun, "--to", "2026-03-04")
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert re.fullmatch(
            r"CommandError: stopped on 2026-03-02: The database is read-only\. \(.+\) Then go on with "
            rf"`\.venv/bin/python manage\.py clock --to 2026-03-04 --data {begun}`\n",
            err,
        )
        assert json.loads((begun / "clock.json").read_text())["unfinished"] == "2026-03-02"
        holder.execute("SET TRANSACTION READ WRITE; ALTER DATABASE billing RESET default_transaction_read_only")
        assert shell(PRINT_RUNS, BILLING_DATA=str(begun)) == ""

        # A bug's traceback comes after the line that says where the clock stopped.
        holder.execute("ALTER TABLE rebilling_run ADD COLUMN surprise integer NOT NULL")
        code, out, err = clock(begun, "--to", "2026-03-04")
        assert (code, out) == (1, "")
        typed = f".venv/bin/python manage.py clock --to 2026-03-04 --data {begun}"
        assert f"stopped on 2026-03-02: go on with `{typed}`\n" in err
        assert "IntegrityError" in err
        holder.execute("ALTER TABLE rebilling_run DROP COLUMN surprise")
        assert clock(begun, "--to", "2026-03-03") == (
            0,
            f"2026-03-02  2 periods due, 2 payments\nit is 2026-03-03; {COLLECTED}\n",
            "",
        )
        assert shell(PRINT_RUNS, BILLING_DATA=str(begun)).splitlines() == [
            "2026-03-02 RECONCILED 2",
            "2026-03-03 RECONCILED 0",
        ]

    def test_keeps_a_platform_out_while_it_works_alone(self, begun: Path, start: Start) -> None:
        process = start("clock", "--to", "2036-03-01")
        assert process.stdout is not None
        assert process.stdout.readline() == "2026-03-02  2 periods due, 2 payments\n"
        for command in ("runlocal", "demo"):
            refused = manage(command, "--port", "0", BILLING_DATA=str(begun))
            assert (refused.returncode, refused.stdout, refused.stderr) == (
                1,
                "",
                f"CommandError: `manage.py clock --to` is working on {begun}: wait until it is done, or stop it, or "
                "name another --data\n",
            )
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 130
        platform = start("runlocal")
        output_until_serving(platform)
        again = manage("runlocal", "--port", "0", BILLING_DATA=str(begun))
        assert again.stderr == (
            f"CommandError: the platform is already running on {begun}: stop it, or name another --data\n"
        )

    def test_stops_when_the_platform_does_and_goes_on_without_it(self, begun: Path, start: Start) -> None:
        platform = start("runlocal")
        output_until_serving(platform)
        process = start("clock", "--to", "2036-03-01")
        assert process.stdout is not None
        assert process.stdout.readline() == "2026-03-02  2 periods due, 2 payments\n"
        second = clock(begun, "--to", "2026-03-05")
        assert second == (1, "", "CommandError: the clock is being moved by another command: wait for it, or stop it\n")
        platform.send_signal(signal.SIGTERM)
        assert platform.wait(timeout=60) == 0
        _, err = process.communicate(timeout=60)
        assert process.returncode == 1
        stopped = re.fullmatch(
            r"CommandError: stopped on (\S+): the queue can't be reached\. If the platform was stopped, go on with "
            r"`\.venv/bin/python manage\.py clock --to 2036-03-01 --data \S+`\n",
            err,
        )
        assert stopped is not None
        day = datetime.date.fromisoformat(stopped[1]) + datetime.timedelta(days=14)
        code, out, err = clock(begun, "--to", day.isoformat())
        assert (code, err, out.splitlines()[-1]) == (0, "", f"it is {day}; {COLLECTED}")
        charges = shell(PRINT_CHARGES, BILLING_DATA=str(begun)).splitlines()
        weeks = (day - datetime.date(2026, 3, 1)).days // 7 + 1
        days = [datetime.date(2026, 3, 1) + datetime.timedelta(weeks=number) for number in range(weeks)]
        assert charges == [f"{name} {start_on}" for start_on in days for name in (0, 1)]


class TestRefusal:
    @pytest.mark.parametrize(
        ("day", "why"),
        [
            ("2026-02-28", "the clock can't go back: it is 2026-03-01 already, and 2026-02-28 has passed"),
            ("2026-03-01", "it is 2026-03-01 already: name a later day"),
        ],
    )
    def test_of_a_day_that_is_not_to_come(self, running: Path, day: str, why: str) -> None:
        self._refused(running, "--to", day, why=why)

    @pytest.mark.parametrize(
        ("environment", "why"),
        [
            (
                {"DATABASE_SECRET_ARN": "arn", "DATABASE_HOST": "database.example.com", "DATABASE_NAME": "billing"},
                "only the platform of a data folder on this machine has a clock of its own: "
                "unset DATABASE_URL and DATABASE_SECRET_ARN",
            ),
            (
                {"REBILLING_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/1/rebilling"},
                "the queue isn't of this machine: unset REBILLING_QUEUE_URL and AWS_ENDPOINT_URL",
            ),
            (
                {"AWS_ENDPOINT_URL": "https://sqs.example.com"},
                "the queue isn't of this machine: unset REBILLING_QUEUE_URL and AWS_ENDPOINT_URL",
            ),
            (STRIPE, f"payments would be collected by {STRIPE['PAYMENT_GATEWAY']}, {KNOWN}: unset PAYMENT_GATEWAY"),
            (
                STRIPE | {"STRIPE_API_BASE": "https://stripe.example.com"},
                f"payments would be collected by {STRIPE['PAYMENT_GATEWAY']}, {KNOWN}: unset PAYMENT_GATEWAY",
            ),
            (
                {"PAYMENT_GATEWAY": "tests.builders.ScriptedGateway"},
                f"payments would be collected by tests.builders.ScriptedGateway, {KNOWN}: unset PAYMENT_GATEWAY",
            ),
        ],
    )
    def test_where_something_is_not_of_this_machine(self, running: Path, environment: dict[str, str], why: str) -> None:
        self._refused(running, "--to", "2026-03-02", why=why, SECRET_KEY="of this test", **environment)

    def test_beside_a_platform_that_collects_elsewhere(self, begun: Path, start: Start) -> None:
        output_until_serving(start("runlocal", **STRIPE))
        why = f"payments would be collected by {STRIPE['PAYMENT_GATEWAY']}, {KNOWN}: "
        self._refused(begun, "--to", "2026-03-02", why=f"{why}start the platform again without PAYMENT_GATEWAY")

    def test_on_another_database(self, running: Path, tmp_path: Path, hold: Hold) -> None:
        """Not even of a data folder of this machine, if it isn't the one that is meant."""
        other = hold(tmp_path)
        why = "only the platform of a data folder on this machine has a clock of its own: "
        why += "unset DATABASE_URL and DATABASE_SECRET_ARN"
        for arguments in ((), ("--to", "2026-03-02")):
            self._refused(running, *arguments, why=why, DATABASE_URL=other.url, SECRET_KEY="of this test")
        assert other.execute("SELECT to_regclass('django_migrations')") == [(None,)]

    def _refused(self, data: Path, *arguments: str, why: str, **environment: str) -> None:
        before = (data / "clock.json").read_text()
        assert clock(data, *arguments, **environment) == (1, "", f"CommandError: {why}\n")
        assert (data / "clock.json").read_text() == before
