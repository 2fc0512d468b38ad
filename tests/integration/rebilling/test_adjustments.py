"""Credits and reversals by people."""

import datetime
import uuid

import pytest

from accounts.reasons import ReasonMissing
from ledger.balances import balance
from ledger.models import Entry
from payments.gateways.port import Declined, Unknown
from rebilling.adjustments import (
    AlreadyPosted,
    AlreadyReversed,
    UnableToCredit,
    UnableToReverse,
    UnknownEntry,
    grant_credit,
    reverse_entry,
)
from rebilling.models import Rebilling
from tests.builders import NOW, TODAY, ScriptedGateway, an_account, billed
from tests.support.databases import rolled_back

FEB_1 = datetime.date(2026, 2, 1)


def reversed_(entry: Entry) -> Entry:
    return reverse_entry(entry_id=entry.id, reason="by mistake", author="staff:anna", today=TODAY, now=NOW)


def state() -> tuple[str, int, int]:
    rebilling = Rebilling.objects.get()
    return rebilling.status, rebilling.credit_minor, rebilling.paid_minor


@rolled_back
class TestGrantCredit:
    def test_writes_an_entry_with_its_reason_and_author(self) -> None:
        account = an_account()
        entry = grant_credit(
            account_id=account.id, amount_minor=500, reason=" sorry ", author="staff:anna", today=TODAY, now=NOW
        )
        assert (entry.type, entry.debit, entry.credit, entry.amount_minor) == ("credit", "credits", "receivable", 500)
        assert (entry.description, entry.created_by, entry.effective_on) == ("sorry", "staff:anna", TODAY)
        assert balance(account_id=account.id) == -500

    @pytest.mark.parametrize("amount", [0, -1, 2**63])
    def test_refuses_an_invalid_amount(self, amount: int) -> None:
        account = an_account()
        with pytest.raises(UnableToCredit) as refusal:
            grant_credit(account_id=account.id, amount_minor=amount, reason="r", author="t", today=TODAY, now=NOW)
        assert set(refusal.value.errors) == {"amount_minor"}
        assert Entry.objects.count() == 0

    def test_refuses_without_a_reason(self) -> None:
        account = an_account()
        with pytest.raises(ReasonMissing):
            grant_credit(account_id=account.id, amount_minor=1, reason=" ", author="t", today=TODAY, now=NOW)
        assert Entry.objects.count() == 0

    def test_with_the_same_key_credits_once(self) -> None:
        account = an_account()
        for _ in range(2):
            try:
                grant_credit(
                    account_id=account.id,
                    amount_minor=5,
                    reason="r",
                    author="t",
                    today=TODAY,
                    now=NOW,
                    idempotency_key="form-1",
                )
            except AlreadyPosted:
                break
        else:
            pytest.fail("the second credit under one key was not refused")
        assert balance(account_id=account.id) == -5


@rolled_back
class TestReverseEntry:
    def test_of_a_paid_charge_voids_it_and_leaves_the_money_as_credit(self) -> None:
        account = an_account()
        billed(as_of=TODAY)
        charge = Entry.objects.get(type="charge")
        reversal = reversed_(charge)
        assert (reversal.debit, reversal.credit, reversal.amount_minor) == ("revenue", "receivable", 1999)
        assert (reversal.reverses_id, reversal.created_by) == (charge.id, "staff:anna")
        assert (state()[0], balance(account_id=account.id)) == ("VOIDED", -1999)
        billed(as_of=FEB_1)
        february = Rebilling.objects.get(period_start=FEB_1)
        assert (february.status, february.credit_minor) == ("PAID", 1999)
        assert balance(account_id=account.id) == 0

    def test_of_an_unpaid_charge_leaves_nothing_owed_and_the_account_active(self) -> None:
        account = an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(Declined(code="card_declined")))
        reversed_(Entry.objects.get(type="charge"))
        account.refresh_from_db()
        assert state() == ("VOIDED", 0, 0)
        assert (account.status, balance(account_id=account.id)) == ("ACTIVE", 0)

    def test_of_a_reversal_makes_the_charge_owed_or_paid_again(self) -> None:
        account = an_account()
        billed(as_of=TODAY)
        reversal = reversed_(Entry.objects.get(type="charge"))
        again = reversed_(reversal)
        assert (state(), balance(account_id=account.id)) == (("PAID", 0, 1999), 0)
        reversed_(again)
        assert (state()[0], balance(account_id=account.id)) == ("VOIDED", -1999)

    def test_restores_a_charge_whose_money_went_elsewhere_at_the_newest_ones_cost(self) -> None:
        account = an_account()
        billed(as_of=TODAY)
        reversal = reversed_(Entry.objects.get(type="charge"))
        billed(as_of=FEB_1)
        reversed_(reversal)
        account.refresh_from_db()
        rows = list(Rebilling.objects.order_by("period_start").values_list("status", "credit_minor", "paid_minor"))
        assert rows == [("PAID", 0, 1999), ("UNPAID", 0, 0)]
        assert (account.status, balance(account_id=account.id)) == ("PAST_DUE", 1999)

    def test_refuses_a_second_time(self) -> None:
        account = an_account()
        billed(as_of=TODAY)
        charge = Entry.objects.get(type="charge")
        reversed_(charge)
        with pytest.raises(AlreadyReversed):
            reversed_(charge)
        assert (Entry.objects.count(), balance(account_id=account.id)) == (3, -1999)

    def test_refuses_a_payment(self) -> None:
        account = an_account()
        billed(as_of=TODAY)
        with pytest.raises(UnableToReverse):
            reversed_(Entry.objects.get(type="payment"))
        assert (Entry.objects.count(), balance(account_id=account.id)) == (2, 0)

    def test_refuses_a_charge_whose_payment_is_in_flight(self) -> None:
        an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(Unknown(reason="timed out")))
        with pytest.raises(UnableToReverse):
            reversed_(Entry.objects.get(type="charge"))
        assert (Entry.objects.count(), state()[0]) == (1, "CHARGED")

    def test_refuses_an_unknown_entry(self) -> None:
        with pytest.raises(UnknownEntry):
            reverse_entry(entry_id=uuid.uuid4(), reason="r", author="t", today=TODAY, now=NOW)
