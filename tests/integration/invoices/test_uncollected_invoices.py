"""Which invoices nothing collects by itself."""

import datetime

from accounts.models import Account
from invoices.models import Invoice
from invoices.uncollected_invoices import uncollected
from payments.gateways.port import Declined, Unknown
from payments.models import Payment
from payments.reversed_money import record_reversed_payment
from tests.builders import NOW, TODAY, an_account, billed
from tests.support.databases import rolled_back
from tests.support.owing import DECLINED, FEB_1, answers, invoices_of, owing
from tests.support.refunds import paid

pytestmark = rolled_back


def found() -> list[Invoice]:
    return list(Invoice.objects.filter(uncollected()).order_by("id"))


def day(number: int) -> datetime.date:
    return TODAY + datetime.timedelta(days=number)


class TestUncollected:
    def test_finds_what_failed_by_our_own_fault(self) -> None:
        account = owing(Declined(code="invalid_request"))
        assert found() == invoices_of(account)

    def test_finds_what_was_taken_back(self) -> None:
        payment = paid()
        record_reversed_payment(payment_id=payment.id, reason="dispute", author="t", today=TODAY, now=NOW)
        assert found() == invoices_of(payment.account)

    def test_finds_what_is_left_when_the_schedule_is_over(self) -> None:
        account = owing(DECLINED)
        for number in range(1, 7):
            billed(as_of=day(number), gateway=answers(DECLINED))
            assert found() == []
        billed(as_of=day(7), gateway=answers(DECLINED))
        assert Account.objects.get(id=account.id).status == "INACTIVE"
        assert found() == invoices_of(account)

    def test_leaves_out_what_is_paid_in_flight_or_sent_to_the_customer(self) -> None:
        paid()
        owing(Unknown(reason="timed out"))
        an_account(collection_method="send_invoice")
        billed(as_of=TODAY)
        assert found() == []

    def test_leaves_out_what_waits_for_the_step_of_another_invoice(self) -> None:
        account = owing(DECLINED)
        billed(as_of=FEB_1, gateway=answers(DECLINED))
        january, february = invoices_of(account)
        Account.objects.filter(id=account.id).update(dunning_on=None)
        assert found() == [january, february]
        Invoice.objects.filter(id=january.id).update(in_flight=True)
        assert Payment.objects.exists()
        assert found() == []
