"""What an account's metadata may hold, and how it is kept: a bounded JSON object that comes back as it was sent."""

import json
import re
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.strict_json import read_object

MAX_METADATA_KEYS = 50
MAX_METADATA_BYTES = 16 * 1024
"""As JSON in UTF-8."""
MAX_METADATA_LEVELS = 19
"""How deep objects and lists may lie in each other, the metadata being the first."""

# An escaped NUL in JSON text; a backslash that is itself escaped doesn't start one.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


class MetadataField(models.JSONField):
    """A column of PostgreSQL's `json`, which keeps the text. `jsonb` would write 1e308 out, make 0.0 of -0.0 and sort
    the keys. Nothing looks into it, so nothing of `jsonb` is missed.
    """

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "json"

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        """As text: what Django would make of it goes through `jsonb`."""
        return json.dumps(value, allow_nan=False)

    def from_db_value(self, value: Any, expression: Any, connection: BaseDatabaseWrapper) -> Any:
        """As it is: the driver has read the text already, which it doesn't do with `jsonb`."""
        return value


def metadata_from(text: str) -> dict[str, Any]:
    """The metadata that a text of JSON holds. Raises `UnreadableJson`; `metadata_error` says if it can be kept."""
    return read_object(text, place="metadata", max_levels=MAX_METADATA_LEVELS)


def metadata_error(metadata: dict[str, Any]) -> str:
    """Why the metadata can't be kept, or an empty string."""
    if len(metadata) > MAX_METADATA_KEYS:
        return f"Must have at most {MAX_METADATA_KEYS} keys."
    try:
        text = json.dumps(metadata, ensure_ascii=False, allow_nan=False)
        size = len(text.encode("utf-8"))
    except RecursionError:
        return "Is nested too deeply."
    except UnicodeEncodeError:
        return "Holds half of a surrogate pair, which isn't a character."
    except (TypeError, ValueError):
        return "Holds a value that JSON doesn't have."
    if size > MAX_METADATA_BYTES:
        return f"Must be at most {MAX_METADATA_BYTES} bytes as JSON."
    return "Holds a NUL character, which the database can't keep." if _NUL.search(text) else ""
