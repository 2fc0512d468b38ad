"""Money as rows' readers see it: PostgreSQL's function writes what Python's does."""

from django.db import connection

from accounts.currencies import EXPONENTS, display
from tests.support.databases import rolled_back

pytestmark = rolled_back

AMOUNTS = [0, 1, -1, 99, 100, -1999, 123_456_789, 2**53 - 1, -(2**53) + 1]


class TestAsMoney:
    def test_is_what_python_displays_in_every_currency(self) -> None:
        asked = [(amount_minor, currency) for currency in EXPONENTS for amount_minor in AMOUNTS]
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT as_money(amount_minor, currency) FROM unnest(%s::bigint[], %s::text[]) WITH ORDINALITY"
                " AS asked (amount_minor, currency, place) ORDER BY place",
                [[amount_minor for amount_minor, _ in asked], [currency for _, currency in asked]],
            )
            found = [text for (text,) in cursor.fetchall()]

        assert found == [display(amount_minor=amount_minor, currency=currency) for amount_minor, currency in asked]
