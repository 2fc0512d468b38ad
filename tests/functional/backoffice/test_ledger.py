"""The staff's actions on ledger entries: reverse a credit or a write-off."""

import datetime
from typing import Any

import pytest
from django.test import Client

from invoices.credits import grant_credit, reverse_entry
from invoices.write_offs import write_off_invoice
from ledger.models import Entry
from payments.gateways.port import Declined
from tests.builders import NOW, TODAY, ScriptedGateway, billed
from tests.functional.backoffice.action_requests import logged, messages_of, path_of, performed, state
from tests.functional.backoffice.conftest import Billed, Owing
from tests.support.databases import rolled_back
from tests.support.owing import rows, state_of

pytestmark = rolled_back

SAID: dict[str, Any] = {"reason": "wrong account", "author": "staff:anna", "today": TODAY, "now": NOW}


@pytest.fixture
def credit(billed_account: Billed) -> Entry:
    return grant_credit(account_id=billed_account.account.id, amount_minor=500, **SAID)


class TestReverse:
    def test_of_a_credit(self, operator: Client, billed_account: Billed, credit: Entry) -> None:
        assert ">Reverse</a>" in operator.get(path_of(credit, "change")).content.decode()

        assert messages_of(operator, path_of(credit, "reverse"), {"reason": "wrong account"}) == [
            "The entry was reversed."
        ]

        reversal = Entry.objects.get(reverses=credit)
        assert (reversal.amount_minor, reversal.description, reversal.created_by) == (
            500,
            "wrong account",
            "staff:olga",
        )
        assert state_of(billed_account.account) == ("ACTIVE", 0, 0)
        assert logged() == [("olga", str(credit.id), "Reverse: wrong account")]
        content = operator.get(path_of(credit, "change")).content.decode()
        assert path_of(reversal, "change") in content
        assert path_of(credit, "reverse") not in content
        assert path_of(reversal, "reverse") not in operator.get(path_of(reversal, "change")).content.decode()

    def test_of_credit_that_was_used_makes_the_balance_negative(self, operator: Client, owing: Owing) -> None:
        credit = grant_credit(account_id=owing.account.id, amount_minor=2000, **SAID)
        assert rows(owing.account) == [("PAID", 1999, 0), ("OPEN", 1, 0)]
        operator.post(path_of(credit, "reverse"), {"reason": "wrong account"})
        assert rows(owing.account) == [("PAID", 1999, 0), ("OPEN", 1, 0)]
        assert state_of(owing.account) == ("PAST_DUE", 1998, -2000)
        assert "-20.00 USD" in operator.get(path_of(owing.account, "change")).content.decode()

    def test_of_a_write_off_opens_its_invoice_again(self, operator: Client, owing: Owing) -> None:
        entry = write_off_invoice(invoice_id=owing.january.id, **SAID)
        content = operator.get(path_of(entry, "change")).content.decode()
        assert path_of(owing.january, "change") in content
        assert messages_of(operator, path_of(entry, "reverse"), {"reason": "they paid"}) == ["The entry was reversed."]
        assert rows(owing.account) == [("OPEN", 0, 0), ("OPEN", 0, 0)]
        assert state_of(owing.account) == ("PAST_DUE", 3998, 0)

    def test_is_not_offered_for_what_was_given_up_on_closing(self, operator: Client, billed_account: Billed) -> None:
        """The account owes 0.30, which is too small to collect."""
        account = billed_account.account
        credit = grant_credit(account_id=account.id, amount_minor=199_870, **SAID)
        billed(as_of=datetime.date(2026, 2, 1), gateway=ScriptedGateway(Declined(code="amount_too_small")))
        reverse_entry(entry_id=credit.id, **SAID)
        grant_credit(account_id=account.id, amount_minor=199_870, **SAID)
        performed(operator, path_of(account, "close"), {"reason": "moved away", "when": "now"})
        entry = Entry.objects.get(type="write_off")
        assert (entry.amount_minor, entry.invoice_id) == (30, None)
        assert path_of(entry, "reverse") not in operator.get(path_of(entry, "change")).content.decode()

    def test_twice_is_refused(self, operator: Client, credit: Entry) -> None:
        operator.post(path_of(credit, "reverse"), {"reason": "wrong account"})
        before = state()

        assert messages_of(operator, path_of(credit, "reverse"), {"reason": "again"}) == [
            f"The entry {credit.id} was reversed before."
        ]
        assert state() == before

    def test_of_a_reversal_a_charge_or_a_payment_is_refused(
        self, operator: Client, billed_account: Billed, credit: Entry
    ) -> None:
        operator.post(path_of(credit, "reverse"), {"reason": "wrong account"})
        before = state()
        for entry, noun in (
            (billed_account.charge, "charge"),
            (billed_account.payment_entry, "payment"),
            (Entry.objects.get(reverses=credit), "reversal"),
        ):
            assert path_of(entry, "reverse") not in operator.get(path_of(entry, "change")).content.decode()
            assert messages_of(operator, path_of(entry, "reverse"), {"reason": "no"}) == [
                f"A {noun} is not reversed: only a credit or a write-off is. Correct an invoice with a credit note, "
                "and money with a refund or a payment."
            ]
        assert state() == before
