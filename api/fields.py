"""Fields that parse strictly: what isn't valid is refused, and nothing is guessed."""

import datetime
import re
import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import empty

from accounts.amounts import MAX_BALANCE_MINOR
from accounts.metadata import MAX_METADATA_KEYS, metadata_error
from accounts.percents import shown_percent
from accounts.phrases import one_of

MAX_64_BITS = 2**63 - 1

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PERCENT = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,3})?")
_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Text(serializers.CharField):
    """A JSON string, not blank, without white space around it. A number isn't made into one."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Identifier(serializers.UUIDField):
    """An id as the API writes them: a JSON string with hyphens, and none of the other spellings of a UUID."""

    def to_internal_value(self, data: Any) -> uuid.UUID:
        found = id_from(data) if isinstance(data, str) else None
        if found is None:
            self.fail("invalid", value=data)
        return found


def id_from(text: str) -> uuid.UUID | None:
    """The id that this text is, or None."""
    return uuid.UUID(text) if _ID.fullmatch(text) else None


@extend_schema_field(OpenApiTypes.BOOL)
class YesOrNo(serializers.Field[bool, bool, bool, Any]):
    """true or false: not "true", not 1."""

    default_error_messages = {
        "invalid": "Must be true or false.",
    }

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return data

    def to_representation(self, value: bool) -> bool:
        return value


class Choice(serializers.ChoiceField):
    """One of a few words. A wrong one is answered with all of them."""

    def __init__(self, choices: Sequence[tuple[str, Any]], **kwargs: Any) -> None:
        wrong = one_of([value for value, _ in choices])
        super().__init__(choices, error_messages={"invalid_choice": wrong}, **kwargs)


class ClearableText(Text):
    """Text that may be absent: null clears it, and reads as an empty string."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, allow_null=True, **kwargs)

    def run_validation(self, data: Any = empty) -> str:
        return super().run_validation(data) or ""


class Email(serializers.EmailField):
    """An e-mail address."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


@extend_schema_field(OpenApiTypes.STR)
class TextOrNull(serializers.Field[str, str, str | None, Any]):
    """Renders an empty string as null."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, allow_null=True, **kwargs)

    def to_representation(self, value: str) -> str | None:
        return value or None


class WholeNumber(serializers.Field[int, int, int, Any]):
    """A JSON integer of 64 bits: not "5", not 5.0, not true.

    `minimum` and `maximum` describe it in OpenAPI. The operation checks that a value lies between them.
    """

    default_error_messages = {
        "invalid": "Must be a whole number.",
        "too_large": "Must fit 64 bits.",
    }

    def __init__(self, *, minimum: int = -MAX_64_BITS - 1, maximum: int = MAX_64_BITS, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.minimum, self.maximum = minimum, maximum

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        if not -MAX_64_BITS - 1 <= data <= MAX_64_BITS:
            self.fail("too_large")
        return data

    def to_representation(self, value: int) -> int:
        return value


class Movement(WholeNumber):
    """Minor units of one movement of money in a request: at most what the settings allow."""

    def __init__(self, *, minimum: int = 1, **kwargs: Any) -> None:
        super().__init__(minimum=minimum, maximum=settings.MAX_MOVEMENT_MINOR, **kwargs)


class Amount(WholeNumber):
    """Minor units in an answer: every JSON parser reads them exactly."""

    def __init__(self, *, minimum: int = 0, **kwargs: Any) -> None:
        super().__init__(minimum=minimum, maximum=MAX_BALANCE_MINOR, read_only=True, **kwargs)


class SignedAmount(Amount):
    """One that may be below zero: a deduction, a debt."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(minimum=-MAX_BALANCE_MINOR, **kwargs)


@extend_schema_field({"type": "string", "pattern": r"^[0-9]{1,3}(\.[0-9]{1,3})?$"})
class Percent(serializers.Field[Decimal, str, str, Any]):
    """A percentage as a text, which no reader rounds: "21", "8.875". The operation checks its bounds."""

    default_error_messages = {
        "invalid": 'Must be a percentage as a text, with at most three decimal places: "21" or "8.875".',
    }

    def to_internal_value(self, data: Any) -> Decimal:
        if not isinstance(data, str) or not _PERCENT.fullmatch(data):
            self.fail("invalid")
        return Decimal(data)

    def to_representation(self, value: Decimal) -> str:
        return shown_percent(value)


@extend_schema_field({"type": "string", "pattern": "^[A-Z]{3}$"})
class Currency(Text):
    """An ISO 4217 code; the operation checks which."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=3, **kwargs)


class Day(serializers.DateField):
    """A date, `YYYY-MM-DD` and nothing else that ISO 8601 allows."""

    def to_internal_value(self, value: Any) -> datetime.date:
        day = day_from(value) if isinstance(value, str) else None
        if day is None:
            raise serializers.ValidationError("Must be a date, YYYY-MM-DD.", code="invalid")
        return day


_WORD_OR_DAY = "^({words}|[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})$"


class WordOrDay(Text):
    """One of a few words (`now`), or a date as `Day` has it: a word is read as text, a day as a date."""

    def __init__(self, words: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.words = tuple(words)

    @property
    def pattern(self) -> str:
        """What a valid text looks like."""
        return _WORD_OR_DAY.format(words="|".join(self.words))

    def to_internal_value(self, data: Any) -> Any:
        found = data if data in self.words else day_from(data) if isinstance(data, str) else None
        if found is None:
            raise serializers.ValidationError(f"Must be {', '.join(self.words)} or a date, YYYY-MM-DD.", code="invalid")
        return found


def day_from(text: str) -> datetime.date | None:
    """The date that this text is, or None."""
    try:
        return datetime.date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None


@extend_schema_field({"type": "object", "additionalProperties": {}, "maxProperties": MAX_METADATA_KEYS})
class Metadata(serializers.Field[dict[str, Any], dict[str, Any], dict[str, Any], Any]):
    """A JSON object of the client's own, within bounds. It comes back as it was sent, and is never read."""

    default_error_messages = {
        "invalid": "Must be a JSON object.",
    }

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail("invalid")
        if error := metadata_error(data):
            raise serializers.ValidationError(error)
        return data

    def to_representation(self, value: dict[str, Any]) -> dict[str, Any]:
        return value
