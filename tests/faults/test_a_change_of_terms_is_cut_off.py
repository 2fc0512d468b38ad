"""A change of terms is cut off at a seam: before its commit nothing is left of it, after it nothing is lost."""

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest

from accounts.models import Account
from payments.models import Payment
from rebilling.books import discrepancies
from rebilling.models import Proration
from subscriptions.agreed_terms import TermsChanges
from subscriptions.terms_changes import change_terms
from tests.builders import TODAY, QueueInHand, a_plan, an_account, at, billed, delivered, sent_again
from tests.support.databases import committed
from tests.support.unchanged import nothing_moves

JAN_16 = datetime.date(2026, 1, 16)

UP = [
    "accounts.terms.Terms.objects.bulk_create",
    "invoices.issuance.post",
    "subscriptions.immediate_invoices.submit_first_attempts",
    "subscriptions.prorations.Proration.save",
    "subscriptions.terms_changes.save_accounts",
]
DOWN = [
    "subscriptions.prorations.Proration.save",
    "invoices.credit_notes.CreditNote.objects.bulk_create",
    "invoices.credit_notes.post",
    "invoices.credit_notes.save_invoices",
    "subscriptions.prorations.refresh_accounts",
]
ANEW = ["subscriptions.terms_changes.cut_off", "subscriptions.terms_changes.save_accounts"]

pytestmark = committed


class Killed(BaseException):
    """Nothing catches it, as nothing survives a kill."""


@contextmanager
def killed_at(seam: str) -> Iterator[None]:
    with mock.patch(seam, side_effect=Killed), pytest.raises(Killed):
        yield


@pytest.fixture
def account() -> Account:
    made = an_account(plan=a_plan(unit_amount_minor=3100))
    billed(as_of=TODAY)
    return made


def change(account: Account, **to: Any) -> None:
    signed: dict[str, Any] = {"reason": "grew", "author": "ann", "today": JAN_16, "now": at(JAN_16)}
    change_terms(account_id=account.id, changes=TermsChanges(**to), **signed)


@pytest.mark.parametrize(
    ("to", "seam"),
    [
        *(({"quantity": 2}, seam) for seam in UP),
        *(({"unit_amount_minor": 0}, seam) for seam in DOWN),
        *(({"anchor_date": JAN_16}, seam) for seam in ANEW),
    ],
)
def test_before_its_commit_it_leaves_nothing_and_can_be_made_again(
    account: Account, to: dict[str, Any], seam: str
) -> None:
    with nothing_moves(), killed_at(seam):
        change(account, **to)
    change(account, **to)
    assert Proration.objects.count() == 1
    assert discrepancies() == []


def test_after_its_commit_the_hourly_check_sends_its_payment(account: Account) -> None:
    with killed_at("payments.messages.dispatch.configured_queue"):
        change(account, quantity=2)
    payment = Payment.objects.get(account=account, status="SUBMITTED")
    queue, later = QueueInHand(), at(JAN_16) + datetime.timedelta(hours=2)
    sent_again(queue=queue, now=later)
    assert queue.payments == [payment.id]
    assert delivered(bodies=queue.take(), today=JAN_16, now=later) == []
    payment.refresh_from_db()
    assert payment.status == "SUCCEEDED"
    assert discrepancies() == []
