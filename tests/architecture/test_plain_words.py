"""One word for one thing: the words that the glossary replaced stand nowhere, whole or as a part of a name."""

import re
from pathlib import Path

import pytest

from tests.support.project_files import all_files, text_of

_WORDS = (
    *(
        r"certif(?:y|ies|ied|ying|icates?)",
        r"settl(?:e|es|ed|ing|ements?)",
        "brakes?",
        "packs?",
        "told",
        "asking",
        "standing",
    ),
    *(
        "setting[ _]aside",
        "put(?:ting)?[ _]right",
        "sending[ _]back",
        "coverage",
        "in[ _]halves",
        "row_faults",
        "needs_person",
    ),
    *("refusals", r"(?-i:MOST|LONGEST|FEWEST|SHORTEST)_[A-Z_]+", "nought", "what to mend", "charge it again"),
    *("retries", "catalogue", "cheques?"),
)
_CAPITAL_WITHIN = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
REPLACED = re.compile(rf"(?<![A-Za-z])(?:{'|'.join(_WORDS)})(?![A-Za-z])", re.IGNORECASE)

ABOUT_TLS = re.compile(r"certificates?", re.IGNORECASE)
"""A certificate of a server or an authority is one."""
CERTIFICATES = re.compile(
    r"TLS|PEM|RDS|\.pem|authorit|verif|x509|domain|server|Certificate Manager|acm|certificate_arn", re.IGNORECASE
)
OF_TOOLS = {
    # The tool that measures which lines the tests run.
    "coverage": {
        *(".gitignore", "Makefile", "pyproject.toml", "tests/conftest.py", "requirements/dev.in"),
        "tests/architecture/test_unwanted_content.py",
    },
    # A queue's, a client's or a provider's own. A declined payment has steps of dunning.
    "retries": {
        *("terraform/schedule.tf", "tests/deploy/terraform/broken_copies.py", "tests/deploy/terraform/test_applied.py"),
        *(
            "payments/messages/queue.py",
            "billing_site/lambda_function/readiness.py",
            "billing_site/secrets/store.py",
        ),
        *("payments/gateways/stripe/call.py", "payments/gateways/stripe/declines.py", "docs/stripe.md"),
        *("billing_site/database/rotation.py", "requirements/environment"),
        "tests/unit/requirements/test_environment.py",
        "deploy/cloud.py",
    },
    # Python's own module for binary data.
    "pack": {"localcloud/simulated_stripe/server.py"},
}
GERUNDS_AND_ADJECTIVES = {
    *("receiving", "held", "parked", "sending", "waiting", "wording", "clearing", "strict", "configured", "attached"),
    *("foreseen", "collectable", "uncollected", "past_due", "on_demand"),
}
"""Names that files once had, and that say nothing of what they hold."""
PASSED_OVER = {Path("tests/architecture/test_plain_words.py")}


def faults_in(text: str, *, path: str = "") -> list[str]:
    """The replaced words of a text, each with its line's number."""
    found = []
    lines = text.splitlines()
    for number, line in enumerate(lines, start=1):
        around = " ".join(lines[max(0, number - 3) : number + 2])
        for match in REPLACED.finditer(_CAPITAL_WITHIN.sub(" ", line)):
            word = match[0].lower()
            tls = ABOUT_TLS.fullmatch(word) and CERTIFICATES.search(f"{path} {around}")
            if not tls and path not in OF_TOOLS.get(word, ()):
                found.append(f"{path}:{number}: {match[0]}")
    return found


class TestPlainWords:
    def test_stand_in_every_file(self) -> None:
        paths = [path for path in all_files() if path.suffix != ".txt" and path not in PASSED_OVER]
        assert len(paths) > 400
        assert [fault for path in paths for fault in faults_in(text_of(path), path=str(path))] == []

    def test_stand_in_every_files_name(self) -> None:
        assert [str(path) for path in all_files() if REPLACED.search(str(path))] == []

    def test_name_files_by_nouns_and_folders_instead_of_prefixes(self) -> None:
        ours = [path for path in all_files() if path.suffix == ".py" and path.parts[0] != "tests"]
        names = {path: path.stem for path in ours}
        assert [str(path) for path, name in names.items() if name in GERUNDS_AND_ADJECTIVES] == []
        assert [str(path) for path, name in names.items() if name.startswith("stripe_")] == []

    @pytest.mark.parametrize(
        ("text", "faults"),
        [
            ("the certificate of a run", [":1: certificate"]),
            ("the server's certificate", []),
            ("def settle_apart() -> None", [":1: settle"]),
            ("MOST_ROWS = 3", [":1: MOST_ROWS"]),
            ("most_rows, outstanding, a package", []),
            ("we are told", [":1: told"]),
            ("needs_person=True", [":1: needs_person"]),
            ("12 of them retries", [":1: retries"]),
            ("total_max_attempts, a retry of the message", []),
        ],
    )
    def test_are_looked_for_by_whole_words(self, text: str, faults: list[str]) -> None:
        assert faults_in(text) == faults

    def test_may_not_be_named_as_old_names_either(self) -> None:
        text = "`reconcile` for `certify`"
        assert faults_in(text, path="CHANGELOG.md") == ["CHANGELOG.md:1: certify"]
        assert faults_in(text, path="README.md") == ["README.md:1: certify"]

    @pytest.mark.parametrize(
        "text", ["class RunCertificate:", "SettledApart", "is setting aside", "sending back money"]
    )
    def test_are_looked_for_within_names_and_phrases(self, text: str) -> None:
        assert len(faults_in(text)) == 1
