"""Billing a change of terms within a period: one invoice of two lines, or, below zero, credit notes.

The lines say what is given back for the days that aren't used, and what is charged for the days left, in either case.
"""

import datetime
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from accounts.currencies import display
from accounts.errors import Conflict
from accounts.ids import new_id
from accounts.locked_accounts import LockedAccount
from accounts.models import Terms
from accounts.tax_rates import default_tax_rate_id
from accounts.terms import TermsInForce
from accounts.wording import day_in_words, period_in_words
from invoices.clearing import clear
from invoices.credit_notes import CreditNoteDraft, CreditNotes
from invoices.issuance import InvoiceDraft, NewLine, issue_invoices
from invoices.models import CreditNote, InvoiceLine
from invoices.proration import Prorated, prorate
from invoices.receipts import note_first_paid
from invoices.taxes import tax_rate_of
from payments.first_attempts import submit_first_attempts
from payments.gateways.configured import configured_gateway_name
from payments.messages.sending import send_payments_when_committed
from rebilling.billed_periods import BilledPeriod
from rebilling.models import Proration
from rebilling.period_rows import net_price_minor, units_in_words


class ChangeNotProrated(Conflict):
    """What is left of a period with a tax or a discount isn't billed anew."""

    code = "change-not-prorated"


@dataclass(frozen=True, slots=True)
class BilledChange:
    """What a change came to: its lines, and the invoice or the credit notes that have them."""

    proration: Proration
    lines: Sequence[NewLine]
    invoice_id: uuid.UUID | None
    credit_notes: Sequence[CreditNote]


def bill_change(
    account: LockedAccount,
    period: BilledPeriod,
    *,
    terms: Terms,
    after: TermsInForce | None,
    author: str,
    today: datetime.date,
    now: datetime.datetime,
) -> BilledChange:
    """Bill what is left of the running period by the terms `after`, or, without them, end it today.

    More to pay is an invoice, issued and sent to be collected at once; less is credit notes on the period's invoices,
    newest first. `terms` is the row of the change. The account's own changes are the caller's to save.
    """
    row = period.rebilling
    if row.tax_rate_id or row.discount_id or tax_rate_of(account, default_id=default_tax_rate_id(now=now)):
        raise ChangeNotProrated(
            "The running period is taxed or has a discount: change the terms without proration, or from its end on."
        )
    price_minor = net_price_minor(after) if after else 0
    prorated = prorate(
        start=row.period_start,
        end=row.ended_on,
        segments=period.segments,
        day=today,
        price_minor=price_minor,
        left_minor=period.left_minor,
    )
    lines = _lines(period, prorated, after=after, today=today)
    proration = Proration(
        rebilling=row,
        terms=terms,
        changed_on=today,
        price_before_minor=period.price_minor,
        price_after_minor=price_minor,
        credit_minor=prorated.credit_minor,
        charge_minor=prorated.charge_minor,
    )
    credit_notes: Sequence[CreditNote] = []
    if prorated.net_minor > 0:
        proration.invoice_id = _invoice(account, lines, today=today, author=author, now=now)
    proration.save(force_insert=True)
    if prorated.net_minor < 0:
        credit_notes = _credit(account, period, proration, lines, today=today, author=author, now=now)
    return BilledChange(proration, lines, proration.invoice_id, credit_notes)


def _lines(
    period: BilledPeriod, prorated: Prorated, *, after: TermsInForce | None, today: datetime.date
) -> list[NewLine]:
    """The credit for the days that aren't used, below zero, and the charge for the days left; none of nothing."""
    row = period.rebilling
    days = period_in_words(start=today, end=row.ended_on)
    lines: list[tuple[str, BilledPeriod | TermsInForce, int]] = []
    if prorated.credit_minor:
        lines.append((f"Unused days of {period.described}", period, -prorated.credit_minor))
    if after and prorated.charge_minor:
        units = units_in_words(plan_name=after.plan_name, quantity=after.quantity)
        lines.append((units, after, prorated.charge_minor))
    return [
        NewLine(
            kind=InvoiceLine.Kind.PRORATION,
            description=f"{described}, {days}",
            quantity=billed.quantity,
            unit_amount_minor=billed.unit_amount_minor,
            amount_minor=amount,
            period_start=today,
            period_end=row.ended_on,
            rebilling_id=row.id,
        )
        for described, billed, amount in lines
    ]


def _invoice(
    account: LockedAccount, lines: Sequence[NewLine], *, today: datetime.date, author: str, now: datetime.datetime
) -> uuid.UUID:
    draft = InvoiceDraft(id=new_id(), account=account, lines=lines)
    invoices = issue_invoices(drafts=[draft], today=today, author=author, now=now)
    payments = submit_first_attempts(invoices, gateway=configured_gateway_name(), author=author, today=today, now=now)
    send_payments_when_committed(payment_ids=payments)
    return draft.id


def _credit(
    account: LockedAccount,
    period: BilledPeriod,
    proration: Proration,
    lines: Sequence[NewLine],
    *,
    today: datetime.date,
    author: str,
    now: datetime.datetime,
) -> Sequence[CreditNote]:
    parts = [
        f"{display(amount_minor=line.amount_minor, currency=account.currency)} {line.description}" for line in lines
    ]
    reason = f"Change of terms on {day_in_words(today)}: {'; '.join(parts)}"[:500]
    credit_notes = CreditNotes(today=today, now=now)
    for invoice, shares in period.shares(-proration.net_minor):
        credit_notes.add(CreditNoteDraft(account, invoice, shares, reason, author, proration_id=proration.id))
        note_first_paid(account, invoice.status)
    issued = credit_notes.issue()
    clear(accounts=[account], today=today, author=author, now=now)
    return issued
