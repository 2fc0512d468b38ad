"""Sign-ups that had to be paid and weren't: what becomes of all that the account owes."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest

from accounts.account_changes import change_account
from accounts.account_opening import Draft, NewAccount
from accounts.models import Account, AccountChange
from accounts.terms import terms_of
from invoices.credits import grant_credit, reverse_entry
from invoices.models import CreditNote, Invoice
from ledger.models import Entry
from payments.gateways.port import Declined, Succeeded, Unknown
from payments.models import Payment
from payments.payment_outcomes import record_payment_outcomes
from payments.payment_requests import pay_invoice
from payments.reversed_money import record_reversed_payment
from rebilling.books import check_books
from rebilling.models import Rebilling
from subscriptions.agreed_terms import TermsChanges
from subscriptions.effective_days import At
from subscriptions.imports.opening_balances import post_opening_balances
from subscriptions.lifecycle import close_account
from subscriptions.pauses import pause_account
from subscriptions.sign_up import sign_up
from subscriptions.terms_changes import change_terms
from tests.builders import NOW, TODAY, a_plan, at, billed
from tests.support.databases import rolled_back
from tests.support.owing import DECLINED, FEB_1, HARD, answers, received, rows, state_of


@pytest.fixture
def signed_up(db: None) -> Callable[..., Account]:
    """Must be paid; 19.99 a month, of which the first was submitted today, or is left to the sweep."""
    plan = a_plan()

    def sign(billing: str = "now", **terms: Any) -> Account:
        new = NewAccount(name="Ada", email="ada@example.com", plan=plan.code, on_decline="close", **terms)
        return sign_up(new=new, billing=billing, author="test", today=TODAY, now=NOW).account

    return sign


def declined(account: Account, outcome: Any = DECLINED, **of: Any) -> None:
    """The account's payment in flight has this outcome."""
    payment = Payment.objects.get(account=account, status__in=Payment.IN_FLIGHT, **of)
    record_payment_outcomes(outcomes={payment.id: outcome}, today=TODAY, now=NOW)


def assert_closed(account: Account, *, credit: int = 0) -> None:
    """Closed; nothing is outstanding or dunned, nothing is collected, and the books agree."""
    assert state_of(account) == ("INACTIVE", 0, credit)
    assert (account.inactive_reason, account.dunning_steps, account.dunning_on) == ("closed", 0, None)
    assert not Invoice.objects.filter(account=account, status="OPEN").exists()
    assert not Payment.objects.filter(account=account, status__in=Payment.IN_FLIGHT).exists()
    assert check_books(now=at(FEB_1), whole=True).discrepancies == []


def with_debt(account: Account, amount_minor: int) -> None:
    """It owes this from before, as an imported account may."""
    account.credit_balance_minor = -amount_minor
    account.save(update_fields=["credit_balance_minor"])
    post_opening_balances([Draft(account, account.terms.get())], today=TODAY, author="test")


@rolled_back
class TestDecline:
    def test_voids_the_invoice_and_its_period_and_closes_the_account(self, signed_up: Any) -> None:
        account = signed_up()
        declined(account)
        assert_closed(account)
        assert (rows(account), Rebilling.objects.get().status) == ([("VOID", 0, 0)], "VOIDED")
        note = CreditNote.objects.get()
        assert (note.amount_minor, note.from_outstanding_minor, note.created_by) == (1999, 1999, "system:billing")
        change = AccountChange.objects.filter(account=account).latest("id")
        assert change.reason == note.reason == "The sign-up was not paid: declined (card_declined)"

    def test_for_good_says_that_the_method_is_of_no_use(self, signed_up: Any) -> None:
        account = signed_up()
        declined(account, HARD)
        assert_closed(account)
        assert account.payment_method_unusable

    def test_credits_every_missed_month(self, signed_up: Any) -> None:
        start = datetime.date(2025, 11, 1)
        account = signed_up(anchor_date=start, rebilling_date=start)
        billed(as_of=TODAY, gateway=answers(DECLINED))
        assert_closed(account)
        assert list(Rebilling.objects.values_list("status", flat=True)) == ["VOIDED"] * 3
        assert CreditNote.objects.get().amount_minor == 3 * 1999

    def test_credits_more_than_one_movement_may_be(self, signed_up: Any) -> None:
        """Three missed months of 40,000,000; another sign-up of the same message isn't held up."""
        start = datetime.date(2025, 11, 1)
        accounts = [
            signed_up(anchor_date=start, rebilling_date=start, unit_amount_minor=price) for price in (40_000_000, 1999)
        ]
        billed(as_of=TODAY, gateway=answers(DECLINED))
        for account in accounts:
            assert_closed(account)
        assert sorted(CreditNote.objects.values_list("amount_minor", flat=True)) == [3 * 1999, 120_000_000]

    @pytest.mark.parametrize("code", ["never_received", "invalid_request", "amount_not_expressible"])
    def test_that_is_none_of_the_customers_closes_nothing(self, signed_up: Any, code: str) -> None:
        account = signed_up()
        declined(account, Declined(code))
        assert state_of(account) == ("PENDING", 1999, 0)
        assert account.on_decline == "close"
        # Asked for anew, and declined, it is closed.
        pay_invoice(invoice_id=Invoice.objects.get().id, author="ann", now=NOW)
        declined(account)
        assert_closed(account)

    def test_of_what_is_too_small_carries_it_forward_as_ever(self, signed_up: Any) -> None:
        account = signed_up()
        declined(account, Declined("amount_too_small"))
        assert state_of(account) == ("ACTIVE", 0, -1999)
        assert account.on_decline == "dun"

    def test_by_a_method_that_was_replaced_tries_the_new_one(self, signed_up: Any) -> None:
        account = signed_up(payment_customer="cus_1", payment_method="pm_1")
        change: dict[str, Any] = {"reason": "a new card", "author": "ann", "now": NOW}
        change_account(account_id=account.id, changes={"payment_method": "pm_2"}, **change)
        declined(account)
        assert state_of(account) == ("PENDING", 1999, 0)
        declined(account, payment_method="pm_2")
        assert_closed(account)

    def test_once_it_is_sent_its_invoices_dunns_as_ever(self, signed_up: Any) -> None:
        """What a person asks for of an invoice that is sent closes nothing."""
        account = signed_up("next_sweep")
        change: dict[str, Any] = {"reason": "by transfer", "author": "ann", "now": NOW}
        change_account(account_id=account.id, changes={"collection_method": "send_invoice", "net_days": 0}, **change)
        billed(as_of=TODAY)
        pay_invoice(invoice_id=Invoice.objects.get().id, author="ann", now=NOW)
        declined(account)
        assert state_of(account) == ("PENDING", 1999, 0)
        # Past its due date, the sign-up is no longer what is waited for.
        billed(as_of=FEB_1)
        assert state_of(account)[0] == "PAST_DUE"
        assert account.on_decline == "dun"


@rolled_back
class TestWhatTheAccountHad:
    def test_of_credit_is_credit_again(self, signed_up: Any) -> None:
        account = signed_up("next_sweep")
        grant_credit(account_id=account.id, amount_minor=800, reason="a gift", author="ann", today=TODAY, now=NOW)
        billed(as_of=TODAY, gateway=answers(DECLINED))
        assert_closed(account, credit=800)
        assert rows(account) == [("PAID", 800, 0)]

    def test_paid_offline_in_part_is_credit(self, signed_up: Any) -> None:
        account = signed_up()
        declined(account, Declined("never_received"))
        received(account, 500)
        pay_invoice(invoice_id=Invoice.objects.get().id, author="ann", now=NOW)
        declined(account)
        assert_closed(account, credit=500)

    def test_owed_from_before_and_brought_forward_is_written_off(self, signed_up: Any) -> None:
        account = signed_up("next_sweep")
        with_debt(account, 300)
        billed(as_of=TODAY, gateway=answers(DECLINED))
        assert_closed(account)
        assert rows(account) == [("UNCOLLECTIBLE", -300, 0)]
        entry = Entry.objects.get(type="write_off")
        assert (entry.amount_minor, entry.invoice_id) == (300, Invoice.objects.get().id)
        assert entry.description == "The sign-up was not paid: declined (card_declined)"

    def test_owed_beside_its_invoice_is_written_off(self, signed_up: Any) -> None:
        account = signed_up()
        with_debt(account, 300)
        assert state_of(account) == ("PENDING", 1999, -300)
        declined(account)
        assert_closed(account)
        entry = Entry.objects.get(type="write_off")
        assert (entry.amount_minor, entry.invoice_id) == (300, None)

    def test_owed_is_paid_by_what_comes_back_as_credit_before_anything_is_written_off(self, signed_up: Any) -> None:
        account = signed_up("next_sweep")
        credit = grant_credit(
            account_id=account.id, amount_minor=300, reason="a gift", author="ann", today=TODAY, now=NOW
        )
        billed(as_of=TODAY, gateway=answers(Declined("never_received")))
        reverse_entry(entry_id=credit.id, reason="a mistake", author="ann", today=TODAY, now=NOW)
        assert state_of(account) == ("PENDING", 1699, -300)
        billed(as_of=FEB_1, gateway=answers(DECLINED))
        assert_closed(account)
        assert rows(account) == [("PAID", 300, 0), ("VOID", 0, 0)]
        assert not Entry.objects.filter(type="write_off").exists()

    def test_in_flight_of_another_invoice_waits_for_its_outcome(self, signed_up: Any) -> None:
        account = signed_up()
        declined(account, Unknown("a time-out"))
        billed(as_of=FEB_1, gateway=answers(Unknown("a time-out")))
        first, second = Payment.objects.order_by("id")
        record_payment_outcomes(outcomes={second.id: DECLINED}, today=FEB_1, now=at(FEB_1))
        assert state_of(account) == ("INACTIVE", 1999, 0)
        assert rows(account) == [("OPEN", 0, 0), ("VOID", 0, 0)]
        record_payment_outcomes(outcomes={first.id: DECLINED}, today=FEB_1, now=at(FEB_1))
        assert_closed(account)
        assert rows(account) == [("VOID", 0, 0), ("VOID", 0, 0)]

    def test_closed_by_a_person_meanwhile_is_credited_all_the_same(self, signed_up: Any) -> None:
        account = signed_up()
        close_account(account_id=account.id, reason="left", author="ann", today=TODAY, now=NOW)
        declined(account)
        assert_closed(account)
        assert AccountChange.objects.filter(account=account, after__status="INACTIVE").get().reason == "left"

    def test_withdraws_the_terms_that_were_agreed_for_later(self, signed_up: Any) -> None:
        account = signed_up()
        change_terms(
            account_id=account.id, changes=TermsChanges(quantity=3), effective="period_end", reason="Three join.",
            author="test", today=TODAY, now=NOW,
        )  # fmt: skip
        declined(account)
        assert_closed(account)
        assert terms_of([account.id])[account.id].pending(TODAY) is None
        withdrawn = AccountChange.objects.get(account=account, after__pending_terms=None)
        assert (withdrawn.before, withdrawn.reason) == ({"pending_terms": FEB_1.isoformat()}, "the account was closed")

    @pytest.mark.parametrize("until", [None, FEB_1])
    def test_paused_meanwhile_is_closed_and_never_resumes(self, signed_up: Any, until: datetime.date | None) -> None:
        account = signed_up(external_reference="ada")
        pause: dict[str, Any] = {"reason": "away", "author": "ann", "today": TODAY, "now": NOW}
        pause_account(account_id=account.id, at=At.NOW, until=until, **pause)
        declined(account)
        assert_closed(account)
        assert account.resumes_on is None
        billed(as_of=FEB_1)
        assert_closed(account)
        assert Invoice.objects.count() == 1
        # Its reference is free.
        assert signed_up("next_sweep", external_reference="ada").status == "PENDING"


@rolled_back
class TestPaidAfterAll:
    @pytest.mark.parametrize("stop", [close_account, pause_account])
    def test_by_the_payment_in_flight_is_no_longer_credited_by_a_decline(self, signed_up: Any, stop: Any) -> None:
        """A used period that was paid, taken back and declined is owed."""
        account = signed_up()
        stop(account_id=account.id, at=At.NOW, reason="away", author="ann", today=TODAY, now=NOW)
        payment = Payment.objects.get()
        outcome = Succeeded(reference="one", key=payment.id, amount_minor=1999, currency="USD")
        record_payment_outcomes(outcomes={payment.id: outcome}, today=TODAY, now=NOW)
        account.refresh_from_db()
        assert (account.status, account.on_decline, rows(account)) == ("INACTIVE", "dun", [("PAID", 0, 1999)])
        kept = AccountChange.objects.get(account=account, after__on_decline="dun")
        assert kept.reason == "its first invoice was paid"
        record_reversed_payment(payment_id=payment.id, reason="disputed", author="ann", today=TODAY, now=NOW)
        pay_invoice(invoice_id=Invoice.objects.get().id, author="ann", now=NOW)
        declined(account)
        assert state_of(account) == ("INACTIVE", 1999, 0)
        assert not CreditNote.objects.exists()
        assert check_books(now=at(FEB_1), whole=True).discrepancies == []
