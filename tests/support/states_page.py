"""`docs/states.md`: under a heading for each kind of row, a table of `from`, `to`, `when`."""

import re
from collections import defaultdict
from functools import cache
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "states.md"
HEADER = ["from", "to", "when"]
_ROW = re.compile(r"^\|(.*)\|$")
_ARROW = re.compile(r"^    (\[\*\]|[A-Z_]+) --> ([A-Z_]+): \S")


@cache
def changes(kind: str) -> dict[str, set[str]]:
    """Where each state may go; the empty state is the beginning. Fails where the page has no table for the kind."""
    section = _section(kind)
    rows = [[cell.strip() for cell in row[1].split("|")] for line in section if (row := _ROW.match(line))]
    assert rows, f"{PAGE.name} has no table under the heading '## {kind}'"
    assert rows[0] == HEADER, f"the table of {kind} begins {rows[0]}"
    found: dict[str, set[str]] = defaultdict(set)
    for start, end, when in rows[2:]:
        assert end, f"a change of {kind} from {start or 'the beginning'} names no state"
        assert when, f"{kind}: {start} to {end} doesn't say when"
        assert end not in found[start], f"{kind}: {start} to {end} is there twice"
        found[start].add(end)
    return dict(found)


def drawn(kind: str) -> dict[str, set[str]]:
    """The changes that the kind's diagram shows, as `changes` has them."""
    found: dict[str, set[str]] = defaultdict(set)
    for line in _section(kind):
        if arrow := _ARROW.match(line):
            found["" if arrow[1] == "[*]" else arrow[1]].add(arrow[2])
    return dict(found)


def reachable(kind: str, start: str) -> set[str]:
    """The states any number of changes away, none included."""
    there, ahead = {start}, [start]
    while ahead:
        new = changes(kind).get(ahead.pop(), set()) - there
        there |= new
        ahead += new
    return there


def _section(kind: str) -> list[str]:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    assert f"## {kind}" in lines, f"{PAGE.name} has no heading '## {kind}'"
    start = lines.index(f"## {kind}") + 1
    end = next((at for at, line in enumerate(lines) if at >= start and line.startswith("## ")), len(lines))
    return lines[start:end]
