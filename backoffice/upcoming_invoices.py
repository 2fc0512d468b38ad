"""The page of an account's upcoming invoice: the invoice in sentences and tables, or why none is to come."""

from typing import Any

from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts import clock
from accounts.billing_day import billing_day
from accounts.currencies import display
from accounts.models import Account
from accounts.phrases import day_in_words, period_in_words
from backoffice.invoice_page import BALANCE_USES
from backoffice.links import page_of
from backoffice.tables import Table
from invoices.models import InvoiceLine
from invoices.taxes_by_rate import taxes_by_rate
from invoices.whole_invoices import WholeInvoice
from subscriptions.upcoming_invoice import NoUpcomingInvoice, upcoming_invoice

NAME = "accounts_account_upcoming_invoice"
"""Of the page's path."""

WHY_NONE: dict[NoUpcomingInvoice, str] = {
    NoUpcomingInvoice.CLOSED: "The account is closed.",
    NoUpcomingInvoice.PAUSED: "The account is paused until it is resumed.",
    NoUpcomingInvoice.UNPAID: "The account is INACTIVE until it has paid what is outstanding, or is reopened.",
    NoUpcomingInvoice.IMPORTED: "The account was imported as INACTIVE, and isn't billed until it is reopened.",
    NoUpcomingInvoice.TO_BE_CLOSED: "The account is to be closed before another period begins.",
    NoUpcomingInvoice.TO_BE_PAUSED: "The account is to be paused before another period begins.",
    NoUpcomingInvoice.PARKED: "Its next billing period is parked, or would be: a person decides about it first.",
    NoUpcomingInvoice.IN_FLIGHT: "Its billing period is to be cut, and what is then credited depends on a payment or "
    "a refund in flight.",
    NoUpcomingInvoice.OUT_OF_RANGE: "Its next billing period begins after the last billing day that there is.",
}
"""Why no invoice is to come."""


def link_to_upcoming(account: Account) -> SafeString:
    """A link to the page."""
    return format_html('<a href="{}">What is billed next</a>', reverse(f"admin:{NAME}", args=[account.pk]))


def upcoming_page(admin: "ModelAdmin[Any]", request: HttpRequest, object_id: Any) -> HttpResponse:
    """The page of the account that has this id."""
    if not admin.has_view_permission(request):
        raise PermissionDenied
    account = admin.get_object(request, str(object_id))
    if account is None:
        raise Http404
    now = clock.now()
    found = upcoming_invoice(account_id=account.id, today=billing_day(now), now=now)
    if isinstance(found, NoUpcomingInvoice):
        sentences, tables = [WHY_NONE[found]], []
    else:
        sentences, tables = _in_words(found), [_lines(found), _taxes(found), _balance_uses(found)]
    context = {
        **admin.admin_site.each_context(request),
        "title": "Upcoming invoice",
        "opts": admin.opts,
        "row": account,
        "page": page_of(account),
        "sentences": sentences,
        "tables": tables,
    }
    return TemplateResponse(request, "backoffice/upcoming_invoice.html", context)


def _in_words(found: WholeInvoice) -> list[str]:
    invoice = found.invoice
    total, outstanding = (
        display(amount_minor=amount, currency=invoice.currency)
        for amount in (invoice.total_minor, invoice.outstanding_minor)
    )
    day = day_in_words(invoice.issued_on)
    sentences = [f"If nothing changes until then, it is issued on {day}, over {total}."]
    if not invoice.outstanding_minor:
        return [*sentences, "Nothing of it is to be collected."]
    if invoice.collection_method == Account.CollectionMethod.SEND_INVOICE:
        return [*sentences, f"The customer is to pay {outstanding} by {day_in_words(invoice.due_on)}."]
    return [*sentences, f"{outstanding} is then collected at the gateway."]


def _lines(found: WholeInvoice) -> Table:
    currency = found.invoice.currency
    return Table(
        title="Lines",
        columns=("What for", "Billing period", "Quantity", "Unit price", "Discount", "Amount", "Tax", "Total"),
        rows=[
            (
                line.description,
                _period(line),
                line.quantity,
                *(
                    display(amount_minor=amount, currency=currency)
                    for amount in (
                        *(line.unit_amount_minor, line.discount_minor, line.amount_minor),
                        *(line.tax_minor, line.total_minor),
                    )
                ),
            )
            for line in found.lines
        ],
    )


def _period(line: InvoiceLine) -> str:
    if line.period_start is None or line.period_end is None:
        return ""
    return period_in_words(start=line.period_start, end=line.period_end)


def _taxes(found: WholeInvoice) -> Table:
    currency = found.invoice.currency
    return Table(
        title="Taxes",
        columns=("Rate", "Tax"),
        rows=[
            (total.in_words(currency), display(amount_minor=total.tax_minor, currency=currency))
            for total in taxes_by_rate(found.lines)
        ],
    )


def _balance_uses(found: WholeInvoice) -> Table:
    return Table(
        title="Credit balance",
        columns=("What for", "Amount"),
        rows=[
            (BALANCE_USES[use.kind], display(amount_minor=use.amount_minor, currency=found.invoice.currency))
            for use in found.balance_uses
        ],
    )
