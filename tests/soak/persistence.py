"""That nothing was left undone: each charge tried as often as is due, nobody given up before, no outcome left open.

All by rows and dates; the schedule of retries is the settings'.
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
from localcloud.provider.keys import KEPT
from payments.models import Payment
from tests.unit.calendar_oracle import oracle_starts

if TYPE_CHECKING:
    from localcloud.provider.records import Records

HARD = {"stolen_card"}
"""Of the codes with which the provider declines here, those after which a card is never tried again."""


def attempts_of_charges() -> dict[Entry, list[Payment]]:
    """Every charge with its payments, in the order in which they were made."""
    attempts: dict[object, list[Payment]] = defaultdict(list)
    for payment in Payment.objects.exclude(charge=None).order_by("submitted_at", "id"):
        attempts[payment.charge_id].append(payment)
    return {charge: attempts[charge.id] for charge in Entry.objects.filter(type="charge").order_by("id")}


def next_attempt(declines: list[Payment]) -> datetime.date | None:
    """The day after the last of a charge's declines on which it is due again; None when it is to be given up."""
    if declines[-1].decline_code in HARD:
        return None
    first, last = _settled_on(declines[0]), _settled_on(declines[-1])
    schedule = [first + datetime.timedelta(days=days) for days in settings.PAYMENT_RETRY_DAYS]
    return next((day for day in schedule if day > last), None)


def assert_each_charge_was_tried_until_paid(*, last_day: datetime.date) -> dict[object, datetime.date]:
    """Asked for on its period's first day, after each soft decline on the next day of the schedule, and never else.

    Returns the accounts with a charge that was tried to the end in vain, and on which day the first such ended.
    """
    spent: dict[object, datetime.date] = {}
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
            ended = _settled_on(attempts[-1])
            spent[charge.account_id] = min(ended, spent.get(charge.account_id, ended))
    return spent


def assert_only_the_spent_were_given_up(spent: dict[object, datetime.date]) -> None:
    """On the very day, and charged for every period before it."""
    changes = StatusChange.objects.filter(to_status="INACTIVE").values_list("account_id", "changed_at")
    assert {account_id: billing_day(changed_at) for account_id, changed_at in changes} == spent
    given_up = Account.objects.filter(status="INACTIVE", inactive_reason="unpaid").select_related("plan")
    assert {account.id for account in given_up} == spent.keys()
    for account in given_up:
        charges = Entry.objects.filter(type="charge", account=account).order_by("period_start")
        charged = list(charges.values_list("period_start", flat=True))
        starts = oracle_starts(account.anchor_date, account.plan.interval)
        due = list(itertools.takewhile(lambda day, end=spent[account.id]: day <= end, starts))  # type: ignore[misc]
        # The period that begins on that day may have been charged before, or not any more.
        assert charged in (due, [day for day in due if day < spent[account.id]])


def assert_outcomes_were_learnt_after_the_key_was_forgotten(records: "Records") -> dict[str, int]:
    """Of what nobody had heard of by then some was taken, and some had never arrived. Returns how many."""
    taken_at = {movement.owner: movement.at for movement in records.taken}
    succeeded = Payment.objects.filter(status="SUCCEEDED")
    found = [one for one in succeeded if one.settled_at and one.settled_at - taken_at[str(one.id)] >= KEPT]
    never = Payment.objects.filter(decline_code="never_received")
    assert found
    assert never.filter(settled_at__gte=F("asked_at") + KEPT).exists()
    assert not {str(payment.id) for payment in never} & taken_at.keys()
    return {"found taken when their keys were forgotten": len(found), "never received": never.count()}


def _settled_on(payment: Payment) -> datetime.date:
    assert payment.settled_at
    return billing_day(payment.settled_at)
