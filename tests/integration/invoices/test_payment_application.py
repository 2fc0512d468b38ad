"""What of money that came goes to its invoice, what of it is recovered, and what is credit."""

import pytest
from django.db import transaction

from invoices.amounts import Amounts
from invoices.locked_invoices import lock_invoice
from invoices.models import Invoice
from invoices.payment_application import AppliedPayment, apply_payment, carry_forward
from tests.builders import TODAY, an_account, billed
from tests.support.databases import rolled_back
from tests.support.owing import DECLINED as SOFT
from tests.support.owing import answers, owing

pytestmark = rolled_back


class TestApplyPayment:
    @pytest.mark.parametrize(
        ("amounts", "amount", "applied", "paid", "written_off"),
        [
            (Amounts(total=1999), 1999, AppliedPayment(1999, 0, 0), 1999, 0),
            (Amounts(total=1999), 1, AppliedPayment(1, 0, 0), 1, 0),
            (Amounts(total=1999), 2500, AppliedPayment(1999, 0, 501), 1999, 0),
            (Amounts(total=1999, paid=1999), 500, AppliedPayment(0, 0, 500), 1999, 0),
            (Amounts(total=1999, written_off=1999), 1000, AppliedPayment(1000, 1000, 0), 1000, 999),
            (Amounts(total=1999, written_off=1999), 2500, AppliedPayment(1999, 1999, 501), 1999, 0),
            (Amounts(total=1999, written_off=999), 1500, AppliedPayment(1500, 500, 0), 1500, 499),
            (Amounts(total=1000, balance_applied=-30), 1030, AppliedPayment(1030, 0, 0), 1030, 0),
        ],
    )
    def test_goes_to_what_is_outstanding_then_to_what_was_written_off_then_to_the_balance(
        self, amounts: Amounts, amount: int, applied: AppliedPayment, paid: int, written_off: int
    ) -> None:
        account = owing()
        with transaction.atomic():
            locked, invoice = lock_invoice(Invoice.objects.get(account=account).id)
            invoice.amounts = amounts
            assert apply_payment(locked, invoice, amount_minor=amount) == applied
        assert (invoice.amounts.paid, invoice.amounts.written_off) == (paid, written_off)
        assert locked.credit_balance_minor == applied.excess_minor

    def test_for_no_invoice_is_all_credit(self) -> None:
        account = owing()
        with transaction.atomic():
            locked, _ = lock_invoice(Invoice.objects.get(account=account).id)
            assert apply_payment(locked, None, amount_minor=700) == AppliedPayment(0, 0, 700)
        assert locked.credit_balance_minor == 700


class TestCarryForward:
    @pytest.mark.parametrize(("credit", "left"), [(0, -1999), (2500, 501)])
    def test_takes_what_is_outstanding_from_the_balance(self, credit: int, left: int) -> None:
        account = an_account()
        billed(as_of=TODAY, gateway=answers(SOFT))
        with transaction.atomic():
            locked, invoice = lock_invoice(Invoice.objects.get(account=account).id)
            locked.credit_balance_minor = credit
            carry_forward(locked, invoice, today=TODAY)
        assert (invoice.status, invoice.amounts.balance_applied, locked.credit_balance_minor) == ("PAID", 1999, left)
