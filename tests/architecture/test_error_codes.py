"""Each error of an operation has a code of its own, which is the slug of the API's problem and stays as it is."""

import ast
import re
from collections.abc import Iterator

from tests.support.project_files import all_files, text_of

BASES = {"OperationError", "Invalid", "Conflict", "Missing"}
DEFINED_IN = "accounts/errors.py"


def errors() -> Iterator[tuple[str, str | None]]:
    """The product's errors that stand right under a base, each with its code."""
    for path in all_files():
        if path.suffix != ".py" or path.parts[0] == "tests" or str(path) == DEFINED_IN:
            continue
        for node in ast.walk(ast.parse(text_of(path))):
            if isinstance(node, ast.ClassDef) and BASES & {
                base.id for base in node.bases if isinstance(base, ast.Name)
            }:
                codes = [
                    assigned.value.value
                    for assigned in node.body
                    if isinstance(assigned, ast.Assign)
                    and isinstance(assigned.value, ast.Constant)
                    and [target.id for target in assigned.targets if isinstance(target, ast.Name)] == ["code"]
                ]
                yield node.name, str(codes[0]) if codes else None


class TestErrorCodes:
    def test_are_there_and_are_no_others(self) -> None:
        found = list(errors())
        assert len(found) >= 40
        assert [name for name, code in found if code is None] == []
        codes = [code for _, code in found if code]
        assert sorted({code for code in codes if codes.count(code) > 1}) == []

    def test_are_slugs(self) -> None:
        assert [code for _, code in errors() if not re.fullmatch(r"[a-z]+(-[a-z]+)*", code or "")] == []
