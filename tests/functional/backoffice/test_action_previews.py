"""The previews of what moves an account's money or ends something: they say what the button does, and do nothing."""

import datetime
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client

from accounts.models import Account
from accounts.tax_rates import create_tax_rate
from invoices.credits import grant_credit, reverse_entry
from invoices.write_offs import write_off_invoice
from ledger.models import Entry
from payments.models import Refund
from subscriptions.agreed_terms import TermsChanges
from subscriptions.terms_changes import change_terms
from tests.builders import TODAY, QueueInHand, a_plan, an_account, at, billed, swept
from tests.functional.backoffice.action_requests import messages_of, path_of, previewed, state
from tests.functional.backoffice.conftest import Billed, Owing
from tests.support.databases import rolled_back
from tests.support.items import added, items_of
from tests.support.owing import invoices_of, received

JAN_16 = datetime.date(2026, 1, 16)
CLOSED = ["The account was closed, or will be on its day."]
REFUNDED = ["The account was closed. Refunds are on their way."]
PAUSED = ["The account was paused, or will be on its day."]
RESUMED = ["The account was resumed, or will be on its day."]
REOPENED = ["The account was reopened."]
TAKEN_BACK = ["The change was taken back."]
WITHDRAWN = ["The pending terms were withdrawn."]
MOVED = ["The trial's end was moved."]
SIGNED: dict[str, Any] = {"reason": "r", "author": "test", "today": JAN_16, "now": at(JAN_16)}

pytestmark = rolled_back

Capture = Callable[..., AbstractContextManager[list[Callable[[], Any]]]]


@pytest.fixture(autouse=True)
def mid_january() -> Iterator[None]:
    with time_machine.travel(at(JAN_16), tick=False):
        yield


@pytest.fixture
def account(billed_account: Billed) -> Account:
    """1,999.00 USD for January, paid."""
    return billed_account.account


@pytest.fixture
def shown(operator: Client, django_capture_on_commit_callbacks: Capture) -> Callable[..., list[str]]:
    def shown(account: Account, action: str, *, done: list[str], sent: int = 0, **said: str) -> list[str]:
        """The sentences of the preview, by which nothing moved. The button then did it, and sent so much."""
        path, data, before = path_of(account, action), {"reason": "as they asked"} | said, state()
        with django_capture_on_commit_callbacks() as callbacks:
            sentences, seen = previewed(operator, path, data)
        assert (state(), callbacks) == (before, [])
        with django_capture_on_commit_callbacks() as callbacks:
            assert messages_of(operator, path, data | {"seen": seen}) == done
        assert len(callbacks) == sent
        account.refresh_from_db()
        return sentences

    return shown


Shown = Callable[..., list[str]]


def credit_in_use(account: Account, amount_minor: int) -> Entry:
    """Credit that an item was paid with."""
    credit = grant_credit(account_id=account.id, amount_minor=amount_minor, **SIGNED)
    added(account, amount_minor, on=JAN_16, billing="now")
    return credit


def owing_beside_its_invoices(account: Account, amount_minor: int) -> None:
    """Its credit was used, and taken back."""
    reverse_entry(entry_id=credit_in_use(account, amount_minor).id, **SIGNED)


class TestClosing:
    def test_at_the_end_of_the_period(self, shown: Shown, account: Account) -> None:
        assert shown(account, "close", when="period_end", done=CLOSED) == [
            "It is to be closed on 1 Feb 2026.",
            "Nothing is billed now.",
        ]
        assert account.closes_on == datetime.date(2026, 2, 1)

    def test_now_with_an_item_that_waits(self, shown: Shown, account: Account) -> None:
        added(account, 500, on=JAN_16)
        assert shown(account, "close", when="now", done=CLOSED, sent=1) == [
            "The account becomes INACTIVE (closed).",
            "An invoice over 5.00 USD is issued now.",
            "Setup: 5.00 USD.",
            "5.00 USD is collected at the gateway.",
        ]
        assert account.invoices.latest("id").outstanding_minor == 500

    def test_now_though_it_was_to_be_closed_later(self, shown: Shown, account: Account) -> None:
        shown(account, "close", when="period_end", done=CLOSED)
        assert shown(account, "close", when="now", done=CLOSED) == [
            "The account becomes INACTIVE (closed).",
            "The day on which it was to be closed is dropped.",
            "Nothing is billed now.",
        ]

    def test_now_with_a_debt(self, shown: Shown, account: Account) -> None:
        owing_beside_its_invoices(account, 700)
        assert shown(account, "close", when="now", done=CLOSED, sent=1) == [
            "The account becomes INACTIVE (closed).",
            "An invoice over 0.00 USD is issued now.",
            "7.00 USD is owed from before, and collected with it.",
            "7.00 USD is collected at the gateway.",
            "The account's credit is then 0.00 USD.",
        ]

    def test_now_giving_up_what_waits(self, shown: Shown, account: Account) -> None:
        owing_beside_its_invoices(account, 700)
        added(account, 500, on=JAN_16)
        assert shown(account, "close", when="now", give_up="on", done=CLOSED) == [
            "The account becomes INACTIVE (closed).",
            "Nothing is billed now.",
            "7.00 USD is written off: Given up when the account was closed.",
            "Setup: 5.00 USD is removed, and isn't billed.",
            "The account's credit is then 0.00 USD.",
        ]
        assert [item[-1] for item in items_of(account)] == ["invoiced", "removed"]

    def test_now_with_a_period_that_is_due(self, shown: Shown) -> None:
        account = an_account(plan=a_plan(), anchor_date=JAN_16, rebilling_date=JAN_16)
        swept(as_of=JAN_16, queue=QueueInHand())
        assert shown(account, "close", when="now", done=CLOSED) == [
            "The account becomes INACTIVE (closed).",
            "The period 16 Jan to 15 Feb 2026 is skipped: 19.99 USD isn't billed.",
            "Nothing is billed now.",
        ]
        assert account.rebillings.get().status == "SKIPPED"

    def test_with_a_refund(self, shown: Shown, account: Account) -> None:
        number = account.invoices.get().number
        assert shown(account, "close-and-refund", refund="prorated", done=REFUNDED, sent=1) == [
            "The account becomes INACTIVE (closed).",
            "Its running period ends on 16 Jan 2026.",
            f"1,031.74 USD is sent back against the payment of invoice {number}.",
            "Nothing is billed now.",
        ]
        assert Refund.objects.get().amount_minor == 103_174

    def test_with_a_refund_of_what_is_owed(self, shown: Shown, owing: Owing) -> None:
        assert shown(owing.account, "close-and-refund", refund="full", done=REFUNDED) == [
            "The account becomes INACTIVE (closed).",
            "Its running period ends on 16 Jan 2026.",
            f"Of invoice {owing.january.number}, 19.99 USD is credited: 19.99 USD off what is outstanding.",
            "Nothing is billed now.",
        ]
        assert [invoice.status for invoice in invoices_of(owing.account)] == ["VOID", "OPEN"]

    def test_with_a_refund_of_what_was_paid_offline(self, shown: Shown) -> None:
        account = an_account(plan=a_plan(code="pro", unit_amount_minor=3_100), collection_method="send_invoice")
        billed(as_of=TODAY)
        received(account, 2_000, invoice_id=account.invoices.get().id)
        number = account.invoices.get().number
        assert shown(account, "close-and-refund", refund="full", done=REFUNDED) == [
            "The account becomes INACTIVE (closed).",
            "Its running period ends on 16 Jan 2026.",
            f"Of invoice {number}, 31.00 USD is credited: 11.00 USD off what is outstanding and 20.00 USD to the "
            "account's credit.",
            "Nothing is billed now.",
            "The account's credit is then 20.00 USD.",
        ]
        assert account.credit_balance_minor == 2_000

    def test_with_a_refund_that_pays_another_invoice(self, shown: Shown, owing: Owing) -> None:
        received(owing.account, 1_999, invoice_id=owing.january.id)
        january, february = owing.january.number, owing.february.number
        assert shown(owing.account, "close-and-refund", refund="full", done=REFUNDED) == [
            "The account becomes INACTIVE (closed).",
            "Its running period ends on 16 Jan 2026.",
            f"Of invoice {january}, 19.99 USD is credited: 19.99 USD to the account's credit.",
            "Nothing is billed now.",
            f"19.99 USD of the account's credit goes to invoice {february}.",
        ]
        assert [invoice.status for invoice in invoices_of(owing.account)] == ["PAID", "PAID"]

    def test_with_a_refund_of_what_was_written_off(self, shown: Shown, owing: Owing) -> None:
        write_off_invoice(invoice_id=owing.january.id, **SIGNED)
        assert shown(owing.account, "close-and-refund", refund="full", done=REFUNDED)[2:] == [
            f"Of invoice {owing.january.number}, 19.99 USD is credited: 19.99 USD off what was written off.",
            "Nothing is billed now.",
        ]

    def test_now_though_terms_are_pending(self, shown: Shown, account: Account) -> None:
        change_terms(account_id=account.id, changes=TermsChanges(quantity=2), effective="period_end", **SIGNED)
        assert shown(account, "close", when="now", done=CLOSED) == [
            "The account becomes INACTIVE (closed).",
            "The terms that are pending are withdrawn.",
            "Nothing is billed now.",
        ]


class TestPausing:
    def test_from_the_end_of_the_period_until_a_day(self, shown: Shown, account: Account) -> None:
        assert shown(account, "pause", at="period_end", until="2026-03-10", done=PAUSED) == [
            "It is to be paused on 1 Feb 2026.",
            "It is to resume on 10 Mar 2026.",
            "Nothing is billed now.",
            "If nothing else changes until then, the next invoice is issued on 10 Mar 2026, over 1,999.00 USD.",
        ]

    def test_now_and_resumed_on_a_day_and_now(self, shown: Shown, account: Account) -> None:
        assert shown(account, "pause", at="now", done=PAUSED) == [
            "The account becomes INACTIVE (paused).",
            "Nothing is billed now.",
        ]
        assert shown(account, "resume", on="2026-01-20", done=RESUMED) == [
            "It is to resume on 20 Jan 2026.",
            "Nothing is billed now.",
            "If nothing else changes until then, the next invoice is issued on 1 Feb 2026, over 1,999.00 USD.",
        ]
        assert shown(account, "resume", done=RESUMED) == [
            "The account becomes ACTIVE.",
            "The day on which it was to resume is dropped.",
            "Nothing is billed now.",
            "The next billing day is 1 Feb 2026.",
            "If nothing else changes until then, the next invoice is issued on 1 Feb 2026, over 1,999.00 USD.",
        ]


class TestReopening:
    def test_with_a_new_period(self, shown: Shown, account: Account) -> None:
        shown(account, "close-and-refund", refund="full", done=REFUNDED, sent=1)
        tax_rate = create_tax_rate(name="VAT", percent=Decimal(21), now=at(JAN_16))
        Account.objects.filter(id=account.id).update(tax_rate=tax_rate)
        grant_credit(account_id=account.id, amount_minor=10_000, **SIGNED)
        assert shown(account, "reopen", done=REOPENED, sent=2) == [
            "The account becomes ACTIVE.",
            "Its periods are counted from 16 Jan 2026.",
            "An invoice over 2,418.79 USD is issued now.",
            "Gold, 16 Jan to 15 Feb 2026: 2,418.79 USD, with 419.79 USD of tax.",
            "100.00 USD of it comes from the account's credit.",
            "2,318.79 USD is collected at the gateway.",
            "The account's credit is then 0.00 USD.",
            "The next billing day is 16 Feb 2026.",
            "If nothing else changes until then, the next invoice is issued on 16 Feb 2026, over 2,418.79 USD.",
        ]
        assert account.payments.latest("id").amount_minor == 231_879

    def test_owing(self, shown: Shown, owing: Owing) -> None:
        shown(owing.account, "close", when="now", done=CLOSED)
        assert shown(owing.account, "reopen", done=REOPENED) == [
            "The account becomes PAST_DUE.",
            "Nothing is billed now.",
            "The next step of dunning comes on 17 Jan 2026.",
            "The next billing day is 1 Mar 2026.",
            "If nothing else changes until then, the next invoice is issued on 1 Mar 2026, over 19.99 USD.",
        ]
        assert owing.account.dunning_on == datetime.date(2026, 1, 17)


class TestTrial:
    def test_extended_and_ended_today(self, shown: Shown) -> None:
        pro = a_plan(code="pro", trial_days=14)
        account = an_account(plan=pro, today=JAN_16, collection_method="send_invoice")
        assert shown(account, "trial", ends_on="2026-02-10", done=MOVED) == [
            "Its trial ends on 10 Feb 2026.",
            "Its periods are counted from 10 Feb 2026.",
            "Nothing is billed now.",
            "The next billing day is 10 Feb 2026.",
            "If nothing else changes until then, the next invoice is issued on 10 Feb 2026, over 19.99 USD.",
        ]
        assert shown(account, "trial", ends_on="2026-01-16", done=MOVED, sent=1) == [
            "Its trial ends on 16 Jan 2026.",
            "Its periods are counted from 16 Jan 2026.",
            "An invoice over 19.99 USD is issued now.",
            "Pro, 16 Jan to 15 Feb 2026: 19.99 USD.",
            "The customer is to pay 19.99 USD by 15 Feb 2026.",
            "The next billing day is 16 Feb 2026.",
            "If nothing else changes until then, the next invoice is issued on 16 Feb 2026, over 19.99 USD.",
        ]

    @pytest.mark.usefixtures("account")
    def test_ended_while_the_days_run_is_held(self, shown: Shown, settings: Any) -> None:
        settings.VOLUME_CHECK_MULTIPLE, settings.VOLUME_CHECK_SMALL_RUN = 1, 0
        account = an_account(plan=a_plan(trial_days=14, unit_amount_minor=2_000_000), today=JAN_16)
        assert shown(account, "trial", ends_on="2026-01-16", done=MOVED, sent=2) == [
            "Its trial ends on 16 Jan 2026.",
            "Its periods are counted from 16 Jan 2026.",
            "Nothing is billed now.",
            "The new period isn't billed yet: the day's run is held, and a person decides.",
        ]
        assert account.invoices.count() == 0


class TestDiscount:
    def test_given_and_ended(self, shown: Shown, account: Account) -> None:
        assert shown(account, "discount", percent="25", periods="3", done=["The discount was given."]) == [
            "It has a discount: 25% off, for 3 periods from 16 Jan 2026.",
            "Nothing is billed now.",
            "If nothing else changes until then, the next invoice is issued on 1 Feb 2026, over 1,499.25 USD.",
        ]
        assert shown(account, "end-discount", done=["The discount was ended."]) == [
            "It has no discount any more.",
            "Nothing is billed now.",
            "If nothing else changes until then, the next invoice is issued on 1 Feb 2026, over 1,999.00 USD.",
        ]


class TestTakingBack:
    """The next invoice is shown as it stands, and as it will be."""

    def test_a_closing(self, shown: Shown, account: Account) -> None:
        shown(account, "close", when="period_end", done=CLOSED)
        assert shown(account, "take-back", change="cancellation", done=TAKEN_BACK) == [
            "It is to be closed on 1 Feb 2026: as they asked.",
            "As it is, no invoice is to come. The account is to be closed before another period begins.",
            "The day on which it was to be closed is dropped.",
            "Nothing is billed now.",
            "If nothing else changes until then, the next invoice is issued on 1 Feb 2026, over 1,999.00 USD.",
        ]
        billed(as_of=datetime.date(2026, 2, 1))
        assert account.invoices.latest("id").total_minor == 199_900

    def test_a_closing_after_another_period(self, shown: Shown, account: Account) -> None:
        shown(account, "close", when="day", day="2026-02-10", done=CLOSED)
        assert shown(account, "take-back", change="cancellation", done=TAKEN_BACK) == [
            "It is to be closed on 10 Feb 2026: as they asked.",
            "As it is, the next invoice is issued on 1 Feb 2026, over 1,999.00 USD.",
            "The day on which it was to be closed is dropped.",
            "Nothing is billed now.",
            "If nothing else changes until then, the next invoice is issued on 1 Feb 2026, over 1,999.00 USD.",
        ]

    def test_a_pause_with_its_end(self, shown: Shown, account: Account) -> None:
        shown(account, "pause", at="period_end", until="2026-03-10", done=PAUSED)
        assert shown(account, "take-back", change="pause", done=TAKEN_BACK) == [
            "It is to be paused on 1 Feb 2026: as they asked.",
            "It is to resume on 10 Mar 2026: as they asked.",
            "As it is, the next invoice is issued on 10 Mar 2026, over 1,999.00 USD.",
            "The day on which it was to be paused is dropped.",
            "The day on which it was to resume is dropped.",
            "Nothing is billed now.",
            "If nothing else changes until then, the next invoice is issued on 1 Feb 2026, over 1,999.00 USD.",
        ]
        assert (account.pauses_on, account.resumes_on) == (None, None)

    def test_the_end_of_a_pause(self, shown: Shown, account: Account) -> None:
        shown(account, "pause", at="now", done=PAUSED)
        shown(account, "resume", on="2026-02-10", done=RESUMED)
        assert shown(account, "take-back", change="resumption", done=TAKEN_BACK) == [
            "It is to resume on 10 Feb 2026: as they asked.",
            "As it is, the next invoice is issued on 10 Feb 2026, over 1,999.00 USD.",
            "The day on which it was to resume is dropped.",
            "Nothing is billed now.",
            "No invoice is to come then. The account is paused until it is resumed.",
        ]
        billed(as_of=datetime.date(2026, 2, 10))
        assert (account.invoices.count(), account.status) == (1, "INACTIVE")

    def test_one_of_two(self, shown: Shown, account: Account) -> None:
        shown(account, "pause", at="period_end", done=PAUSED)
        shown(account, "close", when="day", day="2026-02-10", done=CLOSED)
        assert shown(account, "take-back", change="pause", done=TAKEN_BACK) == [
            "It is to be paused on 1 Feb 2026: as they asked.",
            "As it is, no invoice is to come. The account is to be closed before another period begins.",
            "The day on which it was to be paused is dropped.",
            "Nothing is billed now.",
            "If nothing else changes until then, the next invoice is issued on 1 Feb 2026, over 1,999.00 USD.",
        ]

    def test_what_is_not_pending_any_more(self, operator: Client, account: Account) -> None:
        before = state()
        response = operator.post(path_of(account, "take-back"), {"reason": "r", "change": "pause"})
        assert response.context["preview"] == []
        assert [str(message) for message in response.context["messages"]] == [
            f"No pause of the account {account.id} is pending."
        ]
        assert state() == before


class TestWithdrawingTerms:
    def test_of_the_next_period(self, shown: Shown, account: Account) -> None:
        change_terms(account_id=account.id, changes=TermsChanges(quantity=2), effective="period_end", **SIGNED)
        assert shown(account, "withdraw-terms", done=WITHDRAWN) == [
            "From 1 Feb 2026 on it is billed 3,998.00 USD a period (Gold x 2).",
            "As it is, the next invoice is issued on 1 Feb 2026, over 3,998.00 USD.",
            "The terms that are pending are withdrawn.",
            "Nothing is billed now.",
            "If nothing else changes until then, the next invoice is issued on 1 Feb 2026, over 1,999.00 USD.",
        ]
        billed(as_of=datetime.date(2026, 2, 1))
        assert account.invoices.latest("id").total_minor == 199_900

    def test_that_cut_the_running_period(self, shown: Shown, account: Account) -> None:
        day = datetime.date(2026, 1, 21)
        change_terms(account_id=account.id, changes=TermsChanges(anchor_date=day), effective=day, **SIGNED)
        assert shown(account, "withdraw-terms", done=WITHDRAWN) == [
            "From 21 Jan 2026 on it is billed 1,999.00 USD a period (Gold).",
            "The period that runs on that day ends then: its rest is credited, and a new one begins.",
            "As it is, the next invoice is issued on 21 Jan 2026, over 1,999.00 USD.",
            "The terms that are pending are withdrawn.",
            "Nothing is billed now.",
            "If nothing else changes until then, the next invoice is issued on 1 Feb 2026, over 1,999.00 USD.",
        ]

    def test_of_an_account_that_is_paused(self, shown: Shown, account: Account) -> None:
        change_terms(account_id=account.id, changes=TermsChanges(quantity=2), effective="period_end", **SIGNED)
        shown(account, "pause", at="now", done=PAUSED)
        none = "The account is paused until it is resumed."
        assert shown(account, "withdraw-terms", done=WITHDRAWN) == [
            "From 1 Feb 2026 on it is billed 3,998.00 USD a period (Gold x 2).",
            f"As it is, no invoice is to come. {none}",
            "The terms that are pending are withdrawn.",
            "Nothing is billed now.",
            f"No invoice is to come then. {none}",
        ]

    def test_that_another_person_has_changed_meanwhile(self, operator: Client, account: Account) -> None:
        change_terms(account_id=account.id, changes=TermsChanges(quantity=2), effective="period_end", **SIGNED)
        path, data = path_of(account, "withdraw-terms"), {"reason": "stays"}
        _, seen = previewed(operator, path, data)
        assert messages_of(operator, path, data) == WITHDRAWN
        change_terms(account_id=account.id, changes=TermsChanges(quantity=3), effective="period_end", **SIGNED)
        before = state()
        sentences, _ = previewed(operator, path, data | {"seen": seen})
        assert sentences[0] == "From 1 Feb 2026 on it is billed 5,997.00 USD a period (Gold x 3)."
        assert state() == before


class TestDebt:
    def test_that_arose_after_the_closing(self, shown: Shown, account: Account) -> None:
        credit = credit_in_use(account, 700)
        shown(account, "close", when="now", done=CLOSED)
        reverse_entry(entry_id=credit.id, **SIGNED)
        assert shown(account, "bill-debt", done=["The debt was billed."], sent=1) == [
            "An invoice over 0.00 USD is issued now.",
            "7.00 USD is owed from before, and collected with it.",
            "7.00 USD is collected at the gateway.",
            "The account's credit is then 0.00 USD.",
        ]


class TestPreview:
    def test_that_is_stale_is_shown_anew(self, operator: Client, account: Account) -> None:
        path, data = path_of(account, "close"), {"reason": "left", "when": "now"}
        _, seen = previewed(operator, path, data)
        added(account, 500, on=JAN_16)
        before = state()
        sentences, seen_now = previewed(operator, path, data | {"seen": seen})
        assert "Setup: 5.00 USD." in sentences
        assert state() == before
        assert messages_of(operator, path, data | {"seen": seen_now}) == CLOSED

    def test_of_what_is_refused_shows_why(self, operator: Client, account: Account) -> None:
        before = state()
        response = operator.post(path_of(account, "reopen"), {"reason": "back"})
        assert response.context["preview"] == []
        assert [str(message) for message in response.context["messages"]] == [
            f"The account {account.id} is ACTIVE, not INACTIVE."
        ]
        assert '<input type="submit" class="default" value="Preview">' in response.content.decode()
        assert state() == before
