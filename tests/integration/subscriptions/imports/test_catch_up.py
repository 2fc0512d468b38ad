"""What an import says of days gone by, and what a sweep then bills."""

import datetime
from collections import Counter
from typing import Any

import pytest

from accounts.models import Account
from rebilling.models import Rebilling
from rebilling.sweep import find_due
from subscriptions.imports.catch_up import CatchUp
from tests.builders import a_plan
from tests.integration.subscriptions.imports.files import REQUIRED, file_of, take
from tests.support.databases import rolled_back

pytestmark = rolled_back

HEADER = REQUIRED + ",rebilling_date,quantity,unit_amount_minor,status"
TODAY = datetime.date(2026, 11, 30)
NOON = datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.UTC)


@pytest.fixture(autouse=True)
def _plans(db: None) -> None:
    a_plan(code="monthly", unit_amount_minor=1000)
    a_plan(code="weekly", unit_amount_minor=300, currency="JPY", interval_unit="week")


def caught_up(*rows: str, as_of: datetime.date = TODAY, dry_run: bool = False) -> CatchUp:
    """What an import of the rows says, at noon of `TODAY`, of days before `as_of`."""
    content = file_of(*(f"R{number},Ann,a@b.example,{row}" for number, row in enumerate(rows)), header=HEADER)
    imported = take(content, as_of=as_of, now=NOON, dry_run=dry_run)
    assert imported.accounts == len(rows)
    return imported.before_import


class TestCatchUp:
    @pytest.mark.parametrize("dry_run", [True, False])
    def test_counts_periods_and_amounts_of_accounts_billed_for_days_before(self, dry_run: bool) -> None:
        found = caught_up(
            "monthly,2025-08-31,2026-08-31,,,",
            "monthly,2026-11-30,2026-11-30,,,",
            "monthly,2025-01-31,,,,",
            dry_run=dry_run,
        )

        assert found == CatchUp(
            day=TODAY, accounts=1, periods=4, past_periods=3, amounts_minor=Counter(USD=4000), parked_accounts=0
        )

    def test_takes_the_account_s_own_price_and_tells_currencies_apart(self) -> None:
        found = caught_up(
            "monthly,2026-10-15,2026-10-15,3,250,",
            "monthly,2026-11-01,2026-11-01,,,",
            "weekly,2026-11-16,2026-11-16,,,",
        )

        assert (found.accounts, found.periods, found.past_periods) == (3, 6, 3)
        assert found.amounts_minor == {"USD": 2 * 750 + 1000, "JPY": 900}

    @pytest.mark.parametrize(
        ("start", "periods", "past"),
        [("2026-11-30", 0, 0), ("2026-11-29", 1, 0), ("2026-11-24", 1, 0), ("2026-11-23", 2, 1), ("2026-11-22", 2, 1)],
    )
    def test_counts_a_period_as_past_once_its_last_day_is_over(self, start: str, periods: int, past: int) -> None:
        found = caught_up(f"weekly,{start},{start},,,")

        assert (found.accounts, found.periods, found.past_periods) == (min(periods, 1), periods, past)

    def test_leaves_out_those_who_are_not_billed(self) -> None:
        assert caught_up("monthly,2026-08-31,2026-08-31,,,INACTIVE") == CatchUp(day=TODAY)

    def test_counts_apart_those_whom_the_sweep_parks(self) -> None:
        found = caught_up("monthly,2023-11-30,2023-11-30,,,", "monthly,2023-12-30,2023-12-30,,,")

        assert (found.parked_accounts, found.accounts, found.periods) == (1, 1, 36)
        assert found.amounts_minor == {"USD": 36_000}

    def test_says_what_the_sweep_of_that_day_bills(self) -> None:
        starts = [TODAY - datetime.timedelta(days=days) for days in range(0, 1200, 7)]
        found = caught_up(*(f"{plan},{start},{start},2,," for start in starts for plan in ("monthly", "weekly")))

        due = list(find_due(as_of=TODAY, now=NOON))
        parked = {row.account_id for row in due if row.status == Rebilling.Status.PARKED}
        before = Account.objects.filter(rebilling_date__lt=TODAY).exclude(id__in=parked).values_list("id", flat=True)
        billed = [row for row in due if row.account_id in set(before)]
        amounts: Counter[str] = Counter()
        for row in billed:
            amounts[row.currency] += row.amount_minor
        assert (found.accounts, found.parked_accounts) == (len(before), len(parked))
        assert (found.periods, found.amounts_minor) == (len(billed), amounts)
        assert found.past_periods == sum(row.period_end <= TODAY for row in billed)
        assert min(found.accounts, found.parked_accounts, found.past_periods) > 100


class TestAnImportOfADayGoneBy:
    def test_says_what_is_billed_for_days_before_the_billing_day_too(self) -> None:
        content = file_of("R,Ann,a@b.example,monthly,2025-08-31,,,,", header=HEADER)
        imported = take(content, as_of=datetime.date(2026, 8, 31), now=NOON)

        assert imported.before_import == CatchUp(day=datetime.date(2026, 8, 31))
        assert imported.before_today == CatchUp(
            day=TODAY, accounts=1, periods=4, past_periods=3, amounts_minor=Counter(USD=4000)
        )

    def test_goes_by_the_day_in_the_billing_time_zone(self, settings: Any) -> None:
        content = file_of("R,Ann,a@b.example,monthly,2025-08-31,,,,", header=HEADER)
        settings.BILLING_TIME_ZONE = "Pacific/Auckland"
        imported = take(content, as_of=TODAY, now=NOON, dry_run=True)
        assert imported.before_today
        assert imported.before_today.day == datetime.date(2026, 12, 1)

    @pytest.mark.parametrize("days", [0, 1])
    def test_is_none_when_it_is_that_day_or_before(self, days: int) -> None:
        imported = take(file_of(), as_of=TODAY + datetime.timedelta(days=days), now=NOON)

        assert imported.before_today is None
