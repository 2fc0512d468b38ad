"""Accounts whose terms are changed in January, and what is billed for that."""

import datetime
from typing import Any

from accounts.models import Account
from invoices.models import Invoice
from payments.models import Payment
from subscriptions.agreed_terms import TermsChanges
from subscriptions.terms_changes import TermsChange, change_terms
from tests.builders import TODAY, a_plan, an_account, at, billed
from tests.support.payments import collected

JAN_16, JAN_21 = datetime.date(2026, 1, 16), datetime.date(2026, 1, 21)


def billed_account(unit_amount_minor: int = 3100, **terms: Any) -> Account:
    """Paid for January: 31.00 for one unit, a day of which is 1.00."""
    account = an_account(plan=a_plan(unit_amount_minor=unit_amount_minor), **terms)
    billed(as_of=TODAY)
    return account


def changed(
    account: Account, *, on: datetime.date = JAN_16, how: dict[str, Any] | None = None, **to: Any
) -> TermsChange:
    """`to` are the terms' own fields, `how` the rest."""
    signed: dict[str, Any] = {"reason": "more seats", "author": "staff:bo", "today": on, "now": at(on)}
    return change_terms(account_id=account.id, changes=TermsChanges(**to), **signed | (how or {}))


def pay(account: Account, *, on: datetime.date = JAN_16) -> None:
    """Have what was submitted collected."""
    submitted = Payment.objects.filter(account=account, status=Payment.Status.SUBMITTED)
    if ids := list(submitted.values_list("id", flat=True)):
        collected(*ids, day=on)


def lines_of(invoice: Invoice) -> list[tuple[str, str, int]]:
    return [(line.kind, line.description, line.amount_minor) for line in invoice.lines.order_by("position")]
