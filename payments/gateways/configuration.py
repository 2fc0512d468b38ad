"""The gateway that the settings name."""

from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from payments.gateways.port import Gateway


@cache
def _gateway(path: str) -> Gateway:
    gateway: Gateway = import_string(path)()
    return gateway


def configured_gateway() -> Gateway:
    """The gateway of `PAYMENT_GATEWAY`, one for the life of the process. Raises `ImportError` for an unknown one."""
    return _gateway(settings.PAYMENT_GATEWAY)


def configured_gateway_name() -> str:
    """Its name, for whoever only writes it down: by its class, which needs no key.

    Raises `ImportError` for an unknown one, `AttributeError` for what is no gateway, and `ImproperlyConfigured` without
    its library.
    """
    name: str = import_string(settings.PAYMENT_GATEWAY).name
    return name
