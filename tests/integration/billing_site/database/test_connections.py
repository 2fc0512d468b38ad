"""The database in the settings, and what a connection made by them is like."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from billing_site.database.connections import configured_databases
from billing_site.environment import Environment

NAMES = (
    *("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_HOST", "DATABASE_PORT", "DATABASE_NAME", "DATABASE_SECRET_ARN"),
    *("DATABASE_APPLICATION_SECRET_ARN", "DATABASE_SSLMODE", "DATABASE_SSLROOTCERT", "CONN_MAX_AGE"),
)
AT_HOST = {"DATABASE_HOST": "db.example.com", "DATABASE_NAME": "billing", "DATABASE_SECRET_ARN": "arn:app"}

Configured = Callable[..., dict[str, dict[str, Any]]]


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> Configured:
    """The databases with just these variables, for a duty."""

    def databases(duty: str = "", **variables: str) -> dict[str, dict[str, Any]]:
        for name in NAMES:
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return configured_databases(env=Environment(), duty=duty)

    return databases


class TestConfiguredDatabases:
    def test_of_a_function_that_bills_are_the_applications_alone(self, configured: Configured) -> None:
        databases = configured("api", **AT_HOST, CONN_MAX_AGE="300")
        assert databases == {
            "default": {
                "ENGINE": "billing_site.database.postgresql",
                "HOST": "db.example.com",
                "PORT": 5432,
                "NAME": "billing",
                "SECRET_ARN": "arn:app",
                "OPTIONS": {
                    "sslmode": "require",
                    "connect_timeout": 3,
                    "tcp_user_timeout": 10_000,
                    "application_name": "billing-api",
                    "options": "-c statement_timeout=25s",
                },
                "CONN_MAX_AGE": 300,
                "CONN_HEALTH_CHECKS": True,
            }
        }

    def test_of_the_migrating_function_are_both(self, configured: Configured) -> None:
        secrets = {"DATABASE_SECRET_ARN": "arn:owner", "DATABASE_APPLICATION_SECRET_ARN": "arn:app"}
        databases = configured("migrate", **(AT_HOST | secrets))
        assert {alias: database["SECRET_ARN"] for alias, database in databases.items()} == {
            "default": "arn:app",
            "owner": "arn:owner",
        }
        assert databases["owner"]["OPTIONS"]["options"] == "-c lock_timeout=10s"

    @pytest.mark.parametrize(
        ("duty", "options"),
        [
            ("api", "-c statement_timeout=25s"),
            ("worker", "-c statement_timeout=240s"),
            ("migrate", "-c lock_timeout=10s"),
            ("", None),
        ],
    )
    def test_end_statements_before_the_function_ends(
        self, configured: Configured, duty: str, options: str | None
    ) -> None:
        assert configured(duty, **AT_HOST)["default"]["OPTIONS"].get("options") == options

    def test_verify_the_server_where_there_is_an_authority_to_do_it_by(self, configured: Configured) -> None:
        options = configured("api", **AT_HOST, DATABASE_SSLROOTCERT="rds.pem")["default"]["OPTIONS"]
        assert (options["sslmode"], options["sslrootcert"]) == ("verify-full", "rds.pem")

    @pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "require", "verify-ca"])
    def test_are_refused_when_the_mode_verifies_less_than_the_authorities_promise(
        self, configured: Configured, mode: str
    ) -> None:
        with pytest.raises(ImproperlyConfigured) as caught:
            configured("api", **AT_HOST, DATABASE_SSLROOTCERT="rds.pem", DATABASE_SSLMODE=mode)
        assert str(caught.value) == (
            f"DATABASE_SSLMODE is {mode}, which verifies too little by DATABASE_SSLROOTCERT, or nothing: unset it."
        )

    @pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
    def test_are_refused_when_the_mode_verifies_by_nothing(self, configured: Configured, mode: str) -> None:
        with pytest.raises(
            ImproperlyConfigured, match=f"^DATABASE_SSLMODE is {mode}, and there is nothing to verify by"
        ):
            configured("api", **AT_HOST, DATABASE_SSLMODE=mode)

    def test_are_refused_when_the_mode_is_none(self, configured: Configured) -> None:
        with pytest.raises(ImproperlyConfigured, match=r"^DATABASE_SSLMODE must be one of disable, allow, prefer, "):
            configured("api", **AT_HOST, DATABASE_SSLMODE="verify")

    def test_are_refused_when_authorities_would_be_passed_over(self, configured: Configured) -> None:
        with pytest.raises(ImproperlyConfigured, match=r"^DATABASE_SSLROOTCERT isn't used with DATABASE_URL: "):
            configured(DATABASE_URL="postgres://app@h/b", DATABASE_SSLROOTCERT="rds.pem")

    def test_are_those_of_the_url_where_there_is_one(self, configured: Configured) -> None:
        databases = configured("api", **AT_HOST, DATABASE_URL="postgres://app:p@h/b", CONN_MAX_AGE="5")
        assert databases.keys() == {"default"}
        default = databases["default"]
        assert (default["HOST"], default["USER"], default["CONN_MAX_AGE"]) == ("h", "app", 5)
        owned = configured(DATABASE_URL="postgres://app@h/b", DATABASE_OWNER_URL="postgres://owner@h/b")
        assert (owned["owner"]["USER"], owned["default"]["TEST"]) == ("owner", {"MIRROR": "owner"})

    @pytest.mark.parametrize("missing", AT_HOST)
    def test_that_are_not_named_are_refused_in_a_line(self, configured: Configured, missing: str) -> None:
        with pytest.raises(ImproperlyConfigured) as caught:
            configured("api", **(AT_HOST | {missing: ""}))
        assert str(caught.value) == (
            "There is no database: set DATABASE_SECRET_ARN with DATABASE_HOST and DATABASE_NAME, or DATABASE_URL."
        )
