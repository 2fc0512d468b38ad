"""What an account's metadata may hold, and how it is kept: any JSON object, and it comes back as it was sent."""

import json
import re
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

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


def metadata_error(metadata: dict[str, Any]) -> str:
    """Why the metadata can't be kept, or an empty string."""
    try:
        text = json.dumps(metadata, ensure_ascii=False, allow_nan=False)
        text.encode("utf-8")
    except RecursionError:
        return "Is nested too deeply."
    except UnicodeEncodeError:
        return "Holds half of a surrogate pair, which isn't a character."
    except (TypeError, ValueError):
        return "Holds a value that JSON doesn't have."
    return "Holds a NUL character, which the database can't keep." if _NUL.search(text) else ""
