"""Removing items: what isn't invoiced of one never is."""

import datetime
import uuid

from django.db import transaction

from accounts.errors import Conflict
from accounts.locked_accounts import lock_account, save_accounts
from accounts.reasons import checked_reason
from invoices.items import pending_item, remove_items
from invoices.models import Item
from rebilling.models import WAITING, Rebilling
from subscriptions.items import item_of


class ItemNotPending(Conflict):
    """It was invoiced or removed before."""

    code = "item-not-pending"


class ItemOfAChange(Conflict):
    """It bills a change of terms, which is taken back by another change."""

    code = "item-of-a-change"


class DeductionFixed(Conflict):
    """A period that is due is to be invoiced with the deduction: without it, more would be charged than was
    approved.
    """

    code = "deduction-of-a-due-period"
    passing = True


def remove_item(
    *, account_id: uuid.UUID, item_id: uuid.UUID, reason: str, author: str, today: datetime.date, now: datetime.datetime
) -> Item:
    """What isn't invoiced of the item never is. A deduction stays while a period that it was fixed to waits to be
    charged.

    Raises `UnknownAccount`, `UnknownItem`, `ItemNotPending`, `ItemOfAChange`, `DeductionFixed` and `InvalidReason`.
    """
    reason = checked_reason(reason)
    with transaction.atomic():
        account = lock_account(account_id)
        item = item_of(account_id, item_id)
        if item.status != Item.Status.PENDING:
            raise ItemNotPending(f"The item was {item.status} before.")
        if item.proration_id:
            raise ItemOfAChange("The item bills a change of terms: change the terms back, or grant credit.")
        if item.amount_minor < 0:
            _check_not_approved(item)
        remove_items([(account, [pending_item(item_id)])], reason=reason, author=author, now=now)
        save_accounts([account], author=author, now=now)
        return Item.objects.get(id=item_id)


def _check_not_approved(deduction: Item) -> None:
    """Raises `DeductionFixed` where a period waits to be charged less by it."""
    if deduction.rebilling_id is None:
        return
    period = Rebilling.objects.filter(id=deduction.rebilling_id, status__in=WAITING).first()
    if period is None:
        return
    until = "a person has decided about it" if period.status == Rebilling.Status.PARKED else "it is charged"
    raise DeductionFixed(
        f"The period from {period.period_start}, which is {period.status}, is to be charged less by this deduction: it "
        f"can be removed when {until}."
    )
