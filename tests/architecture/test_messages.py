"""Commands that the product's messages name are written as the README's table has them: `manage.py release_run ...`."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.project_files import PRODUCT, modules, text_of, tree_of

COMMANDS = set(re.findall(r"^\| `manage\.py ([a-z_]+)", text_of(Path("README.md")), re.MULTILINE))
_BARE = re.compile(rf"`({'|'.join(sorted(COMMANDS))})[ `]")


def texts_of(tree: ast.Module) -> Iterator[str]:
    """The strings of a module but its docstrings, with `{}` for what is filled in."""
    passed_over = {
        id(part)
        for node in ast.walk(tree)
        for part in (
            node.values if isinstance(node, ast.JoinedStr) else [node.value] if isinstance(node, ast.Expr) else []
        )
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield text_in(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in passed_over:
            yield node.value


def text_in(node: ast.expr) -> str:
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts)


def faults_in(tree: ast.Module) -> list[str]:
    """Commands that the README doesn't have, and those without `manage.py`."""
    named = [name for text in texts_of(tree) for name in re.findall(r"manage\.py ([a-z_]+|\{)", text)]
    bare = [name for text in texts_of(tree) for name in _BARE.findall(text)]
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
    typed = [
        (text_in(call.args[0]).split() or [""])[0]
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == "command_line"
    ]
    return [name for name in (*named, *typed) if name not in COMMANDS] + bare


class TestMessages:
    def test_name_commands_as_the_readme_does(self) -> None:
        assert {"release_run", "cancel_run", "runlocal", "clock", "revoke_api_key"} <= COMMANDS
        faults = {str(path): found for path in modules(*PRODUCT) if (found := faults_in(tree_of(path)))}
        # There the command is filled in: what is given to it is looked at where it is called.
        assert faults == {"localcloud/platform/preparation.py": ["{"]}

    @pytest.mark.parametrize(
        ("source", "faults"),
        [
            ('f"then `release_run {run.id}`."', ["release_run"]),
            ('f"`manage.py release_run {run.id} --reason R`"', []),
            ('"run `manage.py " "relase_run`"', ["relase_run"]),
            ('f"`manage.py {name} --reason R`"', ["{"]),
            ('command_line(f"release {run.id}")', ["release"]),
            ('command_line(f"{name} {run.id}")', ["{}"]),
            ('command_line("clock --to DATE")', []),
            ("command_line('runlocal')", []),
        ],
    )
    def test_with_a_fault_are_found(self, source: str, faults: list[str]) -> None:
        assert faults_in(ast.parse(f"text = {source}")) == faults

    def test_are_no_docstrings(self) -> None:
        assert faults_in(ast.parse('"""`manage.py demo` and `runlocal`."""\n')) == []
