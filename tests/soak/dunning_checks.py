"""Each account was dunned as the schedule says, and no account became INACTIVE before it was over.

A second reading of the schedule, day by day from the rows of payments; the days themselves are the settings'.
"""

import datetime
import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.conf import settings
from django.db.models import F

from accounts.billing_day import billing_day
from accounts.models import Account, AccountChange
from invoices.models import Invoice
from localcloud.simulated_stripe.keys import KEPT
from payments.models import Payment

if TYPE_CHECKING:
    from localcloud.simulated_stripe.records import Records

HARD = {"stolen_card"}
"""Of the codes with which the provider declines here, those after which a card is never tried again."""
NO_DECLINE = {"never_received"}


@dataclass
class Schedule:
    """What one account's dunning must have been."""

    steps: int = 0
    due: datetime.date | None = None
    unusable: bool = False
    declined: list[uuid.UUID] = field(default_factory=list)
    in_flight: set[uuid.UUID] = field(default_factory=set)
    attempts: list[tuple[datetime.date, uuid.UUID]] = field(default_factory=list)
    """The day and the invoice of each attempt but the first of an invoice."""
    inactive_on: datetime.date | None = None

    def sweep(self, day: datetime.date) -> None:
        if self.due is None or self.due > day or not self.declined or set(self.declined) & self.in_flight:
            return
        self.steps += 1
        self.due = None
        if self.unusable:
            self._plan(day)
        else:
            self._attempt(day)

    def issued(self, day: datetime.date, invoice: uuid.UUID) -> None:
        """With a method that can't be used, an invoice counts as declined at once."""
        if self.unusable:
            self._decline(day, invoice, counts=False)
        else:
            self.in_flight.add(invoice)

    def completed(self, day: datetime.date, payment: Payment) -> None:
        invoice = payment.invoice_id
        assert invoice is not None
        self.in_flight.discard(invoice)
        if payment.status == "SUCCEEDED":
            was_past_due = bool(self.declined)
            self.declined = [other for other in self.declined if other != invoice]
            if not self.declined:
                self.steps, self.due = 0, None
            elif was_past_due and payment.cause == "dunning" and not self.unusable:
                self._attempt(day)
            elif self.due is None and not set(self.declined) & self.in_flight:
                self._plan(day)
        elif payment.decline_code in NO_DECLINE:
            if payment.cause == "dunning":
                self.steps, self.due = self.steps - 1, day + datetime.timedelta(days=1)
        else:
            self.unusable |= payment.decline_code in HARD
            self._decline(day, invoice, counts=payment.cause == "dunning")

    def _decline(self, day: datetime.date, invoice: uuid.UUID, *, counts: bool) -> None:
        if invoice not in self.declined:
            self.declined.append(invoice)
        if counts or (self.due is None and not self.steps):
            self._plan(day)

    def _attempt(self, day: datetime.date) -> None:
        """The oldest: ids are in the order of issue."""
        oldest = min(self.declined)
        self.attempts.append((day, oldest))
        self.in_flight.add(oldest)

    def _plan(self, day: datetime.date) -> None:
        days = [0, *settings.DUNNING_DAYS]
        if self.steps + 1 < len(days):
            self.due = day + datetime.timedelta(days=days[self.steps + 1] - days[self.steps])
        else:
            self.due, self.inactive_on = None, self.inactive_on or day


def assert_dunned_as_the_schedule_says(
    accounts: Collection[Account], *, last_day: datetime.date
) -> dict[uuid.UUID, datetime.date]:
    """Returns the accounts that became INACTIVE, and on which day."""
    inactive: dict[uuid.UUID, datetime.date] = {}
    for account in accounts:
        schedule = Schedule()
        day = None
        for day, event in _events(account):
            _sweep_until(schedule, day, last_day)
            if isinstance(event, Invoice):
                schedule.issued(day, event.id)
            else:
                schedule.completed(day, event)
        if day is not None:
            _sweep_until(schedule, last_day, last_day)
        later = account.payments.filter(cause="dunning").order_by("submitted_at", "id")
        assert [(billing_day(payment.submitted_at), payment.invoice_id) for payment in later] == schedule.attempts
        if schedule.inactive_on:
            inactive[account.id] = schedule.inactive_on
    return inactive


def _sweep_until(schedule: Schedule, day: datetime.date, last_day: datetime.date) -> None:
    """Each day's sweep comes before what else happens on it; after the last day there is none."""
    while schedule.due is not None and schedule.due <= min(day, last_day):
        before = (schedule.due, schedule.steps)
        schedule.sweep(schedule.due)
        if (schedule.due, schedule.steps) == before:
            # A payment is in flight: the step waits for the first sweep after its outcome.
            schedule.due += datetime.timedelta(days=1)


def _events(account: Account) -> Iterator[tuple[datetime.date, Invoice | Payment]]:
    """What happened to the account's invoices, in order: issued, and each payment's outcome."""
    moments: list[tuple[datetime.datetime, int, Invoice | Payment]] = [
        (invoice.created_at, 0, invoice) for invoice in Invoice.objects.filter(account=account)
    ]
    for payment in account.payments.order_by("id"):
        assert payment.completed_at
        moments.append((payment.completed_at, 1, payment))
    for moment, _, event in sorted(moments, key=lambda found: (found[0], found[1], found[2].id)):
        yield billing_day(moment), event


def assert_only_accounts_that_were_dunned_are_inactive(
    accounts: Collection[Account], inactive: dict[uuid.UUID, datetime.date]
) -> None:
    """From the day of the last step on."""
    changes = AccountChange.objects.filter(after__status="INACTIVE", account__in=accounts)
    assert {change.account_id: billing_day(change.changed_at) for change in changes} == inactive
    unpaid = {account.id for account in accounts if account.inactive_reason == "unpaid"}
    assert unpaid == inactive.keys()


def assert_outcomes_were_learned_after_the_key_was_forgotten(records: "Records") -> dict[str, int]:
    """Of the payments that were unknown until then, some were taken and some had never arrived. Returns how many."""
    taken_at = {movement.owner: movement.at for movement in records.taken}
    succeeded = Payment.objects.filter(status="SUCCEEDED", gateway="stripe")
    found = [one for one in succeeded if one.completed_at and one.completed_at - taken_at[str(one.id)] >= KEPT]
    never = Payment.objects.filter(decline_code="never_received")
    assert found
    assert never.filter(completed_at__gte=F("first_called_at") + KEPT).exists()
    assert not {str(payment.id) for payment in never} & taken_at.keys()
    return {"found taken when their keys were forgotten": len(found), "never received": never.count()}
