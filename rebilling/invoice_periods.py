"""Where a customer is invoiced for billing periods. To charge a period is to invoice it, once. Collecting comes after.

Under the accounts' locks, each period that is DUE and next in its account's line moves to CHARGED in one statement;
only what that statement returned is invoiced, as one invoice per account: lines, ledger entries, a payment SUBMITTED
for what is outstanding, and the rebilling date moved on, in the same transaction. The number of statements is constant,
whatever the size of the batch.
"""

import datetime
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from django.db import transaction

from accounts.authors import SYSTEM
from accounts.bisection import FailedItem, bisect_batch, describe
from accounts.ids import new_id
from accounts.locked_accounts import LockedAccount, lock_accounts, save_accounts
from invoices.issuance import InvoiceDraft, NewLine, issue_invoices
from invoices.items import mark_items_invoiced
from invoices.models import InvoiceLine
from payments.first_attempts import submit_first_attempts
from payments.gateways.port import PaymentRequest
from rebilling.messages.message import PeriodItem
from rebilling.models import ParkReason
from rebilling.period_decisions import decide
from rebilling.period_items import items_with
from rebilling.period_states import Parking, mark_charged, park, skip
from rebilling.waiting_periods import WaitingPeriod


@dataclass(slots=True)
class Charged:
    """The rebillings that were charged just now, and the payments that were submitted for their invoices, as the
    gateway is to be called for them.
    """

    rebillings: set[uuid.UUID] = field(default_factory=set)
    payments: list[PaymentRequest] = field(default_factory=list)


def invoice_periods(
    *,
    items: Collection[PeriodItem],
    gateway: str,
    today: datetime.date,
    now: datetime.datetime,
    leased_until: datetime.datetime | None = None,
) -> Charged:
    """Charge the periods that are DUE and whose turn it is, in one transaction.

    None is charged before its first day: one that starts after `today`, the billing day, stays DUE. A period of an
    inactive account is SKIPPED; one that isn't its account's next is PARKED. When the database refuses an account's
    rows, the batch is bisected until that account is found, a transaction for each part; its periods are PARKED and the
    rest is charged. `gateway` is the name of the gateway that is to collect. Leased until then, the payments are the
    caller's to call it for; without a lease, they are to be sent to a worker.
    """
    by_rebilling = {item.rebilling_id: item for item in items}
    charged = Charged()
    for part in bisect_batch(
        items=sorted({item.account_id for item in items}, key=attrgetter("int")),
        work=lambda ids: _charge(
            account_ids=ids, items=by_rebilling, gateway=gateway, today=today, now=now, leased_until=leased_until
        ),
    ):
        if isinstance(part, FailedItem):
            _park_refused(part, items=by_rebilling, today=today, now=now)
        else:
            charged.rebillings |= part.rebillings
            charged.payments += part.payments
    return charged


def _charge(
    *,
    account_ids: Sequence[uuid.UUID],
    items: Mapping[uuid.UUID, PeriodItem],
    gateway: str,
    today: datetime.date,
    now: datetime.datetime,
    leased_until: datetime.datetime | None,
) -> Charged:
    accounts = lock_accounts(account_ids)
    decision = decide(accounts=accounts.values(), items=items, today=today)
    skip(accounts=accounts.values(), ids=decision.skip)
    park(accounts=accounts.values(), parkings=decision.park, now=now)
    return charge(decision.charge, gateway=gateway, today=today, now=now, leased_until=leased_until)


def charge(
    due: Sequence[tuple[LockedAccount, list[WaitingPeriod]]],
    *,
    gateway: str,
    today: datetime.date,
    now: datetime.datetime,
    leased_until: datetime.datetime | None = None,
) -> Charged:
    """Charge these periods of locked accounts, which were decided to be charged: an invoice and a payment for each
    account, leased until then. The accounts are saved.
    """
    drafts, invoiced = _move_to_charged(due)
    if not drafts:
        return Charged()
    invoices = issue_invoices(drafts=drafts, today=today, author=SYSTEM, now=now)
    mark_items_invoiced(invoiced)
    payments = submit_first_attempts(
        invoices, gateway=gateway, author=SYSTEM, today=today, now=now, leased_until=leased_until
    )
    save_accounts([invoice.account for invoice in invoices], author=SYSTEM, now=now)
    # Those of changes within a period name it, too; it was charged before.
    lines = [line for draft in drafts for line in draft.lines if line.kind == InvoiceLine.Kind.PERIOD]
    return Charged({line.rebilling_id for line in lines if line.rebilling_id}, payments)


def _move_to_charged(
    due: Sequence[tuple[LockedAccount, list[WaitingPeriod]]],
) -> tuple[list[InvoiceDraft], dict[uuid.UUID, int]]:
    """Move the periods to CHARGED and the accounts' rebilling dates on, and draft an invoice for each account of what
    moved. Under the locks that is all of it; nothing else is ever invoiced, but the items that were fixed to the
    periods: what is drafted of each, in minor units, comes with the drafts.
    """
    with_ids = [(account, periods, new_id()) for account, periods in due]
    if not with_ids:
        return [], {}
    moved = mark_charged(with_ids)
    items = items_with([period for _, periods in due for period in periods if period.id in moved])
    drafts = []
    for account, periods, invoice_id in with_ids:
        charged = [period for period in periods if period.id in moved]
        if charged:
            account.rebilling_date = charged[-1].period_end
            lines = [_line(period) for period in charged]
            drafts.append(InvoiceDraft(invoice_id, account, items.added_to(lines, charged)))
    return drafts, items.invoiced


def _line(period: WaitingPeriod) -> NewLine:
    return NewLine(
        kind=InvoiceLine.Kind.PERIOD,
        description=period.description,
        quantity=period.quantity,
        unit_amount_minor=period.unit_amount_minor,
        amount_minor=period.amount_minor,
        period_start=period.period_start,
        period_end=period.period_end,
        rebilling_id=period.id,
        discount_minor=period.discount_minor,
        tax_rate_id=period.tax_rate_id,
    )


def _park_refused(
    failed: FailedItem[uuid.UUID],
    *,
    items: Mapping[uuid.UUID, PeriodItem],
    today: datetime.date,
    now: datetime.datetime,
) -> None:
    """The database refuses the account's invoice: its due periods wait for a person, the later ones for the first.

    Raises the database's error where it isn't the invoice that it refused.
    """
    with transaction.atomic():
        accounts = lock_accounts([failed.item])
        decision = decide(accounts=accounts.values(), items=items, today=today)
        if not decision.charge:
            raise failed.error
        # What else is to be skipped or parked will be, when the hourly check sends it again.
        for _, (first, *later) in decision.charge:
            refused = Parking(first, ParkReason.CHARGE_REFUSED, describe(failed.error))
            behind = [Parking(period, ParkReason.EARLIER_PERIOD_PARKED) for period in later]
            park(accounts=accounts.values(), parkings=[refused, *behind], now=now)
