"""The history of accounts: each change by anybody is a row, before and after."""

import datetime
import json
import uuid
from collections.abc import Collection
from typing import Any

from django.db import connection

from accounts.array_literals import text_array, uuid_array
from accounts.ids import new_id
from accounts.sql_files import query


def record_changes(
    changes: Collection[tuple[uuid.UUID, str, dict[str, Any], dict[str, Any]]], *, author: str, now: datetime.datetime
) -> None:
    """Write rows of history, in one statement: account, reason, fields before, fields after."""
    with connection.cursor() as cursor:
        cursor.execute(
            query(__file__, "insert_changes"),
            {
                "ids": uuid_array([new_id() for _ in changes]),
                "accounts": uuid_array([account_id for account_id, *_ in changes]),
                "reasons": text_array([reason for _, reason, *_ in changes]),
                "before": text_array([json.dumps(before) for *_, before, _ in changes]),
                "after": text_array([json.dumps(after) for *_, after in changes]),
                "author": author,
                "now": now,
            },
        )
