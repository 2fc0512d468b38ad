"""A way to break the configuration, with the assertions of `terraform test` that catch it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Break:
    file: str
    good: str
    bad: str
    caught_by: tuple[str, ...]


def broken_by(a_break: Break, *, folder: Path) -> None:
    """Apply one. It must find what it breaks, once."""
    path = folder / f"{a_break.file}.tf"
    text = path.read_text()
    assert text.count(a_break.good) == 1, f"{a_break.file} has {text.count(a_break.good)} times {a_break.good!r}"
    path.write_text(text.replace(a_break.good, a_break.bad))


def breaks(file: str, *ways: tuple[str, ...]) -> list[Break]:
    """Each way is what is good, what is bad, and the messages of those that catch it."""
    return [Break(file=file, good=good, bad=bad, caught_by=tuple(caught_by)) for good, bad, *caught_by in ways]
