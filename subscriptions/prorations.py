"""Billing a change of terms within a period: one invoice of two lines, or, below zero, credit notes; or two items
that wait for the next invoice.

The lines say what is given back for the days that aren't used, and what is charged for the days left, in either case.
What waits of earlier changes of the period is billed with a change that is billed at once.
"""

import datetime
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from accounts.currencies import display
from accounts.locked_accounts import LockedAccount
from accounts.models import Terms
from accounts.phrases import day_in_words, period_in_words
from accounts.tax_rates import default_tax_rate_id, tax_rates_by_id
from accounts.terms import TermsInForce
from invoices.account_status import refresh_accounts
from invoices.credit_note_shares import lines_of
from invoices.credit_notes import CreditNoteDraft, CreditNotes
from invoices.issuance import NewLine
from invoices.items import mark_items_invoiced, remove_items
from invoices.models import CreditNote, InvoiceLine, Item
from invoices.payment_application import note_first_paid
from invoices.proration import Prorated, prorate
from invoices.rounding import half_up
from invoices.taxes import Rate, amount_within, rate_of, tax_rate_of, taxed_lines
from rebilling.billed_periods import BilledPeriod
from rebilling.models import Proration
from rebilling.period_discounts import net_price_minor
from rebilling.period_rows import units_in_words
from subscriptions.discounts import off_in_words
from subscriptions.immediate_invoices import invoice_at_once
from subscriptions.waiting_prorations import add_waiting_items, waiting_line


class ChangedLine(NamedTuple):
    """A line of a change, with its tax and what it comes to; in minor units."""

    line: NewLine
    tax_minor: int
    total_minor: int


@dataclass(frozen=True, slots=True)
class BilledChange:
    """The lines of a change, with those that had waited, and the invoice, credit notes or items that have them."""

    proration: Proration
    lines: Sequence[ChangedLine]
    invoice_id: uuid.UUID | None = None
    credit_notes: Sequence[CreditNote] = ()
    items: Sequence[Item] = ()


def bill_change(
    account: LockedAccount,
    period: BilledPeriod,
    *,
    terms: Terms,
    after: TermsInForce | None,
    on: datetime.date,
    waits: bool = False,
    author: str,
    today: datetime.date,
    now: datetime.datetime,
) -> BilledChange:
    """Bill what is left of the period from the day `on` by the terms `after`, or, without them, end it on that day:
    today, or one that a late run makes up for. Or, where it `waits`, have the next invoice bill that, unless it gives
    back, with what waited before.

    Unused days are given back with the tax of then, the days left charged with the period's discount and the account's
    present tax rate. More to pay is an invoice, issued and sent to be collected at once; less is credit notes on the
    period's invoices, newest first. `terms` is the row of the change. The account's own changes are the caller's to
    save. Raises `TooManyItems` where more would wait than can.
    """
    row = period.rebilling
    price_minor = net_price_minor(after, row.discount) if after else 0
    prorated = prorate(
        start=row.period_start,
        end=row.ended_on,
        segments=period.segments,
        day=on,
        price_minor=price_minor,
        left_minor=period.creditable_minor,
    )
    tax_rate_id = tax_rate_of(account, default_id=default_tax_rate_id(now=now)) if after else None
    own = _lines(period, prorated, after=after, tax_rate_id=tax_rate_id, on=on)
    earlier = [waiting_line(item) for item in period.waiting]
    rates = _rates_of([*own, *earlier])
    lines = _with_taxes([*own, *earlier], rates)
    # What gives back in all is credit notes: it doesn't wait.
    if waits := waits and sum(changed.total_minor for changed in lines) >= 0:
        lines = _with_taxes(own, rates)
    elif period.to_credit_minor < period.lines_left_minor:
        # A deduction has paid for the rest.
        prorated = _affordable(period, prorated, earlier)
        own = _lines(period, prorated, after=after, tax_rate_id=tax_rate_id, on=on)
        lines = _with_taxes([*own, *earlier], rates)
    if not waits:
        lines = _within(period.to_credit_minor, lines)
    own_lines = lines[: len(own)]
    proration = Proration(
        rebilling=row,
        terms=terms,
        changed_on=on,
        price_before_minor=period.price_minor,
        price_after_minor=price_minor,
        credit_minor=prorated.credit_minor,
        charge_minor=prorated.charge_minor,
        tax_rate_id=tax_rate_id,
        credit_total_minor=-sum(changed.total_minor for changed in own_lines if changed.line.amount_minor < 0),
        charge_total_minor=sum(changed.total_minor for changed in own_lines if changed.line.amount_minor > 0),
        waits=waits,
        taken_along_minor=sum(changed.total_minor for changed in lines[len(own) :]),
    )
    if waits:
        proration.save(force_insert=True)
        items = add_waiting_items(
            account, proration, [changed.line for changed in own_lines], reason=terms.reason, author=author, now=now
        )
        return BilledChange(proration, own_lines, items=items)
    return _issue(account, period, proration, lines, today=today, author=author, now=now)


def _issue(
    account: LockedAccount,
    period: BilledPeriod,
    proration: Proration,
    lines: Sequence[ChangedLine],
    *,
    today: datetime.date,
    author: str,
    now: datetime.datetime,
) -> BilledChange:
    credit_notes: Sequence[CreditNote] = []
    new_lines = [changed.line for changed in lines]
    taxed = _with_taxes(new_lines, _rates_of(new_lines))
    # Where only the tax is another one, the invoice is over nothing. What was taken down to what is left isn't one.
    comes_to_nothing = sum(each.total_minor for each in taxed) == 0
    changes_the_tax = sum(each.tax_minor for each in taxed) != 0
    if proration.net_minor > 0 or (comes_to_nothing and changes_the_tax):
        proration.invoice_id = invoice_at_once(account, new_lines, today=today, author=author, now=now).id
        mark_items_invoiced({item.id: item.amount_minor for item in period.waiting})
    else:
        why = f"Netted by the change of terms on {day_in_words(proration.changed_on)}"
        remove_items([(account, period.waiting)], reason=why, author=author, now=now)
    proration.save(force_insert=True)
    if proration.net_minor < 0:
        credit_notes = _credit(account, period, proration, lines, today=today, author=author, now=now)
    return BilledChange(proration, lines, proration.invoice_id, credit_notes)


def _affordable(period: BilledPeriod, prorated: Prorated, earlier: Sequence[NewLine]) -> Prorated:
    """No more is given back than is charged, and is left of the period's invoices: a deduction paid for the rest."""
    room = amount_within(period.to_credit_minor, period.rate) + sum(line.amount_minor for line in earlier)
    return prorated._replace(credit_minor=min(prorated.credit_minor, max(0, prorated.charge_minor + room)))


def _lines(
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


def _rates_of(lines: Sequence[NewLine]) -> dict[uuid.UUID, Rate]:
    tax_rates = tax_rates_by_id({line.tax_rate_id for line in lines if line.tax_rate_id})
    return {id_: rate_of(tax_rate) for id_, tax_rate in tax_rates.items()}


def _with_taxes(lines: Sequence[NewLine], rates: Mapping[uuid.UUID, Rate]) -> list[ChangedLine]:
    """As the invoice would have them."""
    taxes = taxed_lines(lines=[(line.amount_minor, line.tax_rate_id) for line in lines], rates=rates)
    return [ChangedLine(line, *tax) for line, tax in zip(lines, taxes, strict=True)]


def _within(left_minor: int, lines: list[ChangedLine]) -> list[ChangedLine]:
    """No more is given back than is left: taxes that were rounded one by one may come to less than that of all."""
    surplus = -left_minor - sum(changed.total_minor for changed in lines)
    if surplus <= 0:
        return lines
    place = next(place for place, changed in enumerate(lines) if changed.line.amount_minor < 0)
    credit = lines[place]
    within = ChangedLine(credit.line, credit.tax_minor + surplus, credit.total_minor + surplus)
    return [*lines[:place], within, *lines[place + 1 :]]


def _credit(
    account: LockedAccount,
    period: BilledPeriod,
    proration: Proration,
    lines: Sequence[ChangedLine],
    *,
    today: datetime.date,
    author: str,
    now: datetime.datetime,
) -> Sequence[CreditNote]:
    currency = account.currency
    parts = [f"{display(amount_minor=each.total_minor, currency=currency)} {each.line.description}" for each in lines]
    reason = f"Change of terms on {day_in_words(proration.changed_on)}: {'; '.join(parts)}"[:500]
    credit_notes = CreditNotes(today=today, now=now)
    invoiced = lines_of([invoice for invoice, _ in period.invoices])
    for invoice, shares in period.shares(-proration.net_minor):
        of = invoiced[invoice.id]
        credit_notes.add(CreditNoteDraft(account, invoice, of, shares, reason, author, proration_id=proration.id))
        note_first_paid(account, invoice.status)
    issued = credit_notes.issue()
    refresh_accounts(accounts=[account], today=today, author=author, now=now)
    return issued
