"""What a credit note takes off each line of its invoice: named amounts, or one amount spread over the lines.

An amount is spread over deductions, too: half of an invoice is half of each line and half of each deduction, so that
half of its tax goes back, a rate at a time. Named are lines above zero alone. Whatever came before, the credit note
with which nothing is left of the invoice takes what is left of each line and of each deduction.
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from accounts.currencies import display
from accounts.errors import Conflict, Invalid
from invoices.locked_invoices import LockedInvoice
from invoices.models import InvoiceLine
from invoices.rounding import spread
from invoices.taxes import tax_credited

NOT_CREDITED = "Nothing was credited."


class UnableToCreditInvoice(Invalid):
    """So much isn't left of the invoice or of a line, or a line isn't the invoice's."""

    code = "unable-to-credit-invoice"


class RefundInFlight(Conflict):
    """So much is left only if a refund of the invoice fails: its outcome comes first."""

    code = "refund-in-flight"
    passing = True


def lines_of(invoices: Collection[LockedInvoice]) -> dict[uuid.UUID, list[InvoiceLine]]:
    """The lines of the invoices, in order, by invoice; in one statement."""
    by_invoice: dict[uuid.UUID, list[InvoiceLine]] = {invoice.id: [] for invoice in invoices}
    for line in InvoiceLine.objects.filter(invoice_id__in=by_invoice).order_by("invoice_id", "position"):
        by_invoice[line.invoice_id].append(line)
    return by_invoice


def shares_of(
    invoice: LockedInvoice,
    lines: Sequence[InvoiceLine],
    *,
    amount_minor: int | None,
    named: Mapping[uuid.UUID, int] | None = None,
    first: uuid.UUID | None = None,
) -> dict[InvoiceLine, int]:
    """What is credited of each of the invoice's lines, below zero of a deduction; of the line `first` as much as is
    left. An amount that a client or a person gives was checked before: what is left of an invoice may be more than one
    movement. Raises `UnableToCreditInvoice` and `RefundInFlight`.
    """
    if named is not None:
        return _named_shares(invoice, {line.id: line for line in lines}, named)
    left = invoice.amounts.left_to_credit
    amount = left if amount_minor is None else amount_minor
    _check_not_refunding(invoice, amount_minor=max(left, 1) if amount_minor is None else amount_minor)
    if not left:
        raise UnableToCreditInvoice(NOT_CREDITED, amount_minor="Nothing is left of the invoice to credit.")
    if amount > left:
        shown = display(amount_minor=left, currency=invoice.currency)
        error = f"Of the invoice {invoice.number}, {shown} is left to credit."
        raise UnableToCreditInvoice(NOT_CREDITED, amount_minor=error)
    before = {line: min(amount, left_of(line)) for line in lines if line.id == first}
    others = [line for line in lines if line not in before]
    shares = spread(amount=amount - sum(before.values()), weights=[_rest_of(line) for line in others])
    return {line: share for line, share in (*before.items(), *zip(others, shares, strict=True)) if share}


def _named_shares(
    invoice: LockedInvoice, there: Mapping[uuid.UUID, InvoiceLine], named: Mapping[uuid.UUID, int]
) -> dict[InvoiceLine, int]:
    if not named:
        raise UnableToCreditInvoice(NOT_CREDITED, lines="Name at least one line, or leave the lines out.")
    for line_id, amount in named.items():
        if line_id not in there:
            raise UnableToCreditInvoice(NOT_CREDITED, lines=f"The invoice {invoice.number} has no line {line_id}.")
        if not 1 <= amount <= left_of(there[line_id]):
            raise UnableToCreditInvoice(NOT_CREDITED, lines=_limits(there[line_id], currency=invoice.currency))
    amount, left = sum(named.values()), invoice.amounts.left_to_credit
    _check_not_refunding(invoice, amount_minor=amount)
    if amount > left:
        # A deduction has lowered what the lines come to.
        shown = display(amount_minor=left, currency=invoice.currency)
        raise UnableToCreditInvoice(NOT_CREDITED, lines=f"Of the invoice {invoice.number}, {shown} is left to credit.")
    return {there[line_id]: amount for line_id, amount in named.items()}


def _check_not_refunding(invoice: LockedInvoice, *, amount_minor: int) -> None:
    """Raises `RefundInFlight` where so much is left of the lines, and refunds in flight have reserved some of it."""
    left = invoice.amounts.left_to_credit
    if left < amount_minor <= left + invoice.amounts.refunding:
        shown = display(amount_minor=left, currency=invoice.currency)
        raise RefundInFlight(
            f"Of the invoice {invoice.number}, {shown} is left to credit while a refund is in flight: wait until its "
            "outcome is known."
        )


def _limits(line: InvoiceLine, *, currency: str) -> str:
    if not left_of(line):
        return f"Line {line.position}: nothing is left to credit."
    minimum = display(amount_minor=1, currency=currency).removesuffix(f" {currency}")
    return f"Line {line.position}: from {minimum} to {display(amount_minor=left_of(line), currency=currency)}."


def left_of(line: InvoiceLine) -> int:
    """What of the line a credit note may name, in minor units; nothing of a deduction."""
    return max(0, _rest_of(line))


def _rest_of(line: InvoiceLine) -> int:
    return line.total_minor - line.credited_minor


class LineCredit(NamedTuple):
    """What is credited of a line, and the tax in it, in minor units; both are below zero of a deduction."""

    amount_minor: int
    tax_minor: int


def line_credits(
    shares: Mapping[InvoiceLine, int], lines: Sequence[InvoiceLine], *, of_a_change: bool = False
) -> dict[InvoiceLine, LineCredit]:
    """What is credited of each line; `lines` are all of the invoice. Shares that come to all that is left of the
    invoice take all that is left of each line, deductions included. Of a change of terms, those that come to all that
    is left of its period's lines on the invoice take all that is left of each of these.
    """
    periods = {line.rebilling_id for line in shares}
    of_period = [line for line in lines if line.rebilling_id in periods] if of_a_change else []
    for together in (of_period, lines):
        if sum(shares.values()) == sum(_rest_of(line) for line in together):
            shares = {line: rest for line in together if (rest := _rest_of(line))}
    return {line: LineCredit(share, _tax_in(share, line)) for line, share in shares.items()}


def _tax_in(share: int, line: InvoiceLine) -> int:
    """The tax in what is credited of a line now."""
    return tax_credited(
        tax_minor=line.tax_minor,
        total_minor=line.total_minor,
        credited_minor=line.credited_minor,
        more_minor=share,
    )
