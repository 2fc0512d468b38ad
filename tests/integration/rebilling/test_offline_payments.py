"""Money received offline."""

import uuid

import pytest

from accounts.locks import UnknownAccount
from accounts.models import Account
from accounts.reasons import ReasonMissing
from ledger.balances import balance, book_totals
from ledger.models import Entry
from payments.gateways.port import Unknown
from payments.models import Payment
from rebilling.models import Rebilling
from rebilling.offline_payments import AlreadyRecorded, UnableToRecordPayment
from subscriptions.lifecycle import close_account
from tests.builders import NOW, TODAY, ScriptedGateway, a_plan, an_account, at, billed
from tests.support.databases import rolled_back
from tests.support.owing import DECLINED, FEB_1, MAR_1, owing_two_months, received, rows

MOST = 99_999_999


@rolled_back
@pytest.mark.usefixtures("retries_far_ahead")
class TestRecordOfflinePayment:
    def test_writes_a_payment_and_its_entry(self) -> None:
        account = an_account()
        payment = received(account, 500, reference=" SEPA 17 ", reason=" by transfer ")
        payment.refresh_from_db()
        assert (payment.status, payment.gateway, payment.gateway_reference) == ("SUCCEEDED", "offline", "SEPA 17")
        assert (payment.account_id, payment.charge_id) == (account.id, None)
        assert (payment.amount_minor, payment.currency) == (500, "USD")
        assert (payment.submitted_at, payment.completed_at) == (NOW, NOW)
        entry = Entry.objects.get()
        assert (entry.type, entry.debit, entry.credit, entry.amount_minor) == ("payment", "cash", "receivable", 500)
        assert (entry.payment_id, entry.idempotency_key) == (payment.id, f"payment:{payment.id}")
        assert (entry.description, entry.created_by) == ("by transfer", "staff:anna")
        assert (entry.effective_on, entry.created_at) == (TODAY, NOW)
        assert (entry.period_start, entry.period_end) == (None, None)
        assert balance(account_id=account.id) == -500

    def test_pays_unpaid_charges_the_oldest_first_and_keeps_the_rest_for_the_next(self) -> None:
        account = owing_two_months()
        received(account, 2500)
        assert rows(account) == [("PAID", 1999, 0), ("UNPAID", 501, 0)]
        account.refresh_from_db()
        assert (account.status, balance(account_id=account.id)) == ("PAST_DUE", 1498)
        received(account, 2000)
        assert rows(account) == [("PAID", 1999, 0), ("PAID", 1999, 0)]
        account.refresh_from_db()
        assert (account.status, balance(account_id=account.id)) == ("ACTIVE", -502)
        gateway = ScriptedGateway()
        billed(as_of=MAR_1, gateway=gateway)
        assert [request.amount_minor for request in gateway.requests] == [1497]
        assert rows(account)[2] == ("PAID", 502, 1497)
        assert balance(account_id=account.id) == 0
        assert book_totals()["USD"] == {
            "receivable": 0, "revenue": -5997, "cash": 5997, "credits": 0, "bad_debt": 0,
        }  # fmt: skip

    def test_before_the_first_charge_pays_it_and_makes_the_account_active(self) -> None:
        account = an_account()
        received(account, 1999)
        account.refresh_from_db()
        assert account.status == "PENDING"
        gateway = ScriptedGateway()
        billed(as_of=TODAY, gateway=gateway)
        account.refresh_from_db()
        assert (account.status, rows(account), gateway.requests) == ("ACTIVE", [("PAID", 1999, 0)], [])
        assert balance(account_id=account.id) == 0

    def test_is_taken_of_an_inactive_account_which_stays_so(self) -> None:
        account = owing_two_months()
        close_account(account_id=account.id, reason="left", author="t", now=at(FEB_1))
        received(account, 3998)
        account.refresh_from_db()
        assert (account.status, account.inactive_reason) == ("INACTIVE", "closed")
        assert rows(account) == [("PAID", 1999, 0), ("PAID", 1999, 0)]
        assert balance(account_id=account.id) == 0

    def test_leaves_a_charge_alone_whose_own_payment_is_in_flight(self) -> None:
        account = an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(Unknown(reason="timed out")))
        received(account, 1999)
        assert rows(account) == [("CHARGED", 0, 0)]
        assert balance(account_id=account.id) == 0

    def test_stops_the_retries_of_what_it_pays(self) -> None:
        account = owing_two_months()
        account.rebillings.update(retry_on=MAR_1)
        received(account, 1999)
        assert list(account.rebillings.order_by("period_start").values_list("status", "retry_on")) == [
            ("PAID", None),
            ("UNPAID", MAR_1),
        ]

    @pytest.mark.parametrize("amount", [0, -1, MOST + 1])
    def test_refuses_an_invalid_amount(self, amount: int) -> None:
        account = an_account()
        with pytest.raises(UnableToRecordPayment) as refusal:
            received(account, amount)
        assert set(refusal.value.errors) == {"amount_minor"}
        assert (Entry.objects.count(), Payment.objects.count()) == (0, 0)

    @pytest.mark.parametrize("reference", ["", "  ", "x" * 201])
    def test_refuses_an_invalid_reference(self, reference: str) -> None:
        account = an_account()
        with pytest.raises(UnableToRecordPayment) as refusal:
            received(account, 500, reference=reference)
        assert set(refusal.value.errors) == {"reference"}
        assert (Entry.objects.count(), Payment.objects.count()) == (0, 0)

    def test_refuses_without_a_reason(self) -> None:
        account = an_account()
        with pytest.raises(ReasonMissing):
            received(account, reason=" ")
        assert (Entry.objects.count(), Payment.objects.count()) == (0, 0)

    def test_refuses_an_unknown_account(self) -> None:
        with pytest.raises(UnknownAccount):
            received(Account(id=uuid.uuid4()))
        assert (Entry.objects.count(), Payment.objects.count()) == (0, 0)

    def test_under_the_same_key_is_recorded_once(self) -> None:
        account = owing_two_months()
        received(account, 500, idempotency_key="form-1")
        with pytest.raises(AlreadyRecorded):
            received(account, 500, idempotency_key="form-1")
        assert Payment.objects.filter(gateway="offline").count() == 1
        assert (rows(account)[0], balance(account_id=account.id)) == (("UNPAID", 500, 0), 3498)

    def test_with_the_same_reference_is_recorded_again(self) -> None:
        """A recurring transfer has the same one each month."""
        account = an_account()
        for _ in range(2):
            received(account, 500)
        assert balance(account_id=account.id) == -1000

    def test_takes_the_largest_amounts_exactly(self) -> None:
        account = an_account(plan=a_plan(unit_amount_minor=MOST))
        for _ in range(3):
            received(account, MOST)
        assert balance(account_id=account.id) == -3 * MOST
        billed(as_of=TODAY, gateway=ScriptedGateway(DECLINED))
        billed(as_of=FEB_1, gateway=ScriptedGateway(DECLINED))
        assert rows(account) == [("PAID", MOST, 0), ("PAID", MOST, 0)]
        assert balance(account_id=account.id) == -MOST

    def test_pays_nothing_of_another_account(self) -> None:
        owing, other = owing_two_months(), an_account(anchor_date=MAR_1)
        received(other, 1999)
        assert Rebilling.objects.filter(status="UNPAID", account=owing).count() == 2
        assert (balance(account_id=owing.id), balance(account_id=other.id)) == (3998, -1999)
