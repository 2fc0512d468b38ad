"""The README's paths and commands are there."""

import re
from collections.abc import Collection

import pytest
from django.core.management import get_commands, load_command_class

from tests.support.project_files import ROOT

PAGES = [
    "README.md",
    "docs/api.md",
    "docs/architecture.md",
    "docs/glossary.md",
    "docs/states.md",
    "docs/stripe.md",
    "CHANGELOG.md",
]
_IN_CODE = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*/?")


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def where_is() -> list[tuple[str, str]]:
    """What and where, row by row, of the README's table."""
    match = re.search(r"^## Where is.*?\n(.*?)(?=^## |\Z)", page("README.md"), re.MULTILINE | re.DOTALL)
    assert match, "the README has no heading '## Where is ...?'"
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in match[1].splitlines() if "|" in line]
    assert cells[0] == ["what", "where"]
    return [(what, where) for what, where in cells[2:]]


def code_of(name: str) -> list[str]:
    """What a page sets as code: in its blocks, line by line, and between backticks."""
    blocks = re.findall(r"^```\n(.*?)^```", page(name), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()] + _IN_CODE.findall(page(name))


def options_of(command: str) -> Collection[str]:
    loaded = load_command_class(get_commands()[command], command)
    return loaded.create_parser("manage.py", command)._option_string_actions


class TestWhereIs:
    def test_leads_to_paths_that_exist(self) -> None:
        table = where_is()
        assert 8 <= len(table) <= 15
        for what, where in table:
            paths = _IN_CODE.findall(where)
            assert paths, f"{what}: no path"
            assert [path for path in paths if not (ROOT / path).exists()] == [], what

    def test_finds_in_ten_seconds_where_a_customer_is_charged(self) -> None:
        assert ("a customer charged", "`rebilling/charges.py`") in where_is()

    def test_asks_nothing_twice(self) -> None:
        questions = [what for what, _ in where_is()]
        assert sorted(set(questions)) == sorted(questions)


class TestPages:
    @pytest.mark.parametrize("name", PAGES)
    def test_name_paths_that_exist(self, name: str) -> None:
        """Anything in code with a slash and a suffix, or a folder of ours, is a path."""
        top = {path.name for path in ROOT.iterdir()}
        paths = [code for code in code_of(name) if _PATH.fullmatch(code) and "/" in code.strip("/")]
        missing = [path for path in paths if path.split("/")[0] in top and not (ROOT / path).exists()]
        assert missing == []

    @pytest.mark.parametrize("name", PAGES)
    def test_link_to_pages_that_exist(self, name: str) -> None:
        targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page(name))
        own = [target for target in targets if "://" not in target]
        folder = (ROOT / name).parent
        assert [target for target in own if not (folder / target).exists()] == []

    @pytest.mark.parametrize("name", PAGES)
    def test_name_make_targets_that_exist(self, name: str) -> None:
        targets = set(re.findall(r"^([a-z-]+):(?!=)", page("Makefile"), re.MULTILINE))
        named = {found[1] for code in code_of(name) if (found := re.match(r"(?:[A-Z_]+=\S+ )*make ([a-z-]+)", code))}
        assert named - targets == set()
        if name == "README.md":
            assert named >= {"demo", "test"}

    @pytest.mark.parametrize("name", PAGES)
    def test_name_commands_that_exist(self, name: str) -> None:
        named = {found[1] for code in code_of(name) if (found := re.search(r"manage\.py ([a-z][a-z_]*)", code))}
        assert named - get_commands().keys() == set()
        if name == "README.md":
            assert named >= {"sweep", "reconcile", "process_queue", "import_accounts", "create_api_key", "runlocal"}

    def test_let_every_command_name_the_data_folder(self) -> None:
        commands = {found[1] for found in re.finditer(r"^\| `manage\.py ([a-z_]+)", page("README.md"), re.MULTILINE)}
        assert commands >= {"sweep", "migrate", "prepare_database", "create_api_key", "revoke_api_key"}
        for name in sorted(commands):
            assert "--data" in options_of(name), name

    def test_show_no_option_that_a_command_does_not_have(self) -> None:
        for code in _IN_CODE.findall(page("README.md")):
            found = re.match(r"manage\.py ([a-z_]+)(.*)", code)
            if found and found[1] in get_commands():
                known = options_of(found[1])
                assert [option for option in re.findall(r"--[a-z-]+", found[2]) if option not in known] == []
