"""Contact data: what is accepted, how it changes, and that an invoice keeps it as it was."""

from importlib.resources import files
from typing import Any

import pytest

from accounts.account_changes import UnableToChangeAccount, change_account
from accounts.countries import countries
from accounts.models import Account, AccountChange
from invoices.models import Invoice
from tests.builders import NOW, TODAY, an_account, billed
from tests.support.databases import rolled_back
from tests.support.owing import FEB_1

pytestmark = rolled_back

ADDRESS = {"address_line1": "Hauptstr. 5", "address_line2": "2. Hof", "postal_code": "10115", "city": "Berlin"}


def changed(account: Account, **changes: Any) -> Account:
    said: dict[str, Any] = {"reason": "moved", "author": "staff:bo", "now": NOW}
    return change_account(account_id=account.id, changes=changes, **said)  # type: ignore[arg-type]


def shown(invoice: Invoice) -> tuple[str, str, str, str]:
    return (invoice.customer_address, invoice.customer_country, invoice.customer_tax_id, invoice.customer_language)


class TestOnInvoices:
    def test_is_as_the_account_had_it_on_the_day_of_issue(self) -> None:
        name = "Ada Lovelace"
        account = changed(an_account(name=name), **ADDRESS, country="DE", tax_id="DE123456789", language="de")
        billed(as_of=TODAY)
        changed(account, city="Hamburg", country="AT", tax_id="", language="de-AT", name="Ada & Co")
        billed(as_of=FEB_1)
        january, february = Invoice.objects.order_by("id")
        assert shown(january) == ("Hauptstr. 5, 2. Hof, 10115 Berlin", "DE", "DE123456789", "de")
        assert shown(february) == ("Hauptstr. 5, 2. Hof, 10115 Hamburg", "AT", "", "de-AT")
        assert (january.customer_name, february.customer_name) == (name, "Ada & Co")

    @pytest.mark.parametrize(
        ("address", "line"),
        [
            ({}, ""),
            ({"city": "Berlin"}, "Berlin"),
            ({"postal_code": "10115"}, "10115"),
            ({"address_line1": "1 Main St", "city": "Austin", "region": "TX"}, "1 Main St, Austin, TX"),
        ],
    )
    def test_leaves_out_what_is_not_given(self, address: dict[str, str], line: str) -> None:
        changed(an_account(), **address) if address else an_account()
        billed(as_of=TODAY)
        assert shown(Invoice.objects.get()) == (line, "", "", "")


class TestChange:
    def test_is_in_the_history_before_and_after(self) -> None:
        account = changed(an_account(), city="Berlin")
        changed(account, city="Hamburg", country="DE")
        change = AccountChange.objects.filter(account=account).latest("id")
        assert (change.before, change.after) == (
            {"city": "Berlin", "country": ""},
            {"city": "Hamburg", "country": "DE"},
        )

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("country", "de"),
            ("country", "Germany"),
            ("country", "ZZ"),
            ("language", "german"),
            ("language", "DE"),
            ("language", "de_AT"),
            ("city", "Ber\nlin"),
            ("city", "x" * 101),
            ("tax_id", "\u202e"),
        ],
    )
    def test_to_what_is_none_is_refused_and_changes_nothing(self, field: str, value: str) -> None:
        account = an_account()
        with pytest.raises(UnableToChangeAccount) as refusal:
            changed(account, **{field: value}, name="Ada")
        assert list(refusal.value.errors) == [field]
        found = Account.objects.get(id=account.id)
        assert (getattr(found, field), found.name) == ("", account.name)
        assert AccountChange.objects.filter(account=account).count() == 1

    @pytest.mark.parametrize("language", ["en", "de-AT", "zh-Hant", "zh-Hant-TW", "es-419"])
    def test_takes_language_tags(self, language: str) -> None:
        assert changed(an_account(), language=language).language == language


def test_countries_are_all_that_are_assigned() -> None:
    assert len(countries()) == 249
    assert {"DE", "GB", "US", "JP", "XK"} & countries() == {"DE", "GB", "US", "JP"}
    assert files("tzdata").joinpath("zoneinfo", "iso3166.tab").is_file()
