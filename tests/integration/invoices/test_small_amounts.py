"""A rest that is too small to collect never switches a customer off: it is carried forward."""

import datetime
from typing import Any

import pytest

from accounts.models import Account
from invoices.credit_notes import issue_credit_note
from invoices.write_offs import write_off_invoice
from tests.builders import NOW, TODAY, ScriptedGateway, billed
from tests.support.databases import rolled_back
from tests.support.owing import DECLINED, FEB_1, HARD, answers, invoices_of, owing, received, rows, state_of

pytestmark = rolled_back

SIGNED: dict[str, Any] = {"reason": "r", "author": "t", "today": TODAY, "now": NOW}


def days_pass(account: Account, days: int = 8) -> list[int]:
    """Sweeps of so many days, all declined; what the gateway was asked for, in minor units."""
    gateway = answers(DECLINED)
    for day in range(1, days + 1):
        billed(as_of=TODAY + datetime.timedelta(days=day), gateway=gateway)
    return [request.amount_minor for request in gateway.requests]


class TestARest:
    @pytest.mark.parametrize("decline", [DECLINED, HARD])
    def test_after_a_transfer_is_carried_forward(self, decline: Any) -> None:
        account = owing(decline)
        received(account, 1998, invoice_id=invoices_of(account)[0].id)
        assert rows(account) == [("PAID", 1, 1998)]
        assert state_of(account) == ("ACTIVE", 0, -1)
        assert days_pass(account) == []
        assert state_of(account) == ("ACTIVE", 0, -1)

    def test_after_a_credit_note_is_carried_forward(self) -> None:
        account = owing()
        issue_credit_note(invoice_id=invoices_of(account)[0].id, amount_minor=1970, **SIGNED)
        assert state_of(account) == ("ACTIVE", 0, -29)
        gateway = ScriptedGateway()
        billed(as_of=FEB_1, gateway=gateway)
        assert [request.amount_minor for request in gateway.requests] == [1999 + 29]

    def test_of_an_unpaid_account_lets_it_go_on(self) -> None:
        account = owing()
        days_pass(account)
        assert state_of(account) == ("INACTIVE", 1999, 0)
        day = TODAY + datetime.timedelta(days=9)
        received(account, 1998, invoice_id=invoices_of(account)[0].id, today=day)
        assert state_of(account) == ("ACTIVE", 0, -1)


class TestAWriteOff:
    def test_of_an_unpaid_account_is_undone_by_all_the_money_and_no_less(self) -> None:
        account = owing()
        days_pass(account)
        invoice_id = invoices_of(account)[0].id
        write_off_invoice(invoice_id=invoice_id, **SIGNED)
        day = TODAY + datetime.timedelta(days=9)
        received(account, 1, invoice_id=invoice_id, today=day)
        assert state_of(account)[0] == "INACTIVE"
        received(account, 1998, invoice_id=invoice_id, today=day)
        assert state_of(account) == ("ACTIVE", 0, 0)
