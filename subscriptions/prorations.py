"""Billing a change of terms within a period: one invoice of two lines, or, below zero, credit notes; or two items
that wait for the next invoice.

The lines say what is given back for the days that aren't used, and what is charged for the days left, in either case.
What waits of earlier changes of the period is billed with a change that is billed at once.
"""

import datetime
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

from accounts.currencies import display
from accounts.locked_accounts import LockedAccount
from accounts.models import Terms
from accounts.phrases import day_in_words
from accounts.tax_rates import default_tax_rate_id
from accounts.terms import TermsInForce
from invoices.account_status import refresh_accounts
from invoices.credit_note_shares import lines_of
from invoices.credit_notes import CreditNoteDraft, CreditNotes
from invoices.issuance import NewLine
from invoices.items import mark_items_invoiced, remove_items
from invoices.models import CreditNote, Item
from invoices.payment_application import note_first_paid
from invoices.proration import Prorated, prorate
from invoices.taxes import amount_within, tax_rate_of
from rebilling.billed_periods import BilledPeriod
from rebilling.models import Proration
from rebilling.period_discounts import net_price_minor
from subscriptions.immediate_invoices import invoice_at_once
from subscriptions.proration_lines import ChangedLine, lines_of_change, rates_of, with_taxes, within
from subscriptions.waiting_prorations import add_deduction, add_waiting_items, waiting_line


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
    prorated = _prorated(period, price_minor, on=on)
    tax_rate_id = tax_rate_of(account, default_id=default_tax_rate_id(now=now)) if after else None
    unused_minor = prorated.credit_minor
    own = lines_of_change(period, prorated, after=after, tax_rate_id=tax_rate_id, on=on)
    earlier = [waiting_line(item) for item in period.waiting]
    rates = rates_of([*own, *earlier])
    lines = with_taxes([*own, *earlier], rates)
    # What gives back in all is credit notes: it doesn't wait.
    if waits := waits and sum(changed.total_minor for changed in lines) >= 0:
        lines = with_taxes(own, rates)
    elif period.to_credit_minor < period.lines_left_minor:
        # A deduction has paid for the rest.
        prorated = _affordable(period, prorated, earlier)
        own = lines_of_change(period, prorated, after=after, tax_rate_id=tax_rate_id, on=on)
        lines = with_taxes([*own, *earlier], rates)
    if not waits:
        lines = within(period.to_credit_minor, lines)
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
    billed = _issue(account, period, proration, lines, today=today, author=author, now=now)
    rest_minor = unused_minor - prorated.credit_minor
    if after or not rest_minor:
        return billed
    # A deduction paid for these days. Another period begins, and doesn't charge for them again.
    item = add_deduction(account, period, rest_minor, on=on, reason=terms.reason, author=author, now=now)
    return replace(billed, items=[item])


def _prorated(period: BilledPeriod, price_minor: int, *, on: datetime.date) -> Prorated:
    return prorate(
        start=period.rebilling.period_start,
        end=period.rebilling.ended_on,
        segments=period.segments,
        day=on,
        price_minor=price_minor,
        billed_minor=period.billed_minor,
        left_minor=period.creditable_minor,
    )


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
    taxed = with_taxes(new_lines, rates_of(new_lines))
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
