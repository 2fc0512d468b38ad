"""The configuration as text: formatted, valid, described, and nothing in it of one machine or one account."""

import re
import shutil
from pathlib import Path

import pytest
from django.utils.module_loading import import_string

from payments.gateways.stripe.gateway import StripeGateway
from payments.models import Payment, Refund
from payments.send_to_gateway import RECORDING_SECONDS
from tests.deploy.terraform import terraform_command
from tests.deploy.terraform.conftest import Copy
from tests.deploy.terraform.terraform_command import (
    CONFIGURATION,
    OF_ONE_ENVIRONMENT,
    ROOT,
    Terraform,
    TerraformFailed,
)

CONCERNS = {
    *(
        "versions",
        "providers",
        "state",
        "variables",
        "variables_network",
        "variables_database",
        "variables_capacity",
        "variables_watching",
        "variables_domain",
        "variables_ci",
        "ci",
        "costs",
        "domain",
        "locals",
        "network",
        "endpoints",
    ),
    *(
        "security_groups",
        "nat",
        "database",
        "queue",
        "schedule",
        "function_role",
        "storage",
        "secrets",
        "observability",
    ),
    *("alarms", "alarms_silence", "dashboard", "imports", "outputs"),
}
_BLOCK = re.compile(r'^(variable|output) "(\w+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)


def blocks(kind: str) -> dict[str, str]:
    """Name and body of each variable or output."""
    found = [match for path in sorted(CONFIGURATION.glob("*.tf")) for match in _BLOCK.findall(path.read_text())]
    return {name: body for what, name, body in found if what == kind}


class TestConfiguration:
    def test_is_formatted(self, terraform: Terraform) -> None:
        assert terraform.run("fmt", "-check", "-recursive") == ""

    def test_would_be_seen_unformatted(self, copy_of: Copy) -> None:
        broken = copy_of("unformatted")
        (broken.folder / "queue.tf").write_text("locals {\n x=1\n}\n")
        with pytest.raises(TerraformFailed, match=r"queue\.tf"):
            broken.run("fmt", "-check", "-recursive")

    def test_is_valid(self, terraform: Terraform) -> None:
        assert "The configuration is valid" in terraform.run("validate")

    def test_has_one_concern_a_file(self) -> None:
        files = [path for path in CONFIGURATION.glob("*.tf") if path.name not in OF_ONE_ENVIRONMENT]
        assert {path.stem for path in files} == CONCERNS
        assert [path.name for path in files if len(path.read_text().splitlines()) > 250] == []

    def test_is_copied_without_what_an_operator_added(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The tests pass in the clone that one deploys from: its state is none of theirs."""
        clone = tmp_path / "clone"
        shutil.copytree(CONFIGURATION, clone, ignore=shutil.ignore_patterns(*OF_ONE_ENVIRONMENT))
        shutil.copy(clone / "backend.tf.example", clone / "backend.tf")
        (clone / "production.tfvars").write_text('environment = "production"\n')
        monkeypatch.setattr(terraform_command, "CONFIGURATION", clone)
        copy = terraform_command.initialized(folder=tmp_path / "copy")
        assert not (copy.folder / "backend.tf").exists()
        assert not (copy.folder / "production.tfvars").exists()
        assert (copy.folder / "backend.tf.example").exists()

    @pytest.mark.parametrize("name", blocks("variable"))
    def test_describes_and_checks_each_variable(self, name: str) -> None:
        body = blocks("variable")[name]
        assert re.search(r'^  description = "[A-Z][^"]{20,}', body, re.MULTILINE), name
        assert re.search(r"^  type +=", body, re.MULTILINE), name
        if not re.search(r"^  type +=  *bool$", body, re.MULTILINE):
            assert re.search(r"^  validation \{", body, re.MULTILINE), name
            assert f"var.{name}" in (CONFIGURATION / "tests" / "variables.tftest.hcl").read_text(), name

    @pytest.mark.parametrize("name", blocks("output"))
    def test_describes_each_output(self, name: str) -> None:
        assert re.search(r'^  description = "[A-Z][^"]{15,}', blocks("output")[name], re.MULTILINE)

    def test_has_each_variable_and_output_in_its_readme(self) -> None:
        """With its default, and in its own words."""
        rows = [line for line in (CONFIGURATION / "README.md").read_text().splitlines() if line.startswith("| `")]
        expected = []
        for kind in ("variable", "output"):
            for name, body in blocks(kind).items():
                said = re.search(r'^  description = "(.*)"$', body, re.MULTILINE)
                default = re.search(r"^  default +=  *(.+)$", body, re.MULTILINE)
                assert said
                cells = [f"`{name}`", said[1].replace('\\"', '"').replace("|", "\\|")]
                if kind == "variable":
                    cells.insert(1, f"`{default[1]}`" if default else "must be given")
                expected.append(f"| {' | '.join(cells)} |")
        assert sorted(rows) == sorted(expected)

    def test_passes_no_check_of_checkov_over_without_a_reason(self) -> None:
        """A comment above it, or above those that it stands with."""
        lines = (ROOT / ".checkov.yaml").read_text().split("skip-check:\n")[1].splitlines()
        assert len([line for line in lines if re.fullmatch(r"  - CKV2?_AWS_[0-9]+", line)]) >= 15
        groups = re.findall(r"((?:  # .+\n)+)((?:  - CKV2?_AWS_[0-9]+\n)+)", "\n".join([*lines, ""]))
        assert sum(len(checks.splitlines()) + len(reason.splitlines()) for reason, checks in groups) == len(lines)

    def test_says_what_nat_costs(self) -> None:
        assert re.search(r"description = .*NAT.*USD a month.*USD for each GB", blocks("variable")["nat_gateways"])
        assert re.search(r"default +=  *0$", blocks("variable")["nat_gateways"], re.MULTILINE)

    def test_has_an_example_of_each_variable_that_must_be_given(self) -> None:
        required = {name for name, body in blocks("variable").items() if "\n  default" not in f"\n{body}"}
        example = (CONFIGURATION / "terraform.tfvars.example").read_text()
        assert required == {"environment", "payment_gateway"}
        given = set(re.findall(r"^#? ?(\w+) +=", example, re.MULTILINE))
        assert required <= given <= blocks("variable").keys()

    def test_names_the_event_that_the_sweep_logs(self) -> None:
        """The alarm for a missed sweep counts lines that hold this; the worker must go on writing it."""
        pattern = re.search(
            r'pattern += "\{ \$\.event = \\"([\w.]+)\\" \}"', (CONFIGURATION / "observability.tf").read_text()
        )
        assert pattern
        assert f'"event": "{pattern[1]}"' in (ROOT / "rebilling" / "sweep.py").read_text()

    def test_names_what_is_logged_of_a_held_run(self) -> None:
        """By the sweep that finds it so, and by each reconcile after it: the alarm counts both."""
        pattern = re.search(
            r'held = \{ pattern = "(.+)", value = "1" \}', (CONFIGURATION / "observability.tf").read_text()
        )
        assert pattern
        assert re.findall(r'\(\$\.([\w.]+) = \\"([\w.]+)\\"\)', pattern[1]) == [
            ("event", "run.held"),
            ("event", "run.reconciliation"),
            ("reconciliation.status", "HELD"),
        ]
        assert '"event": "run.held"' in (ROOT / "rebilling" / "volume_check.py").read_text()
        logged = '"event": "run.reconciliation", "reconciliation": asdict(reconciliation)'
        assert logged in (ROOT / "rebilling" / "reconciliation" / "reconcile.py").read_text()

    def test_names_what_is_logged_of_a_request_that_is_not_taken(self) -> None:
        pattern = re.search(
            r'not_taken = \{ pattern = "(.+)", value = "1" \}', (CONFIGURATION / "observability.tf").read_text()
        )
        assert pattern
        assert re.findall(r'\(\$\.event = \\"([\w.]+)\\"\)', pattern[1]) == [
            "gateway.not_taken",
            *(f"{model.NOUN}.foreign_gateway" for model in (Payment, Refund)),
        ]
        assert '"event": "gateway.not_taken"' in (ROOT / "payments" / "answer_checks.py").read_text()
        assert '"event": f"{model.NOUN}.foreign_gateway"' in (ROOT / "payments" / "send_to_gateway.py").read_text()

    def test_names_what_is_logged_of_who_is_not_let_in(self) -> None:
        said = (CONFIGURATION / "observability.tf").read_text()
        for event, file in (("login.locked", "backoffice/login_locks.py"), ("api.failed_keys", "api/throttles.py")):
            assert f'($.event = \\"{event}\\")' in said
            assert f'"event": "{event}"' in (ROOT / file).read_text()

    def test_knows_how_long_a_message_may_take(self) -> None:
        """The default lease and the time to record outcomes: the batch size is checked against it."""
        found = re.search(
            r'"PAYMENT_LEASE_SECONDS", "([0-9]+)"\)\) \+ ([0-9]+)$',
            (CONFIGURATION / "locals.tf").read_text(),
            re.MULTILINE,
        )
        assert found
        lease = re.search(
            r'"PAYMENT_LEASE_SECONDS", default=([0-9]+)', (ROOT / "billing_site" / "settings.py").read_text()
        )
        assert lease
        assert (found[1], float(found[2])) == (lease[1], RECORDING_SECONDS)

    def test_names_stripes_gateway_as_the_product_does(self) -> None:
        path = re.search(r'stripe_gateway += "([\w.]+)"', (CONFIGURATION / "locals.tf").read_text())
        assert path
        assert import_string(path[1]) is StripeGateway

    def test_names_functions_as_zappa_does(self) -> None:
        """Zappa slugs <project_name>-<stage>; what is deployed elsewhere is what Terraform connects."""
        from slugify import slugify

        stages = {"api": "production", "worker": "production_worker", "migrate": "production_migrate"}
        text = (CONFIGURATION / "locals.tf").read_text()
        for duty, stage in stages.items():
            name = slugify(f"billing-{stage}")
            suffix = name.removeprefix("billing-production")
            assert f'name = "${{local.name}}{suffix}"' in text or (duty == "api" and "name = local.name," in text), name

    def test_is_all_of_it_copied_for_the_tests(self, terraform: Terraform) -> None:
        there = {
            path.relative_to(CONFIGURATION) for path in CONFIGURATION.rglob("*.hcl") if ".terraform" not in str(path)
        }
        assert {path for path in there if not (terraform.folder / path).is_file()} == set()
        assert Path("tests/mocks/aws.tfmock.hcl") in there
