"""Billing on demand: an account's period that begins today is billed at once, and not by the next sweep."""

import datetime
import uuid
from dataclasses import dataclass, field
from functools import partial

from django.db import models, transaction

from accounts.locked_accounts import LockedAccount
from accounts.tax_rates import default_tax_rate_id
from rebilling.invoice_periods import invoice_periods
from rebilling.messages.message import PeriodItem
from rebilling.metrics import emit
from rebilling.models import Rebilling, Run
from rebilling.on_demand_runs import lock_run_of_the_day
from rebilling.period_rows import write_rows
from rebilling.sweep import rows_due


class NotBilled(models.TextChoices):
    """Why a period wasn't billed at once."""

    RUN_HELD = "run_held"
    """The volume check holds the day's billing on demand."""
    PARKED = "parked"
    """The database refused the invoice: a person decides."""


@dataclass(frozen=True, slots=True)
class BilledNow:
    """The invoice that was issued and the payments submitted for it, which are to be sent; or why there is none."""

    invoice_id: uuid.UUID | None = None
    payments: list[uuid.UUID] = field(default_factory=list)
    not_billed: NotBilled | None = None


def bill_today(*, account: LockedAccount, gateway: str, today: datetime.date, now: datetime.datetime) -> BilledNow:
    """Invoice the account's period that begins `today`, its rebilling date, as the worker does; in the transaction that
    has locked and saved it, and is to read it again.

    Its row, weighed with its discount and the items that wait, is the day's on-demand run's. Where that run is held,
    the period is DUE in it, or is left to the next sweep, and nothing is charged. `gateway` is the name of the gateway
    that is to collect.
    """
    if account.rebilling_date != today:
        raise ValueError(f"the account's next period begins on {account.rebilling_date}, not on {today}")
    (row,), items = rows_due(
        accounts=[account], run=Run(as_of=today), default_tax_rate=default_tax_rate_id(now=now), now=now
    )
    run = lock_run_of_the_day(
        today=today, amount_minor=row.amount_minor + (row.items_minor or 0), currency=account.currency, now=now
    )
    if run is None:
        return BilledNow(not_billed=NotBilled.RUN_HELD)
    row.run = run
    write_rows([row], items=items)
    if run.status == Run.Status.HELD:
        transaction.on_commit(partial(emit, now=now, due=1))
        return BilledNow(not_billed=NotBilled.RUN_HELD)
    charged = invoice_periods(
        items=[PeriodItem(row.id, account.id, row.period_start)], gateway=gateway, today=today, now=now
    )
    # Parking counts itself.
    transaction.on_commit(partial(emit, now=now, due=1, charged=len(charged.rebillings)))
    invoice_id = Rebilling.objects.values_list("invoice_id", flat=True).get(id=row.id)
    payments = [payment.payment_id for payment in charged.payments]
    return BilledNow(invoice_id, payments, None if invoice_id else NotBilled.PARKED)
