"""`zappa_settings.json` holds what was learnt about Zappa: each of these, left at its default, breaks something."""

import json
from pathlib import Path
from typing import Any

import pytest

from billing_site.database.authorities import BUNDLE
from deploy.contents import NEVER
from deploy.source import SHIPPED
from deploy.zappa_settings import secrets_in, stages_of
from tests.support.project_files import PRODUCT, all_files, text_of

SETTINGS: dict[str, dict[str, Any]] = json.loads(text_of(Path("zappa_settings.json")))
ENVIRONMENTS = ["production", "staging"]
DUTIES = ["api", "worker", "migrate"]
STAGES = {stage: duty for name in ENVIRONMENTS for stage, duty in zip(stages_of(name), DUTIES, strict=True)}


def whole(stage: str) -> dict[str, Any]:
    """A stage with what it has from those that it extends, as Zappa merges them: key by key, the nearest one wins."""
    own = SETTINGS[stage]
    return {**(whole(own["extends"]) if "extends" in own else {}), **own}


@pytest.mark.parametrize("stage", STAGES)
class TestEveryStage:
    def test_has_our_entry_point_before_zappas(self, stage: str) -> None:
        """Zappa's own drops messages of a queue that it doesn't know, and runs code that it is sent."""
        assert whole(stage)["lambda_handler"] == "billing_site.lambda_function.entry.handler"
        assert whole(stage)["django_settings"] == "billing_site.settings"

    def test_leaves_schedules_and_mappings_to_terraform(self, stage: str) -> None:
        """With any of these an update deletes all rules of the function."""
        assert whole(stage)["events"] == []
        assert whole(stage)["keep_warm"] is False

    def test_leaves_roles_to_terraform(self, stage: str) -> None:
        assert whole(stage)["manage_roles"] is False

    def test_reserves_concurrency_which_an_update_would_take_away(self, stage: str) -> None:
        assert whole(stage)["lambda_concurrency"] >= 1

    def test_logs_no_secret(self, stage: str) -> None:
        """At DEBUG, the default, the database's secret was in the log; and with `debug` tracebacks leave the server."""
        assert whole(stage)["log_level"] == "INFO"
        assert whole(stage)["debug"] is False
        assert whole(stage)["aws_environment_variables"]["LOG_LEVEL"] in {"INFO", "WARNING", "ERROR"}

    def test_puts_no_variable_into_the_zip(self, stage: str) -> None:
        assert not {"environment_variables", "remote_env", "remote_env_bucket"} & whole(stage).keys()

    def test_serves_files_and_problems_as_they_are(self, stage: str) -> None:
        assert whole(stage)["binary_support"] is True
        assert whole(stage)["additional_text_mimetypes"] == ["application/problem+json"]

    def test_takes_the_address_of_the_caller_from_the_gateway(self, stage: str) -> None:
        """REMOTE_ADDR is what the caller says in X-Forwarded-For."""
        assert whole(stage)["context_header_mappings"] == {"X-Source-Ip": "identity.sourceIp"}

    def test_is_packed_by_us_and_not_by_what_zappa_downloads(self, stage: str) -> None:
        assert whole(stage)["use_precompiled_packages"] is False
        assert whole(stage)["prebuild_script"] == "deploy.zappa_hooks.prepare"
        assert whole(stage)["callbacks"] == {
            "settings": "deploy.zappa_hooks.before_anything",
            "zip": "deploy.zappa_hooks.finish_zip",
        }
        assert not whole(stage).get("slim_handler", False)

    def test_is_not_called_before_its_migrations_are_applied(self, stage: str) -> None:
        assert whole(stage)["touch"] is False

    def test_is_reached_in_its_own_region(self, stage: str) -> None:
        assert whole(stage)["endpoint_configuration"] == ["REGIONAL"]

    def test_runs_on_the_python_that_is_packed_for(self, stage: str) -> None:
        assert whole(stage)["runtime"] == "python3.13"
        assert whole(stage)["architecture"] == "x86_64"

    def test_keeps_releases_to_roll_back_to(self, stage: str) -> None:
        assert whole(stage)["num_retained_versions"] == 10

    def test_leaves_out_what_only_zappa_itself_needs(self, stage: str) -> None:
        left_out = {*whole(stage)["exclude"], *whole(stage)["exclude_glob"]}
        assert left_out >= {"troposphere", "setuptools", "wheel", "pip", "hjson", "tqdm", "slugify"}
        assert left_out >= {"certifi", "charset_normalizer", "idna", "requests"}
        assert left_out >= {"zappa/cli.py", "zappa/core.py", ".env*", "zappa_settings.json"}

    def test_has_its_own_duty_and_loads_at_the_start(self, stage: str) -> None:
        """A stage's variables replace those of the stage that it extends, so each has all of them."""
        variables = SETTINGS[stage]["aws_environment_variables"]
        assert variables["FUNCTION_DUTY"] == STAGES[stage]
        assert variables["DJANGO_SETTINGS_MODULE"] == "billing_site.settings"
        assert variables["INSTANTIATE_LAMBDA_HANDLER_ON_IMPORT"] == "1"

    def test_is_served_to_the_world_only_as_the_api(self, stage: str) -> None:
        assert whole(stage).get("apigateway_enabled", True) is (STAGES[stage] == "api")

    def test_has_the_time_that_its_work_takes(self, stage: str) -> None:
        assert whole(stage)["timeout_seconds"] == {"api": 29, "worker": 300, "migrate": 900}[STAGES[stage]]


class TestTheFile:
    def test_has_three_stages_an_environment_and_no_others(self) -> None:
        assert SETTINGS.keys() == STAGES.keys()

    def test_holds_no_secret(self) -> None:
        assert secrets_in(SETTINGS) == []

    def test_names_one_project_after_which_the_functions_are_called(self) -> None:
        assert {whole(stage)["project_name"] for stage in STAGES} == {"billing"}

    def test_is_sorted_so_that_filling_it_changes_nothing_else(self) -> None:
        text = text_of(Path("zappa_settings.json"))
        assert text == json.dumps(SETTINGS, indent=2, sort_keys=True) + "\n"


class TestThePackage:
    def test_has_all_of_the_product_but_the_cloud_of_one_machine(self) -> None:
        assert {*SHIPPED} == {*PRODUCT} - {"localcloud"}

    def test_names_every_top_folder_that_it_leaves_out(self) -> None:
        """A folder that is new is shipped or isn't: somebody has decided. An operator's clone has one of its own."""
        folders = {path.parts[0] for path in all_files() if len(path.parts) > 1 and path != Path(BUNDLE)}
        assert {name for name in folders - {*SHIPPED} if not name.startswith(".")} <= {*NEVER}
