"""Steps of dunning that fail by our own fault: they are tried for some days, and then wait for a person."""

import datetime

import pytest

from accounts.models import Account
from payments.deadlines import awaiting_review
from payments.gateways.port import Declined
from payments.models import Payment
from payments.reviews import mark_resolved
from subscriptions.account_story import WAITS_FOR_REVIEW, explain_account
from subscriptions.invoice_story import explain_invoice
from tests.builders import TODAY, ScriptedGateway, billed
from tests.support.databases import rolled_back
from tests.support.owing import DECLINED, FEB_1, answers, invoices_of, owing, received, state_of

pytestmark = rolled_back

REJECTED = Declined(code="invalid_request")
DAY = datetime.timedelta(days=1)


def day(number: int) -> datetime.date:
    """So many days after the first decline."""
    return TODAY + number * DAY


@pytest.fixture
def account() -> Account:
    """Declined on the first day; on the next three the gateway rejects each step."""
    account = owing()
    for number in (1, 2, 3):
        billed(as_of=day(number), gateway=answers(REJECTED))
    return account


def called_on(*numbers: int, gateway: ScriptedGateway) -> list[int]:
    """On which of the days the gateway is called."""
    found = []
    for number in numbers:
        before = len(gateway.requests)
        billed(as_of=day(number), gateway=gateway)
        found += [number] * (len(gateway.requests) - before)
    return found


def says_so(account: Account, *, on: int) -> list[bool]:
    """Whether the account's page, and its invoice's, say on that day that dunning waits."""
    (invoice,) = invoices_of(account)
    both = (explain_account(account.id, today=day(on)), explain_invoice(invoice.id, today=day(on)))
    return [WAITS_FOR_REVIEW in sentences for sentences in both]


class TestStepsThatFailByOurOwnFault:
    def test_are_tried_on_three_days_and_then_wait_for_a_person(self, account: Account) -> None:
        assert called_on(*range(4, 14), gateway=answers(REJECTED)) == []
        assert Payment.objects.filter(decline_code="invalid_request").count() == awaiting_review() == 3
        assert (state_of(account), account.dunning_steps) == (("PAST_DUE", 1999, 0), 0)
        assert says_so(account, on=13) == [True, True]

    def test_go_on_once_one_is_reviewed_and_keep_their_number(self, account: Account) -> None:
        assert says_so(account, on=3) == [False, False]
        mark_resolved(row=Payment.objects.latest("id"), reason="a wrong customer", author="ann")
        assert says_so(account, on=8) == [False, False]
        assert called_on(*range(9, 21), gateway=answers(DECLINED)) == [9, 11, 13, 15]
        assert (state_of(account)[0], account.dunning_steps) == ("INACTIVE", 4)

    def test_wait_again_after_one_more(self, account: Account) -> None:
        mark_resolved(row=Payment.objects.latest("id"), reason="it was fixed, we thought", author="ann")
        assert called_on(4, 5, 6, 7, gateway=answers(REJECTED)) == [4]
        assert awaiting_review() == 3

    def test_of_an_invoice_that_is_paid_hold_up_no_other(self, account: Account) -> None:
        received(account, 1999, invoice_id=invoices_of(account)[0].id)
        assert state_of(account) == ("ACTIVE", 0, 0)
        billed(as_of=FEB_1, gateway=answers(DECLINED))
        gateway = ScriptedGateway()
        billed(as_of=FEB_1 + DAY, gateway=gateway)
        assert len(gateway.requests) == 1
        assert state_of(account) == ("ACTIVE", 0, 0)
        assert awaiting_review() == 3
