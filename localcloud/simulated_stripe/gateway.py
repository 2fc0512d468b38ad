"""The simulated provider as the platform's gateway, through the Stripe adapter, while a command runs."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from localcloud.errors import UnableToStart
from localcloud.platform.gateway import STRIPE
from localcloud.simulated_stripe.provider import SimulatedProvider
from localcloud.simulated_stripe.server import CONTROL, serving
from payments.gateways.configuration import configured_gateway


@contextmanager
def simulated_provider() -> Iterator[str]:
    """Where its records are. They last as long as the block. Raises UnableToStart where Stripe's library is missing."""
    provider = SimulatedProvider()
    with serving(provider) as url:
        settings.PAYMENT_GATEWAY = STRIPE
        settings.STRIPE_API_KEY, settings.STRIPE_API_BASE = provider.api_key, url
        try:
            configured_gateway()
        except ImproperlyConfigured as error:
            raise UnableToStart(str(error)) from error
        yield f"{url}{CONTROL}records"
