"""Real input end to end: imported, swept, processed, and every charge equal to what the file says."""

import datetime
from collections import defaultdict
from pathlib import Path

import pytest
from dateutil.relativedelta import relativedelta
from django.core.management import call_command
from django.db.models import Count, Sum

from accounts.models import Account
from invoices.models import Invoice
from ledger.balances import book_totals
from ledger.models import Entry
from payments.models import Payment
from rebilling.reconciliation.summary import reconciliation_of
from tests.builders import at, billed
from tests.support.databases import rolled_back
from tests.support.telco import FILES, CustomerFile, create_telco_plans, expected_charges, write_import

AS_OF = datetime.date(2026, 11, 22)
MONTHS = 2


@rolled_back
class TestTelcoRun:
    @pytest.mark.parametrize("file", FILES, ids=str)
    def test_charges_everyone_what_the_file_says_and_nobody_who_left(self, file: CustomerFile, tmp_path: Path) -> None:
        totals = file.totals
        create_telco_plans(now=at(AS_OF))
        write_import(file, path=tmp_path / "accounts.csv", as_of=AS_OF)
        call_command("import_accounts", str(tmp_path / "accounts.csv"), "--as-of", AS_OF.isoformat())
        assert Account.objects.count() == totals["customers"]

        expected = expected_charges(file, months=MONTHS)
        for month in range(MONTHS + 1):
            day = AS_OF + relativedelta(months=month)
            run = billed(as_of=day)
            found = reconciliation_of(run=run, now=at(day) + datetime.timedelta(hours=2))
            assert found.clean
            assert found.due.periods == found.charged.periods == found.payments["succeeded"]
            charged = {"periods": found.charged.periods, "charged_minor": found.charged.amount_minor["USD"]}
            assert charged == totals["months"][month]

        assert self._charged() == expected
        total = sum(map(sum, expected.values()))
        assert total == sum(month["charged_minor"] for month in totals["months"])
        books = {book: amount for book, amount in book_totals()["USD"].items() if amount}
        assert books == {"revenue": -total, "cash": total}
        invoices = Invoice.objects.values_list("status").annotate(number=Count("id"), owed=Sum("total_minor"))
        assert list(invoices) == [("PAID", sum(month["periods"] for month in totals["months"]), total)]
        assert Payment.objects.filter(account__status="INACTIVE").count() == 0
        assert Account.objects.filter(status="ACTIVE").count() == totals["billable"]
        assert not Account.objects.filter(status="INACTIVE").exclude(inactive_reason="imported").exists()

    def _charged(self) -> dict[str | None, list[int]]:
        charged: dict[str | None, list[int]] = defaultdict(list)
        charges = Entry.objects.filter(type="charge").order_by("period_start", "id")
        for reference, amount in charges.values_list("account__external_reference", "amount_minor"):
            charged[reference].append(amount)
        return charged
