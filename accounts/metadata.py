"""What an account's metadata may hold: any JSON object that the database can keep as it is."""

import json
import re
from typing import Any

# An escaped NUL in JSON text; a backslash that is itself escaped doesn't start one.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


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
