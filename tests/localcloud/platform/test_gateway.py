"""A data folder whose platform collected from a simulated provider: no command alone books cash that it declined."""

import json
import signal
from pathlib import Path

from localcloud.platform.gateway import PlatformGateway
from tests.support.platforms import Platform, Start, output_until_serving
from tests.support.processes import manage, shell

OPEN_ACCOUNT = """
from accounts import clock
from accounts.billing_day import billing_day
from accounts.account_opening import NewAccount, open_account
from accounts.plans import create_plan
now = clock.now()
create_plan(code="p", name="P", currency="USD", unit_amount_minor=500, interval_count=1, interval_unit="month", now=now)
terms = NewAccount(
    name="n", email="a@example.com", plan="p", payment_customer="c", payment_method="pm_declined_insufficient_funds"
)
open_account(new=terms, author="test", today=billing_day(now), now=now)
"""
PRINT_PAYMENTS = """
from payments.models import Payment
print([(payment.gateway, payment.status) for payment in Payment.objects.order_by("id")])
"""
DECLINED = ("stripe", "DECLINED")


def stop(platform: Platform) -> None:
    platform.send_signal(signal.SIGTERM)
    assert platform.wait(timeout=60) == 0


def test_a_command_alone_is_refused_until_a_platform_without_the_provider_has_run(tmp_path: Path, start: Start) -> None:
    data = {"BILLING_DATA": str(tmp_path)}
    simulated = start("runlocal", "--simulated-provider", "--today", "2026-03-01")
    output_until_serving(simulated)
    shell(OPEN_ACCOUNT, **data)
    moved = manage("clock", "--to", "2026-03-03", **data)
    assert (moved.returncode, moved.stderr) == (0, "")
    assert moved.stdout.splitlines()[-1] == "it is 2026-03-03; payments are collected by a simulated provider"
    declined = shell(PRINT_PAYMENTS, **data)
    assert declined == str([DECLINED, DECLINED])
    typed = f"`.venv/bin/python manage.py runlocal --simulated-provider --data {tmp_path}`"
    queue_refused = (
        "CommandError: The platform collects from a simulated provider, and this command by the logging gateway, which "
        f"moves no money: start {typed}, which works the queue itself.\n"
    )
    beside = manage("process_queue", "--until-empty", **data)
    assert (beside.returncode, beside.stdout, beside.stderr) == (1, "", queue_refused)
    stop(simulated)

    kept = (tmp_path / "clock.json").read_text()
    alone = manage("clock", "--to", "2026-03-06", **data)
    assert (alone.returncode, alone.stdout) == (1, "")
    assert alone.stderr == (
        f"CommandError: the platform on {tmp_path} collected from a simulated provider, and this command would by the "
        f"logging gateway, which moves no money: start {typed} first\n"
    )
    assert manage("process_queue", "--until-empty", **data).stderr == queue_refused
    assert (tmp_path / "clock.json").read_text() == kept
    assert shell(PRINT_PAYMENTS, **data) == declined
    assert (tmp_path / "gateway.json").stat().st_mode & 0o777 == 0o600

    # Whoever starts the platform without the provider has decided so.
    plain = start("runlocal")
    output_until_serving(plain)
    stop(plain)
    assert json.loads((tmp_path / "gateway.json").read_text())["api_base"] == ""
    assert manage("clock", "--to", "2026-03-06", **data).returncode == 0
    assert shell(PRINT_PAYMENTS, **data) == str([DECLINED, DECLINED, ("logging", "SUCCEEDED")])


def test_only_the_logging_gateway_and_a_provider_on_this_machine_move_no_money() -> None:
    stripe = "payments.gateways.stripe.gateway.StripeGateway"
    bases = {
        "http://127.0.0.1:1": True,
        "http://localhost": True,
        "http://[::1]:80": True,
        "https://api.stripe.com": False,
        "": False,
    }
    assert {base: PlatformGateway(gateway=stripe, api_base=base).moves_no_money for base in bases} == bases
    assert PlatformGateway(gateway="payments.gateways.logging_gateway.LoggingGateway").moves_no_money
    assert not PlatformGateway(gateway="tests.builders.ScriptedGateway", api_base="http://127.0.0.1:1").moves_no_money
