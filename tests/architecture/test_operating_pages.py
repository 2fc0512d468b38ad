"""What `docs/deploy.md` and `docs/runbook.md` say to type can be typed: nobody should find out at night."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from django.core.management import get_commands, load_command_class

from billing_site.lambda_function.commands import ALLOWED
from billing_site.lambda_function.duties import Duty
from tests.support.project_files import ROOT, text_of

PAGES = ["docs/deploy.md", "docs/runbook.md"]
OF_THE_CLI = {"--cli-binary-format", "--cli-read-timeout", "--query", "--output"}
ZAPPA_COMMANDS = {"deploy", "update", "undeploy", "status", "rollback", "manage"}
SETTINGS: dict[str, Any] = json.loads(text_of(Path("zappa_settings.json")))
DUTIES = {stage: Duty(held["aws_environment_variables"]["FUNCTION_DUTY"]) for stage, held in SETTINGS.items()}
FILES_OF_VARIABLES = {"production.tfvars", "staging.tfvars", "terraform.tfvars.example"}
PLANS = [["production.tfplan"], ["staging.tfplan"]]
FUNCTIONS = {f"billing-{stage}".replace("_", "-"): stage for stage in SETTINGS}


def code_of(page: str) -> list[str]:
    """What the page sets as code: in its blocks, also indented ones, line by line, and between backticks."""
    text = text_of(Path(page))
    outside = re.sub(r"^ *```\n.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    return typed(text) + re.findall(r"`([^`]+)`", outside)


def typed(text: str) -> list[str]:
    """What stands in the blocks of a page or a part of it, line by line."""
    blocks = re.findall(r"^ *```\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    return [line.strip() for block in blocks for line in block.splitlines()]


def part(page: str, heading: str) -> str:
    """What stands under a heading, up to the next one."""
    return text_of(Path(page)).split(f"\n## {heading}\n")[1].split("\n## ")[0]


def place(lines: list[str], beginning: str) -> int:
    """Where the one line is that begins so."""
    (found,) = [number for number, line in enumerate(lines) if line.startswith(beginning)]
    return found


def commands(page: str, program: str) -> Iterator[list[str]]:
    """The words after a program's name, wherever it begins a command of the page."""
    for code in code_of(page):
        for part in re.split(r" && ", code):
            found = re.match(rf"(?:[A-Z]+=\$\()?{program} (.+)", part)
            if found:
                yield shlex.split(found[1].removesuffix(")"))


def managed(page: str) -> Iterator[tuple[str, list[str]]]:
    """A stage and the words of a `manage.py` command that is run there: by Zappa, by invoking its function, or by
    `make manage`, which finds the function.
    """
    for words in commands(page, "make"):
        if words[:1] == ["manage"] and len(words) > 1:
            (line,) = [word.removeprefix("COMMAND=") for word in words if word.startswith("COMMAND=")]
            verb = line.split()[0]
            yield from [(stage, shlex.split(line)) for stage, duty in DUTIES.items() if verb in ALLOWED[duty]][:1]
    for words in commands(page, "zappa"):
        if words[0] == "manage" and len(words) > 1:
            assert len(words) == 3, f"quote what follows the stage: {words}"
            yield words[1], shlex.split(words[2])
    for words in commands(page, "aws"):
        if words[:2] == ["lambda", "invoke"] and len(words) > 2:
            event = json.loads(words[words.index("--payload") + 1])
            yield FUNCTIONS[words[words.index("--function-name") + 1]], shlex.split(event["manage"])


def operation_of(session: Any, service: str, operation: str, words: list[str]) -> str:
    """What `aws` is asked for, by its name in the API: of `aws ... wait`, what it asks again and again."""
    if operation == "wait":
        waiters = session.get_waiter_model(service)
        named = {xform_name(waiter, "-"): waiter for waiter in waiters.waiter_names}
        assert words[0] in named, f"aws {service} can't wait for {words[0]}"
        return str(waiters.get_waiter(named[words[0]]).operation)
    names = {xform_name(verb, "-"): verb for verb in session.get_service_model(service).operation_names}
    assert operation in names, f"aws {service} has no {operation}"
    return str(names[operation])


@pytest.mark.parametrize("name", PAGES)
class TestPage:
    def test_runs_commands_where_they_may_run_with_options_that_they_have(self, name: str) -> None:
        found = list(managed(name))
        assert len(found) >= 5
        for stage, (verb, *words) in found:
            assert verb in ALLOWED[DUTIES[stage]], f"{verb} isn't for {stage}"
            command = load_command_class(get_commands()[verb], verb)
            known = command.create_parser("manage.py", verb)._option_string_actions
            assert [word for word in words if word.startswith("--") and word not in known] == [], verb

    def test_names_stages_that_exist(self, name: str) -> None:
        found = [words for words in commands(name, "zappa") if len(words) > 1]
        assert len(found) >= 5
        for words in found:
            assert words[0] in ZAPPA_COMMANDS
            assert words[1] in SETTINGS

    def test_names_make_targets_that_exist(self, name: str) -> None:
        targets = set(re.findall(r"^([a-z-]+):(?!=)", text_of(Path("Makefile")), re.MULTILINE))
        assert {words[0] for words in commands(name, "make")} <= targets
        for words in commands(name, "make"):
            assert {word.split("=")[0] for word in words[1:]} <= {
                *("ENVIRONMENT", "OUTPUTS", "EXTRAS", "RUNTIME", "ARCHITECTURE", "COMMAND", "YES", "TO", "CONFIRM")
            }

    def test_asks_aws_for_what_it_has(self, name: str) -> None:
        """Each operation and option, held against the description of the service that the AWS CLI itself goes by."""
        session = botocore.session.get_session()
        checked = 0
        for service, operation, *words in commands(name, "aws"):
            if (service, operation) == ("logs", "tail"):
                options = {word for word in words if word.startswith("--")}
                assert options <= {"--since", "--filter-pattern"}
                continue
            model = session.get_service_model(service)
            shape = model.operation_model(operation_of(session, service, operation, words)).input_shape
            members = shape.members if shape else {}
            known = {f"--{xform_name(member, '-')}" for member in members} | OF_THE_CLI
            unknown = [word for word in words if word.startswith("--") and word not in known]
            assert unknown == [], f"aws {service} {operation}"
            checked += 1
        assert checked >= 4

    def test_waits_for_an_update_before_it_runs_what_was_updated(self, name: str) -> None:
        """`zappa update` returns before AWS has put it in place, and the release before would run."""
        waited = 0
        for section in re.split(r"^## ", text_of(Path(name)), flags=re.MULTILINE):
            in_the_making = set()
            for line in typed(section):
                words = shlex.split(line)
                if words[:2] in (["zappa", "update"], ["zappa", "rollback"]):
                    in_the_making.add(words[2])
                elif words[:4] == ["aws", "lambda", "wait", "function-updated-v2"]:
                    in_the_making.remove(FUNCTIONS[words[words.index("--function-name") + 1]])
                    waited += 1
                elif words[:2] == ["zappa", "manage"]:
                    assert words[2] not in in_the_making, line
        assert waited >= 1

    def test_links_to_pages_and_headings_that_exist(self, name: str) -> None:
        for target in re.findall(r"\]\(([^)\s]+)\)", text_of(Path(name))):
            if "://" in target:
                continue
            file, _, heading = target.partition("#")
            path = (ROOT / name).parent / file if file else ROOT / name
            assert path.exists(), target
            assert not heading or heading in headings(path), target

    def test_names_paths_that_exist(self, name: str) -> None:
        top = {path.name for path in ROOT.iterdir()} - {"build"}
        paths = [code for code in code_of(name) if re.fullmatch(r"[a-z_]+(/[A-Za-z0-9_.-]+)+", code)]
        missing = {path for path in paths if path.split("/")[0] in top and not (ROOT / path).exists()}
        assert missing == set()

    def test_runs_terraform_in_its_folder(self, name: str) -> None:
        """Elsewhere it finds no state, and says that there are no outputs."""
        code = "\n".join(code_of(name))
        assert "terraform -chdir=terraform output" in code
        assert re.findall(r"(?<![\w=])terraform (?!-chdir=terraform )\w.*", code) == []

    def test_names_the_environment_in_each_terraform_command(self, name: str) -> None:
        """Terraform would take another one's state, or another one's variables, without a word."""
        checked = 0
        for _, verb, *words in commands(name, "terraform"):
            if verb == "init":
                assert "-backend=false" in words or any("-backend-config=key=billing/" in word for word in words), words
            elif verb in {"plan", "apply", "destroy"} and words[:1] not in PLANS:
                (file,) = [word.removeprefix("-var-file=") for word in words if word.startswith("-var-file=")]
                assert file in FILES_OF_VARIABLES, words
                assert {word for word in words if word.startswith("-out=")} <= {f"-out={Path(file).stem}.tfplan"}
            checked += 1
        assert checked >= 5

    def test_asks_terraform_for_outputs_and_variables_that_it_has(self, name: str) -> None:
        text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "terraform").glob("*.tf"))
        outputs = set(re.findall(r'^output "(\w+)"', text, re.MULTILINE))
        asked = set(re.findall(r"terraform (?:-chdir=terraform )?output (?:-raw |-json )?(\w+)", text_of(Path(name))))
        assert asked
        assert asked - outputs == set()
        variables = set(re.findall(r'^variable "(\w+)"', text, re.MULTILINE))
        named = {code.split(" = ")[0] for code in code_of(name)}
        suspects = {word for word in named if re.fullmatch(r"[a-z]+(_[a-z]+)+", word)}
        # One is a file's, one a column.
        others = get_commands().keys() | SETTINGS.keys() | discrepancy_names()
        others |= {"zappa_settings", "review_reason"}
        assert suspects - variables - outputs - others == set()


def discrepancy_names() -> set[str]:
    """What the hourly check may report of the books."""
    queried = re.findall(r"^SELECT '(\w+)'", text_of(Path("rebilling/sql/discrepancies.sql")), re.MULTILINE)
    made = re.findall(r'Discrepancy\("(\w+)"', text_of(Path("rebilling/books.py")))
    assert len(queried) >= 15
    assert made
    return {*queried, *made}


def headings(path: Path) -> set[str]:
    """As GitHub makes anchors of headings."""
    found = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in found}


class TestDeploy:
    def test_says_how_each_thing_made_by_hand_is_taken_over(self) -> None:
        text = text_of(Path("terraform/imports.tf"))
        section = part("docs/deploy.md", "Taking over what was made by hand")
        rows = [line for line in section.splitlines() if line.startswith("| `import_")]
        named = {variable for row in rows for variable in re.findall(r"`(import_\w+)`", row)}
        assert named == set(re.findall(r'^variable "(\w+)"', text, re.MULTILINE))


class TestRunbook:
    def test_lets_nothing_write_to_the_old_database_once_another_is_restored(self) -> None:
        """`zappa update` starts the API again before it gives it the other database's address."""
        lines = typed(part("docs/runbook.md", "Restore from a backup"))
        # Whatever it is called by now: after one restore it isn't billing-production any more.
        named = place(lines, "OLD=$(terraform -chdir=terraform output -raw database_identifier)")
        restored = place(lines, "aws rds restore-db-instance-to-point-in-time --source-db-instance-identifier $OLD ")
        stopped = place(lines, "aws rds stop-db-instance --db-instance-identifier $OLD")
        assert named < restored < stopped
        assert place(lines, "aws lambda put-function-concurrency --function-name billing-production ") < stopped
        assert (
            place(lines, "aws rds wait db-instance-available --db-instance-identifier billing-production-2") < stopped
        )
        assert stopped < min(number for number, line in enumerate(lines) if line.startswith("zappa "))

    def test_reserves_workers_before_the_queue_may_use_them(self) -> None:
        lines = typed(part("docs/runbook.md", "The worker doesn't keep up"))
        reserved = place(lines, "aws lambda put-function-concurrency --function-name billing-production-worker ")
        assert place(lines, "terraform -chdir=terraform plan ") < reserved
        assert reserved < place(lines, "terraform -chdir=terraform apply production.tfplan")

    def test_raises_concurrency_only_on_a_database_that_has_the_connections(self) -> None:
        lines = typed(part("docs/runbook.md", "A larger database"))
        applied = place(lines, "terraform -chdir=terraform apply -var-file=production.tfvars")
        restarted = place(lines, "aws rds reboot-db-instance ")
        assert applied < restarted < place(lines, "aws rds describe-db-instances ") == len(lines) - 1

    def test_names_a_line_that_is_logged(self) -> None:
        said = "the database refuses every password of the secret"
        assert f"| the database can't be used: {said} ... |" in text_of(Path("docs/runbook.md"))
        assert f'f"{said} {{arn}}' in text_of(Path("billing_site/database/postgresql/base.py"))

    def test_says_what_to_do_about_each_discrepancy_of_the_books(self) -> None:
        section = part("docs/runbook.md", "The books don't agree")
        rows = [line.split("|") for line in section.splitlines() if line.startswith("| `")]
        explained = [name for row in rows for name in re.findall(r"`(\w+)`", row[1])]
        assert sorted(explained) == sorted(discrepancy_names())
        assert [row[1] for row in rows if not all(cell.strip() for cell in row[1:4])] == []

    def test_has_a_page_for_every_alarm(self) -> None:
        """Alarms are named after the part that follows the environment's name."""
        named = set(re.findall(r"`billing-production-([a-z-]+)`", text_of(Path("docs/runbook.md"))))
        text = "\n".join((ROOT / "terraform" / name).read_text() for name in ("alarms.tf", "alarms_silence.tf"))
        made = set(re.findall(r'^    "?([a-z-]+)"? = \{$', text, re.MULTILINE))
        each = re.findall(r'^      "\$\{duty\}-([a-z-]+)" = \{$', text, re.MULTILINE)
        assert each, "no alarm of each function was found"
        made |= {f"{duty}-{alarm}" for duty in Duty for alarm in each}
        made |= set(re.findall(r'alarm_name += "\$\{local\.name\}-([a-z-]+)"', text))
        assert made, "no alarm was found"
        assert made - named == set()

    def test_has_what_an_operator_looks_for(self) -> None:
        assert headings(ROOT / "docs" / "runbook.md") >= {
            "dlq-not-empty",
            "sweep-missed",
            "run-held",
            "rotation",
            "restore-from-a-backup",
            "roll-back-a-release",
            "upgrade-with-a-migration-and-no-missed-sweep",
            "a-payment-needs-review",
        }
