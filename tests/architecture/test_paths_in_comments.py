"""Paths that comments and docstrings name are there."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.project_files import ROOT, all_files, text_of, tree_of

_PATH = re.compile(
    r"(?<![\w./{-])[\w.-]+(?:/[\w.-]+)*/[\w-]+(?:\.[\w-]+)*\.(?:py|sql|md|json|toml|tf|txt|html|csv|pem)\b"
)
_FOLDERS = {path.parts[0] for path in all_files() if len(path.parts) > 1}


def said_in(path: Path) -> Iterator[str]:
    """The comments of a file, and the docstrings of a module."""
    if path.suffix != ".py":
        yield from re.findall(r"--.*", text_of(path))
        return
    for token in tokenize.generate_tokens(io.StringIO(text_of(path)).readline):
        if token.type == tokenize.COMMENT:
            yield token.string
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value


def missing_from(texts: Iterator[str]) -> list[str]:
    named = [path for text in texts for path in _PATH.findall(text)]
    return [path for path in named if path.split("/")[0] in _FOLDERS and not (ROOT / path).exists()]


@pytest.mark.parametrize("suffix", [".py", ".sql"])
def test_that_comments_and_docstrings_name_exist(suffix: str) -> None:
    files = [path for path in all_files() if path.suffix == suffix]
    assert {str(path): missing for path in files if (missing := missing_from(said_in(path)))} == {}


def test_are_found_in_sentences() -> None:
    text = "As `invoices/gone.py` says, and accounts/amounts.py: see (ledger/sql/gone.sql), and sql/NAME.sql."
    assert missing_from(iter([text])) == ["invoices/gone.py", "ledger/sql/gone.sql"]
