"""The environment that the settings are read from.

A value that can't be parsed is refused in one line that names the variable. It never shows the value, which may be a
secret, or part of one, in the wrong place.
"""

import math
import re
import zoneinfo
from collections.abc import Callable, Collection
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

_SWITCHES = {
    **dict.fromkeys(("true", "on", "ok", "yes", "y", "1"), True),
    **dict.fromkeys(("false", "off", "no", "n", "0"), False),
}


# The package has no types.
class Environment(environ.Env):  # type: ignore[misc]
    """Nothing is guessed: `environ.Env` reads 20s as 20, 1e3 as 13, and whatever isn't `true` as false.

    Each method raises `ImproperlyConfigured` for a value that isn't of its kind.
    """

    def get_value(
        self, var: str, cast: Any = None, default: Any = environ.Env.NOTSET, parse_default: bool = False
    ) -> Any:
        """A value that begins with `$` is one like any other: a secret may, and doesn't name another variable."""
        if var not in self.ENVIRON:
            if default is self.NOTSET:
                raise ImproperlyConfigured(f"{var} is missing.")
            return default
        reader = _reader(cast)
        if reader is None:
            return self.parse_value(self.ENVIRON[var], cast)
        read, kind = reader
        return _read(self.ENVIRON[var], var=var, kind=kind, read=read)

    def db(self, var: str, default: Any = environ.Env.NOTSET, engine: str | None = None) -> Any:
        """A PostgreSQL database. Of another URL `environ.Env` would make none, and warn with the password in it."""

        def read(url: str) -> Any:
            if self.DB_SCHEMES.get(urlsplit(url).scheme) != "django.db.backends.postgresql":
                raise ValueError("no URL of PostgreSQL")
            return self.db_url_config(url, engine=engine)

        kind = "the URL of a PostgreSQL database, as postgres://user:password@host:5432/name, its parts %-escaped"
        return _read(self.get_value(var, default=default), var=var, kind=kind, read=read)

    def count(self, var: str, *, default: int, maximum: int | None = None) -> int:
        """A whole number of something that there must be."""
        number: int = self.int(var, default=default)
        if number < 1:
            raise ImproperlyConfigured(f"{var} must be 1 or more.")
        if maximum is not None and number > maximum:
            raise ImproperlyConfigured(f"{var} must be {maximum} or less.")
        return number

    def amounts(self, var: str) -> dict[str, int]:
        """Minor units by currency. `environ.Env` would have semicolons between them."""
        read: dict[str, int] = _read(
            self.str(var, default=""), var=var, kind="minor units by currency, as USD=5000000,JPY=500000", read=_amounts
        )
        return read

    def tax(self, var: str) -> tuple[str, Decimal, bool] | None:
        """A tax rate: its name, its percentage, and whether prices contain it. None where the variable is empty."""
        kind = "a tax's name, percentage, and exclusive or inclusive, as VAT:21:exclusive"
        given = self.str(var, default="")
        return _read(given, var=var, kind=kind, read=_tax) if given else None

    def one_of(self, var: str, names: Collection[str], *, default: str) -> str:
        found: str = self.str(var, default=default)
        if found not in names:
            raise ImproperlyConfigured(f"{var} must be one of {', '.join(names)}.")
        return found

    def zone(self, var: str, *, default: str) -> str:
        """The name of a time zone that this machine knows."""
        kind = "a time zone of the IANA database, as UTC or Europe/Berlin"
        return str(_read(self.str(var, default=default), var=var, kind=kind, read=zoneinfo.ZoneInfo))


def _read(value: Any, *, var: str, kind: str, read: Callable[[Any], Any]) -> Any:
    try:
        return read(value)
    except (ValueError, LookupError, OSError):
        # Neither its text nor the error as a cause: both hold the value.
        raise ImproperlyConfigured(f"{var} must be {kind}.") from None


def _reader(cast: Any) -> tuple[Callable[[str], Any], str] | None:
    if cast is bool:
        return (lambda value: _SWITCHES[value.strip().lower()]), "true or false"
    if cast is int:
        return _whole_number, "a whole number, 0 or more"
    if cast is float:
        return _finite, "a number, as 20 or 2.5"
    if cast == [int]:
        return (lambda value: [int(part) for part in value.split(",") if part]), "whole numbers, as 1,3,5"
    return None


def _whole_number(value: str) -> int:
    number = int(value)
    if number < 0:
        raise ValueError("below 0")
    return number


def _finite(value: str) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("not finite")
    return number


def _amounts(value: str) -> dict[str, int]:
    pairs = [part.split("=") for part in value.split(",") if part]
    return {currency.strip(): int(amount) for currency, amount in pairs}


def _tax(value: str) -> tuple[str, Decimal, bool]:
    name, percent, kind = value.rsplit(":", 2)
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3})?", percent):
        raise ValueError("no percentage")
    return name.strip(), Decimal(percent), {"exclusive": False, "inclusive": True}[kind]
