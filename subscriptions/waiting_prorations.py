"""What changes of terms leave for the next invoice: the lines of each are items of the account."""

import datetime
from collections.abc import Sequence

from accounts.locked_accounts import LockedAccount
from accounts.phrases import period_in_words
from invoices.issuance import NewLine
from invoices.item_lines import item_line
from invoices.items import PendingItem
from invoices.models import Item
from rebilling.billed_periods import BilledPeriod
from rebilling.models import Proration
from subscriptions.item_limits import check_items_can_wait


def waiting_line(item: PendingItem) -> NewLine:
    """What waited of an earlier change; none of it was invoiced yet."""
    return item_line(item, amount_minor=item.amount_minor, tax_rate_id=item.tax_rate_id)


def add_deduction(
    account: LockedAccount,
    period: BilledPeriod,
    amount_minor: int,
    *,
    on: datetime.date,
    reason: str,
    author: str,
    now: datetime.datetime,
) -> Item:
    """What the period was billed for the days from `on` on is deducted from the next invoice: `amount_minor`, with the
    tax of then.
    """
    days = period_in_words(start=on, end=period.rebilling.ended_on)
    return Item.objects.create(
        account_id=account.id,
        description=f"Unused days of {period.described}, {days}",
        quantity=1,
        unit_amount_minor=-amount_minor,
        amount_minor=-amount_minor,
        tax_rate=period.tax_rate,
        reason=reason,
        author=author,
        created_at=now,
    )


def add_waiting_items(
    account: LockedAccount,
    proration: Proration,
    lines: Sequence[NewLine],
    *,
    reason: str,
    author: str,
    now: datetime.datetime,
) -> list[Item]:
    """The credit and the charge wait for the next invoice, with the tax rates that they have today. Raises
    `TooManyItems`.
    """
    check_items_can_wait(account, len(lines))
    return Item.objects.bulk_create(
        Item(
            account_id=account.id,
            description=line.description,
            quantity=line.quantity,
            unit_amount_minor=line.unit_amount_minor,
            discount_minor=line.discount_minor,
            amount_minor=line.amount_minor,
            tax_rate_id=line.tax_rate_id,
            proration_id=proration.id,
            prorated_id=line.rebilling_id,
            period_start=line.period_start,
            period_end=line.period_end,
            reason=reason,
            author=author,
            created_at=now,
        )
        for line in lines
    )
