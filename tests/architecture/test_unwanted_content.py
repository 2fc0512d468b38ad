"""What doesn't belong in the repository: one machine's paths, addresses of package indexes, secrets."""

import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.project_files import all_files, text_of

# A class of one character keeps a pattern from finding itself.
UNWANTED = {
    "a path of one machine": re.compile(r"(?<![\w.$}])/(work|root|home/\w+|Users/\w+)/[\w.]"),
    "the address of a package index": re.compile(
        r"python[h]osted\.org|pypi\.[o]rg/simple|(?<!emit-)inde[x]-url|artifac[t]ory|trusted-hos[t]", re.IGNORECASE
    ),
    "an AWS key": re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY"),
    "a live key of a payment provider": re.compile(r"\b(sk|rk)_live_[0-9A-Za-z]{8,}"),
}
REQUIREMENTS = {"runtime": 20, "local": 20, "dev": 20, "stripe": 5}
"""So many packages at least are in each."""


def pinned(name: str) -> dict[str, str]:
    """Package and version, of each requirement; every one has hashes, and there is nothing else in the file."""
    return {package: version for package, _, version in requirements(name)}


def requirements(name: str) -> list[tuple[str, set[str], str]]:
    """Package, extras and version."""
    found = []
    text = text_of(Path(f"requirements/{name}.txt")).replace("\\\n", " ")
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        match = re.fullmatch(
            r"([a-z0-9][a-z0-9._-]*)(?:\[([a-z0-9, _-]+)\])?==(\S+)( ;[^#]+?)?((?: +--hash=sha256:[0-9a-f]{64})+)", line
        )
        assert match, line
        found.append((match[1], set(match[2].split(", ")) if match[2] else set(), match[3]))
    assert len({package for package, *_ in found}) == len(found)
    return found


def extras_asked_for(of: dict[str, set[str]]) -> Iterator[tuple[str, str]]:
    """The extras that the installed packages ask others for, themselves with extras of their own."""
    for package in metadata.distributions():
        own = {"", *of.get(canonicalize_name(package.name), set())}
        for requirement in map(Requirement, package.requires or []):
            if any(requirement.marker is None or requirement.marker.evaluate({"extra": extra}) for extra in own):
                yield from ((canonicalize_name(requirement.name), extra) for extra in requirement.extras)


class TestRepository:
    @pytest.mark.parametrize("what", UNWANTED)
    def test_holds_nothing_unwanted(self, what: str) -> None:
        found = []
        for path in all_files():
            try:
                text = text_of(path)
            except UnicodeDecodeError:
                continue
            found += [f"{path}: {match[0]}" for match in UNWANTED[what].finditer(text)]
        assert found == []

    def test_ignores_what_tools_and_data_leave(self) -> None:
        assert {path.parts[0] for path in all_files()} & {".venv", ".local", ".local-test", ".git"} == set()


class TestRequirements:
    @pytest.mark.parametrize("name", REQUIREMENTS)
    def test_are_pinned_with_hashes(self, name: str) -> None:
        assert len(pinned(name)) > REQUIREMENTS[name]

    def test_are_pinned_with_their_extras(self) -> None:
        """Pip before 23.3 takes the newest `coverage[toml]` beside a pin of `coverage`, and refuses it."""
        pins = {package: extras for package, extras, _ in requirements("dev")}
        asked = set(extras_asked_for(pins))
        assert ("coverage", "toml") in asked
        assert [ask for ask in sorted(asked) if ask[0] in pins and ask[1] not in pins[ask[0]]] == []

    def test_of_the_larger_sets_hold_the_smaller_ones(self) -> None:
        """One .venv serves them all."""
        assert pinned("runtime").items() <= pinned("local").items() <= pinned("dev").items()

    def test_of_stripe_are_an_extra_that_fits_the_others(self) -> None:
        assert pinned("stripe").items() <= pinned("dev").items()
        assert pinned("stripe").items() <= pinned("local").items()
        assert "stripe" not in pinned("runtime")
