"""Ids that a client makes: a credit or a credit note that is requested twice happens once."""

import uuid
from typing import Any

import pytest

from accounts.ids import new_id
from invoices.credit_notes import AlreadyIssued, issue_credit_note
from invoices.credits import AlreadyCredited, grant_credit
from invoices.models import CreditNote
from tests.builders import NOW, TODAY, an_account
from tests.support.databases import rolled_back
from tests.support.owing import invoices_of, owing, rows, state_of
from tests.support.refunds import entries_of

pytestmark = rolled_back

SAID: dict[str, Any] = {"reason": "outage", "author": "staff:anna", "today": TODAY, "now": NOW}


class TestGrantCredit:
    def test_is_the_entry_of_its_id(self) -> None:
        account, entry_id = an_account(), new_id()
        assert grant_credit(account_id=account.id, amount_minor=500, entry_id=entry_id, **SAID).id == entry_id

    def test_refuses_an_id_that_was_used_whatever_else_is_asked_for(self) -> None:
        account, other, entry_id = an_account(), an_account(), new_id()
        grant_credit(account_id=account.id, amount_minor=500, entry_id=entry_id, **SAID)
        for given, amount_minor in ((account, 500), (account, 700), (other, 500)):
            with pytest.raises(AlreadyCredited, match="This credit was granted before"):
                grant_credit(account_id=given.id, amount_minor=amount_minor, entry_id=entry_id, **SAID)
        assert entries_of(account) == [("credit", 500)]
        assert (state_of(account), state_of(other)) == (("PENDING", 0, 500), ("PENDING", 0, 0))

    def test_credits_anew_without_an_id(self) -> None:
        account = an_account()
        for _ in range(2):
            grant_credit(account_id=account.id, amount_minor=500, **SAID)
        assert state_of(account) == ("PENDING", 0, 1000)


class TestIssueCreditNote:
    def test_refuses_an_id_that_was_used_also_when_nothing_is_left(self) -> None:
        account, credit_note_id = owing(), new_id()
        (invoice,) = invoices_of(account)
        note = issue_credit_note(invoice_id=invoice.id, credit_note_id=credit_note_id, **SAID)
        assert (note.id, note.amount_minor) == (credit_note_id, 1999)
        with pytest.raises(AlreadyIssued, match="This credit note was issued before"):
            issue_credit_note(invoice_id=invoice.id, credit_note_id=credit_note_id, **SAID)
        assert (rows(account), CreditNote.objects.count()) == ([("VOID", 0, 0)], 1)

    def test_issues_anew_without_an_id(self) -> None:
        account = owing()
        (invoice,) = invoices_of(account)
        ids: set[uuid.UUID] = {issue_credit_note(invoice_id=invoice.id, amount_minor=500, **SAID).id for _ in range(2)}
        assert (len(ids), state_of(account)[1]) == (2, 999)
