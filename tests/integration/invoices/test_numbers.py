"""Numbers of invoices and credit notes, an account's own or the company's."""

import datetime
from typing import Any

import pytest
from django.db import transaction

from accounts.locked_accounts import LockedAccount, lock_accounts
from invoices.numbers import COMPANY, credit_note_numbers, invoice_numbers
from tests.builders import TODAY, an_account
from tests.support.databases import rolled_back

pytestmark = rolled_back

NEXT_YEAR = datetime.date(2027, 1, 1)


def locked(number: int = 1) -> list[LockedAccount]:
    return list(lock_accounts([an_account().id for _ in range(number)]).values())


class TestAnAccountsOwnNumbers:
    def test_count_under_its_prefix_and_have_at_least_four_digits(self) -> None:
        (account,) = locked()
        account.invoices_issued, account.credit_notes_issued = 12_344, 11

        assert invoice_numbers(accounts=[account, account], today=TODAY) == [
            f"{account.number_prefix}-12345",
            f"{account.number_prefix}-12346",
        ]
        assert credit_note_numbers(accounts=[account], today=TODAY) == [f"{account.number_prefix}-CN-0012"]
        assert (account.invoices_issued, account.credit_notes_issued) == (12_346, 12)


class TestTheCompanysNumbers:
    @pytest.fixture(autouse=True)
    def _company(self, settings: Any) -> None:
        settings.INVOICE_NUMBERING = COMPANY

    def test_are_one_series_a_year_for_all_accounts(self) -> None:
        accounts = locked(3)

        assert invoice_numbers(accounts=accounts, today=TODAY) == ["2026-000001", "2026-000002", "2026-000003"]
        assert invoice_numbers(accounts=accounts[:1], today=TODAY) == ["2026-000004"]
        assert invoice_numbers(accounts=accounts[:1], today=NEXT_YEAR) == ["2027-000001"]
        assert credit_note_numbers(accounts=accounts[:2], today=TODAY) == [
            "CN-2026-000001",
            "CN-2026-000002",
        ]

    def test_are_given_back_by_what_is_rolled_back(self) -> None:
        (account,) = locked()
        with transaction.atomic():
            invoice_numbers(accounts=[account], today=TODAY)
            transaction.set_rollback(True)

        assert invoice_numbers(accounts=[account], today=TODAY) == ["2026-000001"]
