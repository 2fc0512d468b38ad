"""What `check --deploy` and a function's start say about settings, each in a line without what may be secret."""

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks

from tests.support.lambdas.environments import SECRET_KEY
from tests.support.lambdas.tls import a_certificate

GOOD = {
    "DEBUG": False,
    "SECRET_KEY": SECRET_KEY,
    "ALLOWED_HOSTS": ["billing.example.com"],
    "REBILLING_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/1/rebilling",
    "SECURE": True,
    "DATABASE_APPLICATION_ROLE": "billing_app",
    "DATABASE_APPLICATION_SECRET_ARN": "arn",
}
STRIPE = "payments.gateways.stripe.gateway.StripeGateway"
VARIABLES = ("SECRET_KEY", "STRIPE_API_KEY", "DATABASE_URL", "DATABASE_OWNER_URL")


@pytest.fixture(params=["api", "worker", "migrate"])
def duty(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def function(settings: Any, monkeypatch: pytest.MonkeyPatch, duty: str) -> Any:
    """The settings of a function that nothing is wrong with."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "billing-production")
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PAYMENT_GATEWAY", "payments.gateways.logging_gateway.LoggingGateway")
    for name, value in GOOD.items():
        setattr(settings, name, value)
    settings.FUNCTION_DUTY = duty
    return settings


def said() -> list[tuple[str, str]]:
    found = run_checks(tags=["production"], include_deployment_checks=True)
    assert [message for message in found if "\n" in message.msg] == []
    return [(message.id or "", message.msg) for message in found]


def at_host(**options: str) -> dict[str, Any]:
    return {"HOST": "database.example.com", "SECRET_ARN": "arn", "OPTIONS": options}


class TestProductionChecks:
    def test_have_nothing_to_say_about_a_function_as_terraform_makes_it(self, function: Any) -> None:
        assert said() == []

    def test_refuse_debug(self, function: Any) -> None:
        function.DEBUG = True
        assert said() == [("billing_site.E001", "DEBUG is on: its pages show settings and data to anyone. Unset it.")]

    def test_refuse_a_clock_that_is_not_the_real_one(self, function: Any) -> None:
        function.CLOCK = "localcloud.clock.now"
        assert said() == [
            (
                "billing_site.E015",
                "The clock isn't the real one, and customers would be billed by it. Unset LOCAL_CLOCK.",
            )
        ]

    @pytest.mark.parametrize("key", ["short-hidden", "h" * 60, f"django-insecure-{SECRET_KEY}"])
    def test_refuse_a_weak_key_and_do_not_show_it(self, function: Any, key: str) -> None:
        function.SECRET_KEY = key
        ((name, text),) = said()
        assert name == "billing_site.E002"
        assert text == (
            "SECRET_KEY is weak: it must be a random text of at least 50 characters. "
            "Put one into the secret of DJANGO_SECRET_ARN."
        )

    @pytest.mark.parametrize("seconds", [0, -5.0])
    def test_refuse_a_worker_that_gives_the_gateway_no_time(self, function: Any, duty: str, seconds: float) -> None:
        function.PAYMENT_GATEWAY_TIMEOUT_SECONDS = seconds
        expected = ("billing_site.E013", "PAYMENT_GATEWAY_TIMEOUT_SECONDS must be more than 0.")
        assert said() == ([expected] if duty == "worker" else [])

    @pytest.mark.parametrize("value", [None, ""])
    def test_refuse_a_gateway_that_nobody_named(
        self, function: Any, monkeypatch: pytest.MonkeyPatch, duty: str, value: str | None
    ) -> None:
        """Also before the function is there, by `check --deploy` on the machine that deploys it."""
        monkeypatch.delenv("PAYMENT_GATEWAY")
        if value is not None:
            monkeypatch.setenv("PAYMENT_GATEWAY", value)
        expected = (
            "billing_site.E014",
            "PAYMENT_GATEWAY is missing: name the class that collects the money, as "
            "payments.gateways.stripe.gateway.StripeGateway. To collect none and record payments as if they had "
            "succeeded, name payments.gateways.logging_gateway.LoggingGateway.",
        )
        assert said() == ([] if duty == "migrate" else [expected])
        monkeypatch.delenv("AWS_LAMBDA_FUNCTION_NAME")
        assert said() == ([] if duty == "migrate" else [expected])

    @pytest.mark.parametrize("name", ["SECRET_KEY", "STRIPE_API_KEY", "DATABASE_OWNER_URL"])
    def test_refuse_a_secret_in_a_variable(self, function: Any, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.setenv(name, f"{SECRET_KEY}-hidden")
        ((code, text),) = said()
        assert (code, text.split(":")[0]) == ("billing_site.E003", f"{name} is a variable of the function")

    def test_refuse_a_password_in_a_url(self, function: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABASE_URL", "postgres://app:hidden@database.example.com/billing")
        assert said() == [("billing_site.E004", "DATABASE_URL holds a password: use DATABASE_SECRET_ARN.")]
        monkeypatch.setenv("DATABASE_URL", "postgres://app@/billing?host=/tmp/sockets")
        assert said() == []

    @pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "verify-ca", ""])
    def test_refuse_a_database_that_may_be_reached_unencrypted(
        self, function: Any, monkeypatch: pytest.MonkeyPatch, mode: str
    ) -> None:
        monkeypatch.setitem(function.DATABASES, "remote", at_host(sslmode=mode))
        assert said() == [("billing_site.E005", "The database 'remote' may go unencrypted: unset DATABASE_SSLMODE.")]

    @pytest.mark.parametrize("mode", ["require", "verify-full"])
    def test_let_an_encrypted_one_pass(self, function: Any, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
        monkeypatch.setitem(function.DATABASES, "remote", at_host(sslmode=mode))
        assert said() == []

    def test_let_a_file_of_authorities_pass(
        self, function: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        file = a_certificate(folder=tmp_path / "own").file
        monkeypatch.setitem(function.DATABASES, "remote", at_host(sslmode="verify-full", sslrootcert=str(file)))
        assert said() == []

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            (None, "can't be read (No such file or directory)"),
            (b"", "isn't a bundle of certificates in PEM"),
            (b"<Error><Code>AccessDenied</Code></Error>", "isn't a bundle of certificates in PEM"),
        ],
    )
    def test_refuse_a_file_that_nothing_can_be_verified_by(
        self, function: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, why: str
    ) -> None:
        file = tmp_path / "rds.pem"
        if content is not None:
            file.write_bytes(content)
        monkeypatch.setitem(function.DATABASES, "remote", at_host(sslmode="verify-full", sslrootcert=str(file)))
        assert said() == [
            (
                "billing_site.E012",
                f"The database can't be verified: {file}, which DATABASE_SSLROOTCERT names, {why}. Download RDS's "
                "bundle to certificates/rds.pem and make the package anew.",
            )
        ]

    def test_ask_for_a_queue_hosts_https_and_the_applications_secret_where_they_are_needed(
        self, function: Any, duty: str
    ) -> None:
        for name in ("REBILLING_QUEUE_URL", "DATABASE_APPLICATION_ROLE", "DATABASE_APPLICATION_SECRET_ARN"):
            setattr(function, name, "")
        function.ALLOWED_HOSTS, function.SECURE = [], False
        missing = {
            "api": ["REBILLING_QUEUE_URL", "ALLOWED_HOSTS", "SECURE"],
            "worker": ["REBILLING_QUEUE_URL"],
            "migrate": ["DATABASE_APPLICATION_ROLE", "DATABASE_APPLICATION_SECRET_ARN"],
        }
        assert [text.split(" is ")[0] for _, text in said()] == missing[duty]

    def test_leave_a_machine_of_ones_own_to_itself(self, function: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its key is in its environment, and the commands there don't look at production's checks."""
        monkeypatch.delenv("AWS_LAMBDA_FUNCTION_NAME")
        monkeypatch.setenv("SECRET_KEY", SECRET_KEY)
        assert os.environ["SECRET_KEY"]
        assert said() == []
        function.SECRET_KEY = "short"
        assert [message for message in run_checks() if (message.id or "").startswith("billing_site")] == []


class TestChecks:
    def test_say_what_a_sweep_would_say_about_its_volume_check(self, settings: Any) -> None:
        settings.VOLUME_CHECK_FIRST_AMOUNTS = {"USD": 1, "XQQ": 1}
        (found,) = run_checks()
        assert (found.id, found.msg) == ("billing_site.E010", "VOLUME_CHECK_FIRST_AMOUNTS: XQQ is no currency.")
        settings.VOLUME_CHECK_FIRST_AMOUNTS = {"USD": 1}
        assert run_checks() == []

    @pytest.mark.parametrize(
        ("default", "message"),
        [
            (("VAT", Decimal("100.001"), False), "DEFAULT_TAX: the percent: Must be from 0 to 100."),
            (
                ("VAT", Decimal(0), False),
                "DEFAULT_TAX: the percent: Must be above 0; without a default nothing is taxed.",
            ),
            (("", Decimal(21), False), "DEFAULT_TAX: the name: Must have from 1 to 100 characters."),
        ],
    )
    def test_say_what_a_sweep_would_say_about_its_default_tax(
        self, settings: Any, default: tuple[str, Decimal, bool], message: str
    ) -> None:
        settings.DEFAULT_TAX = default
        (found,) = run_checks()
        assert (found.id, found.msg) == ("billing_site.E016", message)
        settings.DEFAULT_TAX = ("VAT", Decimal("8.875"), True)
        assert run_checks() == []

    @pytest.mark.parametrize(
        ("duty", "needs_the_key"), [("api", False), ("worker", True), ("migrate", False), ("", True)]
    )
    def test_ask_for_the_gateways_key_where_it_is_called(self, settings: Any, duty: str, needs_the_key: bool) -> None:
        settings.FUNCTION_DUTY, settings.PAYMENT_GATEWAY, settings.STRIPE_API_KEY = duty, STRIPE, ""
        expected = ("billing_site.E011", "PAYMENT_GATEWAY is Stripe, and STRIPE_API_KEY is empty.")
        assert [(found.id, found.msg) for found in run_checks()] == ([expected] if needs_the_key else [])

    @pytest.mark.parametrize(("duty", "needs_it"), [("api", True), ("worker", True), ("migrate", False), ("", True)])
    @pytest.mark.parametrize(
        "path",
        [
            "payments.gateways.nowhere.Gateway",
            "payments.gateways.logging_gateway.REMEMBERED",
            "",
            "sk_in_its_place",
        ],
    )
    def test_ask_for_the_gateway_where_it_is_named(self, settings: Any, duty: str, needs_it: bool, path: str) -> None:
        settings.FUNCTION_DUTY, settings.PAYMENT_GATEWAY = duty, path
        says = "PAYMENT_GATEWAY names no gateway: it must be a module and a class, as "
        expected = ("billing_site.E011", f"{says}payments.gateways.stripe.gateway.StripeGateway.")
        assert [(found.id, found.msg) for found in run_checks()] == ([expected] if needs_it else [])
