"""Plans and accounts."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest

from accounts.currencies import display
from accounts.models import Account, Plan
from backoffice.account_page import tables_of
from backoffice.actions import ActingAdmin, Action, Caller
from backoffice.base import ReadOnlyAdmin, link, money
from backoffice.forms import AmountForm, OfflinePaymentForm, WriteOffForm
from backoffice.lists import FilteredList
from ledger.balances import balance, balances
from rebilling.adjustments import grant_credit
from rebilling.models import Rebilling
from rebilling.offline_payments import record_offline_payment
from rebilling.write_offs import write_off
from subscriptions.lifecycle import close_account, reopen_account


@admin.register(Plan)
class PlanAdmin(ReadOnlyAdmin):
    list_display = ("code", "name", "price", "interval", "trial_days", "retired")
    list_filter = ("retired", "currency", "interval_unit")
    search_fields = ("code", "name")
    fields = ("id", "code", "name", "price", "interval", "trial_days", "retired", "created_at")

    price = money("unit_amount_minor", description="unit price")

    @admin.display(description="every")
    def interval(self, plan: Plan) -> str:
        return plan.interval_unit if plan.interval_count == 1 else f"{plan.interval_count} {plan.interval_unit}s"


class AccountList(FilteredList):
    """A page of accounts with their balances, in one statement for the page."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows = list(self.result_list)
        owed = balances(account_ids=[row.id for row in rows])
        for row in rows:
            row.balance_minor = owed[row.id]
        self.result_list = rows


def _close(account: Account, data: dict[str, Any], caller: Caller) -> None:
    close_account(account_id=account.id, reason=data["reason"], author=caller.author, now=caller.now)


def _reopen(account: Account, data: dict[str, Any], caller: Caller) -> None:
    reopen_account(
        account_id=account.id, reason=data["reason"], author=caller.author, today=caller.today, now=caller.now
    )


def _grant_credit(account: Account, data: dict[str, Any], caller: Caller) -> None:
    grant_credit(
        account_id=account.id,
        amount_minor=data["amount"],
        reason=data["reason"],
        author=caller.author,
        today=caller.today,
        now=caller.now,
        idempotency_key=f"staff:{data['submission']}",
    )


def _record_offline_payment(account: Account, data: dict[str, Any], caller: Caller) -> None:
    record_offline_payment(
        account_id=account.id,
        amount_minor=data["amount"],
        reference=data["reference"],
        reason=data["reason"],
        author=caller.author,
        today=caller.today,
        now=caller.now,
        idempotency_key=f"staff:{data['submission']}",
    )


def _write_off(account: Account, data: dict[str, Any], caller: Caller) -> None:
    write_off(
        account_id=account.id,
        charge_ids=data["charges"],
        reason=data["reason"],
        author=caller.author,
        today=caller.today,
        now=caller.now,
    )


CLOSE = Action(
    name="close",
    label="Close account",
    explanation="The account isn't charged any more. Its periods that are due or parked are skipped. Earlier charges "
    "are still collected.",
    done="The account was closed.",
    permission="close_account",
    offered=lambda account: account.status != Account.Status.INACTIVE,
    perform=_close,
)
REOPEN = Action(
    name="reopen",
    label="Reopen account",
    explanation="The account is billed again: from the end of the period that it was charged for, if that is still "
    "running, and from today otherwise.",
    done="The account was reopened.",
    permission="reopen_account",
    offered=lambda account: account.status == Account.Status.INACTIVE,
    perform=_reopen,
)
CREDIT = Action(
    name="credit",
    label="Grant credit",
    explanation="The credit pays the account's unpaid charges, oldest first. The remainder goes to its next charges.",
    done="The credit was granted.",
    permission="grant_credit",
    offered=lambda account: True,
    perform=_grant_credit,
    form=AmountForm,
)
PAYMENT = Action(
    name="payment",
    label="Record an offline payment",
    explanation="For money received offline, by transfer or check. It pays the account's unpaid charges, oldest first. "
    "The remainder goes to its next charges. A payment can't be reversed.",
    done="The payment was recorded.",
    permission="record_offline_payment",
    offered=lambda account: True,
    perform=_record_offline_payment,
    form=OfflinePaymentForm,
)
WRITE_OFF = Action(
    name="write-off",
    label="Write off unpaid charges",
    explanation="The unpaid amounts of these charges are written off: the account doesn't owe them any more, and they "
    "aren't collected. To undo it, reverse the ledger entry.",
    done="The charges were written off.",
    permission="write_off",
    offered=lambda account: account.rebillings.filter(status=Rebilling.Status.UNPAID).exists(),
    perform=_write_off,
    form=WriteOffForm,
)


@admin.register(Account)
class AccountAdmin(ActingAdmin):
    list_display = (
        "name",
        "email",
        "external_reference",
        "status",
        "plan_link",
        "price",
        "rebilling_date",
        "balance_now",
    )
    list_filter = ("status", "inactive_reason", "plan")
    list_select_related = ("plan",)
    search_fields = ("name", "email", "external_reference")
    search_help_text = "A name, an e-mail address, an external reference or an id"
    fields = (
        "id",
        "name",
        "email",
        "status",
        "inactive_reason",
        "balance_now",
        "plan_link",
        "quantity",
        "unit_amount",
        "price",
        "anchor_date",
        "rebilling_date",
        "external_reference",
        "payment_customer",
        "payment_method",
        "metadata",
        "created_at",
    )
    page_actions = (CREDIT, PAYMENT, WRITE_OFF, CLOSE, REOPEN)

    plan_link = link("plan", description="plan")
    unit_amount = money("unit_amount_minor", description="unit price")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return AccountList

    @admin.display(description="price per period")
    def price(self, account: Account) -> str:
        return display(amount_minor=account.charge_minor, currency=account.currency)

    @admin.display(description="owes")
    def balance_now(self, account: Any) -> str:
        # A list reads all balances in one statement; a page reads its own.
        owed = account.balance_minor if hasattr(account, "balance_minor") else balance(account_id=account.id)
        return display(amount_minor=owed, currency=account.currency)

    def page_context(self, row: Account) -> dict[str, Any]:
        return {"tables": tables_of(row)}
