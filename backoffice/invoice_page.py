"""The tables below an invoice's fields: its lines, use of the credit balance, payments, credit notes and the rest.

Each table is one statement, and bounded.
"""

from accounts.currencies import display
from accounts.phrases import period_in_words
from backoffice.choice_columns import CAUSES
from backoffice.links import link_to, list_of
from backoffice.tables import Table, table
from invoices.models import BalanceUse, CreditNote, Invoice, InvoiceLine
from invoices.taxes_by_rate import taxes_by_rate
from ledger.models import Entry
from payments.models import Payment, Refund
from rebilling.models import Rebilling

MAX_LINES = 500
BALANCE_USES: dict[str, str] = {
    BalanceUse.Kind.CREDIT: "credit paid so much",
    BalanceUse.Kind.BROUGHT_FORWARD: "owed from before, collected with this invoice",
    BalanceUse.Kind.CARRIED_FORWARD: "too small to collect, goes to the next invoice",
}


def tables_of(invoice: Invoice) -> list[Table]:
    """The tables of an invoice's page, in the order in which they are shown."""
    return [
        _lines(invoice),
        _taxes(invoice),
        _balance_uses(invoice),
        _payments(invoice),
        _credit_notes(invoice),
        _refunds(invoice),
        _entries(invoice),
    ]


def _lines(invoice: Invoice) -> Table:
    return table(
        title="Lines",
        columns=(
            *("Line", "What for", "Billing period", "Quantity", "Unit price", "Discount", "Amount", "Tax", "Total"),
            "Credited",
        ),
        rows=invoice.lines.order_by("position"),
        cells=lambda line: (
            line.position,
            line.description,
            # A foreign key of the database has the row be there.
            link_to(Rebilling(id=line.rebilling_id), label=_period(line)) if line.rebilling_id else "",
            line.quantity,
            display(amount_minor=line.unit_amount_minor, currency=invoice.currency),
            display(amount_minor=line.discount_minor, currency=invoice.currency),
            display(amount_minor=line.amount_minor, currency=invoice.currency),
            display(amount_minor=line.tax_minor, currency=invoice.currency),
            display(amount_minor=line.total_minor, currency=invoice.currency),
            display(amount_minor=line.credited_minor, currency=invoice.currency),
        ),
        max_rows=MAX_LINES,
    )


def _taxes(invoice: Invoice) -> Table:
    return Table(
        title="Taxes",
        columns=("Rate", "Tax"),
        rows=[
            (total.in_words(invoice.currency), display(amount_minor=total.tax_minor, currency=invoice.currency))
            for total in taxes_by_rate(invoice.lines.select_related("tax_rate").order_by("position")[:MAX_LINES])
        ],
    )


def _period(line: InvoiceLine) -> str:
    if line.period_start is None or line.period_end is None:
        return ""
    return period_in_words(start=line.period_start, end=line.period_end)


def _balance_uses(invoice: Invoice) -> Table:
    return table(
        title="Credit balance",
        columns=("Day", "What for", "Amount"),
        rows=invoice.balance_uses.order_by("id"),
        cells=lambda use: (
            str(use.used_on),
            BALANCE_USES[use.kind],
            display(amount_minor=use.amount_minor, currency=invoice.currency),
        ),
        max_rows=MAX_LINES,
    )


def _payments(invoice: Invoice) -> Table:
    return table(
        title="Payments",
        columns=("Submitted", "Status", "Amount", "Cause", "Decline code", "Gateway", "Needs attention"),
        rows=invoice.payments.order_by("-id"),
        cells=lambda row: (
            link_to(row, label=f"{row.submitted_at:%Y-%m-%d %H:%M}"),
            row.status,
            display(amount_minor=row.amount_minor, currency=row.currency),
            CAUSES[row.cause],
            row.decline_code,
            row.gateway,
            row.review_reason or ("yes" if row.needs_review else ""),
        ),
        all_url=list_of(Payment, invoice__id__exact=invoice.id),
    )


def _credit_notes(invoice: Invoice) -> Table:
    return table(
        title="Credit notes",
        columns=("Number", "Issued", "Amount", "To credit", "To a refund", "Reason", "By"),
        rows=invoice.credit_notes.order_by("-id"),
        cells=lambda row: (
            link_to(row),
            str(row.issued_on),
            display(amount_minor=row.amount_minor, currency=row.currency),
            display(amount_minor=row.to_balance_minor, currency=row.currency),
            display(amount_minor=row.to_refund_minor, currency=row.currency),
            row.reason,
            row.created_by,
        ),
        all_url=list_of(CreditNote, invoice__id__exact=invoice.id),
    )


def _refunds(invoice: Invoice) -> Table:
    return table(
        title="Refunds",
        columns=("Requested", "Status", "Amount", "From", "Failure code", "Reason", "By"),
        rows=Refund.objects.filter(payment__invoice=invoice).order_by("-id"),
        cells=lambda row: (
            link_to(row, label=f"{row.submitted_at:%Y-%m-%d %H:%M}"),
            row.status,
            display(amount_minor=row.amount_minor, currency=row.currency),
            row.source,
            row.failure_code,
            row.reason,
            row.created_by,
        ),
        all_url=list_of(Refund, payment__invoice__id__exact=invoice.id),
    )


def _entries(invoice: Invoice) -> Table:
    return table(
        title="Ledger",
        columns=("Effective", "Type", "Debit", "Credit", "Amount", "Description", "By"),
        rows=Entry.objects.filter(invoice_id=invoice.id).order_by("-id"),
        cells=lambda row: (
            str(row.effective_on),
            link_to(row, label=row.type),
            row.debit,
            row.credit,
            display(amount_minor=row.amount_minor, currency=row.currency),
            row.description,
            row.created_by,
        ),
        all_url=list_of(Entry, invoice_id__exact=invoice.id),
    )
