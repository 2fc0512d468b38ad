"""What the gateway's `amount_too_small` leads to. Other declines: `test_dunning.py`, `test_payment_outcomes.py`."""

import datetime
from typing import Any

from django.test import override_settings

from accounts.models import Account
from payments.gateways.port import Declined, Unknown
from payments.payment_requests import pay_invoice
from payments.reversed_money import record_reversed_payment
from rebilling.books import discrepancies
from tests.builders import NOW, TODAY, ScriptedGateway, billed
from tests.support.databases import rolled_back
from tests.support.owing import (
    DECLINED,
    FEB_1,
    answers,
    invoices_of,
    owing,
    owing_two_months,
    received,
    rows,
    state_of,
)
from tests.support.payments import recorded

DAY = datetime.timedelta(days=1)
TOO_SMALL = Declined(code="amount_too_small")
SIGNED: dict[str, Any] = {"reason": "bounced", "author": "t", "today": TODAY, "now": NOW}


@rolled_back
class TestAnAmountThatIsTooSmall:
    def test_by_the_gateways_word_is_carried_forward(self) -> None:
        account = owing(TOO_SMALL, unit_amount_minor=60)
        assert rows(account) == [("PAID", 60, 0)]
        assert state_of(account) == ("ACTIVE", 0, -60)
        assert not account.payments.get().needs_review
        gateway = ScriptedGateway()
        billed(as_of=FEB_1, gateway=gateway)
        assert [request.amount_minor for request in gateway.requests] == [120]
        assert state_of(account) == ("ACTIVE", 0, 0)

    def test_at_a_step_goes_on_with_the_next_invoice(self) -> None:
        account = owing_two_months()
        Account.objects.filter(id=account.id).update(dunning_on=FEB_1 + DAY)
        billed(as_of=FEB_1 + DAY, gateway=ScriptedGateway(TOO_SMALL, DECLINED))
        assert rows(account) == [("PAID", 1999, 0), ("OPEN", 0, 0)]
        assert state_of(account) == ("PAST_DUE", 1999, -1999)
        assert (account.dunning_steps, account.dunning_on) == (1, FEB_1 + 3 * DAY)

    def test_is_no_money_that_brings_an_unpaid_account_back(self) -> None:
        account = owing(unit_amount_minor=60)
        with override_settings(DUNNING_DAYS=[1]):
            billed(as_of=TODAY + DAY, gateway=answers(DECLINED))
            assert state_of(account)[0] == "INACTIVE"
            asked = pay_invoice(invoice_id=invoices_of(account)[0].id, author="t", now=NOW + DAY)
            recorded(TOO_SMALL, asked, day=TODAY + DAY)
        assert rows(account) == [("PAID", 60, 0)]
        assert state_of(account) == ("INACTIVE", 0, -60)

    def test_carries_nothing_where_the_invoice_was_paid_meanwhile(self) -> None:
        account = owing(Unknown(reason="timed out"))
        received(account, 1999, invoice_id=invoices_of(account)[0].id)
        recorded(TOO_SMALL, account.payments.get(cause="invoice"))
        payment = account.payments.get(cause="invoice")
        assert (payment.status, payment.needs_review) == ("DECLINED", False)
        assert rows(account) == [("PAID", 0, 1999)]
        assert (state_of(account), account.payments.count()) == (("ACTIVE", 0, 0), 2)

    def test_carries_no_more_than_was_asked_for(self) -> None:
        """A transfer left little to collect, and was taken back before the gateway found that little too small."""
        account = owing()
        (invoice,) = invoices_of(account)
        with override_settings(MIN_COLLECTED_MINOR={"USD": 1}):
            transfer = received(account, 1969, invoice_id=invoice.id)
            asked = pay_invoice(invoice_id=invoice.id, author="t", now=NOW)
        assert asked.amount_minor == 30
        record_reversed_payment(payment_id=transfer.id, **SIGNED)
        recorded(TOO_SMALL, asked)
        assert rows(account) == [("OPEN", 0, 0)]
        assert state_of(account) == ("PAST_DUE", 1999, 0)
        anew = account.payments.get(status="SUBMITTED")
        assert (anew.amount_minor, anew.cause) == (1999, "request")
        assert discrepancies() == []
