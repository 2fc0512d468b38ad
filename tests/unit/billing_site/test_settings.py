"""Settings that can't be read: each is refused by its name, in one line, and what it was set to is never shown."""

import importlib.util
import re
import runpy
import subprocess
import sys
import traceback
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from billing_site.environment import Environment
from tests.support.processes import bare_environment
from tests.support.project_files import ROOT

HIDDEN = "hidden-1h"
_READ = re.compile(r"env\.(int|float|bool|count|amounts|tax|one_of|zone|list|db)\(\s*\"(\w+)\"([^)]*)")


def refusable() -> list[str]:
    """The names of all settings that can be of a wrong kind."""
    text = "".join((ROOT / "billing_site" / name).read_text() for name in ("settings.py", "database/connections.py"))
    return sorted({name for kind, name, more in _READ.findall(text) if kind != "list" or "cast=" in more})


def loaded(monkeypatch: pytest.MonkeyPatch, **variables: str) -> dict[str, Any]:
    for name, value in ({"DATABASE_URL": "postgres:///none", "SECRET_KEY": "tests-only"} | variables).items():
        monkeypatch.setenv(name, value)
    return runpy.run_path(str(ROOT / "billing_site" / "settings.py"))


def refusal(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    with pytest.raises(ImproperlyConfigured) as caught:
        loaded(monkeypatch, **variables)
    message = "".join(traceback.format_exception(caught.value))
    assert HIDDEN not in message
    return str(caught.value)


class TestSettings:
    def test_that_can_be_of_a_wrong_kind_are_found(self) -> None:
        assert len(refusable()) >= 16
        assert {"REBILLING_DUE_MINUTES", "BILLING_TIME_ZONE", "DATABASE_PORT", "DATABASE_URL"} <= {*refusable()}

    @pytest.mark.parametrize("name", refusable())
    def test_are_refused_by_name(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        at_host = {"DATABASE_URL": "", "DATABASE_HOST": "h", "DATABASE_NAME": "n", "DATABASE_SECRET_ARN": "arn"}
        of_a_host = name in {"DATABASE_PORT", "DATABASE_SSLMODE"}
        message = refusal(monkeypatch, **(at_host if of_a_host else {}) | {name: HIDDEN})
        assert re.match(rf"{name} must be \S", message)
        assert "\n" not in message

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            *(
                ("DEFAULT_TAX", value, "a tax's name, percentage, and exclusive or inclusive, as VAT:21:exclusive")
                for value in (
                    "VAT",
                    "VAT:21",
                    "VAT:21%:exclusive",
                    "VAT:-1:exclusive",
                    "VAT:21:maybe",
                    "VAT:8.8755:inclusive",
                )
            ),
            ("REBILLING_DUE_MINUTES", "1h", "a whole number, 0 or more"),
            ("REBILLING_DUE_MINUTES", "", "a whole number, 0 or more"),
            ("REBILLING_DUE_MINUTES", "-1", "a whole number, 0 or more"),
            ("PAYMENT_COLLECTORS", "0", "1 or more"),
            ("MAX_MOVEMENT_MINOR", "0", "1 or more"),
            ("MAX_MOVEMENT_MINOR", "1000000000001", "1000000000000 or less"),
            ("PAYMENT_GATEWAY_TIMEOUT_SECONDS", "20s", "a number, as 20 or 2.5"),
            ("PAYMENT_GATEWAY_TIMEOUT_SECONDS", "inf", "a number, as 20 or 2.5"),
            ("DUNNING_DAYS", "1,x", "whole numbers, as 1,3,5"),
            ("UNPAID_DAYS", "0", "1 or more"),
            ("INVOICE_NUMBERING", "year", "one of account, company"),
            ("MIN_COLLECTED_MINOR", "USD", "minor units by currency, as USD=5000000,JPY=500000"),
            ("SECURE", "ture", "true or false"),
            ("LOG_LEVEL", "info", "one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
            ("VOLUME_CHECK_FIRST_AMOUNTS", "USD", "minor units by currency, as USD=5000000,JPY=500000"),
            ("VOLUME_CHECK_FIRST_AMOUNTS", "USD=5=6", "minor units by currency, as USD=5000000,JPY=500000"),
            ("BILLING_TIME_ZONE", "Europe/Berln", "a time zone of the IANA database, as UTC or Europe/Berlin"),
            ("BILLING_TIME_ZONE", "Europe", "a time zone of the IANA database, as UTC or Europe/Berlin"),
            ("BILLING_TIME_ZONE", "../UTC", "a time zone of the IANA database, as UTC or Europe/Berlin"),
            ("BILLING_TIME_ZONE", "", "a time zone of the IANA database, as UTC or Europe/Berlin"),
        ],
    )
    def test_say_what_they_must_be(self, monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str) -> None:
        with pytest.raises(ImproperlyConfigured) as caught:
            loaded(monkeypatch, **{name: value})
        assert str(caught.value) == f"{name} must be {message}."

    @pytest.mark.parametrize("password", ["half/hidden", "half?hidden", "half[hidden"])
    def test_show_no_part_of_a_password(self, monkeypatch: pytest.MonkeyPatch, password: str) -> None:
        """Unescaped it is taken for a port or a path, and the parser's own words would quote it."""
        for scheme in ("postgres", "mysql", "postgress"):
            monkeypatch.setenv("DATABASE_URL", f"{scheme}://app:{password}@host/billing")
            with pytest.raises(ImproperlyConfigured, match=r"^DATABASE_URL must be the URL of a ") as caught:
                Environment().db("DATABASE_URL")
            assert "hidden" not in "".join(traceback.format_exception(caught.value))

    def test_are_read_as_they_are_documented(self, monkeypatch: pytest.MonkeyPatch) -> None:
        found = loaded(
            monkeypatch,
            VOLUME_CHECK_FIRST_AMOUNTS="USD=5000000,JPY=500000",
            DUNNING_DAYS="2,4",
            MIN_COLLECTED_MINOR="USD=100,KWD=150",
            SELLER_NAME="Example Ltd",
            PAYMENT_GATEWAY_TIMEOUT_SECONDS="2.5",
            BILLING_TIME_ZONE="America/Argentina/Buenos_Aires",
            SECURE="False",
            DEBUG="1",
            SECRET_KEY="$a-key-may-begin-so",
        )
        assert found["VOLUME_CHECK_FIRST_AMOUNTS"] == {"USD": 5_000_000, "JPY": 500_000}
        assert found["DUNNING_DAYS"] == [2, 4]
        minimums = found["MIN_COLLECTED_MINOR"]
        assert (minimums["USD"], minimums["KWD"], minimums["GBP"], minimums["JPY"]) == (100, 150, 30, 50)
        assert found["SELLER_NAME"] == "Example Ltd"
        assert found["PAYMENT_GATEWAY_TIMEOUT_SECONDS"] == 2.5
        assert found["BILLING_TIME_ZONE"] == "America/Argentina/Buenos_Aires"
        assert (found["SECURE"], found["DEBUG"]) == (False, True)
        assert found["SECRET_KEY"] == "$a-key-may-begin-so"

    def test_set_to_nothing_that_are_lists_are_empty(self, monkeypatch: pytest.MonkeyPatch) -> None:
        found = loaded(monkeypatch, DUNNING_DAYS="", VOLUME_CHECK_FIRST_AMOUNTS="", ALLOWED_HOSTS="")
        assert (found["DUNNING_DAYS"], found["VOLUME_CHECK_FIRST_AMOUNTS"]) == ([], {})
        assert found["ALLOWED_HOSTS"] == []

    def test_are_all_in_the_example_file(self) -> None:
        text = "".join(
            (ROOT / "billing_site" / name).read_text() for name in ("settings.py", "database/connections.py")
        )
        read = set(re.findall(r"env\.\w+\(\s*\"([A-Z_]+)\"", text)) | set(
            re.findall(r"from_secret\(env, \"(\w+)\"", text)
        )
        listed = set(re.findall(r"^# ([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
        assert len(read) > 30
        assert read - listed == set()

    def test_that_are_required_are_reported_missing(self) -> None:
        with pytest.raises(ImproperlyConfigured, match=r"^NOT_SET_ANYWHERE is missing\.$"):
            Environment().int("NOT_SET_ANYWHERE")


class TestCommands:
    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("REBILLING_DUE_MINUTES", "1h", "REBILLING_DUE_MINUTES must be a whole number, 0 or more."),
            (
                "BILLING_TIME_ZONE",
                "Europe/Berln",
                "BILLING_TIME_ZONE must be a time zone of the IANA database, as UTC or ",
            ),
            ("FUNCTION_DUTY", "both", "FUNCTION_DUTY is 'both': set it to api, worker, migrate"),
        ],
    )
    @pytest.mark.parametrize("command", ["check", "sweep", "showmigrations"])
    def test_report_a_bad_setting_in_one_line(self, command: str, name: str, value: str, message: str) -> None:
        environment = {"DATABASE_URL": "postgres:///none", "SECRET_KEY": "tests-only", name: value}
        done = subprocess.run(
            [sys.executable, "manage.py", command],
            cwd=ROOT,
            env=bare_environment(**environment),
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"error: {message}")
        assert done.stderr.count("\n") == 1


class TestClock:
    def test_is_the_real_one_wherever_nothing_names_another(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert loaded(monkeypatch)["CLOCK"] == "django.utils.timezone.now"

    def test_is_the_local_platforms_where_manage_py_names_its_file(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert loaded(monkeypatch, LOCAL_CLOCK="/data/clock.json")["CLOCK"] == "localcloud.clock.now"

    def test_is_the_real_one_where_there_is_no_local_platform(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As in the Lambda package, which never has it."""
        found = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "localcloud" else found(name))
        assert loaded(monkeypatch, LOCAL_CLOCK="/data/clock.json")["CLOCK"] == "django.utils.timezone.now"


@pytest.mark.parametrize(
    ("variables", "calls_per_second"),
    [
        ({}, 0),
        ({"PAYMENT_GATEWAY": "payments.gateways.stripe.gateway.StripeGateway", "STRIPE_API_KEY": "sk_test_1"}, 20),
        ({"PAYMENT_GATEWAY_CALLS_PER_SECOND": "95"}, 95),
    ],
)
def test_the_rate_of_calls_is_stripes_by_default(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], calls_per_second: int
) -> None:
    """Below the 25 requests a second that Stripe takes of one kind (https://docs.stripe.com/rate-limits)."""
    for name in ("PAYMENT_GATEWAY", "PAYMENT_GATEWAY_CALLS_PER_SECOND"):
        monkeypatch.delenv(name, raising=False)
    assert loaded(monkeypatch, **variables)["PAYMENT_GATEWAY_CALLS_PER_SECOND"] == calls_per_second
