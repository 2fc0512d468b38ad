"""Invoices: what happened to each, and what people do about it."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import URLPattern

from accounts import clock
from accounts.billing_day import billing_day
from backoffice.actions import ActingAdmin, Action, Caller
from backoffice.base import link, money
from backoffice.credit_note_form import CreditNoteForm
from backoffice.invoice_page import tables_of
from backoffice.offline_payment_forms import OfflinePaymentForm
from backoffice.papers import paper_links, paper_urls
from backoffice.run_filters import InvoicesOfRun
from invoices.amounts import amounts_of
from invoices.credit_notes import issue_credit_note
from invoices.models import Invoice
from invoices.uncollected_invoices import uncollected
from invoices.write_offs import write_off_invoice
from papers.invoice_paper import invoice_paper
from payments.offline_payments import record_offline_payment
from payments.payment_requests import pay_invoice
from subscriptions.invoice_story import explain_invoice


def _collect(invoice: Invoice, data: dict[str, Any], caller: Caller) -> None:
    pay_invoice(invoice_id=invoice.id, author=caller.author, now=caller.now)


def _record_payment(invoice: Invoice, data: dict[str, Any], caller: Caller) -> None:
    record_offline_payment(
        account_id=invoice.account_id,
        invoice_id=invoice.id,
        amount_minor=data["amount"],
        reference=data["reference"],
        is_another=data["is_another"],
        payment_id=data["submission"],
        **caller.signed(data),
    )


def _issue_credit_note(invoice: Invoice, data: dict[str, Any], caller: Caller) -> None:
    issue_credit_note(
        invoice_id=invoice.id,
        amount_minor=data["amount_minor"],
        lines=data["lines"],
        credit_note_id=data["submission"],
        **caller.signed(data),
    )


def _write_off(invoice: Invoice, data: dict[str, Any], caller: Caller) -> None:
    write_off_invoice(invoice_id=invoice.id, **caller.signed(data))


def _can_be_collected(invoice: Invoice) -> bool:
    return invoice.status == Invoice.Status.OPEN and not invoice.in_flight


COLLECT = Action(
    name="collect",
    label="Collect now",
    explanation="A payment of what is outstanding is submitted at once, with the account's present payment method. It "
    "doesn't count as a step of dunning.",
    done="A payment was submitted. Its outcome will be known in a moment.",
    permission="pay_invoice",
    offered=_can_be_collected,
    perform=_collect,
)
PAYMENT = Action(
    name="payment",
    label="Record an offline payment",
    explanation="For money received offline, by transfer or check, for this invoice. What is more than outstanding "
    "becomes the account's credit.",
    done="The payment was recorded.",
    permission="record_offline_payment",
    offered=lambda invoice: invoice.status in (Invoice.Status.OPEN, Invoice.Status.UNCOLLECTIBLE),
    perform=_record_payment,
    form=OfflinePaymentForm,
)
CREDIT_NOTE = Action(
    name="credit-note",
    label="Issue a credit note",
    explanation="The invoice is reduced: first what is outstanding, then what was written off. The remainder becomes "
    "the account's credit. A period that is credited whole is voided. To send money back, refund the payment instead: "
    "that issues a credit note, too. A credit note can't be undone.",
    done="The credit note was issued.",
    permission="credit_invoice",
    offered=lambda invoice: not invoice.in_flight and amounts_of(invoice).left_to_credit > 0,
    perform=_issue_credit_note,
    form=CreditNoteForm,
)
WRITE_OFF = Action(
    name="write-off",
    label="Write off",
    explanation="What is outstanding is given up: the account doesn't owe it any more, and nothing tries again to "
    "collect it. The account's status doesn't change by it, unless nothing else is past due. To undo it, reverse the "
    "ledger entry.",
    done="The invoice was written off.",
    permission="write_off",
    offered=_can_be_collected,
    perform=_write_off,
)


class Uncollected(admin.SimpleListFilter):
    """What a person has to collect, or give up."""

    title = "collection"
    parameter_name = "uncollected"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("true", "Nothing collects it")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> QuerySet[Invoice]:
        return queryset.filter(uncollected()) if self.value() == "true" else queryset


@admin.register(Invoice)
class InvoiceAdmin(ActingAdmin):
    list_display = ("number", "account_link", "status", "total", "outstanding", "issued_on", "due_on")
    list_filter = ("status", "collection_method", Uncollected, "issued_on", "due_on", InvoicesOfRun)
    list_select_related = ("account",)
    search_fields = ("number__exact", "=account__external_reference", "customer_name")
    search_help_text = "A number, an id, an account's external reference or the customer's name"
    fields = (
        "id",
        "number",
        "account_link",
        "status",
        "total",
        "tax",
        "from_credit",
        "paid",
        "refunded",
        "credited",
        "credited_to_balance",
        "credited_with_refunds",
        "written_off",
        "outstanding",
        "issued_on",
        "due_on",
        "collection_method",
        "in_flight",
        "declined_on",
        "seller",
        "customer_name",
        "customer_email",
        "customer_address",
        "customer_country",
        "customer_tax_id",
        "customer_language",
        "created_at",
    )
    page_actions = (COLLECT, PAYMENT, CREDIT_NOTE, WRITE_OFF)
    linked_lookups = ("account__id__exact",)

    account_link = link("account", description="account")
    total = money("total_minor", description="total")
    tax = money("tax_minor", description="tax")
    credited = money("credited_minor", description="credited off what was owed")
    credited_to_balance = money("credited_to_balance_minor", description="credited to the balance")
    credited_with_refunds = money("credited_to_refund_minor", description="credited with refunds")
    from_credit = money("balance_applied_minor", description="from credit")
    paid = money("paid_minor", description="paid")
    refunded = money("refunded_minor", description="refunded")
    written_off = money("written_off_minor", description="written off")
    outstanding = money("outstanding_minor", description="outstanding", is_column=False)

    def get_urls(self) -> list[URLPattern]:
        return paper_urls(self, invoice_paper) + super().get_urls()

    def page_links(self, row: Invoice) -> list[dict[str, str]]:
        return paper_links(row)

    def page_context(self, row: Invoice) -> dict[str, Any]:
        return {"story": explain_invoice(row.id, today=billing_day(clock.now())), "tables": tables_of(row)}
