"""Accounts: the list of them, and the page of each."""

import datetime
from functools import partial
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString

from accounts import clock
from accounts.billing_day import billing_day
from accounts.contact import CONTACT_FIELDS
from accounts.currencies import display
from accounts.models import Account, Plan
from accounts.phrases import counted
from accounts.terms import TermsInForce
from backoffice.account_actions import BILL_DEBT, CREDIT, PAYMENT, TERMS, UPDATE, WITHDRAW
from backoffice.account_list import (
    AccountList,
    ClosedWithCredit,
    PlanFilter,
    UnbilledDebtFilter,
    outstanding_by_account,
    terms_today,
)
from backoffice.account_opening import PERMISSION, opening_page
from backoffice.account_page import tables_of
from backoffice.actions import ActingAdmin
from backoffice.base import money
from backoffice.discounts import END_DISCOUNT, GIVE_DISCOUNT
from backoffice.items import ADD_ITEM, REMOVE_ITEM
from backoffice.lifecycle_actions import CLOSE, CLOSE_AND_REFUND, PAUSE, REOPEN, RESUME, TAKE_BACK, TRIAL
from backoffice.links import link_to
from backoffice.lists import titled
from backoffice.papers import STATEMENT, statement_urls
from backoffice.upcoming_invoices import NAME, link_to_upcoming, upcoming_page
from subscriptions.account_story import explain_account
from subscriptions.discounts import discount_in_words, periods_left


@admin.register(Account)
class AccountAdmin(ActingAdmin):
    list_display = (
        "name",
        "email",
        "external_reference",
        "status",
        "plan_link",
        "price",
        "next_billing_date",
        "outstanding",
        "credit",
    )
    list_filter = (
        "status",
        "inactive_reason",
        UnbilledDebtFilter,
        PlanFilter,
        "collection_method",
        ClosedWithCredit,
        ("rebilling_date", titled("next billing date")),
        "created_at",
    )
    search_fields = ("name", "email", "external_reference")
    search_help_text = "A name, an e-mail address, an external reference or an id"
    fields = (
        "id",
        "name",
        "email",
        "status",
        "inactive_reason",
        "outstanding",
        "credit",
        "plan_link",
        "quantity",
        "unit_price",
        "price",
        "counted_from",
        "next_billing_date",
        "upcoming",
        "trial_ends_on",
        "closes_on",
        "pauses_on",
        "resumes_on",
        "collection_method",
        "days_to_pay",
        "own_tax_rate",
        "discount_given",
        *CONTACT_FIELDS,
        "payment_customer",
        "payment_method",
        "payment_method_unusable",
        "on_decline",
        "dunning_steps",
        "next_dunning",
        "external_reference",
        "metadata",
        "created_at",
    )
    page_actions = (
        *(UPDATE, TERMS, WITHDRAW, GIVE_DISCOUNT, END_DISCOUNT, ADD_ITEM, REMOVE_ITEM, CREDIT, PAYMENT, BILL_DEBT),
        *(TRIAL, PAUSE, RESUME, CLOSE, CLOSE_AND_REFUND, TAKE_BACK, REOPEN),
    )
    linked_lookups = ("dunning_on__lte",)

    credit = money("credit_balance_minor", description="credit")

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(partial(upcoming_page, self))
        own = [path("<uuid:object_id>/upcoming-invoice/", page, name=NAME), *statement_urls(self)]
        return own + super().get_urls()

    def page_links(self, row: Account) -> list[dict[str, str]]:
        return [{"label": "Statement", "url": reverse(f"admin:{STATEMENT}", args=[row.pk])}]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) and request.user.has_perm(PERMISSION)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return opening_page(self, request)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return AccountList

    @admin.display(description="plan")
    def plan_link(self, account: Account) -> SafeString | None:
        terms = _terms(account)
        return link_to(Plan(id=terms.plan_id, code=terms.plan_code))

    @admin.display(description="quantity")
    def quantity(self, account: Account) -> int:
        return _terms(account).quantity

    @admin.display(description="unit price")
    def unit_price(self, account: Account) -> str:
        return display(amount_minor=_terms(account).unit_amount_minor, currency=account.currency)

    @admin.display(description="price per period")
    def price(self, account: Account) -> str:
        return display(amount_minor=_terms(account).price_minor, currency=account.currency)

    @admin.display(description="anchor date")
    def counted_from(self, account: Account) -> datetime.date:
        return _terms(account).anchor_date

    @admin.display(description="next billing date", ordering="rebilling_date")
    def next_billing_date(self, account: Account) -> Any:
        return account.rebilling_date

    @admin.display(description="upcoming invoice")
    def upcoming(self, account: Account) -> SafeString:
        return link_to_upcoming(account)

    @admin.display(description="next step of dunning")
    def next_dunning(self, account: Account) -> Any:
        return account.dunning_on

    @admin.display(description="days to pay")
    def days_to_pay(self, account: Account) -> int:
        return account.net_days

    @admin.display(description="tax rate")
    def own_tax_rate(self, account: Account) -> Any:
        return link_to(account.tax_rate) or "the default of the settings"

    @admin.display(description="discount")
    def discount_given(self, account: Account) -> str | None:
        discount = account.discount
        if discount is None:
            return None
        words, left = discount_in_words(discount, account.currency), periods_left(discount)
        return words if left is None else f"{words}; {counted(left, 'period')} left"

    @admin.display(description="outstanding")
    def outstanding(self, account: Any) -> str:
        return display(amount_minor=account.outstanding, currency=account.currency)

    def page_context(self, row: Any) -> dict[str, Any]:
        row.in_force, row.outstanding = terms_today([row.id])[row.id], outstanding_by_account([row.id])[row.id]
        return {
            "summary": explain_account(row.id, today=billing_day(clock.now())),
            "tables": tables_of(row),
        }


def _terms(account: Any) -> TermsInForce:
    """Those of today, which the list and the page have put on the row."""
    terms: TermsInForce = account.in_force
    return terms
