"""Credit allocation: which charges an account's credit pays.

An account's free credit is credit that no charge has taken: what its open charges still ask for, less its ledger
balance. It pays unpaid charges first, oldest first; the remainder waits for the next charge. Money that is being
refunded for a reversed charge is reserved for that refund.
"""

import datetime
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable

from django.db.models import Exists, F, OuterRef, Sum

from ledger.balances import balances
from payments.models import Payment, Refund
from rebilling.dunning import mark_unpaid
from rebilling.models import Rebilling


def free_credit(*, account_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, int]:
    """Each account's free credit in minor units, in two statements. Below zero when credit was reversed after use."""
    owed = balances(account_ids=account_ids)
    open_charges = (
        Rebilling.objects.filter(account_id__in=account_ids, status__in=Rebilling.OPEN)
        .values("account_id")
        .annotate(outstanding=Sum(F("amount_minor") - F("credit_minor") - F("paid_minor")))
        .order_by()
    )
    outstanding = {row["account_id"]: int(row["outstanding"]) for row in open_charges}
    return {account_id: outstanding.get(account_id, 0) - owed[account_id] for account_id in account_ids}


def spendable_credit(*, account_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, int]:
    """The free credit that charges may take, in three statements. What is being refunded for reversed charges is not.

    If a charge took that too, the refund would find no free credit and be credited again: the customer would get the
    money twice.
    """
    free = free_credit(account_ids=account_ids)
    reversed_charge = Rebilling.objects.filter(charge_id=OuterRef("payment__charge_id"), status=Rebilling.Status.VOIDED)
    reserved = (
        Refund.objects.filter(Exists(reversed_charge), payment__account_id__in=account_ids, status__in=Refund.IN_FLIGHT)
        .values("payment__account_id")
        .annotate(amount=Sum("amount_minor"))
        .order_by()
    )
    for row in reserved:
        account_id = row["payment__account_id"]
        free[account_id] -= min(max(0, free[account_id]), int(row["amount"]))
    return free


def allocate_credit(*, account_ids: Collection[uuid.UUID], today: datetime.date) -> None:
    """Give the spendable credit of accounts (locked by the caller) to their unpaid charges.

    Where credit that charges had taken was reversed, the newest of them give it back and become UNPAID: the first sweep
    after `today` collects it. A charge with a payment in flight doesn't change: that payment is for all that was
    outstanding.
    """
    free = {account_id: amount for account_id, amount in spendable_credit(account_ids=account_ids).items() if amount}
    if not free:
        return
    in_flight = Payment.objects.filter(charge_id=OuterRef("charge_id"), status__in=Payment.IN_FLIGHT)
    rows = (
        Rebilling.objects.filter(account_id__in=free, status__in=[Rebilling.Status.UNPAID, Rebilling.Status.PAID])
        .exclude(Exists(in_flight))
        .order_by("account_id", "period_start", "id")
    )
    by_account: dict[uuid.UUID, list[Rebilling]] = defaultdict(list)
    # PAID ones matter only for accounts that must give credit back.
    for row in rows.exclude(status=Rebilling.Status.PAID, account_id__in=[id_ for id_ in free if free[id_] > 0]):
        by_account[row.account_id].append(row)
    changed = [
        row
        for account_id, amount in free.items()
        for row in (
            _take(amount, by_account[account_id])
            if amount > 0
            else _give_back(-amount, reversed(by_account[account_id]), today)
        )
    ]
    if changed:
        Rebilling.objects.bulk_update(changed, ["credit_minor", "status", "retry_on", "declined_on"])


def _take(free_minor: int, unpaid: Iterable[Rebilling]) -> list[Rebilling]:
    changed = []
    for row in unpaid:
        taken = min(free_minor, row.outstanding_minor)
        if taken <= 0:
            continue
        free_minor -= taken
        row.credit_minor += taken
        if not row.outstanding_minor:
            row.status, row.retry_on = Rebilling.Status.PAID, None
        changed.append(row)
    return changed


def _give_back(missing_minor: int, newest_first: Iterable[Rebilling], today: datetime.date) -> list[Rebilling]:
    changed = []
    for row in newest_first:
        given = min(missing_minor, row.credit_minor)
        if given <= 0:
            continue
        missing_minor -= given
        row.credit_minor -= given
        if row.status == Rebilling.Status.PAID:
            mark_unpaid(row, today=today)
        changed.append(row)
    return changed
