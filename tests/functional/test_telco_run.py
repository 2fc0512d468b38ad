"""Real input end to end: imported, swept, processed, and every charge equal to what the file says."""

import datetime
from collections import defaultdict
from pathlib import Path

from dateutil.relativedelta import relativedelta
from django.core.management import call_command

from accounts.models import Account
from ledger.balances import book_totals
from ledger.models import Entry
from payments.models import Payment
from rebilling.reconciliation.summary import reconciliation_of
from tests.builders import at, billed
from tests.support.databases import rolled_back
from tests.support.telco import (
    BILLABLE,
    CUSTOMERS,
    create_telco_plans,
    expected_charges,
    needs_telco_file,
    write_import,
)

AS_OF = datetime.date(2026, 11, 22)
MONTHS = 2


@needs_telco_file
@rolled_back
class TestTelcoRun:
    def test_charges_everyone_what_the_file_says_and_nobody_who_left(self, tmp_path: Path) -> None:
        create_telco_plans(now=at(AS_OF))
        write_import(path=tmp_path / "accounts.csv", as_of=AS_OF)
        call_command("import_accounts", str(tmp_path / "accounts.csv"), "--as-of", AS_OF.isoformat())
        assert Account.objects.count() == CUSTOMERS

        expected = expected_charges(months=MONTHS)
        for month in range(MONTHS + 1):
            day = AS_OF + relativedelta(months=month)
            run = billed(as_of=day)
            found = reconciliation_of(run=run, now=at(day) + datetime.timedelta(hours=2))
            assert found.clean
            assert found.due.periods == found.charged.periods == found.payments["succeeded"]

        charged: dict[str | None, list[int]] = defaultdict(list)
        for reference, amount in (
            Entry.objects.filter(type="charge")
            .order_by("period_start", "id")
            .values_list("account__external_reference", "amount_minor")
        ):
            charged[reference].append(amount)
        assert charged == expected
        total = sum(map(sum, expected.values()))
        books = book_totals()
        assert books == {"USD": {"receivable": 0, "revenue": -total, "cash": total, "credits": 0, "bad_debt": 0}}
        assert Payment.objects.filter(account__status="INACTIVE").count() == 0
        assert Account.objects.filter(status="ACTIVE").count() == BILLABLE
        assert not Account.objects.filter(status="INACTIVE").exclude(inactive_reason="imported").exists()
