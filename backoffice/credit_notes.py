"""Credit notes. They are issued on an invoice's page, or with a refund."""

from typing import Any

from django.contrib import admin
from django.urls import URLPattern

from accounts.currencies import display
from backoffice.actions import ActingAdmin
from backoffice.base import link, money
from backoffice.invoice_page import MAX_LINES
from backoffice.links import link_to
from backoffice.papers import paper_links, paper_urls
from backoffice.tables import table
from invoices.models import CreditNote
from papers.credit_note_paper import credit_note_paper
from payments.models import Refund


@admin.register(CreditNote)
class CreditNoteAdmin(ActingAdmin):
    list_display = ("number", "account_link", "invoice_link", "amount", "issued_on", "reason", "created_by")
    list_filter = ("issued_on",)
    list_select_related = ("account", "invoice")
    search_fields = ("number__exact", "invoice__number__exact", "=account__external_reference")
    search_help_text = "A number of a credit note or of its invoice, an id, or an account's external reference"
    fields = (
        "id",
        "number",
        "account_link",
        "invoice_link",
        "issued_on",
        "amount",
        "from_outstanding",
        "from_written_off",
        "to_balance",
        "to_refund",
        "refund_link",
        "reason",
        "created_by",
        "created_at",
    )
    linked_lookups = ("account__id__exact", "invoice__id__exact")

    account_link = link("account", description="account")
    invoice_link = link("invoice", description="invoice")
    amount = money("amount_minor", description="amount")
    from_outstanding = money("from_outstanding_minor", description="off what was outstanding")
    from_written_off = money("from_written_off_minor", description="off what was written off")
    to_balance = money("to_balance_minor", description="to credit")
    to_refund = money("to_refund_minor", description="to a refund")

    @admin.display(description="refund")
    def refund_link(self, row: CreditNote) -> Any:
        return link_to(Refund.objects.filter(id=row.refund_id).first() if row.refund_id else None)

    def get_urls(self) -> list[URLPattern]:
        return paper_urls(self, credit_note_paper) + super().get_urls()

    def page_links(self, row: CreditNote) -> list[dict[str, str]]:
        return paper_links(row)

    def page_context(self, row: CreditNote) -> dict[str, Any]:
        lines = table(
            title="Lines",
            columns=("Line", "What for", "Credited"),
            rows=row.lines.select_related("line").order_by("line__position"),
            cells=lambda part: (
                part.line.position,
                part.line.description,
                display(amount_minor=part.amount_minor, currency=row.currency),
            ),
            max_rows=MAX_LINES,
        )
        return {"tables": [lines]}
