"""Items on an invoice: a line for each, in the order in which they were added; a deduction stops at zero."""

import uuid
from collections.abc import Collection, Mapping, Sequence

from accounts.tax_rates import tax_rates_by_id
from invoices.issuance import NewLine
from invoices.items import PendingItem
from invoices.models import InvoiceLine
from invoices.taxes import Rate, deductible, rate_of


def with_items(
    lines: Sequence[NewLine],
    items: Sequence[tuple[PendingItem, uuid.UUID | None]],
    *,
    rates: Mapping[uuid.UUID, Rate],
) -> list[NewLine]:
    """The lines, and those of the items, each of which comes with the id of its tax rate. One that has a rate already
    keeps it.

    A deduction, oldest first, takes what is left of the total of everything else, taxes included: a part of it, or
    nothing. `rates` are those of all lines.
    """
    taxed = [
        (item, item.tax_rate_id if item.is_of_a_change else item.tax_rate_id or rate_id) for item, rate_id in items
    ]
    charged = [(line.amount_minor, line.tax_rate_id) for line in lines]
    charged += [(item.left_minor, rate_id) for item, rate_id in taxed if item.left_minor > 0]
    of_items = []
    for item, rate_id in taxed:
        amount = item.left_minor
        if amount < 0:
            amount = -deductible(lines=charged, rate_id=rate_id, max_minor=-amount, rates=rates)
            charged.append((amount, rate_id))
        if amount:
            of_items.append(item_line(item, amount_minor=amount, tax_rate_id=rate_id))
    return [*lines, *of_items]


def item_line(item: PendingItem, *, amount_minor: int, tax_rate_id: uuid.UUID | None) -> NewLine:
    """The line that invoices so much of the item."""
    is_whole = amount_minor == item.amount_minor
    return NewLine(
        kind=InvoiceLine.Kind.PRORATION if item.is_of_a_change else InvoiceLine.Kind.ITEM,
        description=item.description,
        quantity=item.quantity if is_whole else 1,
        unit_amount_minor=item.unit_amount_minor if is_whole else amount_minor,
        amount_minor=amount_minor,
        period_start=item.period_start,
        period_end=item.period_end,
        rebilling_id=item.prorated_id,
        discount_minor=item.discount_minor,
        tax_rate_id=tax_rate_id,
        item_id=item.id,
    )


def deduction_rates(items: Collection[PendingItem], rate_ids: Collection[uuid.UUID | None]) -> dict[uuid.UUID, Rate]:
    """The rates that a deduction's room depends on; in one statement, and in none where none of the items is one."""
    if all(item.left_minor > 0 for item in items):
        return {}
    ids = {*rate_ids, *(item.tax_rate_id for item in items)}
    return {id_: rate_of(rate) for id_, rate in tax_rates_by_id({id_ for id_ in ids if id_}).items()}


def invoiced_of(items: Collection[PendingItem], lines: Collection[NewLine]) -> dict[uuid.UUID, int]:
    """What the lines invoice of each of these items, by its id; 0 of those that none is for."""
    amounts = {line.item_id: line.amount_minor for line in lines}
    return {item.id: amounts.get(item.id, 0) for item in items}
