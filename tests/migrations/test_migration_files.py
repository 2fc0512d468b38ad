import re
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db.migrations.loader import MigrationLoader

from tests.support.databases import rolled_back

ROOT = Path(__file__).resolve().parent.parent.parent
APPS = ["accounts", "ledger", "invoices", "payments", "rebilling", "api", "backoffice"]
NAMED = re.compile(r"[0-9]{4}_[a-z][a-z0-9_]+")
NAMED_BY_DJANGO = re.compile(r"_(initial|auto_.*|.*_and_more|(alter|remove|rename|delete|add)_.*)$")


def names(app: str) -> list[str]:
    return sorted(name for label, name in MigrationLoader(None).disk_migrations if label == app)


class TestMigrationFiles:
    @rolled_back
    def test_leave_no_change_of_a_model_out(self, capsys: pytest.CaptureFixture[str]) -> None:
        call_command("makemigrations", check=True, dry_run=True)
        assert capsys.readouterr().out == "No changes detected\n"

    @pytest.mark.parametrize("app", APPS)
    def test_say_by_name_what_they_do(self, app: str) -> None:
        found = names(app)
        assert found
        assert [name for name in found if not NAMED.fullmatch(name)] == []
        assert [name for name in found if NAMED_BY_DJANGO.search(name[4:])] == []

    @pytest.mark.parametrize("app", APPS)
    def test_are_numbered_without_a_gap(self, app: str) -> None:
        assert [int(name[:4]) for name in names(app)] == list(range(1, len(names(app)) + 1))

    def test_have_their_sql_beside_them_with_a_way_down(self) -> None:
        ups = sorted(path.relative_to(ROOT) for app in APPS for path in (ROOT / app / "migrations").glob("*.up.sql"))
        assert Path("ledger/migrations/0002_append_only.up.sql") in ups
        for up in ups:
            stem = up.name.removesuffix(".up.sql")
            assert "sql_files(__file__)" in (ROOT / up.with_name(f"{stem}.py")).read_text(encoding="utf-8")
            assert (ROOT / up.with_name(f"{stem}.down.sql")).read_text(encoding="utf-8").strip()
        downs = [path for app in APPS for path in (ROOT / app / "migrations").glob("*.down.sql")]
        assert len(downs) == len(ups)
