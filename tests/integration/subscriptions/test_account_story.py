"""Where an account stands, in words."""

import datetime
import uuid
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from accounts.account_opening import NewAccount
from accounts.locked_accounts import UnknownAccount
from accounts.models import Account
from invoices.credits import grant_credit, reverse_entry
from invoices.past_due_invoices import mark_past_due
from payments.gateways.port import Declined, Unknown
from payments.payment_outcomes import record_payment_outcomes
from rebilling.models import Run
from subscriptions.account_story import explain_account
from subscriptions.lifecycle import close_account
from subscriptions.sign_up import sign_up
from tests.builders import NOW, TODAY, QueueInHand, a_plan, an_account, at, billed, swept
from tests.support.databases import rolled_back
from tests.support.owing import DECLINED, HARD, answers, invoices_of, owing, owing_two_months
from tests.support.refunds import paid

pytestmark = rolled_back

SAID: dict[str, Any] = {"reason": "outage", "author": "staff:anna", "today": TODAY, "now": NOW}
FUNDS = Declined(code="insufficient_funds")
NEXT = "The next billing day is 1 Feb 2026."
OWES = "19.99 USD of 1 open invoice is outstanding."


def day(number: int) -> datetime.date:
    return TODAY + datetime.timedelta(days=number)


def story_of(account: Account, *, today: datetime.date = TODAY) -> list[str]:
    return explain_account(account.id, today=today)


def number_of(account: Account) -> str:
    return invoices_of(account)[0].number


class TestStatus:
    def test_pending_and_active(self) -> None:
        account = an_account()
        assert story_of(account) == ["PENDING since 1 Jan 2026: opened.", "The next billing day is 1 Jan 2026."]
        assert story_of(paid().account) == ["ACTIVE since 1 Jan 2026: its first invoice was paid.", NEXT]

    def test_of_a_sign_up_that_must_be_paid_says_what_a_decline_does(self) -> None:
        account = an_account(on_decline="close")
        assert story_of(account) == [
            "PENDING since 1 Jan 2026: opened.",
            "Its sign-up must be paid: declined, what it owes is credited and the account is closed.",
            "The next billing day is 1 Jan 2026.",
        ]
        billed(as_of=TODAY, gateway=answers(FUNDS))
        assert story_of(account) == [
            "INACTIVE (closed) since 1 Jan 2026: The sign-up was not paid: declined (insufficient_funds).",
            "It isn't billed until it is reopened.",
        ]

    def test_of_a_sign_up_that_waits_for_its_customer_says_until_when(self) -> None:
        new = NewAccount(name="Ada", email="ada@example.com", plan=a_plan().code)
        account = sign_up(new=new, author="test", today=TODAY, now=NOW).account
        waits = Unknown("waits", client_secret="pi_1_secret")
        record_payment_outcomes(outcomes={account.payments.get().id: waits}, today=TODAY, now=NOW)
        assert story_of(account) == [
            "PENDING since 1 Jan 2026: opened.",
            OWES,
            "A payment is at the gateway, and its outcome isn't known yet.",
            "The customer has until 06:00 on 2 Jan 2026 to authenticate the payment with their bank; then it is "
            "declined.",
            NEXT,
        ]

    def test_past_due_names_the_invoice_its_decline_and_the_next_step(self) -> None:
        account = owing(FUNDS)
        billed(as_of=day(1), gateway=answers(FUNDS))
        assert story_of(account) == [
            f"PAST_DUE since 1 Jan 2026: invoice {number_of(account)} of 19.99 USD was declined (insufficient_funds).",
            OWES,
            "Next step 2 of 4 of dunning on 4 Jan 2026; INACTIVE after the last.",
            NEXT,
        ]

    def test_past_due_while_the_step_is_at_the_gateway(self) -> None:
        account = owing(FUNDS)
        billed(as_of=day(1), gateway=answers(Unknown(reason="timed out")))
        assert story_of(account)[2:] == ["A payment is at the gateway, and its outcome isn't known yet.", NEXT]

    def test_past_due_as_nobody_paid_what_was_sent(self) -> None:
        account = an_account(collection_method="send_invoice", net_days=10)
        billed(as_of=TODAY)
        mark_past_due(today=day(11), now=at(day(11)))
        assert story_of(account, today=day(11)) == [
            f"PAST_DUE since 12 Jan 2026: invoice {number_of(account)} of 19.99 USD was due on 11 Jan 2026.",
            OWES,
            "Unpaid until then, the account becomes INACTIVE on 12 Mar 2026.",
            NEXT,
        ]

    def test_a_method_that_was_declined_for_good(self) -> None:
        assert "The payment method was declined for good and isn't used any more. Another one is tried at once." in (
            story_of(owing(HARD))
        )

    def test_inactive_since_the_schedule_is_over(self) -> None:
        account = owing(FUNDS)
        for number in range(1, 8):
            billed(as_of=day(number), gateway=answers(FUNDS))
        assert story_of(account) == [
            "INACTIVE (unpaid) since 8 Jan 2026: the dunning schedule is over.",
            OWES,
            "No step of dunning is left: nothing collects what was declined by itself.",
            "It isn't billed until it has paid what is outstanding, or is reopened.",
        ]

    def test_inactive_as_a_person_closed_it(self) -> None:
        account = paid().account
        grant_credit(account_id=account.id, amount_minor=500, **SAID)
        close_account(account_id=account.id, **SAID | {"reason": "They moved away."})
        assert story_of(account) == [
            "INACTIVE (closed) since 1 Jan 2026: They moved away.",
            "It has 5.00 USD of credit, which can be paid out with a refund.",
            "It isn't billed until it is reopened.",
        ]


class TestBalance:
    def test_of_credit_and_of_debt(self) -> None:
        account = paid().account
        credit = grant_credit(account_id=account.id, amount_minor=2500, **SAID)
        assert story_of(account)[1:] == ["It has 25.00 USD of credit, which the next invoice uses.", NEXT]
        billed(as_of=datetime.date(2026, 2, 1))
        reverse_entry(entry_id=credit.id, **SAID)
        assert "It owes 19.99 USD from before, which the next invoice brings forward." in story_of(account)


class TestWaitingPeriods:
    def test_parked(self) -> None:
        start = day(-40)
        account = an_account(plan=a_plan(interval_unit="day"), anchor_date=start, rebilling_date=start)
        billed(as_of=TODAY)
        assert (
            "The billing period 22 Nov 2025 is PARKED (too_many_periods): not charged until a person decides."
        ) in story_of(account)

    @override_settings(VOLUME_CHECK_FIRST_PERIODS=1)
    def test_in_a_run_that_is_held(self) -> None:
        accounts = [an_account(), an_account()]
        assert swept(as_of=TODAY, queue=QueueInHand()).status == Run.Status.HELD
        assert story_of(accounts[0])[1:] == [
            "The billing period 1 Jan to 31 Jan 2026 is in the run of 1 Jan 2026, which is HELD: not charged until a "
            "person releases it.",
            "The next billing day is 1 Jan 2026.",
        ]


class TestStatements:
    def test_are_as_many_for_many_rows(self) -> None:
        def statements(account: Account) -> int:
            with CaptureQueriesContext(connection) as found:
                explain_account(account.id, today=TODAY)
            return len(found)

        assert statements(owing(DECLINED)) == statements(owing_two_months()) == 6

    def test_of_an_unknown_account_are_refused(self) -> None:
        with pytest.raises(UnknownAccount):
            explain_account(uuid.uuid4(), today=TODAY)
