"""The lines of a change of terms within a period, with their taxes."""

import datetime
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from accounts.phrases import period_in_words
from accounts.tax_rates import tax_rates_by_id
from accounts.terms import TermsInForce
from invoices.issuance import NewLine
from invoices.models import InvoiceLine
from invoices.proration import Prorated
from invoices.rounding import half_up
from invoices.taxes import Rate, rate_of, taxed_lines
from rebilling.billed_periods import BilledPeriod
from rebilling.period_rows import units_in_words
from subscriptions.discounts import off_in_words


class ChangedLine(NamedTuple):
    """A line of a change, with its tax and what it comes to; in minor units."""

    line: NewLine
    tax_minor: int
    total_minor: int


def lines_of_change(
    period: BilledPeriod,
    prorated: Prorated,
    *,
    after: TermsInForce | None,
    tax_rate_id: uuid.UUID | None,
    on: datetime.date,
) -> list[NewLine]:
    """The credit for the days that aren't used, below zero, and the charge for the days left; none of nothing."""
    row = period.rebilling
    days = period_in_words(start=on, end=row.ended_on)
    common: dict[str, Any] = {
        "kind": InvoiceLine.Kind.PRORATION,
        "period_start": on,
        "period_end": row.ended_on,
        "rebilling_id": row.id,
    }
    lines = []
    if prorated.credit_minor:
        billed_with = f" ({off_in_words(row.discount, row.currency)})" if row.discount else ""
        credit = NewLine(
            description=f"Unused days of {period.described}{billed_with}, {days}",
            quantity=period.quantity,
            unit_amount_minor=period.unit_amount_minor,
            amount_minor=-prorated.credit_minor,
            tax_rate_id=period.tax_rate.id if period.tax_rate else None,
            **common,
        )
        lines.append(credit)
    if after and prorated.charge_minor:
        undiscounted = half_up(after.price_minor * (row.ended_on - on).days, (row.ended_on - row.period_start).days)
        charge = NewLine(
            description=f"{units_in_words(plan_name=after.plan_name, quantity=after.quantity)}, {days}",
            quantity=after.quantity,
            unit_amount_minor=after.unit_amount_minor,
            discount_minor=max(0, undiscounted - prorated.charge_minor),
            amount_minor=prorated.charge_minor,
            tax_rate_id=tax_rate_id,
            **common,
        )
        lines.append(charge)
    return lines


def rates_of(lines: Sequence[NewLine]) -> dict[uuid.UUID, Rate]:
    tax_rates = tax_rates_by_id({line.tax_rate_id for line in lines if line.tax_rate_id})
    return {id_: rate_of(tax_rate) for id_, tax_rate in tax_rates.items()}


def with_taxes(lines: Sequence[NewLine], rates: Mapping[uuid.UUID, Rate]) -> list[ChangedLine]:
    """As the invoice would have them."""
    taxes = taxed_lines(lines=[(line.amount_minor, line.tax_rate_id) for line in lines], rates=rates)
    return [ChangedLine(line, *tax) for line, tax in zip(lines, taxes, strict=True)]


def within(left_minor: int, lines: list[ChangedLine]) -> list[ChangedLine]:
    """No more is given back than is left: taxes that were rounded one by one may come to less than that of all."""
    surplus = -left_minor - sum(changed.total_minor for changed in lines)
    if surplus <= 0:
        return lines
    place = next(place for place, changed in enumerate(lines) if changed.line.amount_minor < 0)
    credit = lines[place]
    within = ChangedLine(credit.line, credit.tax_minor + surplus, credit.total_minor + surplus)
    return [*lines[:place], within, *lines[place + 1 :]]
