"""Write-offs, and their reversal."""

import datetime
import uuid
from typing import Any

import pytest

from accounts.locks import UnknownAccount
from accounts.models import Account
from accounts.reasons import ReasonMissing
from ledger.balances import balance, book_totals
from ledger.models import Entry
from payments.gateways.port import Unknown
from payments.models import Payment
from rebilling.adjustments import AlreadyReversed, UnableToReverse, grant_credit, reverse_entry
from rebilling.credit_allocation import free_credit
from rebilling.models import Rebilling, Run, SkipReason
from rebilling.reconciliation.summary import reconciliation_of
from rebilling.skip_and_park import skip
from rebilling.write_offs import NothingUnpaid, UnableToWriteOff, UnknownCharge, write_off
from subscriptions.lifecycle import close_account
from tests.builders import NOW, TODAY, ScriptedGateway, an_account, at, billed
from tests.support.databases import rolled_back
from tests.support.owing import DECLINED, FEB_1, MAR_1, owing_two_months, received, rows


def written_off(account: Account, *charge_ids: uuid.UUID, reason: str = "insolvent") -> list[Entry]:
    return write_off(
        account_id=account.id,
        charge_ids=charge_ids or None,
        reason=reason,
        author="staff:anna",
        today=FEB_1,
        now=at(FEB_1),
    )


def credited(account: Account, amount_minor: int) -> Entry:
    return grant_credit(
        account_id=account.id, amount_minor=amount_minor, reason="sorry", author="t", today=FEB_1, now=at(FEB_1)
    )


def reversed_(entry: Entry) -> Entry:
    return reverse_entry(entry_id=entry.id, reason="by mistake", author="staff:bo", today=FEB_1, now=at(FEB_1))


def charges(account: Account) -> list[uuid.UUID]:
    found = account.rebillings.order_by("period_start").values_list("charge_id", flat=True)
    return [charge for charge in found if charge]


def retried(account: Account, charge_id: uuid.UUID) -> Payment:
    """A further attempt to collect an unpaid charge, in flight."""
    return Payment.objects.create(
        account=account,
        charge_id=charge_id,
        amount_minor=1999,
        currency="USD",
        status=Payment.Status.SUBMITTED,
        gateway="scripted",
        submitted_at=NOW,
    )


def status_and_balances(account: Account) -> tuple[str, int, int]:
    """Its status, what it owes, and its free credit."""
    account.refresh_from_db()
    return account.status, balance(account_id=account.id), free_credit(account_ids=[account.id])[account.id]


def everything() -> list[Any]:
    return [list(model._default_manager.order_by("id").values()) for model in (Account, Entry, Payment, Rebilling)]


@rolled_back
@pytest.mark.usefixtures("retries_far_ahead")
class TestWriteOff:
    def test_writes_off_every_unpaid_charge(self) -> None:
        account = owing_two_months()
        account.rebillings.update(retry_on=MAR_1)
        entries = written_off(account, reason=" insolvent ")
        january, february = charges(account)
        assert [(entry.type, entry.debit, entry.credit, entry.amount_minor) for entry in entries] == [
            ("write_off", "bad_debt", "receivable", 1999)
        ] * 2
        assert [(entry.period_start, entry.period_end) for entry in entries] == [(TODAY, FEB_1), (FEB_1, MAR_1)]
        assert [entry.idempotency_key for entry in entries] == [f"write_off:{january}:1", f"write_off:{february}:1"]
        assert {(entry.description, entry.created_by, entry.effective_on) for entry in entries} == {
            ("insolvent", "staff:anna", FEB_1)
        }
        assert list(account.rebillings.values_list("status", "retry_on")) == [("WRITTEN_OFF", None)] * 2
        assert status_and_balances(account) == ("ACTIVE", 0, 0)
        change = account.status_changes.latest("id")
        assert (change.from_status, change.to_status, change.author) == ("PAST_DUE", "ACTIVE", "staff:anna")
        assert book_totals()["USD"] == {
            "receivable": 0, "revenue": -3998, "cash": 0, "credits": 0, "bad_debt": 3998,
        }  # fmt: skip

    def test_of_one_charge_leaves_the_others_unpaid(self) -> None:
        account = owing_two_months()
        (entry,) = written_off(account, charges(account)[1])
        assert entry.period_start == FEB_1
        assert rows(account) == [("UNPAID", 0, 0), ("WRITTEN_OFF", 0, 0)]
        assert status_and_balances(account) == ("PAST_DUE", 1999, 0)

    def test_writes_off_only_what_credit_has_not_paid(self) -> None:
        account = owing_two_months()
        credited(account, 700)
        received(account, 1500)
        assert rows(account) == [("PAID", 1999, 0), ("UNPAID", 201, 0)]
        assert [entry.amount_minor for entry in written_off(account)] == [1798]
        assert rows(account) == [("PAID", 1999, 0), ("WRITTEN_OFF", 201, 0)]
        assert status_and_balances(account) == ("ACTIVE", 0, 0)

    def test_writes_off_only_what_its_own_payments_have_not_paid(self) -> None:
        """Charged when there was credit, which is then reversed: the payment took the rest alone."""
        account = an_account()
        credit = credited(account, 1200)
        billed(as_of=TODAY)
        reversed_(credit)
        assert rows(account) == [("UNPAID", 0, 799)]
        assert [entry.amount_minor for entry in written_off(account)] == [1200]
        assert rows(account) == [("WRITTEN_OFF", 0, 799)]
        assert status_and_balances(account) == ("ACTIVE", 0, 0)

    def test_leaves_a_charge_alone_whose_outcome_is_not_known(self) -> None:
        account = an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(DECLINED))
        billed(as_of=FEB_1, gateway=ScriptedGateway(Unknown(reason="timed out")))
        assert [entry.period_start for entry in written_off(account)] == [TODAY]
        assert rows(account) == [("WRITTEN_OFF", 0, 0), ("CHARGED", 0, 0)]
        assert status_and_balances(account) == ("ACTIVE", 1999, 0)

    def test_of_an_inactive_account_leaves_it_so(self) -> None:
        account = owing_two_months()
        close_account(account_id=account.id, reason="left", author="t", now=at(FEB_1))
        assert len(written_off(account)) == 2
        assert status_and_balances(account) == ("INACTIVE", 0, 0)

    def test_lets_the_account_be_charged_on(self) -> None:
        account = owing_two_months()
        written_off(account)
        billed(as_of=MAR_1)
        assert rows(account)[2] == ("PAID", 0, 1999)
        assert status_and_balances(account) == ("ACTIVE", 0, 0)

    def test_keeps_the_run_explained(self) -> None:
        account = owing_two_months()
        written_off(account)
        for run in Run.objects.all():
            found = reconciliation_of(run=run, now=at(FEB_1))
            assert (found.clean, found.charged.periods, found.due.periods) == (True, 1, 1)

    def test_makes_money_that_still_comes_credit_for_the_next_charge(self) -> None:
        account = owing_two_months()
        written_off(account)
        received(account, 1999)
        assert rows(account) == [("WRITTEN_OFF", 0, 0)] * 2
        assert status_and_balances(account) == ("ACTIVE", -1999, 1999)
        gateway = ScriptedGateway()
        billed(as_of=MAR_1, gateway=gateway)
        assert (gateway.requests, rows(account)[2]) == ([], ("PAID", 1999, 0))
        assert status_and_balances(account) == ("ACTIVE", 0, 0)

    @pytest.mark.parametrize("paid", [True, False])
    def test_refuses_where_nothing_is_unpaid(self, paid: bool) -> None:
        account = an_account()
        if paid:
            billed(as_of=TODAY)
        before = everything()
        with pytest.raises(NothingUnpaid):
            written_off(account)
        assert everything() == before

    def test_refuses_a_second_time(self) -> None:
        account = owing_two_months()
        written_off(account)
        before = everything()
        for chosen in ([], charges(account)[:1]):
            with pytest.raises(NothingUnpaid):
                written_off(account, *chosen)
        assert everything() == before

    def test_refuses_all_when_one_that_is_named_is_paid(self) -> None:
        account = owing_two_months()
        received(account, 1999)
        before = everything()
        with pytest.raises(NothingUnpaid, match=f"{charges(account)[0]} is PAID"):
            written_off(account, *charges(account))
        assert everything() == before

    @pytest.mark.parametrize("which", ["nobody's", "another account's", "a payment's"])
    def test_refuses_an_unknown_charge(self, which: str) -> None:
        other = an_account()
        billed(as_of=TODAY)
        account = owing_two_months()
        payment = Entry.objects.get(account=other, type="payment", effective_on=TODAY)
        named = {"nobody's": uuid.uuid4(), "another account's": charges(other)[0], "a payment's": payment.id}[which]
        before = everything()
        with pytest.raises(UnknownCharge) as refusal:
            written_off(account, charges(account)[0], named)
        assert refusal.value.errors == {"charge": f"The account has no charge {named}."}
        assert everything() == before

    @pytest.mark.parametrize("status", ["SUBMITTED", "UNKNOWN"])
    def test_refuses_all_while_a_payment_of_one_is_in_flight(self, status: str) -> None:
        account = owing_two_months()
        january, february = charges(account)
        payment = retried(account, february)
        Payment.objects.filter(id=payment.id).update(status=status)
        before = everything()
        for chosen in ([], [february]):
            with pytest.raises(UnableToWriteOff):
                written_off(account, *chosen)
        assert everything() == before
        written_off(account, january)
        assert rows(account) == [("WRITTEN_OFF", 0, 0), ("UNPAID", 0, 0)]

    def test_refuses_without_a_reason(self) -> None:
        account = owing_two_months()
        before = everything()
        with pytest.raises(ReasonMissing):
            written_off(account, reason=" ")
        assert everything() == before

    def test_refuses_an_unknown_account(self) -> None:
        with pytest.raises(UnknownAccount):
            written_off(Account(id=uuid.uuid4()))
        assert Entry.objects.count() == 0


@rolled_back
@pytest.mark.usefixtures("retries_far_ahead")
class TestReverseWriteOff:
    def test_makes_the_charge_owed_again(self) -> None:
        account = owing_two_months()
        entry = written_off(account)[1]
        reversal = reversed_(entry)
        assert (reversal.debit, reversal.credit, reversal.amount_minor) == ("receivable", "bad_debt", 1999)
        assert rows(account) == [("WRITTEN_OFF", 0, 0), ("UNPAID", 0, 0)]
        assert status_and_balances(account) == ("PAST_DUE", 1999, 0)
        received(account, 1999)
        assert rows(account) == [("WRITTEN_OFF", 0, 0), ("PAID", 1999, 0)]
        assert status_and_balances(account) == ("ACTIVE", 0, 0)

    def test_pays_the_charge_when_the_money_has_come_meanwhile(self) -> None:
        account = owing_two_months()
        january, _ = written_off(account)
        received(account, 2500)
        reversed_(january)
        assert rows(account) == [("PAID", 1999, 0), ("WRITTEN_OFF", 0, 0)]
        assert status_and_balances(account) == ("ACTIVE", -501, 501)

    def test_keeps_what_the_charge_was_paid_before(self) -> None:
        account = owing_two_months()
        received(account, 2500)
        (entry,) = written_off(account)
        assert entry.amount_minor == 1498
        reversed_(entry)
        assert rows(account) == [("PAID", 1999, 0), ("UNPAID", 501, 0)]
        assert status_and_balances(account) == ("PAST_DUE", 1498, 0)

    def test_finds_the_period_that_was_charged_among_those_that_were_skipped(self) -> None:
        account = an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(DECLINED))
        (row,) = account.rebillings.all()
        for _ in range(2):
            skipped = Rebilling.objects.create(
                run=row.run,
                account=account,
                period_start=row.period_start - datetime.timedelta(days=31),
                period_end=row.period_end,
                status="DUE",
                quantity=1,
                amount_minor=1999,
                currency="USD",
                due_since=NOW,
            )
            skip(rebillings=[skipped], reason=SkipReason.ACCOUNT_INACTIVE)
            Rebilling.objects.filter(id=skipped.id).update(period_start=row.period_start)
        (entry,) = written_off(account)
        reversed_(entry)
        assert list(account.rebillings.order_by("id").values_list("status", flat=True)) == [
            "UNPAID",
            "SKIPPED",
            "SKIPPED",
        ]

    def test_refuses_a_second_time(self) -> None:
        account = owing_two_months()
        entry, _ = written_off(account)
        reversed_(entry)
        before = everything()
        with pytest.raises(AlreadyReversed):
            reversed_(entry)
        assert everything() == before

    def test_lets_the_charge_be_written_off_again_under_a_key_of_its_own(self) -> None:
        account = owing_two_months()
        january, _ = charges(account)
        for times in (1, 2, 3):
            (entry,) = written_off(account, january)
            assert entry.idempotency_key == f"write_off:{january}:{times}"
            reversed_(entry)
        assert status_and_balances(account) == ("PAST_DUE", 3998, 0)

    def test_reversed_itself_writes_the_charge_off_again_and_so_on(self) -> None:
        account = owing_two_months()
        (entry,) = written_off(account, charges(account)[0])
        first = reversed_(entry)
        account.rebillings.filter(status="UNPAID").update(retry_on=MAR_1)
        second = reversed_(first)
        assert (second.debit, second.credit, second.amount_minor) == ("bad_debt", "receivable", 1999)
        assert rows(account) == [("WRITTEN_OFF", 0, 0), ("UNPAID", 0, 0)]
        assert account.rebillings.get(status="WRITTEN_OFF").retry_on is None
        assert status_and_balances(account) == ("PAST_DUE", 1999, 0)
        reversed_(second)
        assert rows(account) == [("UNPAID", 0, 0), ("UNPAID", 0, 0)]
        assert status_and_balances(account) == ("PAST_DUE", 3998, 0)

    def test_is_not_reversed_once_the_charge_was_paid(self) -> None:
        account = owing_two_months()
        entry, _ = written_off(account)
        reversal = reversed_(entry)
        received(account, 1999)
        before = everything()
        with pytest.raises(UnableToReverse, match="is PAID, not UNPAID"):
            reversed_(reversal)
        assert everything() == before

    def test_is_not_reversed_once_a_part_of_the_charge_was_paid(self) -> None:
        account = owing_two_months()
        entry, _ = written_off(account)
        reversal = reversed_(entry)
        received(account, 1)
        before = everything()
        with pytest.raises(UnableToReverse, match="has changed since"):
            reversed_(reversal)
        assert everything() == before

    def test_is_not_reversed_once_the_charge_was_written_off_again(self) -> None:
        account = owing_two_months()
        entry, _ = written_off(account)
        reversal = reversed_(entry)
        written_off(account)
        before = everything()
        with pytest.raises(UnableToReverse, match="is WRITTEN_OFF, not UNPAID"):
            reversed_(reversal)
        assert everything() == before

    def test_is_not_reversed_while_a_payment_of_the_charge_is_in_flight(self) -> None:
        account = owing_two_months()
        entry, _ = written_off(account)
        reversal = reversed_(entry)
        retried(account, charges(account)[0])
        before = everything()
        with pytest.raises(UnableToReverse, match="in flight"):
            reversed_(reversal)
        assert everything() == before


@rolled_back
@pytest.mark.usefixtures("retries_far_ahead")
class TestReverseAround:
    """What is reversed beside a write-off that stands."""

    def test_refuses_the_charge_until_its_write_off_is_reversed(self) -> None:
        account = owing_two_months()
        january, _ = charges(account)
        entry, _ = written_off(account)
        before = everything()
        with pytest.raises(UnableToReverse, match="reverse the write-off first"):
            reversed_(Entry.objects.get(id=january))
        assert everything() == before
        reversed_(entry)
        reversed_(Entry.objects.get(id=january))
        assert rows(account) == [("VOIDED", 0, 0), ("WRITTEN_OFF", 0, 0)]
        assert status_and_balances(account) == ("ACTIVE", 0, 0)

    def test_refuses_credit_that_the_charge_has_used_until_its_write_off_is_reversed(self) -> None:
        """The account would owe 700 that no charge asks for."""
        account = owing_two_months()
        credit = credited(account, 700)
        entry, _ = written_off(account)
        assert entry.amount_minor == 1299
        before = everything()
        with pytest.raises(UnableToReverse, match="written off has used this credit"):
            reversed_(credit)
        assert everything() == before
        reversed_(entry)
        reversed_(credit)
        assert rows(account) == [("UNPAID", 0, 0), ("WRITTEN_OFF", 0, 0)]
        assert status_and_balances(account) == ("PAST_DUE", 1999, 0)

    def test_takes_credit_back_from_other_charges_that_have_used_some(self) -> None:
        account = owing_two_months()
        credited(account, 700)
        written_off(account)
        credit = credited(account, 1999)
        billed(as_of=MAR_1)
        assert rows(account) == [("WRITTEN_OFF", 700, 0), ("WRITTEN_OFF", 0, 0), ("PAID", 1999, 0)]
        reversed_(credit)
        assert rows(account) == [("WRITTEN_OFF", 700, 0), ("WRITTEN_OFF", 0, 0), ("UNPAID", 0, 0)]
        assert status_and_balances(account) == ("PAST_DUE", 1999, 0)

    def test_takes_credit_back_later_from_a_charge_whose_payment_is_in_flight(self) -> None:
        account = an_account()
        credit = credited(account, 700)
        billed(as_of=TODAY, gateway=ScriptedGateway(Unknown(reason="timed out")))
        reversed_(credit)
        assert rows(account) == [("CHARGED", 700, 0)]
        assert status_and_balances(account) == ("PENDING", 1999, -700)

    def test_refuses_a_charge_again_while_a_payment_of_it_is_in_flight(self) -> None:
        """The payment is the charge's, and not of the reversal that is reversed."""
        account = owing_two_months()
        january, _ = charges(account)
        restored = reversed_(reversed_(Entry.objects.get(id=january)))
        retried(account, january)
        before = everything()
        with pytest.raises(UnableToReverse, match="in flight"):
            reversed_(restored)
        assert everything() == before
