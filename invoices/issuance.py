"""Issuing invoices: what accounts owe is written down, as many invoices as there are in constant statements.

Taxes are reckoned here, once an invoice. The account's credit balance is used at once; what is then too small to
collect is carried forward.
"""

import datetime
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection

from accounts.array_literals import plain_array, text_array, uuid_array
from accounts.ids import new_id
from accounts.locked_accounts import LockedAccount
from accounts.models import TaxRate
from accounts.sql_files import query
from accounts.tax_rates import tax_rates_by_id
from invoices.amounts import Amounts
from invoices.balance_uses import Use, applied, save_uses, uses_of
from invoices.models import InvoiceLine
from invoices.numbers import invoice_numbers
from invoices.taxes import Rate, rate_of, taxed_lines
from ledger.models import EntryType
from ledger.posting import Posting, post


class NewLine(NamedTuple):
    """A line to invoice, in minor units: `amount_minor` is after the discount, and its tax comes with `tax_rate_id`.
    Below zero it is a deduction.
    """

    kind: InvoiceLine.Kind
    description: str
    quantity: int
    unit_amount_minor: int
    amount_minor: int
    period_start: datetime.date | None = None
    period_end: datetime.date | None = None
    rebilling_id: uuid.UUID | None = None
    discount_minor: int = 0
    tax_rate_id: uuid.UUID | None = None
    item_id: uuid.UUID | None = None


class IssuedLine(NamedTuple):
    """A line as it was invoiced, with its tax and what it comes to; in minor units."""

    id: uuid.UUID
    line: NewLine
    tax_minor: int
    total_minor: int


class InvoiceDraft(NamedTuple):
    """An invoice to issue: its id, the account, which is locked, and its lines."""

    id: uuid.UUID
    account: LockedAccount
    lines: Sequence[NewLine]


@dataclass(slots=True)
class IssuedInvoice:
    """An invoice as it was issued just now, with its account, which is still locked."""

    id: uuid.UUID
    account: LockedAccount
    number: str
    due_on: datetime.date
    amounts: Amounts
    uses: list[Use]
    lines: list[IssuedLine]
    tax_minor: int
    """The tax in its total."""
    to_collect_minor: int
    """What is to be collected at the gateway; 0 where the customer is sent the invoice."""
    is_submitted: bool
    """Whether a payment of it goes to the gateway. With a method that can't be used no call is made."""
    declined_on: datetime.date | None
    """Where the payment method is known to be unusable, the invoice counts as declined at once."""


def issue_invoices(
    *,
    drafts: Sequence[InvoiceDraft],
    today: datetime.date,
    author: str,
    now: datetime.datetime,
) -> list[IssuedInvoice]:
    """Issue an invoice for each account's lines, which come to no less than zero, with ledger entries for the price
    and the tax of each line.

    Credit balances and counters change on the locked accounts, which the caller saves. Returns the invoices in order.
    """
    if not drafts:
        return []
    numbers = invoice_numbers(accounts=[draft.account for draft in drafts], today=today)
    tax_rates = _tax_rates(drafts)
    rates = {id_: rate_of(rate) for id_, rate in tax_rates.items()}
    invoices = [_issued(draft, number, rates, today) for draft, number in zip(drafts, numbers, strict=True)]
    with connection.cursor() as cursor:
        cursor.execute(query(__file__, "insert_invoices"), _invoice_columns(invoices, today=today, now=now))
        cursor.execute(query(__file__, "insert_lines"), _line_columns(invoices))
    save_uses([(invoice.id, use) for invoice in invoices for use in invoice.uses])
    post(postings=[*_charges(invoices), *_taxes(invoices, tax_rates)], effective_on=today, author=author)
    return invoices


def _tax_rates(drafts: Sequence[InvoiceDraft]) -> dict[uuid.UUID, TaxRate]:
    """The rates of their lines by id; without a statement where nobody is taxed."""
    return tax_rates_by_id({line.tax_rate_id for draft in drafts for line in draft.lines if line.tax_rate_id})


def _issued(draft: InvoiceDraft, number: str, rates: Mapping[uuid.UUID, Rate], today: datetime.date) -> IssuedInvoice:
    account = draft.account
    lines = _with_taxes(draft.lines, rates)
    total = sum([line.total_minor for line in lines])
    uses = uses_of(
        balance_minor=account.credit_balance_minor,
        outstanding_minor=total,
        is_automatic=account.is_automatic,
        currency=account.currency,
        today=today,
    )
    account.credit_balance_minor -= applied(uses)
    due_on = today if account.is_automatic else today + datetime.timedelta(days=account.net_days)
    amounts = Amounts(total=total, balance_applied=applied(uses))
    to_collect = amounts.outstanding if account.is_automatic else 0
    is_submitted = to_collect > 0 and not account.payment_method_unusable
    return IssuedInvoice(
        id=draft.id,
        account=account,
        number=number,
        due_on=due_on,
        amounts=amounts,
        uses=uses,
        lines=lines,
        tax_minor=sum([line.tax_minor for line in lines]) if rates else 0,
        to_collect_minor=to_collect,
        is_submitted=is_submitted,
        declined_on=today if to_collect and not is_submitted else None,
    )


def _with_taxes(lines: Sequence[NewLine], rates: Mapping[uuid.UUID, Rate]) -> list[IssuedLine]:
    if not rates:
        return [IssuedLine(new_id(), line, 0, line.amount_minor) for line in lines]
    taxed = taxed_lines(lines=[(line.amount_minor, line.tax_rate_id) for line in lines], rates=rates)
    return [IssuedLine(new_id(), line, *tax) for line, tax in zip(lines, taxed, strict=True)]


def _invoice_columns(
    invoices: Sequence[IssuedInvoice], *, today: datetime.date, now: datetime.datetime
) -> dict[str, Any]:
    return {
        "issued_on": today,
        "seller": settings.SELLER_NAME,
        "now": now,
        "ids": uuid_array([invoice.id for invoice in invoices]),
        "accounts": uuid_array([invoice.account.id for invoice in invoices]),
        "numbers": plain_array([invoice.number for invoice in invoices]),
        "statuses": plain_array([invoice.amounts.status.value for invoice in invoices]),
        "due_dates": plain_array([invoice.due_on for invoice in invoices]),
        "totals": plain_array([invoice.amounts.total for invoice in invoices]),
        "taxes": plain_array([invoice.tax_minor for invoice in invoices]),
        "applied": plain_array([invoice.amounts.balance_applied for invoice in invoices]),
        "in_flight": plain_array([invoice.is_submitted for invoice in invoices]),
        "declined": plain_array([invoice.declined_on for invoice in invoices]),
    }


def _line_columns(invoices: Sequence[IssuedInvoice]) -> dict[str, Any]:
    rows = [
        (invoice.id, position, issued) for invoice in invoices for position, issued in enumerate(invoice.lines, start=1)
    ]
    lines = [issued.line for *_, issued in rows]
    return {
        "ids": uuid_array([issued.id for *_, issued in rows]),
        "invoices": uuid_array([invoice_id for invoice_id, *_ in rows]),
        "positions": plain_array([position for _, position, _ in rows]),
        "kinds": plain_array([line.kind.value for line in lines]),
        "descriptions": text_array([line.description for line in lines]),
        "quantities": plain_array([line.quantity for line in lines]),
        "unit_amounts": plain_array([line.unit_amount_minor for line in lines]),
        "discounts": plain_array([line.discount_minor for line in lines]),
        "amounts": plain_array([line.amount_minor for line in lines]),
        "tax_rates": uuid_array([line.tax_rate_id for line in lines]),
        "taxes": plain_array([issued.tax_minor for *_, issued in rows]),
        "totals": plain_array([issued.total_minor for *_, issued in rows]),
        "starts": plain_array([line.period_start for line in lines]),
        "ends": plain_array([line.period_end for line in lines]),
        "rebillings": uuid_array([line.rebilling_id for line in lines]),
        "items": uuid_array([line.item_id for line in lines]),
    }


def _charges(invoices: Sequence[IssuedInvoice]) -> list[Posting]:
    """What the lines cost without their tax."""
    return [
        Posting(
            type=EntryType.CHARGE if line.amount_minor > 0 else EntryType.DEDUCTION,
            account_id=invoice.account.id,
            amount_minor=abs(total - tax),
            currency=invoice.account.currency,
            description=line.description,
            idempotency_key=f"charge:{_charged_for(line_id, line)}",
            period_start=line.period_start,
            period_end=line.period_end,
            invoice_id=invoice.id,
            line_id=line_id,
        )
        for invoice in invoices
        for line_id, line, tax, total in invoice.lines
        if total != tax
    ]


def _taxes(invoices: Sequence[IssuedInvoice], rates: Mapping[uuid.UUID, TaxRate]) -> list[Posting]:
    """The lines' taxes, for the tax authority."""
    if not rates:
        return []
    return [
        Posting(
            type=EntryType.TAX if line.amount_minor > 0 else EntryType.TAX_DEDUCTION,
            account_id=invoice.account.id,
            amount_minor=abs(tax),
            currency=invoice.account.currency,
            description=f"{rates[line.tax_rate_id]}: {line.description}"[:500],
            idempotency_key=f"tax:{_charged_for(line_id, line)}",
            period_start=line.period_start,
            period_end=line.period_end,
            invoice_id=invoice.id,
            line_id=line_id,
        )
        for invoice in invoices
        for line_id, line, tax, _ in invoice.lines
        if tax and line.tax_rate_id
    ]


def _charged_for(line_id: uuid.UUID, line: NewLine) -> uuid.UUID:
    """What the entries of a line are posted for, once: its period, which is charged once, or else the line itself."""
    return line.rebilling_id if line.kind == InvoiceLine.Kind.PERIOD and line.rebilling_id else line_id
