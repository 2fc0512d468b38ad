"""The README and the other pages: paths, links, headings, targets and commands that they name are there."""

import re
import subprocess
from collections.abc import Collection
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from tests.support.project_files import ROOT, all_files

PAGES = sorted(str(path) for path in all_files() if path.suffix == ".md")
DECISIONS = Path("docs/decisions")
_IN_CODE = re.compile(r"`([^`\n]+)`")
_KIND = re.compile(r"[a-z]+/[0-9]+")
"""A message's kind and version, such as `payments/1`."""
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
    blocks = re.findall(r"^ *```\w*\n(.*?)^ *```", page(name), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()] + _IN_CODE.findall(page(name))


def links_of(name: str) -> list[tuple[Path, str]]:
    """The project's own files that a page links to, each with the heading, which may be empty."""
    targets = [target for target in re.findall(r"\]\(([^)\s]+)\)", page(name)) if "://" not in target]
    parts = [target.partition("#") for target in targets]
    return [((ROOT / name).parent / file if file else ROOT / name, heading) for file, _, heading in parts]


def headings(path: Path) -> set[str]:
    """As GitHub makes anchors of headings."""
    found = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in found}


def targets_of_make() -> set[str]:
    return set(re.findall(r"^([a-z-]+):(?!=)", page("Makefile"), re.MULTILINE))


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

    @pytest.mark.parametrize(
        ("what", "where"),
        [
            ("a customer invoiced", "rebilling/invoice_periods.py"),
            ("a decline handled; collected again", "payments/declines.py"),
            ("a refund requested", "payments/refund_requests.py"),
            ("due periods found", "rebilling/sweep.py"),
            ("a run held, being far too large", "rebilling/volume_check.py"),
        ],
    )
    def test_finds_in_ten_seconds(self, what: str, where: str) -> None:
        assert f"`{where}`" in dict(where_is())[what]

    def test_asks_nothing_twice(self) -> None:
        questions = [what for what, _ in where_is()]
        assert sorted(set(questions)) == sorted(questions)


class TestPages:
    @pytest.mark.parametrize("name", PAGES)
    def test_name_paths_that_exist(self, name: str) -> None:
        """Anything in code with a slash and a suffix, or a folder of ours, is a path."""
        top = {path.name for path in ROOT.iterdir()}
        paths = [code for code in code_of(name) if _PATH.fullmatch(code) and "/" in code.strip("/")]
        paths = [path for path in paths if not _KIND.fullmatch(path)]
        missing = [path for path in paths if path.split("/")[0] in top and not (ROOT / path).exists()]
        assert missing == []

    @pytest.mark.parametrize("name", PAGES)
    def test_link_to_pages_and_headings_that_exist(self, name: str) -> None:
        for path, heading in links_of(name):
            assert path.exists(), path
            assert not heading or heading in headings(path), f"{path.name}#{heading}"

    def test_are_all_found_from_the_index(self) -> None:
        linked = {path.resolve() for path, _ in links_of("docs/README.md")}
        assert {path for path in (ROOT / "docs").glob("*.md") if path.resolve() not in linked} == {
            ROOT / "docs" / "README.md"
        }

    @pytest.mark.parametrize("name", PAGES)
    def test_name_make_targets_that_exist(self, name: str) -> None:
        targets = targets_of_make()
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


class TestHelp:
    def test_has_a_line_for_each_target(self) -> None:
        # Within `make test` it is a make below another, which would name its folder first.
        command = ["make", "--no-print-directory", "help"]
        shown = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        lines = [line.split(maxsplit=2) for line in shown.splitlines()]
        assert sorted(target for _, target, _ in lines) == sorted(targets_of_make())
        assert {command for command, *_ in lines} == {"make"}


class TestDecisions:
    def test_have_a_date_and_a_row_in_the_index(self) -> None:
        pages = {path.name for path in (ROOT / DECISIONS).glob("[0-9]*.md")}
        assert len(pages) >= 25
        index = page(str(DECISIONS / "README.md"))
        rows = dict(re.findall(r"^\| \[\d{4}\]\((\S+)\) \| .+ \| (\S+) \|$", index, re.MULTILINE))
        assert rows.keys() == pages
        for name, date in rows.items():
            title, blank, first, *_ = page(str(DECISIONS / name)).splitlines()
            assert title.startswith(f"# {name[:4]}: ")
            assert blank == ""
            assert first.startswith(date)
            assert re.match(r"\d{4}-\d{2}-\d{2}[.,]", first)

    @pytest.mark.parametrize("name", [name for name in PAGES if re.match(rf"{DECISIONS}/\d", name)])
    def test_say_why_what_else_and_what_follows_once_each(self, name: str) -> None:
        sections = re.findall(r"^\*\*([A-Z][a-z]+)\.\*\* \S|^\*\*(Decision)\.\*\*$", page(name), re.MULTILINE)
        assert [first or second for first, second in sections] == [
            "Context",
            "Decision",
            "Alternatives",
            "Consequence",
        ]
