"""Calls of the API as a page shows them, for `curl`, with the answers that it shows: run as they stand there."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.api_client import ApiClient
from tests.support.project_files import ROOT

BASE = "$API/"
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = ""


class Step(NamedTuple):
    """What a reader does, and what the page shows of what comes of it, if anything: `shown` of a kind, "json"."""

    command: str
    kind: str = ""
    shown: str = ""


def sections_of(page: Path | str) -> dict[str, str]:
    """The page's sections, by their headings."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return dict(found)


def steps_of(section: str) -> list[Step]:
    """The section's commands in order, each with what is shown below it. A file is a step without a command."""
    steps: list[Step] = []
    for kind, block in _BLOCK.findall(section):
        if kind in {"json", "text"}:
            steps[-1] = steps[-1]._replace(kind=kind, shown=block)
        elif kind == _COMMAND:
            steps.append(Step(block.strip()))
        else:
            steps.append(Step("", kind, block))
    return steps


def sent(api: ApiClient, command: str, ids: dict[str, str]) -> Any:
    """The response to the call. Without `-X`, one with a body is a POST, and one without is a GET."""
    name, *arguments = words_of(command, ids)
    assert name == "api"
    options: dict[str, str] = {}
    while len(arguments) > 1:
        # Options come before the URL or after it.
        at = 0 if arguments[0].startswith("-") else 1
        option, value = arguments[at : at + 2]
        options[option] = value
        del arguments[at : at + 2]
    (url,) = arguments
    assert url.startswith(BASE)
    assert options.keys() <= {"-X", "-d", "-H"}
    once = options["-H"].removeprefix("Idempotency-Key: ") if "-H" in options else None
    raw = options.get("-d", "").encode()
    method = options.get("-X", "POST" if raw else "GET")
    path, _, query = url.removeprefix(BASE).partition("?")
    parameters = dict(pair.split("=") for pair in query.split("&")) if query else None
    return api.send(method, f"/v1/{path}", raw=raw, once=once, query=parameters)


def words_of(command: str, values: dict[str, str]) -> list[str]:
    """The command's words as a shell has them: a variable is filled in, but not within single quotes."""
    parts = re.split(r"('[^']*')", command)
    for name, value in values.items():
        parts = [part if part.startswith("'") else re.sub(rf"{re.escape(name)}\b", value, part) for part in parts]
    return shlex.split("".join(parts))


def differences(shown: Any, answered: Any, ids: dict[str, str], path: str = "") -> Iterator[str]:
    """Where the answer isn't as shown. Fields may be left out; `$NAME` is an id, the same one each time."""
    if isinstance(shown, dict):
        for name, value in shown.items():
            yield from differences(value, (answered or {}).get(name, "nothing"), ids, f"{path}.{name}")
    elif isinstance(shown, list):
        if len(shown) != len(answered):
            yield f"{path}: {len(answered)} instead of {len(shown)}"
        for number, (one, other) in enumerate(zip(shown, answered, strict=False)):
            yield from differences(one, other, ids, f"{path}[{number}]")
    elif isinstance(shown, str) and shown.startswith("$"):
        if ids.setdefault(shown, answered) != answered:
            yield f"{path}: {answered} instead of {ids[shown]}"
    elif shown != answered:
        yield f"{path}: {answered!r} instead of {shown!r}"
