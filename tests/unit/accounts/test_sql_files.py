"""Statements in files beside their callers."""

from pathlib import Path

import pytest

from accounts.sql_files import query


@pytest.fixture
def module(tmp_path: Path) -> str:
    """A module with two statements beside it."""
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "plain.sql").write_text("SELECT '{}' || %(text)s\n", encoding="utf-8")
    (tmp_path / "sql" / "named.sql").write_text("SELECT {column} FROM {table} WHERE id = %(id)s\n", encoding="utf-8")
    return str(tmp_path / "module.py")


class TestQuery:
    def test_is_the_files_text(self, module: str) -> None:
        assert query(module, "plain") == "SELECT '{}' || %(text)s\n"

    def test_quotes_its_identifiers(self, module: str) -> None:
        statement = query(module, "named", table="payment", column='id" FROM secrets --')
        assert statement == 'SELECT "id"" FROM secrets --" FROM "payment" WHERE id = %(id)s\n'

    def test_lacks_no_identifier(self, module: str) -> None:
        with pytest.raises(KeyError, match="column"):
            query(module, "named", table="payment")

    def test_reads_a_file_once(self, module: str) -> None:
        first = query(module, "plain")
        Path(module).with_name("sql").joinpath("plain.sql").unlink()
        assert query(module, "plain") == first

    def test_without_a_file_fails(self, module: str) -> None:
        with pytest.raises(FileNotFoundError):
            query(module, "missing")
