"""Each charge was tried as often as the retry schedule says, no account became INACTIVE before, every outcome is known.

Checked by rows and dates; the schedule is the settings'.
"""

import datetime
import itertools
from collections import defaultdict
from typing import TYPE_CHECKING

from django.conf import settings
from django.db.models import F

from accounts.billing_day import billing_day
from accounts.models import Account, StatusChange
from ledger.models import Entry
from localcloud.simulated_stripe.keys import KEPT
from payments.models import Payment
from tests.unit.accounts.calendar_oracle import oracle_starts

if TYPE_CHECKING:
    from localcloud.simulated_stripe.records import Records

HARD = {"stolen_card"}
"""Of the codes with which the provider declines here, those after which a card is never tried again."""


def attempts_of_charges() -> dict[Entry, list[Payment]]:
    """Every charge with its payments, in the order in which they were made."""
    attempts: dict[object, list[Payment]] = defaultdict(list)
    for payment in Payment.objects.exclude(charge=None).order_by("submitted_at", "id"):
        attempts[payment.charge_id].append(payment)
    return {charge: attempts[charge.id] for charge in Entry.objects.filter(type="charge").order_by("id")}


def next_attempt(declines: list[Payment]) -> datetime.date | None:
    """The day after the last of a charge's declines on which it is due again; None if no retry is left."""
    if declines[-1].decline_code in HARD:
        return None
    first, last = _completed_on(declines[0]), _completed_on(declines[-1])
    schedule = [first + datetime.timedelta(days=days) for days in settings.PAYMENT_RETRY_DAYS]
    return next((day for day in schedule if day > last), None)


def assert_each_charge_was_tried_until_paid(*, last_day: datetime.date) -> dict[object, datetime.date]:
    """Submitted on its period's first day, after each soft decline on the next day of the schedule, and never else.

    Returns the accounts with a charge whose retries are exhausted, and on which day the first such ended.
    """
    exhausted: dict[object, datetime.date] = {}
    for charge, attempts in attempts_of_charges().items():
        assert charge.period_start
        due: datetime.date | None = charge.period_start
        for number, attempt in enumerate(attempts):
            assert billing_day(attempt.submitted_at) == due, (charge.id, number)
            if attempt.status == "SUCCEEDED":
                assert attempt is attempts[-1]
                due = None
            else:
                due = next_attempt(attempts[: number + 1])
        assert due is None or due > last_day, (charge.id, due)
        if due is None and attempts[-1].status == "DECLINED":
            ended = _completed_on(attempts[-1])
            exhausted[charge.account_id] = min(ended, exhausted.get(charge.account_id, ended))
    return exhausted


def assert_only_accounts_without_retries_left_are_inactive(exhausted: dict[object, datetime.date]) -> None:
    """From the day of the last decline, and charged for every period before it."""
    changes = StatusChange.objects.filter(to_status="INACTIVE").values_list("account_id", "changed_at")
    assert {account_id: billing_day(changed_at) for account_id, changed_at in changes} == exhausted
    inactive = Account.objects.filter(status="INACTIVE", inactive_reason="unpaid").select_related("plan")
    assert {account.id for account in inactive} == exhausted.keys()
    for account in inactive:
        charges = Entry.objects.filter(type="charge", account=account).order_by("period_start")
        charged = list(charges.values_list("period_start", flat=True))
        starts = oracle_starts(account.anchor_date, account.plan.interval)
        due = list(itertools.takewhile(lambda day, end=exhausted[account.id]: day <= end, starts))  # type: ignore[misc]
        # The period that begins on that day may have been charged before, or not any more.
        assert charged in (due, [day for day in due if day < exhausted[account.id]])


def assert_outcomes_were_learned_after_the_key_was_forgotten(records: "Records") -> dict[str, int]:
    """Of the payments that were unknown until then, some were taken and some had never arrived. Returns how many."""
    taken_at = {movement.owner: movement.at for movement in records.taken}
    succeeded = Payment.objects.filter(status="SUCCEEDED")
    found = [one for one in succeeded if one.completed_at and one.completed_at - taken_at[str(one.id)] >= KEPT]
    never = Payment.objects.filter(decline_code="never_received")
    assert found
    assert never.filter(completed_at__gte=F("first_called_at") + KEPT).exists()
    assert not {str(payment.id) for payment in never} & taken_at.keys()
    return {"found taken when their keys were forgotten": len(found), "never received": never.count()}


def _completed_on(payment: Payment) -> datetime.date:
    assert payment.completed_at
    return billing_day(payment.completed_at)
