"""`manage.py` before Django's settings: which database, which port, which queue."""

import datetime
import hashlib
import json
import os
import socket
from pathlib import Path

from tests.support.processes import PRINT_HOST, PRINT_QUEUE, Hold, manage, server_pid, shell


class TestDatabase:
    def test_is_the_embedded_one_of_the_data_folder(self, tmp_path: Path) -> None:
        host = shell(PRINT_HOST, BILLING_DATA=str(tmp_path / "data"))
        assert host.startswith("/tmp/billing-")
        assert (tmp_path / "data" / "postgres" / "PG_VERSION").exists()
        assert server_pid(tmp_path / "data") is None

    def test_is_the_one_that_the_environment_names(self, tmp_path: Path, hold: Hold) -> None:
        holder = hold(tmp_path / "other")
        host = shell(
            PRINT_HOST, BILLING_DATA=str(tmp_path / "data"), DATABASE_URL=holder.url, SECRET_KEY="of this test"
        )
        assert holder.url.endswith(f"host={host}")
        assert not (tmp_path / "data").exists()

    def test_is_the_one_whose_secret_the_environment_names(self, tmp_path: Path) -> None:
        elsewhere = {"DATABASE_HOST": "database.example.com", "DATABASE_NAME": "billing", "DATABASE_SECRET_ARN": "arn"}
        code = "from django.conf import settings; print(settings.DATABASES['default']['HOST'])"
        host = shell(code, BILLING_DATA=str(tmp_path / "data"), SECRET_KEY="of this test", **elsewhere)
        assert host == "database.example.com"
        assert not (tmp_path / "data").exists()

    def test_is_none_for_help(self, tmp_path: Path) -> None:
        done = manage("help", BILLING_DATA=str(tmp_path / "data"))
        assert done.returncode == 0
        assert "runlocal" in done.stdout
        assert not (tmp_path / "data").exists()

    def test_that_cannot_be_attached_is_one_line(self, tmp_path: Path) -> None:
        (tmp_path / "data").write_text("a file, not a folder")
        done = manage("check", BILLING_DATA=str(tmp_path / "data"))
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("error: File exists: ")
        assert done.stderr.count("\n") == 1


class TestPort:
    def test_that_is_taken_is_one_line_and_nothing_is_started(self, tmp_path: Path) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            for command in ("runlocal", "demo"):
                done = manage(command, "--port", port, "--data", str(tmp_path / "data"))
                assert (done.returncode, done.stdout) == (1, "")
                assert done.stderr == (
                    f"error: port {port} of 127.0.0.1 is taken: "
                    "choose another with PORT= (make) or --port (manage.py)\n"
                )
        assert not (tmp_path / "data").exists()


class TestClock:
    def now(self, data: Path, **environment: str) -> datetime.datetime:
        code = "from accounts import clock; print(clock.now().isoformat())"
        return datetime.datetime.fromisoformat(shell(code, BILLING_DATA=str(data), **environment))

    def set_forward(self, data: Path) -> Path:
        """A year, less the seconds that a process takes."""
        file = data / "clock.json"
        file.write_text(json.dumps({"offset_seconds": 31_536_000, "unfinished": ""}))
        return file

    def test_is_the_data_folders_for_its_own_database(self, tmp_path: Path, hold: Hold) -> None:
        holder = hold(tmp_path)
        self.set_forward(tmp_path)
        real = datetime.datetime.now(datetime.UTC)
        year = datetime.timedelta(days=365)
        named = {"DATABASE_URL": holder.url, "SECRET_KEY": "of this test"}
        for environment in ({}, named):
            assert year <= self.now(tmp_path, **environment) - real < year + datetime.timedelta(minutes=1)

    def test_of_another_database_is_the_real_one_whatever_the_environment_says(
        self, tmp_path: Path, hold: Hold
    ) -> None:
        holder = hold(tmp_path / "other")
        (tmp_path / "data").mkdir()
        file = self.set_forward(tmp_path / "data")
        real = datetime.datetime.now(datetime.UTC)
        named = {"DATABASE_URL": holder.url, "SECRET_KEY": "of this test", "LOCAL_CLOCK": str(file)}
        assert abs(self.now(tmp_path / "data", **named) - real) < datetime.timedelta(minutes=1)


class TestQueue:
    def record(self, data: Path, *, pid: int, endpoint_url: str, database: str) -> None:
        """What a `runlocal` leaves in its data folder."""
        data.mkdir(exist_ok=True)
        (data / "queue.json").write_text(
            json.dumps(
                {
                    "endpoint_url": endpoint_url,
                    "queue_url": f"{endpoint_url}/1/rebilling",
                    "dead_letter_queue_url": f"{endpoint_url}/1/rebilling-dlq",
                    "pid": pid,
                    "database": database,
                }
            )
        )

    def digest(self, url: str) -> str:
        return hashlib.sha256(url.encode()).hexdigest()

    def test_of_a_platform_that_is_gone_is_none(self, tmp_path: Path, hold: Hold) -> None:
        holder = hold(tmp_path)
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        self.record(tmp_path, pid=os.getpid(), endpoint_url=url, database=self.digest(holder.url))
        assert shell(PRINT_QUEUE, BILLING_DATA=str(tmp_path)) == ""

    def test_of_a_running_platform_is_found_on_the_same_database_only(self, tmp_path: Path, hold: Hold) -> None:
        holder = hold(tmp_path)
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            self.record(tmp_path, pid=os.getpid(), endpoint_url=url, database=self.digest(holder.url))
            assert shell(PRINT_QUEUE, BILLING_DATA=str(tmp_path)) == f"{url}/1/rebilling"
            self.record(tmp_path, pid=os.getpid(), endpoint_url=url, database=self.digest("another"))
            assert shell(PRINT_QUEUE, BILLING_DATA=str(tmp_path)) == ""

    def test_that_is_missing_is_said(self, tmp_path: Path) -> None:
        done = manage("process_queue", "--until-empty", BILLING_DATA=str(tmp_path))
        assert done.returncode == 1
        assert done.stderr == (
            f"CommandError: There is no queue: start `.venv/bin/python manage.py runlocal --data {tmp_path}`, or set "
            "REBILLING_QUEUE_URL.\n"
        )
