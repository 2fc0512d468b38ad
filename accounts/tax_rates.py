"""Tax rates: creating and finding them, and the default of the settings."""

import datetime
import uuid
from collections.abc import Collection
from decimal import Decimal

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from accounts.errors import Conflict, Invalid, Missing, refined
from accounts.models import TaxRate
from accounts.percents import percent_error
from accounts.text import text_error

MAX_NAME_LENGTH = 100
MAX_EXEMPTION_LENGTH = 200


class UnableToCreateTaxRate(Invalid):
    """A value of the tax rate can't be accepted."""

    code = "unable-to-create-tax-rate"


class TaxRateExists(Conflict):
    code = "tax-rate-exists"


class UnknownTaxRate(Missing):
    code = "unknown-tax-rate"


def create_tax_rate(
    *, name: str, percent: Decimal, now: datetime.datetime, inclusive: bool = False, exemption_reason: str = ""
) -> TaxRate:
    """Create a rate in percent of the price without tax, from 0 to 100, to three places.

    `inclusive`: prices contain the tax. A rate of zero has an `exemption_reason`, and no other has one. Raises
    `UnableToCreateTaxRate` (errors by field) and `TaxRateExists` for the same again.
    """
    if errors := _errors_of(name=name, percent=percent, exemption_reason=exemption_reason):
        raise UnableToCreateTaxRate("The tax rate was not created.", **errors)
    with refined({"tax_rate_once": TaxRateExists("There is such a tax rate already.")}), transaction.atomic():
        return TaxRate.objects.create(
            name=name, percent=percent, inclusive=inclusive, exemption_reason=exemption_reason, created_at=now
        )


def _errors_of(*, name: str, percent: Decimal, exemption_reason: str) -> dict[str, str]:
    errors = {}
    if not 1 <= len(name.strip()) <= MAX_NAME_LENGTH:
        errors["name"] = f"Must have from 1 to {MAX_NAME_LENGTH} characters."
    elif error := text_error(name):
        errors["name"] = error
    if error := percent_error(percent, zero_allowed=True):
        errors["percent"] = error
    elif percent and exemption_reason:
        errors["exemption_reason"] = "Only a rate of 0 has one."
    elif not percent and not exemption_reason.strip():
        errors["exemption_reason"] = "Say why nothing is taxed."
    elif len(exemption_reason) > MAX_EXEMPTION_LENGTH:
        errors["exemption_reason"] = f"At most {MAX_EXEMPTION_LENGTH} characters."
    elif error := text_error(exemption_reason):
        errors["exemption_reason"] = error
    return errors


def tax_rate_by_id(rate_id: uuid.UUID) -> TaxRate:
    """The tax rate. Raises `UnknownTaxRate`."""
    rate = TaxRate.objects.filter(id=rate_id).first()
    if rate is None:
        raise UnknownTaxRate(f"There is no tax rate {rate_id}.")
    return rate


def unknown_rate_error(rate_id: uuid.UUID | None) -> str:
    """Why an account can't have this rate, in a sentence, or an empty string. None is the default of the settings."""
    return "" if rate_id is None or TaxRate.objects.filter(id=rate_id).exists() else f"There is no tax rate {rate_id}."


def tax_rates_by_id(ids: Collection[uuid.UUID]) -> dict[uuid.UUID, TaxRate]:
    """The tax rates of these ids; in one statement, and in none for no ids."""
    return TaxRate.objects.in_bulk(list(ids)) if ids else {}


def check_default_tax() -> tuple[str, Decimal, bool] | None:
    """The setting `DEFAULT_TAX`: name, percent, and whether prices contain it. Raises `ImproperlyConfigured`."""
    default: tuple[str, Decimal, bool] | None = settings.DEFAULT_TAX
    if default is None:
        return None
    name, percent, _ = default
    errors = _errors_of(name=name, percent=percent, exemption_reason="")
    if errors.pop("exemption_reason", ""):
        errors["percent"] = "Must be above 0; without a default nothing is taxed."
    if errors:
        raise ImproperlyConfigured(
            "DEFAULT_TAX: " + " ".join(f"the {field}: {error}" for field, error in errors.items())
        )
    return default


def default_tax_rate_id(*, now: datetime.datetime) -> uuid.UUID | None:
    """The id of the default of the settings, which becomes a row when it is first asked for; None without one.

    Raises `ImproperlyConfigured`.
    """
    default = check_default_tax()
    if default is None:
        return None
    name, percent, inclusive = default
    named = {"name": name, "percent": percent, "inclusive": inclusive, "exemption_reason": ""}
    rate = TaxRate.objects.filter(**named).first()
    if rate is None:
        # Another process may make it at the same moment.
        TaxRate.objects.bulk_create([TaxRate(**named, created_at=now)], ignore_conflicts=True)
        rate = TaxRate.objects.get(**named)
    return rate.id
