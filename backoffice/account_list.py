"""The list of accounts: each with its terms of today and what is outstanding, in a statement each for a page."""

import uuid
from collections.abc import Collection
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet, Sum
from django.http import HttpRequest

from accounts import clock
from accounts.billing_day import billing_day
from accounts.models import Account, Plan
from accounts.terms import TermsInForce, on_plan, terms_of
from backoffice.lists import FilteredList
from invoices.models import OUTSTANDING, Invoice


def terms_today(account_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, TermsInForce]:
    """The terms that are in force today, in one statement."""
    day = billing_day(clock.now())
    return {account_id: terms.in_force(day) for account_id, terms in terms_of(account_ids).items()}


def outstanding_by_account(account_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, int]:
    """What is outstanding of each account's invoices, in minor units, in one statement."""
    rows = (
        Invoice.objects.filter(account_id__in=account_ids, status=Invoice.Status.OPEN)
        .values("account_id")
        .annotate(outstanding=Sum(OUTSTANDING))
        .order_by()
    )
    return dict.fromkeys(account_ids, 0) | {row["account_id"]: int(row["outstanding"]) for row in rows}


class AccountList(FilteredList):
    """A page of accounts with what stands in other tables, on each row as `in_force` and `outstanding`."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows = list(self.result_list)
        ids = [row.id for row in rows]
        terms, owed = terms_today(ids), outstanding_by_account(ids)
        for row in rows:
            row.in_force, row.outstanding = terms[row.id], owed[row.id]
        self.result_list = rows


class PlanFilter(admin.SimpleListFilter):
    """Accounts whose terms of today are of a plan."""

    title = "plan"
    parameter_name = "plan"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(id_), code) for id_, code in Plan.objects.order_by("code").values_list("id", "code")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Account]) -> QuerySet[Account]:
        chosen = self.value()
        if chosen is None:
            return queryset
        try:
            plan_id = uuid.UUID(chosen)
        except ValueError:
            raise IncorrectLookupParameters(f"{chosen!r} is no plan's id") from None
        return on_plan(queryset, plan_id=plan_id, today=billing_day(clock.now()))


class ClosedWithCredit(admin.SimpleListFilter):
    """Money of customers who aren't billed any more: it is to be paid out."""

    title = "credit"
    parameter_name = "closed_with_credit"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("true", "Credit on a closed account")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Account]) -> QuerySet[Account]:
        if self.value() != "true":
            return queryset
        return queryset.filter(status=Account.Status.INACTIVE, credit_balance_minor__gt=0)


class UnbilledDebtFilter(admin.SimpleListFilter):
    """INACTIVE accounts whose credit is below zero: no next invoice brings it forward, so a person bills it."""

    title = "unbilled debt"
    parameter_name = "unbilled_debt"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("1", "inactive, and owes beside its invoices")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Account]) -> QuerySet[Account]:
        if self.value() is None:
            return queryset
        return queryset.filter(status=Account.Status.INACTIVE, credit_balance_minor__lt=0)
