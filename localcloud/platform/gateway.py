"""Which gateway collects for the platform of a data folder: it leaves a file there, for commands that run beside it or
without it.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings

from localcloud import clock
from localcloud.private_files import replace_text

LOOPBACK = {"127.0.0.1", "::1", "localhost"}
LOGGING = "payments.gateways.logging_gateway.LoggingGateway"
STRIPE = "payments.gateways.stripe.gateway.StripeGateway"


@dataclass(frozen=True, kw_only=True)
class PlatformGateway:
    """A gateway's class, and the payment provider's address, where it has one."""

    gateway: str
    api_base: str = ""

    @property
    def simulated(self) -> bool:
        """Whether it calls a provider on this machine, as `runlocal --simulated-provider` does."""
        return self.gateway == STRIPE and urlsplit(self.api_base).hostname in LOOPBACK

    @property
    def moves_no_money(self) -> bool:
        """True for two gateways; any other may collect real money."""
        return self.gateway == LOGGING or self.simulated

    def __str__(self) -> str:
        if self.simulated:
            return "a simulated provider"
        return "the logging gateway, which moves no money" if self.gateway == LOGGING else self.gateway


def configured() -> PlatformGateway:
    """This process's."""
    gateway = settings.PAYMENT_GATEWAY
    return PlatformGateway(gateway=gateway, api_base=settings.STRIPE_API_BASE if gateway == STRIPE else "")


def remember(*, data: Path) -> None:
    """Notes that the platform on the folder's own database collects as this process does."""
    if os.environ.get(clock.VARIABLE):
        replace_text(path=_file(data), text=json.dumps(asdict(configured())))


def of_platform(*, data: Path) -> PlatformGateway:
    """The one of the platform that runs on the folder's own database, or ran last; without one, this process's."""
    if not os.environ.get(clock.VARIABLE):
        return configured()
    try:
        return PlatformGateway(**json.loads(_file(data).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return configured()


def submit_for_platform(*, data: Path) -> None:
    """Have what this process submits collected by the gateway of the running platform, which works the queue."""
    settings.PAYMENT_GATEWAY = of_platform(data=data).gateway


def out_of_reach(*, data: Path) -> bool:
    """Whether the platform's provider is simulated and this process would collect by another gateway, which could take
    what that provider declined.
    """
    platform = of_platform(data=data)
    return platform.simulated and platform != configured()


def _file(data: Path) -> Path:
    return data / "gateway.json"
