"""Checks of the settings. A function's start runs those of production, and so does `manage.py check --deploy`."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import ImproperlyConfigured

from accounts import clock
from accounts.tax_rates import check_default_tax
from billing_site.database.authorities import BUNDLE, fault_of
from billing_site.lambda_function.duties import Duty, duties, on_lambda
from billing_site.lambda_function.runtimes import RUNTIMES, warning_of
from papers.company import logo_fault
from payments.gateways.configuration import configured_gateway, configured_gateway_name
from rebilling.volume_limits import check_limits

MIN_SECRET_KEY_LENGTH = 50
MIN_DISTINCT_CHARACTERS = 5
"""Both as in Django's own security.W009."""
ENCRYPTED = {"require", "verify-full"}
LOOPBACK = {"127.0.0.1", "::1", "localhost"}
REAL_CLOCK = "django.utils.timezone.now"


@register("rebilling")
def volume_check_has_limits(**_: Any) -> list[CheckMessage]:
    """With bad limits every sweep would fail and charge nobody."""
    try:
        check_limits()
    except ImproperlyConfigured as error:
        return [Error(str(error), id="billing_site.E010")]
    return []


@register("taxes")
def default_tax_can_be_charged(**_: Any) -> list[CheckMessage]:
    """With a bad default every sweep would fail and charge nobody."""
    try:
        check_default_tax()
    except ImproperlyConfigured as error:
        return [Error(str(error), id="billing_site.E016")]
    return []


@register("payments")
def gateway_can_be_used(**_: Any) -> list[CheckMessage]:
    """A gateway that is unknown, or lacks its library or its key, is found before anything is charged."""
    here = duties()
    try:
        if here & {Duty.API, Duty.WORKER}:
            configured_gateway_name()
        if Duty.WORKER in here:
            configured_gateway()
    except ImproperlyConfigured as error:
        return [Error(f"{error}.", id="billing_site.E011")]
    except (ImportError, AttributeError):
        # Their text holds the value, which may be a key in the wrong place, so it isn't shown.
        what = "PAYMENT_GATEWAY names no gateway: it must be a module and a class, as "
        return [Error(f"{what}payments.gateways.stripe.gateway.StripeGateway.", id="billing_site.E011")]
    return []


@register("production", deploy=True)
def fit_for_production(**_: Any) -> list[CheckMessage]:
    """Each message names the setting that it is about and says how to fix it. None shows a value that may be secret."""
    return [*_of_every_function(), *_of_a_duty()]


@register("runtime", deploy=True)
def runtime_is_supported(**_: Any) -> list[CheckMessage]:
    """A warning ahead of time. It has its own tag, because any message tagged `production` stops a function's start."""
    runtime = RUNTIMES.get(os.environ.get("AWS_EXECUTION_ENV", "").removeprefix("AWS_Lambda_"))
    warning = runtime and warning_of(runtime, today=clock.now().date())
    return [Warning(f"{warning}.", id="billing_site.W001")] if warning else []


@register("company", deploy=True)
def papers_can_name_the_company(**_: Any) -> list[CheckMessage]:
    """Warnings: an invoice without a name is billed all the same. As above, their own tag lets a function start."""
    if Duty.API not in duties():
        return []
    found: list[CheckMessage] = []
    if not settings.SELLER_NAME:
        what = "SELLER_NAME is missing, so invoices don't say who issued them: set it to the company's name."
        found.append(Warning(what, id="billing_site.W002"))
    if fault := logo_fault():
        what = f"COMPANY_LOGO {fault}, so papers have no logo: name a PNG or JPEG file (docs/papers.md)."
        found.append(Warning(what, id="billing_site.W003"))
    return found


def _of_every_function() -> Iterator[CheckMessage]:
    if settings.DEBUG:
        yield Error("DEBUG is on: its pages show settings and data to anyone. Unset it.", id="billing_site.E001")
    key = settings.SECRET_KEY
    if (
        len(key) < MIN_SECRET_KEY_LENGTH
        or len(set(key)) < MIN_DISTINCT_CHARACTERS
        or key.startswith("django-insecure-")
    ):
        yield Error(
            f"SECRET_KEY is weak: it must be a random text of at least {MIN_SECRET_KEY_LENGTH} characters. "
            "Put one into the secret of DJANGO_SECRET_ARN.",
            id="billing_site.E002",
        )
    if settings.CLOCK != REAL_CLOCK:
        yield Error(
            "The clock isn't the real one, and customers would be billed by it. Unset LOCAL_CLOCK.",
            id="billing_site.E015",
        )
    yield from _of_authorities()
    if not on_lambda():
        return
    # Anybody who may view the function can read its variables.
    for name, instead in (
        ("SECRET_KEY", "DJANGO_SECRET_ARN"),
        ("STRIPE_API_KEY", "STRIPE_SECRET_ARN"),
        ("DATABASE_OWNER_URL", "DATABASE_SECRET_ARN"),
    ):
        if os.environ.get(name):
            yield Error(f"{name} is a variable of the function: use {instead}.", id="billing_site.E003")
    if urlsplit(os.environ.get("DATABASE_URL", "")).password:
        yield Error("DATABASE_URL holds a password: use DATABASE_SECRET_ARN.", id="billing_site.E004")
    for alias, database in settings.DATABASES.items():
        host = str(database.get("HOST", ""))
        over_the_network = not host.startswith("/") and host not in LOOPBACK
        if "SECRET_ARN" in database and over_the_network and database["OPTIONS"].get("sslmode") not in ENCRYPTED:
            yield Error(f"The database {alias!r} may go unencrypted: unset DATABASE_SSLMODE.", id="billing_site.E005")


def _of_authorities() -> Iterator[CheckMessage]:
    """libpq reads them with the first connection, which the migrating function doesn't make at its start."""
    named = {database.get("OPTIONS", {}).get("sslrootcert") for database in settings.DATABASES.values()}
    for file in filter(None, named):
        try:
            fault = fault_of(Path(file).read_bytes())
        except OSError as error:
            fault = f"can't be read ({error.strerror})"
        if fault:
            yield Error(
                f"The database can't be verified: {file}, which DATABASE_SSLROOTCERT names, {fault}. Download RDS's "
                f"bundle to {BUNDLE} and make the package anew.",
                id="billing_site.E012",
            )


def _of_a_duty() -> Iterator[CheckMessage]:
    here = duties()
    if here & {Duty.API, Duty.WORKER} and not settings.REBILLING_QUEUE_URL:
        yield Error("REBILLING_QUEUE_URL is missing: set it to the queue's URL.", id="billing_site.E006")
    if here & {Duty.API, Duty.WORKER} and not os.environ.get("PAYMENT_GATEWAY"):
        # By default cash would be booked that nobody has collected, without anybody having chosen that.
        yield Error(
            "PAYMENT_GATEWAY is missing: name the class that collects the money, as "
            "payments.gateways.stripe.gateway.StripeGateway. To collect none and record payments as if they had "
            "succeeded, name payments.gateways.logging_gateway.LoggingGateway.",
            id="billing_site.E014",
        )
    if Duty.WORKER in here and settings.PAYMENT_GATEWAY_TIMEOUT_SECONDS <= 0:
        yield Error("PAYMENT_GATEWAY_TIMEOUT_SECONDS must be more than 0.", id="billing_site.E013")
    if Duty.API in here and not settings.ALLOWED_HOSTS:
        yield Error("ALLOWED_HOSTS is empty: set it to the host names that clients use.", id="billing_site.E007")
    if Duty.API in here and not settings.SECURE:
        yield Error("SECURE is off: sessions could be read on their way. Unset it.", id="billing_site.E009")
    if here == {Duty.MIGRATE}:
        for name in ("DATABASE_APPLICATION_ROLE", "DATABASE_APPLICATION_SECRET_ARN"):
            if not getattr(settings, name):
                yield Error(f"{name} is missing: set it to the application's.", id="billing_site.E008")
