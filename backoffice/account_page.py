"""The tables below an account's fields: its terms, items, invoices, billing periods, payments, refunds, payment method
sessions, credit notes, ledger and history.

Each table is one statement, and bounded: an account may have thousands of rows.
"""

from django.db.models import BooleanField, ExpressionWrapper, F, Sum, Window

from accounts.currencies import display
from accounts.models import Account, AccountChange
from accounts.phrases import period_in_words
from backoffice.account_history import in_words
from backoffice.links import link_to, list_of
from backoffice.tables import Table, table
from invoices.models import PENDING, CreditNote, Invoice
from ledger.balances import OWED
from ledger.models import Entry
from payments.models import Payment, Refund
from rebilling.models import Rebilling


def tables_of(account: Account) -> list[Table]:
    """The tables of an account's page, in the order in which they are shown."""
    return [
        _terms(account),
        _items(account),
        _invoices(account),
        _periods(account),
        _payments(account),
        _refunds(account),
        _payment_method_sessions(account),
        _credit_notes(account),
        _entries(account),
        _history(account),
    ]


def _terms(account: Account) -> Table:
    return table(
        title="Terms",
        columns=(
            "In force from",
            "Plan",
            "Quantity",
            "Unit price",
            "Price per period",
            "Anchor date",
            "Reason",
            "By",
            "Withdrawn",
        ),
        rows=account.terms.select_related("plan").order_by("-effective_from", "-id"),
        cells=lambda row: (
            str(row.effective_from),
            link_to(row.plan),
            row.quantity,
            display(amount_minor=row.unit_amount_minor, currency=account.currency),
            display(amount_minor=row.price_minor, currency=account.currency),
            str(row.anchor_date),
            row.reason,
            row.author,
            f"{row.withdrawn_at:%Y-%m-%d %H:%M}" if row.withdrawn_at else "",
        ),
    )


def _items(account: Account) -> Table:
    """What waits for the next invoice first."""
    return table(
        title="Items",
        columns=(
            *("Added", "Description", "Quantity", "Unit price", "Amount", "Status", "Invoiced"),
            *("Reason", "By", "Removed"),
        ),
        rows=account.items.alias(waits=ExpressionWrapper(PENDING, BooleanField())).order_by("-waits", "-id"),
        cells=lambda row: (
            f"{row.created_at:%Y-%m-%d %H:%M}",
            row.description,
            row.quantity,
            display(amount_minor=row.unit_amount_minor, currency=account.currency),
            display(amount_minor=row.amount_minor, currency=account.currency),
            row.status.value,
            display(amount_minor=row.invoiced_minor, currency=account.currency),
            row.reason,
            row.author,
            f"{row.removed_at:%Y-%m-%d %H:%M}, {row.removed_by}: {row.removal_reason}" if row.removed_at else "",
        ),
    )


def _invoices(account: Account) -> Table:
    return table(
        title="Invoices",
        columns=(
            *("Number", "Status", "Issued", "Due", "Total", "From credit", "Paid", "Refunded"),
            *("Credited off what was owed", "Credited to the balance", "Credited with refunds"),
            *("Written off", "Outstanding"),
        ),
        rows=account.invoices.order_by("-id"),
        cells=lambda row: (
            link_to(row),
            row.status,
            str(row.issued_on),
            str(row.due_on),
            display(amount_minor=row.total_minor, currency=row.currency),
            display(amount_minor=row.balance_applied_minor, currency=row.currency),
            display(amount_minor=row.paid_minor, currency=row.currency),
            display(amount_minor=row.refunded_minor, currency=row.currency),
            display(amount_minor=row.credited_minor, currency=row.currency),
            display(amount_minor=row.credited_to_balance_minor, currency=row.currency),
            display(amount_minor=row.credited_to_refund_minor, currency=row.currency),
            display(amount_minor=row.written_off_minor, currency=row.currency),
            display(amount_minor=row.outstanding_minor, currency=row.currency),
        ),
        all_url=list_of(Invoice, account__id__exact=account.id),
        empty="Nothing was invoiced yet.",
    )


def _periods(account: Account) -> Table:
    return table(
        title="Billing periods",
        columns=("Period", "Status", "Reason", "Amount", "Invoice", "Detail"),
        rows=account.rebillings.select_related("invoice").order_by("-period_start", "-id"),
        cells=lambda row: (
            link_to(row, label=period_in_words(start=row.period_start, end=row.period_end)),
            row.status,
            row.reason,
            display(amount_minor=row.amount_minor, currency=row.currency),
            link_to(row.invoice),
            row.detail,
        ),
        all_url=list_of(Rebilling, account__id__exact=account.id),
        empty="No period was due yet.",
    )


def _payments(account: Account) -> Table:
    return table(
        title="Payments",
        columns=("Submitted", "Status", "Amount", "Invoice", "Decline code", "Gateway", "Needs attention"),
        rows=account.payments.select_related("invoice").order_by("-id"),
        cells=lambda row: (
            link_to(row, label=f"{row.submitted_at:%Y-%m-%d %H:%M}"),
            row.status,
            display(amount_minor=row.amount_minor, currency=row.currency),
            link_to(row.invoice),
            row.decline_code,
            row.gateway,
            row.review_reason or ("yes" if row.needs_review else ""),
        ),
        all_url=list_of(Payment, account__id__exact=account.id),
    )


def _refunds(account: Account) -> Table:
    return table(
        title="Refunds",
        columns=("Requested", "Status", "Amount", "From", "Failure code", "Reason", "By", "Needs attention"),
        rows=account.refunds.order_by("-id"),
        cells=lambda row: (
            link_to(row, label=f"{row.submitted_at:%Y-%m-%d %H:%M}"),
            row.status,
            display(amount_minor=row.amount_minor, currency=row.currency),
            row.source,
            row.failure_code,
            row.reason,
            row.created_by,
            row.review_reason or ("yes" if row.needs_review else ""),
        ),
        all_url=list_of(Refund, account__id__exact=account.id),
    )


def _payment_method_sessions(account: Account) -> Table:
    return table(
        title="Payment method sessions",
        columns=("Requested", "Status", "Failure code", "Customer", "Payment method", "Gateway", "Ended", "By"),
        rows=account.payment_method_sessions.defer("client_secret").order_by("-id"),
        cells=lambda row: (
            f"{row.created_at:%Y-%m-%d %H:%M}",
            row.status,
            row.failure_code,
            row.customer,
            row.payment_method,
            row.gateway,
            f"{row.completed_at:%Y-%m-%d %H:%M}" if row.completed_at else "",
            row.created_by,
        ),
    )


def _credit_notes(account: Account) -> Table:
    return table(
        title="Credit notes",
        columns=("Number", "Invoice", "Issued", "Amount", "Reason", "By"),
        rows=account.credit_notes.select_related("invoice").order_by("-id"),
        cells=lambda row: (
            link_to(row),
            link_to(row.invoice),
            str(row.issued_on),
            display(amount_minor=row.amount_minor, currency=row.currency),
            row.reason,
            row.created_by,
        ),
        all_url=list_of(CreditNote, account__id__exact=account.id),
    )


def _entries(account: Account) -> Table:
    """An account statement: entries by effective date, with the balance after each."""
    running = Window(Sum(OWED), order_by=[F("effective_on").asc(), F("id").asc()])
    return table(
        title="Ledger",
        columns=("Effective", "Type", "Debit", "Credit", "Amount", "Owed after it", "Description", "By"),
        rows=account.entries.annotate(running=running).order_by("-effective_on", "-id"),
        cells=lambda row: (
            str(row.effective_on),
            link_to(row, label=row.type),
            row.debit,
            row.credit,
            display(amount_minor=row.amount_minor, currency=row.currency),
            display(amount_minor=int(row.running), currency=row.currency),
            row.description,
            row.created_by,
        ),
        all_url=list_of(Entry, account__id__exact=account.id),
    )


def _history(account: Account) -> Table:
    return table(
        title="History",
        columns=("When", "Before", "After", "Reason", "By"),
        rows=account.changes.order_by("-id"),
        cells=lambda row: (
            link_to(row, label=f"{row.changed_at:%Y-%m-%d %H:%M}"),
            in_words(row.before, currency=account.currency),
            in_words(row.after, currency=account.currency),
            row.reason,
            row.author,
        ),
        all_url=list_of(AccountChange, account__id__exact=account.id),
    )
