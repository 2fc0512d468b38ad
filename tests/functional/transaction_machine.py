"""What the machine of `platform_machine.py` begins with: plans, accounts, tax rates, and a day."""

import datetime
import sys
import uuid
from decimal import Decimal
from typing import Any

from django.db import transaction
from hypothesis.stateful import RuleBasedStateMachine

from accounts.tax_rates import create_tax_rate
from invoices.models import Invoice
from payments.models import Payment
from tests.builders import QueueInHand, a_plan
from tests.support.kept_gateway import KeptGateway
from tests.support.soundness import Soundness

FIRST_DAY = datetime.date(2027, 12, 31)


class TransactionMachine(RuleBasedStateMachine):
    """Plans, accounts and a day; its transaction is undone at the end of each example."""

    def __init__(self) -> None:
        super().__init__()
        self.now = datetime.datetime.combine(FIRST_DAY, datetime.time(6), datetime.UTC)
        self.accounts: list[uuid.UUID] = []
        self.there: set[str] = set()
        """The models that have rows: what needs one isn't tried before."""
        self.queue = QueueInHand()
        self.gateway = KeptGateway()
        self.soundness = Soundness()
        self.undone = transaction.atomic()
        self.undone.__enter__()
        added = create_tax_rate(name="VAT", percent=Decimal("8.875"), now=self.now)
        included = create_tax_rate(name="VAT", percent=Decimal(19), inclusive=True, now=self.now)
        self.rates = [None, added.id, included.id]
        self.plans = [
            a_plan(interval_unit="day", unit_amount_minor=100),
            a_plan(),
            a_plan(interval_unit="week", unit_amount_minor=700),
            a_plan(unit_amount_minor=0),
            a_plan(trial_days=10, unit_amount_minor=500),
            a_plan(interval_count=3, currency="JPY", unit_amount_minor=5000),
            a_plan(interval_unit="year", unit_amount_minor=20_000),
        ]

    @property
    def today(self) -> datetime.date:
        return self.now.date()

    @property
    def at_this_moment(self) -> dict[str, Any]:
        return {"author": "test", "today": self.today, "now": self.now}

    @property
    def signed(self) -> dict[str, Any]:
        return {"reason": "looked into"} | self.at_this_moment

    def teardown(self) -> None:
        try:
            # Not after a failure, which it would hide.
            if sys.exc_info()[0] is None:
                self.come_to_an_end()
        finally:
            transaction.set_rollback(True)
            self.undone.__exit__(None, None, None)

    def come_to_an_end(self) -> None:
        raise NotImplementedError

    def any_account(self, which: int) -> uuid.UUID:
        return self.accounts[which % len(self.accounts)]

    def any_invoice(self, which: int, **having: Any) -> Invoice | None:
        invoices = list(Invoice.objects.filter(**having).order_by("id"))
        return invoices[which % len(invoices)] if invoices else None

    def any_payment(self, which: int, **having: Any) -> Payment | None:
        payments = list(Payment.objects.filter(**having).order_by("id"))
        return payments[which % len(payments)] if payments else None
