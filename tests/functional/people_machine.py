"""What clients and staff do, as rules of the machine in `platform_machine.py`: in any order, on any row."""

import contextlib
import datetime
import uuid
from decimal import Decimal
from functools import partial
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from accounts.account_opening import NewAccount, open_account
from accounts.billing_calendar import first_start_on_or_after
from accounts.models import Account, Plan
from accounts.terms import terms_of
from invoices.credit_notes import issue_credit_note
from invoices.credits import grant_credit, reverse_entry
from invoices.models import PENDING, Item
from invoices.write_offs import write_off_invoice
from ledger.models import Entry
from payments.account_updates import update_account
from payments.messages.rows import PaymentsMessage, RefundsMessage
from payments.models import OFFLINE, Payment, Refund
from payments.offline_payments import record_offline_payment
from payments.payment_requests import pay_invoice
from payments.refund_requests import request_refund
from payments.reversed_money import record_reversed_payment, record_reversed_refund
from payments.reviews import mark_resolved, resolve_payment, resolve_refund
from rebilling.models import Rebilling
from subscriptions.agreed_terms import TermsChanges
from subscriptions.discounts import end_discount, give_discount
from subscriptions.item_removals import remove_item
from subscriptions.items import NewItem, add_item
from subscriptions.lifecycle import close_account, reopen_account
from subscriptions.pauses import pause_account, resume_account
from subscriptions.pending_changes import take_back
from subscriptions.sign_up import SignedUp, sign_up
from subscriptions.terms_changes import change_terms
from subscriptions.terms_withdrawals import withdraw_terms
from subscriptions.trials import move_trial_end
from tests.functional.transaction_machine import TransactionMachine
from tests.support.signatures import undated
from tests.support.unchanged import unless_refused

MAX_ACCOUNTS = 5
AMOUNTS = [1, 60, 150, 680, 1999, 10_000]
"""Some of them leave a rest that is too small to collect."""

DISCOUNTS: list[dict[str, Any]] = [{"percent": Decimal("12.5")}, {"percent": Decimal(100)}, {"amount_minor": 150}]

positions = st.integers(0, 2**16)
_free = st.sampled_from([{"in_flight": False}] * 4 + [{}])
"""Most often an invoice of which no payment is in flight: most of what can be done about one that has is refused."""
_amounts = st.sampled_from(AMOUNTS)


class PeopleMachine(TransactionMachine):
    """Its rules are what clients and staff do."""

    # --- accounts ---

    def open_three_accounts(self, plan: int, since: int) -> None:
        start = self.today - datetime.timedelta(days=since)
        self.open(self.plans[0], anchor_date=start, rebilling_date=start)
        self.open(self.plans[1], tax_rate=self.rates[1])
        self.open(self.plans[plan % len(self.plans)])

    @precondition(lambda self: len(self.accounts) < MAX_ACCOUNTS)
    @rule(
        plan=positions,
        anchored=st.integers(-400, 40),
        billed_from=st.none() | st.integers(0, 45),
        quantity=st.integers(1, 3),
        sent=st.booleans(),
        rate=positions,
    )
    def open_an_account_from_elsewhere(
        self, plan: int, anchored: int, billed_from: int | None, quantity: int, sent: bool, rate: int
    ) -> None:
        chosen = self.plans[plan % len(self.plans)]
        anchor, start = self.today + datetime.timedelta(days=anchored), None
        if billed_from is not None:
            since = self.today - datetime.timedelta(days=billed_from)
            start = first_start_on_or_after(anchor=anchor, interval=chosen.interval, day=since)
        method: dict[str, Any] = {"collection_method": "send_invoice", "net_days": 5} if sent else {}
        self.open(
            chosen, anchor_date=anchor, rebilling_date=start, quantity=quantity, tax_rate=self.rate(rate), **method
        )

    def rate(self, which: int) -> uuid.UUID | None:
        return self.rates[which % len(self.rates)]

    def open(self, plan: Plan, **given: Any) -> None:
        number = str(len(self.accounts))
        new = NewAccount(name=number, email="any@example.com", plan=plan.code, payment_customer=number, **given)
        self.accounts.append(open_account(new=new, **self.at_this_moment).id)

    @precondition(lambda self: len(self.accounts) < MAX_ACCOUNTS)
    @rule(plan=positions, must_be_paid=st.booleans())
    def sign_up_billed_at_once(self, plan: int, must_be_paid: bool) -> None:
        """Its payment goes to the queue as when that is committed; without a word, where the volume check holds it."""
        number = str(len(self.accounts))
        new = NewAccount(
            name=number,
            email="any@example.com",
            plan=self.plans[plan % len(self.plans)].code,
            payment_customer=number,
            payment_method="pm_card",
            on_decline="close" if must_be_paid else "dun",
        )
        opened: list[SignedUp] = []
        if not unless_refused(lambda: opened.append(sign_up(new=new, **self.at_this_moment))):
            # Nothing is collected on a trial, or of an account that is free.
            assert must_be_paid
            return
        account = opened[0].account
        self.accounts.append(account.id)
        payments = tuple(Payment.objects.filter(account=account).values_list("id", flat=True))
        if payments:
            self.queue.send([PaymentsMessage(ids=payments)])
        billed = account.rebilling_date > account.first_rebilling_date
        assert billed == (opened[0].invoice_id is not None) == (opened[0].no_invoice is None)

    @rule(which=positions)
    def close_or_reopen(self, which: int) -> None:
        """What it isn't ready for is refused; one that is INACTIVE for not paying may be closed."""
        account_id = self.any_account(which)
        given: dict[str, Any] = {"account_id": account_id} | self.signed
        before = Account.objects.get(id=account_id)
        if before.status != "INACTIVE":
            assert not unless_refused(lambda: reopen_account(**given))
            assert close_account(**given).account.status == "INACTIVE"
            return
        if before.inactive_reason == "closed":
            assert not unless_refused(lambda: close_account(**given))
        if before.inactive_reason == "paused":
            assert not unless_refused(lambda: reopen_account(**given))
            assert resume_account(**given).account.rebilling_date >= self.today
            return
        # It isn't charged for the time that it was closed.
        assert reopen_account(**given).account.rebilling_date >= self.today

    @precondition(lambda self: "Payment" in self.there)
    @rule(which=positions)
    def close_who_did_not_pay(self, which: int) -> None:
        unpaid = list(Account.objects.filter(inactive_reason="unpaid").order_by("id"))
        if unpaid:
            account = unpaid[which % len(unpaid)]
            close_account(account_id=account.id, **self.signed)

    @rule(which=positions, at=st.just("period_end") | st.integers(-1, 40))
    def close_later(self, which: int, at: str | int) -> None:
        account = Account.objects.get(id=self.any_account(which))
        day = self.today + datetime.timedelta(at) if isinstance(at, int) else at
        is_done = unless_refused(lambda: close_account(account_id=account.id, at=day, **self.signed))
        assert is_done == (account.inactive_reason != "closed" and account.closes_on is None and at != -1)

    @rule(which=positions, refund=st.sampled_from(["prorated", "full"]))
    def close_with_a_refund(self, which: int, refund: str) -> None:
        """The running period is over: nothing goes on when it is reopened."""
        account = Account.objects.get(id=self.any_account(which))
        given: dict[str, Any] = {"account_id": account.id, "refund": refund} | self.signed
        if unless_refused(lambda: close_account(**given)):
            running = Rebilling.objects.filter(account=account, status="CHARGED", ended_on__gt=self.today)
            assert not running.filter(period_start__lte=self.today).exists()
        self._send_submitted()

    @rule(which=positions, at=st.sampled_from(["now", "period_end"]), days=st.none() | st.integers(-1, 60))
    def pause(self, which: int, at: str, days: int | None) -> None:
        until = None if days is None else self.today + datetime.timedelta(days)
        account = Account.objects.get(id=self.any_account(which))
        given: dict[str, Any] = {"account_id": account.id, "at": at, "until": until} | self.signed
        if unless_refused(lambda: pause_account(**given)):
            assert account.status != "INACTIVE"

    @rule(which=positions, days=st.none() | st.integers(-1, 20))
    def resume(self, which: int, days: int | None) -> None:
        on = None if days is None else self.today + datetime.timedelta(days)
        account = Account.objects.get(id=self.any_account(which))
        given: dict[str, Any] = {"account_id": account.id, "on": on} | self.signed
        if unless_refused(lambda: resume_account(**given)):
            assert account.inactive_reason == "paused"

    @rule(which=positions, change=st.sampled_from(["cancellation", "pause", "resumption"]))
    def take_back_what_is_pending(self, which: int, change: str) -> None:
        account = Account.objects.get(id=self.any_account(which))
        day = {"cancellation": account.closes_on, "pause": account.pauses_on, "resumption": account.resumes_on}[change]
        given: dict[str, Any] = {"account_id": account.id, "change": change} | self.signed
        assert unless_refused(lambda: take_back(**given)) == (day is not None)

    @rule(which=positions, days=st.integers(-1, 30))
    def move_the_trials_end(self, which: int, days: int) -> None:
        ends_on = self.today + datetime.timedelta(days)
        account = Account.objects.get(id=self.any_account(which))
        given: dict[str, Any] = {"account_id": account.id, "ends_on": ends_on} | self.signed
        if unless_refused(lambda: move_trial_end(**given)):
            assert Account.objects.get(id=account.id).rebilling_date == ends_on

    @rule(which=positions, quantity=st.integers(1, 3), proration=st.sampled_from(["invoice", "next_invoice"]))
    def change_quantity(self, which: int, quantity: int, proration: Any) -> None:
        """Now: billed anew where it can be, at once or by the next invoice."""
        given: dict[str, Any] = {"account_id": self.any_account(which), "proration": proration} | self.signed
        unless_refused(lambda: change_terms(changes=TermsChanges(quantity=quantity), **given))

    @rule(which=positions, unit_amount_minor=st.integers(0, 4000), proration=st.sampled_from(["invoice", "none"]))
    def change_price(self, which: int, unit_amount_minor: int, proration: Any) -> None:
        given: dict[str, Any] = {"account_id": self.any_account(which), "proration": proration} | self.signed
        changes = TermsChanges(unit_amount_minor=unit_amount_minor)
        unless_refused(lambda: change_terms(changes=changes, **given))

    @rule(which=positions, days=st.sampled_from([0, 0, 1, 2, 5, 20]))
    def move_the_billing_day(self, which: int, days: int) -> None:
        day = self.today + datetime.timedelta(days)
        given: dict[str, Any] = {"account_id": self.any_account(which), "effective": day} | self.signed
        unless_refused(lambda: change_terms(changes=TermsChanges(anchor_date=day), **given))

    @rule(which=positions, quantity=st.integers(1, 3))
    def change_quantity_at_the_periods_end_or_take_that_back(self, which: int, quantity: int) -> None:
        account_id = self.any_account(which)
        pending = terms_of([account_id])[account_id].pending(self.today)
        if pending is not None:
            assert pending.id is not None
            withdraw_terms(account_id=account_id, terms_id=pending.id, **self.signed)
            return
        given: dict[str, Any] = {"account_id": account_id, "effective": "period_end"} | self.signed
        unless_refused(lambda: change_terms(changes=TermsChanges(quantity=quantity), **given))

    @rule(which=positions, rate=positions)
    def change_the_tax_rate(self, which: int, rate: int) -> None:
        update_account(
            account_id=self.any_account(which), changes={"tax_rate": self.rate(rate)}, **undated(self.signed)
        )

    @rule(which=positions, discount=st.sampled_from(DISCOUNTS), periods=st.none() | st.integers(1, 3))
    def give_or_end_a_discount(self, which: int, discount: dict[str, Any], periods: int | None) -> None:
        account_id = self.any_account(which)
        given: dict[str, Any] = {"account_id": account_id, "periods": periods} | discount
        if not unless_refused(lambda: give_discount(**given, **self.signed)):
            ended = end_discount(account_id=account_id, reason="looked into", author="test", now=self.now)
            assert ended.discount_id is None

    @rule(
        which=positions,
        amount_minor=st.sampled_from([1, 60, 680, 10_000, -1, -680, -5000]),
        billing=st.sampled_from(["next_invoice", "next_invoice", "now"]),
    )
    def add_an_item(self, which: int, amount_minor: int, billing: str) -> None:
        account = Account.objects.get(id=self.any_account(which))
        given: dict[str, Any] = {"account_id": account.id, "billing": billing, **self.signed}
        new = NewItem(description="Item", unit_amount_minor=amount_minor)
        is_done = unless_refused(lambda: add_item(new=new, **given))
        assert is_done == (amount_minor > 0 if billing == "now" else account.status != "INACTIVE")
        self._send_submitted()

    @rule(which=positions)
    def remove_an_item(self, which: int) -> None:
        pending = list(Item.objects.filter(PENDING).order_by("id"))
        if pending:
            item = pending[which % len(pending)]
            given: dict[str, Any] = {"account_id": item.account_id, "item_id": item.id, **self.signed}
            is_done = unless_refused(lambda: remove_item(**given))
            assert is_done == (not item.proration_id and (item.amount_minor > 0 or item.rebilling_id is None))

    @rule(which=positions, method=st.sampled_from(["automatic", "send_invoice"]))
    def change_the_collection_method(self, which: int, method: str) -> None:
        changes: Any = {"collection_method": method, "net_days": 5}
        update_account(account_id=self.any_account(which), changes=changes, **undated(self.signed))

    @rule(which=positions, number=st.integers(0, 3))
    def change_the_payment_method(self, which: int, number: int) -> None:
        account = Account.objects.get(id=self.any_account(which))
        update_account(account_id=account.id, changes={"payment_method": f"pm_{number}"}, **undated(self.signed))
        if account.payment_method != f"pm_{number}":
            assert not Account.objects.get(id=account.id).payment_method_unusable

    # --- invoices ---

    @rule(which=positions, amount_minor=_amounts)
    def credit(self, which: int, amount_minor: int) -> None:
        grant_credit(account_id=self.any_account(which), amount_minor=amount_minor, **self.signed)

    @precondition(lambda self: "Invoice" in self.there)
    @rule(
        which=positions,
        status=st.sampled_from(["OPEN", "PAID", "UNCOLLECTIBLE"]),
        free=_free,
        amount_minor=st.none() | st.none() | _amounts,
    )
    def issue_a_credit_note(self, which: int, status: str, free: dict[str, bool], amount_minor: int | None) -> None:
        invoice = self.any_invoice(which, status=status, **free)
        if invoice is None:
            return
        is_done = unless_refused(
            lambda: issue_credit_note(invoice_id=invoice.id, amount_minor=amount_minor, **self.signed)
        )
        asked = amount_minor or 1
        noted = invoice.credited_minor + invoice.credited_to_balance_minor + invoice.credited_to_refund_minor
        assert is_done == (not invoice.in_flight and noted + invoice.refunding_minor + asked <= invoice.total_minor)

    @precondition(lambda self: "Invoice" in self.there)
    @rule(which=positions, line=positions, amount_minor=_amounts)
    def credit_a_line(self, which: int, line: int, amount_minor: int) -> None:
        invoice = self.any_invoice(which)
        # The last invoice of a closed account, for a debt that was carried forward, has no lines.
        if invoice is not None and invoice.lines.exists():
            lines = list(invoice.lines.order_by("position"))
            named = {lines[line % len(lines)].id: amount_minor}
            unless_refused(lambda: issue_credit_note(invoice_id=invoice.id, lines=named, **self.signed))

    @precondition(lambda self: "Invoice" in self.there)
    @rule(which=positions, status=st.sampled_from(["OPEN"] * 4 + ["PAID", "UNCOLLECTIBLE"]), free=_free)
    def write_off(self, which: int, status: str, free: dict[str, bool]) -> None:
        invoice = self.any_invoice(which, status=status, **free)
        if invoice is not None:
            is_done = unless_refused(lambda: write_off_invoice(invoice_id=invoice.id, **self.signed))
            assert is_done == (invoice.status == "OPEN" and not invoice.in_flight)

    @precondition(lambda self: "Invoice" in self.there)
    @rule(back=st.integers(0, 3), type_=st.sampled_from(["credit", "credit", "write_off", "write_off", "charge"]))
    def reverse_one_of_the_newest(self, back: int, type_: str) -> None:
        entries = list(Entry.objects.filter(type=type_).order_by("-id")[: back + 1])
        if entries:
            entry = entries[-1]
            was = Entry.objects.filter(reverses=entry).exists()
            is_done = unless_refused(lambda: reverse_entry(entry_id=entry.id, **self.signed))
            assert not is_done or (type_ != "charge" and not was)
            assert is_done or type_ != "credit" or was

    @precondition(lambda self: "Invoice" in self.there)
    @rule(which=positions, given_back=st.booleans())
    def give_an_invoice_back_or_up_and_reopen(self, which: int, given_back: bool) -> None:
        """The running period isn't paid for any more: another begins on the day of reopening."""
        invoice = self.any_invoice(which, status="PAID" if given_back else "OPEN", in_flight=False)
        if invoice is None:
            return
        if given_back:
            unless_refused(lambda: issue_credit_note(invoice_id=invoice.id, **self.signed))
        else:
            write_off_invoice(invoice_id=invoice.id, **self.signed)
        before = Account.objects.get(id=invoice.account_id)
        if before.status != "INACTIVE" or before.inactive_reason == "paused":
            close_account(account_id=invoice.account_id, **self.signed)
        assert reopen_account(account_id=invoice.account_id, **self.signed).account.rebilling_date >= self.today

    # --- money ---

    @rule(
        which=positions,
        amount_minor=_amounts,
        of=st.sampled_from([None, {}, {"status": "OPEN"}, {"status": "UNCOLLECTIBLE"}, {"in_flight": True}]),
    )
    def receive(self, which: int, amount_minor: int, of: dict[str, Any] | None) -> None:
        """Money for an invoice, or for none."""
        invoice = None if of is None else self.any_invoice(which, **of)
        account_id = invoice.account_id if invoice else self.any_account(which)
        is_done = unless_refused(
            lambda: record_offline_payment(
                account_id=account_id,
                invoice_id=invoice.id if invoice else None,
                amount_minor=amount_minor,
                reference="SEPA",
                is_another=True,
                **self.signed,
            )
        )
        assert is_done == (invoice is None or invoice.status != "VOID")

    @precondition(lambda self: "Invoice" in self.there)
    @rule(which=positions, status=st.sampled_from(["OPEN", "OPEN", "PAID"]), free=_free)
    def pay(self, which: int, status: str, free: dict[str, bool]) -> None:
        """The hourly check sends it."""
        invoice = self.any_invoice(which, status=status, **free)
        if invoice is not None:
            is_done = unless_refused(lambda: pay_invoice(invoice_id=invoice.id, author="test", now=self.now))
            unusable = Account.objects.get(id=invoice.account_id).payment_method_unusable
            assert is_done == (status == "OPEN" and not invoice.in_flight and not unusable)

    @precondition(lambda self: "Payment" in self.there)
    @rule(
        which=positions,
        amount_minor=st.none() | _amounts,
        source=st.sampled_from(["payment", "payment", "balance"]),
        sent=st.booleans(),
    )
    def refund(self, which: int, amount_minor: int | None, source: str, sent: bool) -> None:
        """A part of a payment, or all of it. If its message isn't sent, the hourly check sends it."""
        payment = self.any_payment(which, status="SUCCEEDED")
        if payment is None:
            return
        asked, refund_id = amount_minor or payment.amount_minor, uuid.uuid4()
        given: dict[str, Any] = {"payment_id": payment.id, "amount_minor": asked, "source": source}
        given["refund_id"] = refund_id
        if unless_refused(lambda: request_refund(**given, **self.signed)):
            refund = Refund.objects.get(id=refund_id)
            assert not unless_refused(lambda: request_refund(**given, **self.signed))
            if sent and refund.status == "SUBMITTED":
                self.queue.send([RefundsMessage(ids=(refund.id,))])

    @precondition(lambda self: "Payment" in self.there)
    @rule(which=positions)
    def money_is_taken_back(self, which: int) -> None:
        payment = self.any_payment(which, status="SUCCEEDED")
        if payment is not None:
            given: dict[str, Any] = {"payment_id": payment.id, **self.signed}
            if unless_refused(lambda: record_reversed_payment(**given)):
                assert not unless_refused(lambda: record_reversed_payment(**given))
                # Nor is it sent back as well, whatever credit there is.
                grant_credit(account_id=payment.account_id, amount_minor=10_000, **self.signed)
                for source in ("payment", "balance"):
                    refund: dict[str, Any] = {"amount_minor": 1, "source": source} | given
                    assert not unless_refused(partial(request_refund, **refund))

    @precondition(lambda self: "Refund" in self.there)
    @rule(which=positions)
    def a_refund_comes_back(self, which: int) -> None:
        refunds = list(Refund.objects.filter(status="SUCCEEDED").order_by("id"))
        if refunds:
            refund_id = refunds[which % len(refunds)].id
            unless_refused(lambda: record_reversed_refund(refund_id=refund_id, **self.signed))

    @precondition(lambda self: "Payment" in self.there)
    @rule(which=positions)
    def resolve_what_needs_review(self, which: int) -> None:
        """By the gateway's own records; a payment that was never taken is asked for again by a person."""
        waiting: list[Any] = [
            row
            for model in (Payment, Refund)
            for row in model.objects.filter(needs_review=True).exclude(gateway=OFFLINE).order_by("id")
        ]
        if not waiting:
            return
        row = waiting[which % len(waiting)]
        given: dict[str, Any] = {"reference": str(row.id), **self.signed}
        if row.status not in row.IN_FLIGHT:
            mark_resolved(row=row, reason="seen", author="staff:anna")
        elif isinstance(row, Payment):
            taken = row.id in self.gateway.taken
            unless_refused(lambda: resolve_payment(payment_id=row.id, taken=taken, **given))
            self._send_submitted()
        else:
            sent = row.id in self.gateway.sent
            unless_refused(lambda: resolve_refund(refund_id=row.id, sent=sent, **given))

    def _send_submitted(self) -> None:
        never_called = Payment.objects.filter(status="SUBMITTED", first_called_at=None).order_by("id")
        with contextlib.suppress(IndexError):
            self.queue.send([PaymentsMessage(ids=(list(never_called)[-1].id,))])
