"""An account that owes, and what it looks like when money comes."""

import datetime
from typing import Any

from django.test import override_settings

from accounts.models import Account
from invoices.models import Invoice
from ledger.balances import balance
from payments.gateways.port import Answer, Declined
from payments.models import Payment, Refund
from payments.offline_payments import record_offline_payment
from tests.builders import NOW, TODAY, ScriptedGateway, an_account, billed

FEB_1 = datetime.date(2026, 2, 1)
MAR_1 = datetime.date(2026, 3, 1)
DECLINED = Declined(code="card_declined")
HARD = Declined(code="stolen_card", hard=True)


def answers(answer: Answer) -> ScriptedGateway:
    """Answers whoever is collected from that day so."""
    return ScriptedGateway(*[answer] * 100)


def owing(answer: Answer = DECLINED, **terms: Any) -> Account:
    """1,999 for January, which the gateway answered so today."""
    account = an_account(**terms)
    billed(as_of=TODAY, gateway=answers(answer))
    return account


def owing_two_months(**terms: Any) -> Account:
    """1,999 for January and 1,999 for February, both declined; the first step of dunning comes in a year."""
    account = an_account(**terms)
    with override_settings(DUNNING_DAYS=[365]):
        for day in (TODAY, FEB_1):
            billed(as_of=day, gateway=answers(DECLINED))
    return account


def received(account: Account, amount_minor: int = 500, **given: Any) -> Payment:
    """Money received offline."""
    said: dict[str, Any] = {"reference": "SEPA 17", "reason": "by transfer", "author": "staff:anna"}
    said |= {"today": TODAY, "now": NOW} | given
    return record_offline_payment(account_id=account.id, amount_minor=amount_minor, **said)


def invoices_of(account: Account) -> list[Invoice]:
    """The account's invoices, the oldest first."""
    return list(Invoice.objects.filter(account=account).order_by("id"))


def rows(account: Account) -> list[tuple[str, int, int]]:
    """The account's invoices, the oldest first: status, what was applied of the credit balance, what was paid."""
    return [(each.status, each.balance_applied_minor, each.paid_minor) for each in invoices_of(account)]


def state_of(account: Account) -> tuple[str, int, int]:
    """The account's status, what its invoices leave outstanding, and its credit balance. Its books are proved."""
    account.refresh_from_db()
    outstanding = sum(invoice.outstanding_minor for invoice in invoices_of(account))
    reserved = Refund.objects.filter(account=account, source="balance", status__in=Refund.IN_FLIGHT)
    credit = account.credit_balance_minor + sum(refund.amount_minor for refund in reserved)
    assert balance(account_id=account.id) == outstanding - credit
    return account.status, outstanding, account.credit_balance_minor
