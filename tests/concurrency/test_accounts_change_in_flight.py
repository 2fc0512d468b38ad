"""An account is closed, reopened or credited, or its invoice given up, while its batch is in flight.

Before the charge, between charge and outcome, and in a true race: one side holds the account's lock, the other waits
for it and then looks again.
"""

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from django.db import transaction

from accounts.locked_accounts import lock_account, save_accounts
from accounts.models import Account
from invoices.credit_notes import issue_credit_note
from invoices.credits import grant_credit
from invoices.models import Invoice
from invoices.write_offs import PaymentInFlight, write_off_invoice
from ledger.balances import balance, book_totals
from ledger.models import Entry
from payments.gateways.port import Declined, Outcome
from payments.models import Payment
from rebilling.models import Rebilling, Run
from rebilling.reconciliation.summary import reconciliation_of
from subscriptions.lifecycle import close_account, reopen_account
from tests.builders import QueueInHand, a_plan, an_account, at, billed, delivered, swept
from tests.support.databases import committed
from tests.support.owing import rows
from tests.support.payments import collected
from tests.support.workers.threads import Gate, GatedGateway, threads, wait_until_blocked, wrapped

DAY = datetime.date(2026, 3, 10)
NEXT = DAY + datetime.timedelta(days=7)
DECLINED = Declined(code="insufficient_funds")

Change = Callable[[], object]


@dataclass(frozen=True)
class InFlight:
    """An account of 1,000 cents a week whose first period is DUE, and its batch."""

    account: Account
    run: Run
    batch: list[str]

    def close(self) -> object:
        return close_account(account_id=self.account.id, reason="left", author="ann", today=DAY, now=at(DAY)).account

    def reopen(self) -> object:
        return reopen_account(account_id=self.account.id, reason="came back", author="ann", today=DAY, now=at(DAY))

    def credit(self, amount_minor: int) -> object:
        return grant_credit(
            account_id=self.account.id,
            amount_minor=amount_minor,
            reason="sorry",
            author="ann",
            today=DAY,
            now=at(DAY),
        )

    def give_up(self, operation: Callable[..., object]) -> object:
        """Write off the account's invoice, or credit it whole."""
        invoice = Invoice.objects.get(account=self.account)
        return operation(invoice_id=invoice.id, reason="mistake", author="ann", today=DAY, now=at(DAY))

    def assert_charged_at_once(self) -> None:
        """The day's on-demand run has its period, and the batch brought nothing. Then it is collected."""
        charged = Rebilling.objects.get(status="CHARGED")
        assert (charged.run.kind, Entry.objects.count(), Invoice.objects.count()) == ("on_demand", 1, 1)
        collected(Payment.objects.get(status="SUBMITTED").id, day=DAY)

    def deliver(self, gateway: Any = None) -> list[str]:
        return delivered(bodies=self.batch, today=DAY, gateway=gateway)

    def deliver_while(self, change: Change, *, outcome: Outcome | None = None) -> None:
        """Deliver the batch; the change comes after the charge, while the gateway is being called."""
        gate = Gate()
        with threads() as start:
            delivering = start(partial(self.deliver, GatedGateway(gate=gate, answer=outcome)))
            gate.wait_for_somebody()
            change()
            gate.open()
            assert delivering.result() == []


@pytest.fixture
def in_flight() -> InFlight:
    account = an_account(plan=a_plan(interval_unit="week", unit_amount_minor=1000), today=DAY)
    queue = QueueInHand()
    run = swept(as_of=DAY, queue=queue)
    return InFlight(account, run, queue.take())


def assert_ends(
    subject: InFlight,
    *,
    account: tuple[str, datetime.date],
    rebillings: list[tuple[str, str]],
    invoices: list[tuple[str, int, int]],
    entries: list[tuple[str, int]],
    payments: list[tuple[str, int]],
    owed_minor: int,
) -> None:
    """Exactly so, and so it stays when the batch comes again."""
    for _ in range(2):
        found = Account.objects.get(id=subject.account.id)
        assert (found.status, found.rebilling_date) == account
        assert [*Rebilling.objects.order_by("id").values_list("status", "reason")] == rebillings
        assert rows(subject.account) == invoices
        assert [*Entry.objects.order_by("created_at", "id").values_list("type", "amount_minor")] == entries
        assert [*Payment.objects.order_by("id").values_list("status", "amount_minor")] == payments
        assert balance(account_id=subject.account.id) == owed_minor
        assert [sum(books.values()) for books in book_totals().values()] in ([], [0])
        assert reconciliation_of(run=subject.run, now=at(DAY)).clean
        assert subject.deliver() == []


@committed
class TestAnAccountClosedInFlight:
    def test_before_the_charge_is_not_charged(self, in_flight: InFlight) -> None:
        in_flight.close()
        assert in_flight.deliver() == []
        assert_ends(
            in_flight,
            account=("INACTIVE", DAY),
            rebillings=[("SKIPPED", "account_inactive")],
            invoices=[],
            entries=[],
            payments=[],
            owed_minor=0,
        )

    def test_between_charge_and_outcome_is_collected_all_the_same(self, in_flight: InFlight) -> None:
        in_flight.deliver_while(in_flight.close)
        assert_ends(
            in_flight,
            account=("INACTIVE", NEXT),
            rebillings=[("CHARGED", "")],
            invoices=[("PAID", 0, 1000)],
            entries=[("charge", 1000), ("payment", 1000)],
            payments=[("SUCCEEDED", 1000)],
            owed_minor=0,
        )

    def test_between_charge_and_a_decline_owes_and_stays_inactive(self, in_flight: InFlight) -> None:
        in_flight.deliver_while(in_flight.close, outcome=DECLINED)
        assert_ends(
            in_flight,
            account=("INACTIVE", NEXT),
            rebillings=[("CHARGED", "")],
            invoices=[("OPEN", 0, 0)],
            entries=[("charge", 1000)],
            payments=[("DECLINED", 1000)],
            owed_minor=1000,
        )


@committed
class TestAnAccountReopenedInFlight:
    def test_before_the_charge_is_charged_once_and_not_by_the_batch(self, in_flight: InFlight) -> None:
        in_flight.close()
        in_flight.reopen()
        assert in_flight.deliver() == []
        in_flight.assert_charged_at_once()
        billed(as_of=DAY)
        assert_ends(
            in_flight,
            account=("ACTIVE", NEXT),
            rebillings=[("SKIPPED", "account_inactive"), ("CHARGED", "")],
            invoices=[("PAID", 0, 1000)],
            entries=[("charge", 1000), ("payment", 1000)],
            payments=[("SUCCEEDED", 1000)],
            owed_minor=0,
        )

    def test_and_swept_again_is_charged_once_and_neither_by_the_old_batch_nor_the_new(
        self, in_flight: InFlight
    ) -> None:
        in_flight.close()
        in_flight.reopen()
        queue = QueueInHand()
        swept(as_of=DAY, queue=queue)
        # The old batch was on its way all the time; its period is skipped for good.
        assert in_flight.deliver() == []
        assert delivered(bodies=queue.take(), today=DAY) == []
        in_flight.assert_charged_at_once()
        assert_ends(
            in_flight,
            account=("ACTIVE", NEXT),
            rebillings=[("SKIPPED", "account_inactive"), ("CHARGED", "")],
            invoices=[("PAID", 0, 1000)],
            entries=[("charge", 1000), ("payment", 1000)],
            payments=[("SUCCEEDED", 1000)],
            owed_minor=0,
        )

    @pytest.mark.parametrize(
        ("outcome", "ends"),
        [
            (
                None,
                {
                    "account": ("ACTIVE", NEXT),
                    "rebillings": [("CHARGED", "")],
                    "invoices": [("PAID", 0, 1000)],
                    "entries": [("charge", 1000), ("payment", 1000)],
                    "payments": [("SUCCEEDED", 1000)],
                    "owed_minor": 0,
                },
            ),
            (
                DECLINED,
                {
                    "account": ("PAST_DUE", NEXT),
                    "rebillings": [("CHARGED", "")],
                    "invoices": [("OPEN", 0, 0)],
                    "entries": [("charge", 1000)],
                    "payments": [("DECLINED", 1000)],
                    "owed_minor": 1000,
                },
            ),
        ],
        ids=["paid", "declined"],
    )
    def test_between_charge_and_outcome_goes_on_at_the_end_of_its_period(
        self, in_flight: InFlight, outcome: Outcome | None, ends: dict[str, Any]
    ) -> None:
        in_flight.deliver_while(lambda: (in_flight.close(), in_flight.reopen()), outcome=outcome)
        assert_ends(in_flight, **ends)
        assert billed(as_of=DAY).rebillings.count() == 0
        assert billed(as_of=NEXT).rebillings.count() == 1


@committed
class TestAnAccountCreditedInFlight:
    def test_before_the_charge_is_collected_for_the_remainder(self, in_flight: InFlight) -> None:
        in_flight.credit(400)
        assert in_flight.deliver() == []
        assert_ends(
            in_flight,
            account=("ACTIVE", NEXT),
            rebillings=[("CHARGED", "")],
            invoices=[("PAID", 400, 600)],
            entries=[("credit", 400), ("charge", 1000), ("payment", 600)],
            payments=[("SUCCEEDED", 600)],
            owed_minor=0,
        )

    def test_in_full_before_the_charge_collects_nothing(self, in_flight: InFlight) -> None:
        in_flight.credit(1500)
        assert in_flight.deliver() == []
        assert_ends(
            in_flight,
            account=("ACTIVE", NEXT),
            rebillings=[("CHARGED", "")],
            invoices=[("PAID", 1000, 0)],
            entries=[("credit", 1500), ("charge", 1000)],
            payments=[],
            owed_minor=-500,
        )

    def test_between_charge_and_outcome_keeps_the_credit_for_the_next_charge(self, in_flight: InFlight) -> None:
        in_flight.deliver_while(partial(in_flight.credit, 400))
        assert_ends(
            in_flight,
            account=("ACTIVE", NEXT),
            rebillings=[("CHARGED", "")],
            invoices=[("PAID", 0, 1000)],
            entries=[("charge", 1000), ("credit", 400), ("payment", 1000)],
            payments=[("SUCCEEDED", 1000)],
            owed_minor=-400,
        )
        billed(as_of=NEXT)
        assert rows(in_flight.account) == [("PAID", 0, 1000), ("PAID", 400, 600)]

    def test_between_charge_and_a_decline_pays_from_the_credit(self, in_flight: InFlight) -> None:
        in_flight.deliver_while(partial(in_flight.credit, 1500), outcome=DECLINED)
        assert_ends(
            in_flight,
            account=("ACTIVE", NEXT),
            rebillings=[("CHARGED", "")],
            invoices=[("PAID", 1000, 0)],
            entries=[("charge", 1000), ("credit", 1500)],
            payments=[("DECLINED", 1000)],
            owed_minor=-500,
        )

    def test_in_part_between_charge_and_a_decline_owes_the_rest(self, in_flight: InFlight) -> None:
        in_flight.deliver_while(partial(in_flight.credit, 400), outcome=DECLINED)
        assert_ends(
            in_flight,
            account=("PAST_DUE", NEXT),
            rebillings=[("CHARGED", "")],
            invoices=[("OPEN", 400, 0)],
            entries=[("charge", 1000), ("credit", 400)],
            payments=[("DECLINED", 1000)],
            owed_minor=600,
        )


@committed
class TestAnInvoiceGivenUpInFlight:
    @pytest.mark.parametrize("operation", [write_off_invoice, issue_credit_note])
    def test_is_refused_until_the_payment_is_known(self, in_flight: InFlight, operation: Callable[..., object]) -> None:
        def refused() -> None:
            with pytest.raises(PaymentInFlight):
                in_flight.give_up(operation)

        in_flight.deliver_while(refused)
        assert_ends(
            in_flight,
            account=("ACTIVE", NEXT),
            rebillings=[("CHARGED", "")],
            invoices=[("PAID", 0, 1000)],
            entries=[("charge", 1000), ("payment", 1000)],
            payments=[("SUCCEEDED", 1000)],
            owed_minor=0,
        )


@committed
class TestAWorkerWaitsForAnAccountsLock:
    """The change holds the lock and isn't committed when the worker comes to it."""

    @staticmethod
    def deliver_against(in_flight: InFlight, change: Change) -> None:
        with threads() as start:
            with transaction.atomic():
                change()
                delivering = start(in_flight.deliver)
                wait_until_blocked()
                assert not delivering.done()
            assert delivering.result() == []

    def test_and_skips_one_that_was_closed_meanwhile(self, in_flight: InFlight) -> None:
        self.deliver_against(in_flight, in_flight.close)
        assert_ends(
            in_flight,
            account=("INACTIVE", DAY),
            rebillings=[("SKIPPED", "account_inactive")],
            invoices=[],
            entries=[],
            payments=[],
            owed_minor=0,
        )

    def test_and_itself_skips_one_that_became_inactive_and_left_its_period_due(self, in_flight: InFlight) -> None:
        def give_up() -> None:
            account = lock_account(in_flight.account.id)
            account.become(Account.Status.INACTIVE, reason="dunning is over", inactive_reason="unpaid")
            save_accounts([account], author="ann", now=at(DAY))

        self.deliver_against(in_flight, give_up)
        assert_ends(
            in_flight,
            account=("INACTIVE", DAY),
            rebillings=[("SKIPPED", "account_inactive")],
            invoices=[],
            entries=[],
            payments=[],
            owed_minor=0,
        )

    def test_and_charges_nothing_of_one_that_was_closed_and_reopened_meanwhile(self, in_flight: InFlight) -> None:
        self.deliver_against(in_flight, lambda: (in_flight.close(), in_flight.reopen()))
        in_flight.assert_charged_at_once()
        billed(as_of=DAY)
        assert_ends(
            in_flight,
            account=("ACTIVE", NEXT),
            rebillings=[("SKIPPED", "account_inactive"), ("CHARGED", "")],
            invoices=[("PAID", 0, 1000)],
            entries=[("charge", 1000), ("payment", 1000)],
            payments=[("SUCCEEDED", 1000)],
            owed_minor=0,
        )

    def test_and_takes_the_credit_that_was_granted_meanwhile(self, in_flight: InFlight) -> None:
        self.deliver_against(in_flight, partial(in_flight.credit, 400))
        assert_ends(
            in_flight,
            account=("ACTIVE", NEXT),
            rebillings=[("CHARGED", "")],
            invoices=[("PAID", 400, 600)],
            entries=[("credit", 400), ("charge", 1000), ("payment", 600)],
            payments=[("SUCCEEDED", 600)],
            owed_minor=0,
        )

    @pytest.mark.parametrize(
        ("outcome", "row", "entries", "owed_minor"),
        [
            (None, ("PAID", 0, 1000), [("charge", 1000), ("payment", 1000)], 0),
            (DECLINED, ("OPEN", 0, 0), [("charge", 1000)], 1000),
        ],
        ids=["paid", "declined"],
    )
    def test_and_records_the_outcome_of_what_was_charged_before_the_close(
        self, in_flight: InFlight, outcome: Outcome | None, row: Any, entries: Any, owed_minor: int
    ) -> None:
        gate = Gate()
        with threads() as start:
            delivering = start(partial(in_flight.deliver, GatedGateway(gate=gate, answer=outcome)))
            gate.wait_for_somebody()
            with transaction.atomic():
                in_flight.close()
                gate.open()
                wait_until_blocked()
                assert not delivering.done()
            assert delivering.result() == []
        assert_ends(
            in_flight,
            account=("INACTIVE", NEXT),
            rebillings=[("CHARGED", "")],
            invoices=[row],
            entries=entries,
            payments=[("DECLINED" if outcome else "SUCCEEDED", 1000)],
            owed_minor=owed_minor,
        )


@committed
class TestAChangeWaitsForAWorkersLock:
    """The worker has charged and isn't committed when the change comes to the account's lock."""

    @staticmethod
    def charge_against(in_flight: InFlight, change: Change) -> None:
        gate = Gate()

        def hold(issue: Callable[..., object], **kwargs: object) -> object:
            gate.pass_through()
            return issue(**kwargs)

        with threads() as start, wrapped("rebilling.invoice_periods.issue_invoices", hold):
            delivering = start(in_flight.deliver)
            gate.wait_for_somebody()
            changing = start(change)
            wait_until_blocked()
            assert not changing.done()
            gate.open()
            assert delivering.result() == []
            changing.result()

    def test_and_closes_one_that_is_charged_by_then(self, in_flight: InFlight) -> None:
        self.charge_against(in_flight, in_flight.close)
        assert_ends(
            in_flight,
            account=("INACTIVE", NEXT),
            rebillings=[("CHARGED", "")],
            invoices=[("PAID", 0, 1000)],
            entries=[("charge", 1000), ("payment", 1000)],
            payments=[("SUCCEEDED", 1000)],
            owed_minor=0,
        )

    def test_and_credits_one_that_is_charged_in_full_by_then(self, in_flight: InFlight) -> None:
        self.charge_against(in_flight, partial(in_flight.credit, 400))
        assert rows(in_flight.account) == [("PAID", 0, 1000)]
        assert sorted(Entry.objects.values_list("type", "amount_minor")) == [
            ("charge", 1000),
            ("credit", 400),
            ("payment", 1000),
        ]
        assert balance(account_id=in_flight.account.id) == -400

    def test_and_closes_and_reopens_one_that_goes_on_at_the_end_of_its_period(self, in_flight: InFlight) -> None:
        self.charge_against(in_flight, lambda: (in_flight.close(), in_flight.reopen()))
        assert_ends(
            in_flight,
            account=("ACTIVE", NEXT),
            rebillings=[("CHARGED", "")],
            invoices=[("PAID", 0, 1000)],
            entries=[("charge", 1000), ("payment", 1000)],
            payments=[("SUCCEEDED", 1000)],
            owed_minor=0,
        )
        assert billed(as_of=DAY).rebillings.count() == 0
