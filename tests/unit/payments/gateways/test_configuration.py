import subprocess
import sys
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from payments.gateways.configuration import configured_gateway_name
from payments.gateways.logging_gateway import LoggingGateway
from payments.gateways.port import NotFound
from payments.gateways.stripe.gateway import StripeGateway
from tests.support.gateway_requests import a_payment
from tests.support.project_files import ROOT

STRIPE = "payments.gateways.stripe.gateway.StripeGateway"
ASKED = """
import sys
if {without!r}:
    sys.modules["stripe"] = None
import django
django.setup()
from payments.gateways.configuration import configured_gateway
try:
    print(configured_gateway().name, "stripe" in sys.modules)
except Exception as error:
    print(type(error).__name__, error)
"""


def output_of(*, gateway: str, without: bool = False) -> str:
    """What a new process prints about its gateway."""
    environment = {
        "DJANGO_SETTINGS_MODULE": "billing_site.settings",
        "DATABASE_URL": "postgres:///none",
        "SECRET_KEY": "tests-only",
        "PAYMENT_GATEWAY": gateway,
        "STRIPE_API_KEY": "sk_test_1",
    }
    done = subprocess.run(
        [sys.executable, "-c", ASKED.format(without=without)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


class TestConfiguredGateway:
    def test_loads_the_library_of_stripe_only_for_stripe(self) -> None:
        assert output_of(gateway=STRIPE) == "stripe True"
        assert output_of(gateway="payments.gateways.logging_gateway.LoggingGateway") == "logging False"

    def test_says_in_one_line_that_the_library_is_missing(self) -> None:
        assert output_of(gateway=STRIPE, without=True) == (
            "ImproperlyConfigured PAYMENT_GATEWAY is Stripe, whose library is not installed: "
            "pip install -r requirements/stripe.txt"
        )

    def test_says_in_one_line_that_the_key_is_missing(self, settings: Any) -> None:
        settings.STRIPE_API_KEY = ""
        with pytest.raises(ImproperlyConfigured, match=r"^PAYMENT_GATEWAY is Stripe, and STRIPE_API_KEY is empty$"):
            StripeGateway()

    def test_is_known_by_name_without_its_key(self, settings: Any) -> None:
        settings.PAYMENT_GATEWAY, settings.STRIPE_API_KEY = STRIPE, ""
        assert configured_gateway_name() == "stripe"
        settings.PAYMENT_GATEWAY = "payments.gateways.logging_gateway.LoggingGateway"
        assert configured_gateway_name() == "logging"


class TestLoggingGateway:
    def test_remembers_the_newest_requests(self) -> None:
        gateway = LoggingGateway(remembered=2)
        requests = [a_payment() for _ in range(3)]
        taken = [gateway.submit(request, timeout_seconds=1) for request in requests]
        found = [gateway.look_up(request, timeout_seconds=1) for request in requests]
        assert found == [NotFound(), *taken[1:]]
