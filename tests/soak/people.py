"""What people do about some of the accounts while the months pass: whatever they may, on days drawn at random."""

import random
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from accounts.errors import Conflict, Invalid
from accounts.models import Account
from invoices.credit_notes import issue_credit_note
from invoices.credits import grant_credit, reverse_entry
from invoices.models import Invoice
from invoices.write_offs import write_off_invoice
from ledger.models import Entry
from payments.account_updates import update_account
from payments.models import Payment
from payments.offline_payments import record_offline_payment
from payments.payment_requests import pay_invoice
from payments.refund_requests import request_refund
from payments.reversed_money import record_reversed_payment
from payments.reviews import mark_resolved
from subscriptions.lifecycle import close_account, reopen_account
from tests.soak.clock import Clock
from tests.support.signatures import undated

AMOUNTS = [60, 1950, 480, 500, 1999, 3000]
"""Some leave a rest that is too small to collect."""
SHARE_A_DAY = 0.1
"""Of these accounts, those that something is done about on a day."""


@dataclass
class People:
    clock: Clock
    choices: random.Random
    accounts: list[uuid.UUID]
    counts: Counter[str] = field(default_factory=Counter)

    def work(self) -> None:
        """A day's work. What is refused moves nothing, and is counted apart."""
        acts = [
            *(self.credit, self.credit_note, self.credit_note, self.receive, self.receive, self.refund, self.write_off),
            *(self.take_back, self.pay, self.pay, self.change_method, self.change_method, self.change_collection),
            *(self.close_or_reopen, self.close_or_reopen, self.money_is_taken_back, self.resolve),
        ]
        for account_id in self.accounts:
            if self.choices.random() > SHARE_A_DAY:
                continue
            act: Callable[[uuid.UUID], object] = self.choices.choice(acts)
            try:
                with transaction.atomic():
                    done = act(account_id)
            except (Conflict, Invalid):
                self.counts["acts refused"] += 1
            else:
                self.counts["acts of people"] += bool(done)

    @property
    def signed(self) -> dict[str, Any]:
        return {"reason": "looked into", "author": "test", "today": self.clock.today, "now": self.clock.now}

    def one_of(self, model: Any, **having: Any) -> Any:
        found = list(model.objects.filter(**having).order_by("id"))
        return self.choices.choice(found) if found else None

    def credit(self, account_id: uuid.UUID) -> object:
        return grant_credit(account_id=account_id, amount_minor=self.choices.choice(AMOUNTS), **self.signed)

    def credit_note(self, account_id: uuid.UUID) -> object:
        invoice = self.one_of(Invoice, account=account_id)
        amount = self.choices.choice([None, *AMOUNTS])
        return invoice and issue_credit_note(invoice_id=invoice.id, amount_minor=amount, **self.signed)

    def receive(self, account_id: uuid.UUID) -> object:
        invoice = self.one_of(Invoice, account=account_id)
        named = invoice.id if invoice and self.choices.random() < 0.7 else None
        given: dict[str, Any] = {"reference": "SEPA", "is_another": True, "invoice_id": named} | self.signed
        return record_offline_payment(account_id=account_id, amount_minor=self.choices.choice(AMOUNTS), **given)

    def refund(self, account_id: uuid.UUID) -> object:
        payment = self.one_of(Payment, account=account_id, status="SUCCEEDED")
        source, amount = self.choices.choice(["payment", "balance"]), self.choices.choice(AMOUNTS)
        return payment and request_refund(payment_id=payment.id, amount_minor=amount, source=source, **self.signed)

    def write_off(self, account_id: uuid.UUID) -> object:
        invoice = self.one_of(Invoice, account=account_id, status="OPEN")
        return invoice and write_off_invoice(invoice_id=invoice.id, **self.signed)

    def take_back(self, account_id: uuid.UUID) -> object:
        entry = self.one_of(Entry, account=account_id, type__in=["credit", "write_off"])
        return entry and reverse_entry(entry_id=entry.id, **self.signed)

    def pay(self, account_id: uuid.UUID) -> object:
        invoice = self.one_of(Invoice, account=account_id, status="OPEN")
        return invoice and pay_invoice(invoice_id=invoice.id, author="test", now=self.clock.now)

    def change_method(self, account_id: uuid.UUID) -> object:
        changes: Any = {"payment_method": f"pm_{self.choices.randrange(10**6)}"}
        return update_account(account_id=account_id, changes=changes, **undated(self.signed))

    def change_collection(self, account_id: uuid.UUID) -> object:
        changes: Any = {"collection_method": self.choices.choice(["automatic", "send_invoice"]), "net_days": 10}
        return update_account(account_id=account_id, changes=changes, **undated(self.signed))

    def close_or_reopen(self, account_id: uuid.UUID) -> object:
        is_inactive = Account.objects.get(id=account_id).status == "INACTIVE"
        return (reopen_account if is_inactive else close_account)(account_id=account_id, **self.signed)

    def money_is_taken_back(self, account_id: uuid.UUID) -> object:
        payment = self.one_of(Payment, account=account_id, status="SUCCEEDED")
        return payment and record_reversed_payment(payment_id=payment.id, **self.signed)

    def resolve(self, account_id: uuid.UUID) -> object:
        payment = self.one_of(Payment, account=account_id, status="DECLINED", needs_review=True)
        if payment:
            mark_resolved(row=payment, reason="the invoice is collected anew", author="staff:anna")
        return payment
