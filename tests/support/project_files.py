"""The project's own files: all but what git ignores. Without git, which a machine needn't have."""

import ast
import fnmatch
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DOMAIN = ("accounts", "ledger", "invoices", "payments", "rebilling", "subscriptions", "papers")
PRODUCT = (*DOMAIN, "api", "backoffice", "billing_site", "localcloud")


@cache
def all_files() -> list[Path]:
    """Relative to the root, sorted."""
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    ignored = [line.strip("/") for line in lines if line and not line.startswith("#")]

    def walk(folder: Path) -> Iterator[Path]:
        for path in sorted(folder.iterdir()):
            if path.name == ".git" or any(fnmatch.fnmatch(path.name, pattern) for pattern in ignored):
                continue
            if path.is_dir() and not path.is_symlink():
                yield from walk(path)
            else:
                yield path.relative_to(ROOT)

    return list(walk(ROOT))


def modules(*folders: str, migrations: bool = False, commands: bool = True) -> list[Path]:
    """Python files, of the folders or of the whole project."""
    return [
        path
        for path in all_files()
        if path.suffix == ".py"
        and (not folders or path.parts[0] in folders)
        and (migrations or "migrations" not in path.parts)
        and (commands or "management" not in path.parts)
    ]


def text_of(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def tree_of(path: Path) -> ast.Module:
    return ast.parse(text_of(path), filename=str(path))
