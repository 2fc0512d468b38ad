"""The tables below an account's fields: its periods, payments, refunds, ledger entries and status history.

Each table is one statement, and bounded: an account may have thousands of rows.
"""

from collections.abc import Callable, Sequence
from typing import Any

from django.db.models import F, Model, QuerySet, Sum, Window

from accounts.currencies import display
from accounts.models import Account
from backoffice.links import link_to, list_of
from backoffice.tables import MAX_ROWS, Table
from ledger.balances import OWED
from ledger.models import Entry
from payments.models import Payment, Refund
from rebilling.models import Rebilling


def tables_of(account: Account) -> list[Table]:
    """The tables of an account's page, in the order in which they are shown."""
    return [_periods(account), _payments(account), _refunds(account), _entries(account), _history(account)]


def _periods(account: Account) -> Table:
    return _table(
        account=account,
        title="Periods",
        columns=("Period", "Status", "Reason", "Amount", "From credit", "Paid", "Detail"),
        rows=account.rebillings.order_by("-period_start", "-id"),
        cells=lambda row: (
            link_to(row, label=row.period),
            row.status,
            row.reason,
            display(amount_minor=row.amount_minor, currency=row.currency),
            display(amount_minor=row.credit_minor, currency=row.currency),
            display(amount_minor=row.paid_minor, currency=row.currency),
            row.detail,
        ),
        model=Rebilling,
        empty="No period was due yet.",
    )


def _payments(account: Account) -> Table:
    return _table(
        account=account,
        title="Payments",
        columns=("Submitted", "Status", "Amount", "Decline code", "Gateway", "Needs review"),
        rows=account.payments.order_by("-id"),
        cells=lambda row: (
            link_to(row, label=f"{row.submitted_at:%Y-%m-%d %H:%M}"),
            row.status,
            display(amount_minor=row.amount_minor, currency=row.currency),
            row.decline_code,
            row.gateway,
            row.review_reason or ("yes" if row.needs_review else ""),
        ),
        model=Payment,
    )


def _refunds(account: Account) -> Table:
    return _table(
        account=account,
        title="Refunds",
        columns=("Requested", "Status", "Amount", "Failure code", "Reason", "By", "Needs review"),
        rows=Refund.objects.filter(payment__account=account).order_by("-id"),
        cells=lambda row: (
            link_to(row, label=f"{row.submitted_at:%Y-%m-%d %H:%M}"),
            row.status,
            display(amount_minor=row.amount_minor, currency=row.currency),
            row.failure_code,
            row.reason,
            row.created_by,
            row.review_reason or ("yes" if row.needs_review else ""),
        ),
        model=Refund,
        of="payment__account",
    )


def _entries(account: Account) -> Table:
    """An account statement: entries by effective date, with the balance after each."""
    running = Window(Sum(OWED), order_by=[F("effective_on").asc(), F("id").asc()])
    return _table(
        account=account,
        title="Ledger",
        columns=("Effective", "Type", "Debit", "Credit", "Amount", "Balance after", "Description", "By"),
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
        model=Entry,
    )


def _history(account: Account) -> Table:
    return _table(
        account=account,
        title="Status history",
        columns=("When", "From", "To", "Reason", "By"),
        rows=account.status_changes.order_by("-id"),
        cells=lambda row: (
            f"{row.changed_at:%Y-%m-%d %H:%M}",
            row.from_status,
            row.to_status,
            row.reason,
            row.author,
        ),
    )


def _table(
    *,
    account: Account,
    title: str,
    columns: Sequence[str],
    rows: QuerySet[Any],
    cells: Callable[[Any], Sequence[object]],
    model: type[Model] | None = None,
    of: str = "account",
    empty: str = "None.",
) -> Table:
    """`of` is the lookup from a row of the model to its account."""
    found = list(rows[: MAX_ROWS + 1])
    more = len(found) > MAX_ROWS
    return Table(
        title=f"{title}, the newest {MAX_ROWS}" if more else title,
        columns=columns,
        rows=[cells(row) for row in found[:MAX_ROWS]],
        empty=empty,
        all_url=list_of(model, **{f"{of}__id__exact": account.id}) if more and model else "",
    )
