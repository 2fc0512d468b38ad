"""Ids as the database sends them."""

import uuid

from django.db import connection

from accounts.ids import new_id
from tests.support.databases import rolled_back


@rolled_back
class TestIdsOfTheDatabase:
    def test_are_read_once(self) -> None:
        id_ = new_id()
        with connection.cursor() as cursor:
            cursor.execute("SELECT %(id)s::uuid, %(id)s::uuid, NULL::uuid, ARRAY[%(id)s::uuid]", {"id": str(id_)})
            first, second, none, several = cursor.fetchone()
        assert (type(first), first, none, several) == (uuid.UUID, id_, None, [id_])
        assert first is second
