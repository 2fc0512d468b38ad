"""`runlocal` and `demo` as processes: what they serve, how they end, and what the next one finds."""

import json
import os
import re
import signal
import time
import urllib.request
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from tests.support.platforms import Api, Start, base_of, output_until_serving, status_of
from tests.support.processes import PRINT_QUEUE, ROOT, kill_server, manage, server_pid, shell


class TestRunlocal:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_serves_until_a_signal_ends_it_and_leaves_nothing(
        self, tmp_path: Path, start: Start, number: signal.Signals
    ) -> None:
        process = start()
        output = output_until_serving(process)
        base = base_of(output)
        assert status_of(f"{base}/healthz") == 200
        assert status_of(f"{base}/v1/accounts") == 401
        assert status_of(f"{base}/admin/login/") == 200
        assert status_of(f"{base}/static/admin/css/base.css") == 200
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        assert process.communicate(timeout=60) == ("stopped\n", "")
        assert process.returncode == 0
        assert not [child for child in children if child.is_running()]
        assert server_pid(tmp_path) is None
        assert not (tmp_path / "queue.json").exists()

    def test_gives_other_commands_its_queue_and_refuses_a_second(self, tmp_path: Path, start: Start) -> None:
        output_until_serving(start())
        assert shell(PRINT_QUEUE, BILLING_DATA=str(tmp_path)).endswith("/rebilling")
        assert manage("process_queue", "--until-empty", BILLING_DATA=str(tmp_path)).returncode == 0
        dead = manage("redrive_dlq", BILLING_DATA=str(tmp_path))
        assert (dead.returncode, dead.stdout) == (0, "0 left in the dead-letter queue.\n")
        second = manage("runlocal", "--port", "0", BILLING_DATA=str(tmp_path))
        assert second.returncode == 1
        assert f"the platform is already running on {tmp_path}" in second.stderr

    def test_keeps_its_files_to_itself_whatever_the_umask(self, tmp_path: Path, start: Start) -> None:
        data = tmp_path / "new"
        before = os.umask(0o022)
        try:
            output_until_serving(start("runlocal", "--data", str(data), "--today", "2026-03-01"))
        finally:
            os.umask(before)
        files = {path.relative_to(data).as_posix(): path for path in data.iterdir() if path.is_file()}
        assert {"clock.json", "platform.lock", "platform.log", "queue.json", "secret_key"} <= files.keys()
        files["postgres/server.log"] = data / "postgres" / "server.log"
        assert {name: oct(path.stat().st_mode & 0o777) for name, path in files.items()} == dict.fromkeys(files, "0o600")
        # Where root lends PostgreSQL to another user, that one must pass through.
        passing = 0o001 if os.geteuid() == 0 else 0
        assert {data.stat().st_mode & 0o777, (data / "postgres").stat().st_mode & 0o777} == {0o700 | passing, 0o700}

    def test_starts_again_after_a_kill(self, tmp_path: Path, start: Start) -> None:
        first = start()
        output_until_serving(first)
        first.kill()
        first.wait(timeout=60)
        assert shell(PRINT_QUEUE, BILLING_DATA=str(tmp_path)) == ""
        assert server_pid(tmp_path) is None, "the shell was the last one out"
        base = base_of(output_until_serving(start()))
        assert status_of(f"{base}/healthz") == 200

    def test_starts_its_postgresql_again_when_that_was_killed(self, tmp_path: Path, start: Start) -> None:
        process = start()
        api = Api.of(base=base_of(output_until_serving(process)), data=tmp_path)
        plan = {"code": "p", "name": "P", "currency": "USD", "unit_amount_minor": 1, "interval_unit": "month"}
        api.post("/v1/plans", plan | {"interval_count": 1})
        killed = server_pid(tmp_path)
        kill_server(tmp_path)
        deadline = time.monotonic() + 30
        while status_of(f"{api.base}/v1/plans/p", key=api.key) != 200:
            assert time.monotonic() < deadline
            time.sleep(0.3)
        assert server_pid(tmp_path) not in {None, killed}
        assert api.get("/v1/plans/p")["unit_amount_minor"] == 1
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (0, "stopped\n")
        assert "ERROR: PostgreSQL has gone and is started again (see platform.log)\n" in err
        assert server_pid(tmp_path) is None

    def test_collects_from_a_simulated_provider_with_the_option(self, start: Start) -> None:
        output = output_until_serving(start("runlocal", "--simulated-provider"))
        (records,) = re.findall(r"  taken   (http\S+)   ", output)
        with urllib.request.urlopen(records, timeout=10) as answer:
            assert json.loads(answer.read()) == {"taken": [], "sent_back": [], "totals": {}, "calls": {}}


PRINT_GATEWAYS = """
from django.db.models import Count
from payments.models import Payment
rows = Payment.objects.values_list("gateway", "status").annotate(count=Count("id")).order_by("gateway", "status")
print([tuple(row) for row in rows])
"""


class TestAnnouncement:
    def test_names_commands_that_the_readme_names(self, tmp_path: Path, start: Start) -> None:
        output = output_until_serving(start("runlocal", "--today", "2026-03-01"))
        assert (
            f"  day     2026-03-01   (a later one: .venv/bin/python manage.py clock --to DATE --data {tmp_path})\n"
            in output
        )
        typed = re.findall(r"(\S+) manage\.py (\w+)", output)
        assert typed == [(".venv/bin/python", "create_login"), (".venv/bin/python", "clock")]
        assert len(re.findall("manage.py", output)) == len(typed)
        readme = (ROOT / "README.md").read_text()
        assert [command for _, command in typed if f"| `manage.py {command} " not in readme] == []


class TestDemo:
    def test_bills_a_thousand_accounts_once_and_goes_on_from_there(self, tmp_path: Path, start: Start) -> None:
        done = manage("demo", "--data", str(tmp_path), "--today", "2026-03-01", DEMO_SERVE="0")
        assert (done.returncode, done.stderr) == (0, "")
        assert "opened 1,000 accounts on 3 plans\n" in done.stdout
        assert "swept as of 2026-03-01: 950 periods had fallen due since the last sweep\n" in done.stdout
        assert "  due               950  " in done.stdout
        assert "  charged           944  " in done.stdout
        assert "  unexplained         0\n" in done.stdout
        assert re.search(
            r"\nInvoice \w{10}-0001 of Amber Coffee 1, issued on 2026-03-01, PAID\n"
            r"line +amount\n[- ]+\n"
            r"Team x 4, 13 Feb to 19 Feb 2026 +18.00 EUR\n"
            r"Team x 4, 20 Feb to 26 Feb 2026 +18.00 EUR\n"
            r"Team x 4, 27 Feb to 5 Mar 2026 +18.00 EUR\n"
            r"total +54.00 EUR\n"
            r"from the credit balance +-10.00 EUR\n"
            r"paid +-44.00 EUR\n"
            r"outstanding +0.00 EUR\n",
            done.stdout,
        )
        assert "\nStatement of Amber Coffee 1\n" in done.stdout
        assert "\r" not in done.stdout
        assert server_pid(tmp_path) is None

        second = start("demo")
        self._says_what_is_there(output_until_serving(second), data=tmp_path)
        assert shell("from rebilling.models import Run; print(Run.objects.count())", BILLING_DATA=str(tmp_path)) == "1"
        second.send_signal(signal.SIGTERM)
        assert second.wait(timeout=60) == 0
        self._bills_on_by_the_simulated_provider(tmp_path, start)
        self._shows_the_end_of_a_long_statement(tmp_path)

    def _says_what_is_there(self, output: str, *, data: Path) -> None:
        assert "found the 1,000 accounts of an earlier demonstration\n" in output
        assert (
            "nothing is due on 2026-03-01, and of what was due this waits:\n"
            "1 period parked: release or skip in the admin, under Billing periods.\n" in output
        )
        assert "\n  accounts  894 ACTIVE, 5 INACTIVE, 101 PENDING\n" in output
        assert re.search(r"\n  last run  \S+ as of 2026-03-01, RECONCILED: 950 periods\n", output)
        assert "\ncash      7,568.00 EUR   9,751,000 JPY   8,493.00 USD\n" in output
        assert "\ncredits      10.00 EUR           0 JPY       0.00 USD\n" in output
        assert "\nrevenue  -7,578.00 EUR  -9,751,000 JPY  -8,493.00 USD\n" in output
        found = re.search(r"curl -H 'Authorization: Bearer (sk_\S+)' (http\S+)", output)
        assert found is not None
        assert status_of(found[2], key=found[1]) == 200
        kept = data / "demo-access.json"
        assert json.loads(kept.read_text())["api_key"] == found[1]
        assert kept.stat().st_mode & 0o777 == 0o600

    def _bills_on_by_the_simulated_provider(self, data: Path, start: Start) -> None:
        """The demonstration's payment methods are taken there, and its earlier payments stay the logging gateway's."""
        before = shell(PRINT_GATEWAYS, BILLING_DATA=str(data))
        platform = start("runlocal", "--simulated-provider")
        output = output_until_serving(platform)
        (records_url,) = re.findall(r"  taken   (http\S+)   ", output)
        moved = manage("clock", "--to", "2026-03-06", BILLING_DATA=str(data))
        assert (moved.returncode, moved.stderr) == (0, "")
        with urllib.request.urlopen(records_url, timeout=10) as answer:
            assert len(json.loads(answer.read())["taken"]) == 98
        after = shell(PRINT_GATEWAYS, BILLING_DATA=str(data))
        assert after == f"{before[:-1]}, ('stripe', 'SUCCEEDED', 98)]"
        moved = manage("clock", "--to", "2026-03-20", BILLING_DATA=str(data))
        assert (moved.returncode, moved.stderr) == (0, "")
        platform.send_signal(signal.SIGTERM)
        assert platform.wait(timeout=60) == 0

    def _shows_the_end_of_a_long_statement(self, data: Path) -> None:
        """The credit, three weeks that were invoiced together, and three weeks with a charge and a payment each."""
        done = manage("demo", "--data", str(data), DEMO_SERVE="0")
        assert (done.returncode, done.stderr) == (0, "")
        shown = done.stdout.partition("Statement of Amber Coffee 1\n")[2].splitlines()
        assert shown[0] == "1 before, and the last 10 entries:"
        assert [line.split()[0] for line in shown[3:]] == [
            *["2026-03-01"] * 4,
            *["2026-03-06"] * 2,
            *["2026-03-13"] * 2,
            *["2026-03-20"] * 2,
        ]

    @pytest.mark.parametrize("day", ["1970-01-01", "1970-12-30", "2199-12-03", "2200-12-31"])
    def test_refuses_a_day_too_near_the_ends_of_the_calendar(self, tmp_path: Path, day: str) -> None:
        done = manage("demo", "--data", str(tmp_path), "--today", day, DEMO_SERVE="0")
        assert (done.returncode, done.stdout, done.stderr) == (
            1,
            "",
            f"CommandError: the demonstration can't begin on {day}: its accounts need a year before and after. Give it "
            "a day from 1970-12-31 to 2199-12-02 (--today, or TODAY= with make)\n",
        )
        assert not (tmp_path / "clock.json").exists()
