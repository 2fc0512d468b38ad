"""The embedded PostgreSQL: shared, stopped by the last one out, and found again after anything."""

import os
import signal
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from localcloud.errors import UnableToStart
from localcloud.postgres import server as postgres
from tests.support.processes import Hold, kill_server, server_pid


def socket_folder(url: str) -> Path:
    return Path(url.partition("?host=")[2])


class TestLastOneOut:
    def test_stops_the_server_and_only_the_last_one_does(self, tmp_path: Path, hold: Hold) -> None:
        first, second = hold(tmp_path), hold(tmp_path)
        pid = server_pid(tmp_path)
        assert pid is not None
        first.let_go()
        assert server_pid(tmp_path) == pid
        assert second.execute("SELECT 1") == [(1,)]
        second.let_go()
        assert server_pid(tmp_path) is None
        assert not socket_folder(second.url).exists()

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
    def test_stops_the_server_when_a_signal_ends_it(self, tmp_path: Path, hold: Hold, number: signal.Signals) -> None:
        holder = hold(tmp_path)
        assert holder.end(number) != 0
        assert server_pid(tmp_path) is None

    def test_stops_the_server_while_it_is_starting(self, tmp_path: Path, start_holder: Hold) -> None:
        holder = start_holder(tmp_path)
        while not (tmp_path / "postgres.users").exists():
            assert holder.process.poll() is None
        assert holder.end(signal.SIGTERM) != 0
        assert server_pid(tmp_path) is None

    def test_stops_the_server_of_a_folder_that_was_closed_meanwhile(self, tmp_path: Path, hold: Hold) -> None:
        holder = hold(tmp_path)
        tmp_path.chmod(0o700)
        holder.let_go()
        assert server_pid(tmp_path) is None

    def test_leaves_it_to_those_who_come_and_go_at_once(self, tmp_path: Path, start_holder: Hold) -> None:
        for _ in range(3):
            holders = [start_holder(tmp_path) for _ in range(4)]
            for holder in holders:
                holder.wait_until_attached().let_go()
        assert server_pid(tmp_path) is None


class TestAfterAKill:
    def test_of_its_user_the_next_one_uses_the_server_and_stops_it(self, tmp_path: Path, hold: Hold) -> None:
        first = hold(tmp_path)
        first.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        assert first.end(signal.SIGKILL) == -signal.SIGKILL
        pid = server_pid(tmp_path)
        assert pid is not None
        second = hold(tmp_path)
        assert server_pid(tmp_path) == pid
        assert second.execute("SELECT answer FROM kept") == [(42,)]
        second.let_go()
        assert server_pid(tmp_path) is None

    def test_of_the_server_the_next_one_starts_it_with_its_data(self, tmp_path: Path, hold: Hold) -> None:
        first = hold(tmp_path)
        first.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        kill_server(tmp_path)
        second = hold(tmp_path)
        assert second.execute("SELECT answer FROM kept") == [(42,)]

    def test_of_the_machine_another_process_with_the_servers_number_is_no_server(
        self, tmp_path: Path, hold: Hold
    ) -> None:
        hold(tmp_path).let_go()
        left = tmp_path / "postgres" / "postmaster.pid"
        left.write_text(f"{os.getpid()}\n{left.parent}\n0\n5432\n/tmp\n\n0 0\nready\n")
        assert hold(tmp_path).execute("SELECT 1") == [(1,)]

    def test_of_its_making_it_is_made_anew(self, tmp_path: Path, hold: Hold) -> None:
        unfinished = tmp_path / "postgres.unfinished"
        unfinished.mkdir()
        (unfinished / "PG_VERSION").write_text("18")
        assert hold(tmp_path).execute("SELECT 1") == [(1,)]
        assert not unfinished.exists()


class TestFolders:
    def test_a_path_too_long_for_a_socket_serves(self, tmp_path: Path, hold: Hold) -> None:
        deep = tmp_path / "/".join(["a folder with a long name"] * 8)
        assert len(str(deep)) > 108
        assert hold(deep).execute("SELECT 1") == [(1,)]

    def test_two_at_once_are_two_servers(self, tmp_path: Path, hold: Hold) -> None:
        one, other = hold(tmp_path / "one"), hold(tmp_path / "other")
        one.execute("CREATE TABLE mine (n int)")
        assert other.execute("SELECT to_regclass('mine')") == [(None,)]
        one.let_go()
        assert other.execute("SELECT 1") == [(1,)]

    def test_keeps_its_secret_key_to_itself(self, tmp_path: Path, hold: Hold) -> None:
        hold(tmp_path).let_go()
        path = tmp_path / "secret_key"
        key = path.read_text()
        assert (len(key), path.stat().st_mode & 0o777) == (64, 0o600)
        hold(tmp_path).let_go()
        assert path.read_text() == key


class TestRefusal:
    def error_of(self, start_holder: Hold, data: Path) -> str:
        process = start_holder(data).process
        _, error = process.communicate(timeout=60)
        assert process.returncode == 1
        return error.strip().splitlines()[-1]

    def test_names_the_log_when_the_server_does_not_start(self, tmp_path: Path, hold: Hold, start_holder: Hold) -> None:
        hold(tmp_path).let_go()
        with (tmp_path / "postgres" / "postgresql.conf").open("a") as conf:
            conf.write("\nno_such_setting = 1\n")
        assert self.error_of(start_holder, tmp_path).endswith(f"see {tmp_path}/postgres/server.log")
        assert "no_such_setting" in (tmp_path / "postgres" / "server.log").read_text()

    def test_does_not_touch_the_data_of_another_version(self, tmp_path: Path, hold: Hold, start_holder: Hold) -> None:
        hold(tmp_path).let_go()
        (tmp_path / "postgres" / "PG_VERSION").write_text("16\n")
        assert "was made by PostgreSQL 16, and this one is 18" in self.error_of(start_holder, tmp_path)

    def test_leaves_the_data_of_another_user_alone(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
        with pytest.raises(UnableToStart, match=f"the data in {tmp_path} belongs to another user"):
            postgres.ensure_running(cluster=tmp_path, durable=False)

    def test_does_not_use_a_socket_folder_that_others_may_enter(
        self, tmp_path: Path, hold: Hold, start_holder: Hold
    ) -> None:
        holder = hold(tmp_path)
        holder.let_go()
        planted = socket_folder(holder.url)
        planted.mkdir()
        planted.chmod(0o777)
        try:
            assert f"{planted} isn't a private folder of ours" in self.error_of(start_holder, tmp_path)
        finally:
            planted.rmdir()


class TestRoles:
    def test_log_in_and_neither_rules_the_cluster(self, tmp_path: Path, hold: Hold) -> None:
        holder = hold(tmp_path)
        found = holder.execute(
            "SELECT rolname, rolcanlogin, rolcreatedb, rolsuper, rolcreaterole FROM pg_roles "
            "WHERE rolname LIKE 'billing%' ORDER BY rolname"
        )
        assert found == [("billing_app", True, False, False, False), ("billing_owner", True, True, False, False)]
        with closing(psycopg2.connect(holder.url)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT current_user, current_database()")
            assert cursor.fetchone() == ("billing_app", "billing")
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute("CREATE TABLE mine (n int)")

    def test_only_the_owner_makes_databases(self, tmp_path: Path, hold: Hold) -> None:
        holder = hold(tmp_path)
        for url, may in ((holder.url, False), (holder.owner_url, True)):
            with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
                cursor.execute("SELECT rolcreatedb FROM pg_roles WHERE rolname = current_user")
                assert cursor.fetchone() == (may,)
