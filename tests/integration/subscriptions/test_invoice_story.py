"""What an invoice's page says in words."""

import datetime
import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account
from invoices.credit_notes import issue_credit_note
from invoices.credits import grant_credit, reverse_entry
from invoices.locked_invoices import UnknownInvoice
from invoices.models import CreditNote, Invoice
from invoices.write_offs import write_off_invoice
from payments.gateways.port import Declined, Unknown
from payments.messages.format import to_json
from payments.messages.rows import PaymentsMessage
from payments.payment_requests import pay_invoice
from payments.reversed_money import record_reversed_payment
from payments.reviews import resolve_payment
from subscriptions.invoice_story import explain_invoice
from subscriptions.lifecycle import close_account
from tests.builders import NOW, TODAY, QueueInHand, ScriptedGateway, a_plan, an_account, billed, delivered, swept
from tests.support.databases import rolled_back
from tests.support.owing import DECLINED, HARD, owing, received
from tests.support.refunds import paid, refunded, requested, sent
from tests.support.terms import JAN_16, billed_account, changed, pay

pytestmark = rolled_back

SAID: dict[str, Any] = {"reason": "outage", "author": "staff:anna", "today": TODAY, "now": NOW}
FEB_1 = datetime.date(2026, 2, 1)
ISSUED = "Issued on 1 Jan 2026 for 19.99 USD, to be collected at once."
OUTSTANDING = "19.99 USD is outstanding."
COLLECTED = "19.99 USD was collected on 1 Jan 2026 through logging."
WAS_DECLINED = "A payment of 19.99 USD was declined on 1 Jan 2026 (card_declined)."
NEXT_STEP = "The next step of dunning is on 2 Jan 2026."


def story_of(account: Account) -> list[str]:
    return explain_invoice(account.invoices.earliest("id").id, today=TODAY)


def invoice_of(account: Account) -> Invoice:
    return account.invoices.earliest("id")


class TestPayments:
    def test_collected_at_once(self) -> None:
        assert story_of(paid().account) == [ISSUED, COLLECTED, "It is paid."]

    def test_submitted(self) -> None:
        account = an_account()
        queue = QueueInHand()
        swept(as_of=TODAY, queue=queue)
        # No time is left to call the gateway.
        assert delivered(bodies=queue.take(), seconds_left=0) == []
        assert story_of(account) == [ISSUED, "A payment of 19.99 USD was submitted on 1 Jan 2026.", OUTSTANDING]

    def test_declined_and_paid_by_a_step_of_dunning(self) -> None:
        account = owing()
        assert story_of(account) == [ISSUED, WAS_DECLINED, OUTSTANDING, NEXT_STEP]
        billed(as_of=datetime.date(2026, 1, 2))
        assert story_of(account) == [
            ISSUED,
            WAS_DECLINED,
            "19.99 USD was collected on 2 Jan 2026 through logging as a step of dunning.",
            "It is paid.",
        ]

    def test_declined_until_the_schedule_is_over(self) -> None:
        account = owing()
        for day in (2, 4, 6, 8):
            billed(as_of=datetime.date(2026, 1, day), gateway=ScriptedGateway(DECLINED))
        story = story_of(account)
        assert story[2] == "A payment of 19.99 USD was declined on 2 Jan 2026 as a step of dunning (card_declined)."
        assert story[-2:] == [OUTSTANDING, "The dunning schedule is over: nothing collects it by itself."]

    def test_declined_hard(self) -> None:
        account = owing(HARD)
        unusable = "The account's payment method was declined for good: the invoice is collected once there is another."
        assert story_of(account)[1:] == [
            "A payment of 19.99 USD was declined on 1 Jan 2026 (stolen_card).",
            OUTSTANDING,
            unusable,
        ]
        billed(as_of=FEB_1)
        assert explain_invoice(account.invoices.latest("id").id, today=TODAY) == [
            "Issued on 1 Feb 2026 for 19.99 USD, to be collected at once.",
            "The account's payment method can't be used, so nothing was tried: it counts as declined.",
            OUTSTANDING,
            unusable,
        ]

    def test_collected_at_a_persons_request(self) -> None:
        account = owing()
        payment = pay_invoice(invoice_id=invoice_of(account).id, author="staff:anna", now=NOW)
        assert story_of(account)[2:] == [
            "A payment of 19.99 USD was submitted on 1 Jan 2026 at the request of staff:anna.",
            OUTSTANDING,
        ]
        assert payment.status == "SUBMITTED"

    def test_unknown_and_resolved_by_a_person(self) -> None:
        account = owing(Unknown(reason="no answer"))
        unknown = "It is not known yet what became of a payment of 19.99 USD: it is looked up at the gateway."
        assert story_of(account) == [ISSUED, unknown, OUTSTANDING]
        payment = account.payments.get()
        account.payments.update(needs_review=True, review_reason="the gateway moved 5.00 USD", leased_until=None)
        assert story_of(account)[1] == "A payment of 19.99 USD needs attention: the gateway moved 5.00 USD."
        resolve_payment(payment_id=payment.id, taken=False, reference="", **SAID)
        assert story_of(account) == [
            ISSUED,
            "staff:anna found on 1 Jan 2026 that a payment of 19.99 USD had taken no money: outage.",
            "A payment of 19.99 USD was submitted on 1 Jan 2026.",
            OUTSTANDING,
        ]

    def test_our_own_fault(self) -> None:
        account = owing(Declined(code="invalid_request"))
        assert story_of(account) == [
            ISSUED,
            "A payment of 19.99 USD failed on 1 Jan 2026, which is no decline: the gateway rejects the request.",
            OUTSTANDING,
            "Nothing collects it by itself: collect it now, or record what is paid offline.",
        ]

    def test_too_small(self) -> None:
        account = owing(Declined(code="amount_too_small"))
        assert story_of(account) == [
            ISSUED,
            "A payment of 19.99 USD was too small for the gateway on 1 Jan 2026.",
            "19.99 USD was too small to collect on 1 Jan 2026, and is carried forward to the next invoice.",
            "It is paid.",
            "The account's credit balance is -19.99 USD: the next invoice brings it forward.",
        ]
        billed(as_of=FEB_1)
        assert explain_invoice(account.invoices.latest("id").id, today=TODAY) == [
            "Issued on 1 Feb 2026 for 19.99 USD, to be collected at once.",
            "19.99 USD that was owed from before was brought forward to it.",
            "39.98 USD was collected on 1 Feb 2026 through logging.",
            "It is paid.",
        ]

    def test_superseded(self) -> None:
        account = an_account()
        queue = QueueInHand()
        swept(as_of=TODAY, queue=queue)
        assert delivered(bodies=queue.take(), queue=queue, seconds_left=0) == []
        received(account, 500, invoice_id=invoice_of(account).id)
        while bodies := queue.take():
            assert delivered(bodies=bodies, queue=queue) == []
        assert story_of(account) == [
            ISSUED,
            "A payment of 19.99 USD was not sent on 1 Jan 2026: less was outstanding by then.",
            "5.00 USD was received offline on 1 Jan 2026 (SEPA 17).",
            "14.99 USD was collected on 1 Jan 2026 through logging.",
            "It is paid.",
        ]

    def test_offline_and_more_than_outstanding(self) -> None:
        account = owing()
        received(account, 2500, invoice_id=invoice_of(account).id)
        assert story_of(account)[2:] == [
            "25.00 USD was received offline on 1 Jan 2026 (SEPA 17); 5.01 USD of it was more than was outstanding and "
            "became credit.",
            "It is paid.",
        ]

    def test_taken_back(self) -> None:
        payment = paid()
        record_reversed_payment(payment_id=payment.id, **SAID | {"reason": "dispute lost."})
        assert story_of(payment.account) == [
            ISSUED,
            COLLECTED,
            "The payment of 19.99 USD was taken back on 1 Jan 2026: dispute lost.",
            OUTSTANDING,
            "Nothing collects it by itself: collect it now, or record what is paid offline.",
        ]


class TestCreditAndCorrections:
    def test_from_the_credit_balance(self) -> None:
        account = an_account()
        grant_credit(account_id=account.id, amount_minor=700, **SAID)
        billed(as_of=TODAY)
        assert story_of(account) == [
            ISSUED,
            "7.00 USD was paid from the account's credit balance on 1 Jan 2026.",
            "12.99 USD was collected on 1 Jan 2026 through logging.",
            "It is paid.",
        ]

    def test_a_rest_that_is_carried_forward(self) -> None:
        account = an_account(plan=a_plan(unit_amount_minor=1000))
        grant_credit(account_id=account.id, amount_minor=970, **SAID)
        billed(as_of=TODAY)
        assert story_of(account)[1:] == [
            "9.70 USD was paid from the account's credit balance on 1 Jan 2026.",
            "0.30 USD was too small to collect on 1 Jan 2026, and is carried forward to the next invoice.",
            "It is paid.",
            "The account's credit balance is -0.30 USD: the next invoice brings it forward.",
        ]

    def test_credit_that_came_later(self) -> None:
        account = owing()
        day = TODAY + datetime.timedelta(days=1)
        grant_credit(account_id=account.id, amount_minor=500, **SAID | {"today": day})
        assert story_of(account)[:4] == [
            ISSUED,
            "A payment of 19.99 USD was declined on 1 Jan 2026 (card_declined).",
            "5.00 USD was paid from the account's credit balance on 2 Jan 2026.",
            "14.99 USD is outstanding.",
        ]

    def test_credited_in_part_and_whole(self) -> None:
        account = owing()
        issue_credit_note(invoice_id=invoice_of(account).id, amount_minor=500, **SAID)
        issue_credit_note(invoice_id=invoice_of(account).id, **SAID | {"reason": "wrong customer"})
        first, second = CreditNote.objects.order_by("id")
        assert story_of(account)[2:] == [
            f"Credit note {first.number} on 1 Jan 2026, 5.00 USD off what was outstanding: outage.",
            f"Credit note {second.number} on 1 Jan 2026, 14.99 USD off what was outstanding: wrong customer.",
            "It is void: all of it was credited.",
        ]

    def test_credited_after_it_was_paid_in_part(self) -> None:
        account = owing()
        received(account, 1500, invoice_id=invoice_of(account).id)
        note = issue_credit_note(invoice_id=invoice_of(account).id, amount_minor=700, **SAID)
        assert story_of(account)[2:] == [
            "15.00 USD was received offline on 1 Jan 2026 (SEPA 17).",
            f"Credit note {note.number} on 1 Jan 2026, 4.99 USD off what was outstanding and 2.01 USD to the account's "
            "credit balance: outage.",
            "It is paid.",
        ]

    def test_refunded(self) -> None:
        payment = paid()
        requested(payment, 700)
        assert story_of(payment.account)[2:] == ["A refund of 7.00 USD is on its way: unhappy.", "It is paid."]
        refunded(payment, 100)
        note = CreditNote.objects.get()
        assert story_of(payment.account)[3:] == [
            "1.00 USD was refunded on 1 Jan 2026: unhappy.",
            f"Credit note {note.number} on 1 Jan 2026, 1.00 USD for the refund: unhappy.",
            "It is paid.",
        ]

    def test_a_refund_that_failed_and_one_that_needs_attention(self) -> None:
        payment = paid()
        for answer in (Declined(code="charge_disputed"), Unknown(reason="moved 5.00 USD", needs_review=True)):
            assert sent(requested(payment, 100), gateway=ScriptedGateway(refunds=[answer])) == []
        assert story_of(payment.account)[2:] == [
            "A refund of 1.00 USD failed (charge_disputed).",
            "A refund of 1.00 USD needs attention: moved 5.00 USD.",
            "It is paid.",
        ]

    def test_written_off_recovered_and_taken_back(self) -> None:
        account = owing()
        invoice = invoice_of(account)
        entry = write_off_invoice(invoice_id=invoice.id, **SAID | {"reason": "insolvent"})
        assert story_of(account)[2:] == [
            "19.99 USD was written off on 1 Jan 2026: insolvent.",
            "It is uncollectible: 19.99 USD is written off.",
        ]
        reverse_entry(entry_id=entry.id, **SAID | {"reason": "they pay"})
        assert story_of(account)[3:] == [
            "The write-off of 19.99 USD was reversed on 1 Jan 2026: they pay.",
            OUTSTANDING,
            NEXT_STEP,
        ]
        write_off_invoice(invoice_id=invoice.id, **SAID | {"reason": "insolvent"})
        received(account, 1000, invoice_id=invoice.id)
        assert story_of(account)[5:] == [
            "10.00 USD was received offline on 1 Jan 2026 (SEPA 17).",
            "10.00 USD of what had been written off was recovered on 1 Jan 2026.",
            "It is uncollectible: 9.99 USD is written off.",
        ]


class TestInvoice:
    def test_that_is_sent_to_the_customer(self) -> None:
        account = an_account(collection_method="send_invoice", net_days=30)
        billed(as_of=TODAY)
        assert story_of(account) == [
            "Issued on 1 Jan 2026 for 19.99 USD, to be paid by the customer by 31 Jan 2026.",
            OUTSTANDING,
            "It is due on 31 Jan 2026.",
        ]
        (invoice,) = account.invoices.all()
        past = explain_invoice(invoice.id, today=FEB_1)
        assert past[2] == "It was due on 31 Jan 2026 and is past due."

    def test_of_nothing(self) -> None:
        account = an_account(plan=a_plan(unit_amount_minor=0))
        billed(as_of=TODAY)
        assert story_of(account) == [
            "Issued on 1 Jan 2026 for 0.00 USD, to be collected at once.",
            "There was nothing to pay.",
        ]

    def test_that_is_an_accounts_last(self) -> None:
        """It bills what was carried forward, and has no lines."""
        account = owing(Declined(code="amount_too_small"))
        close_account(account_id=account.id, **SAID)
        last = account.invoices.latest("id")
        payment = last.payments.get()
        brought = "19.99 USD that was owed from before was brought forward to it."
        issued = "Issued on 1 Jan 2026 for 0.00 USD, to be collected at once."
        submitted = "A payment of 19.99 USD was submitted on 1 Jan 2026."
        assert explain_invoice(last.id, today=TODAY) == [issued, brought, submitted, OUTSTANDING]
        assert delivered(bodies=[to_json(PaymentsMessage(ids=(payment.id,)))]) == []
        assert explain_invoice(last.id, today=TODAY) == [issued, brought, COLLECTED, "It is paid."]

    def test_of_a_change_of_terms_begins_with_who_made_it_and_why(self) -> None:
        account = billed_account()
        changed(account, quantity=2, how={"author": "staff:bo", "reason": "Two more people joined."})
        pay(account)
        invoice = account.invoices.latest("id")
        assert explain_invoice(invoice.id, today=JAN_16) == [
            "Billed for the change of terms on 16 Jan 2026 by staff:bo: Two more people joined.",
            "Issued on 16 Jan 2026 for 16.00 USD, to be collected at once.",
            "16.00 USD was collected on 16 Jan 2026 through logging.",
            "It is paid.",
        ]
        assert explain_invoice(account.invoices.earliest("id").id, today=JAN_16)[0].startswith("Issued on 1 Jan 2026")

    def test_of_a_period_that_bills_a_change_too_is_not_issued_for_it(self) -> None:
        account = billed_account()
        changed(account, quantity=2, how={"proration": "next_invoice"})
        billed(as_of=FEB_1)
        invoice = account.invoices.latest("id")
        assert invoice.total_minor == 6200 + 1600
        assert explain_invoice(invoice.id, today=FEB_1)[0].startswith("Issued on 1 Feb 2026 for 78.00 USD")

    def test_that_does_not_exist_is_refused(self) -> None:
        with pytest.raises(UnknownInvoice, match=r"There is no invoice 0000"):
            explain_invoice(uuid.UUID(int=0), today=TODAY)

    def test_takes_as_many_statements_whatever_happened(self) -> None:
        def statements() -> int:
            with CaptureQueriesContext(connection) as found:
                explain_invoice(invoice.id, today=TODAY)
            return len(found)

        payment = paid()
        invoice = invoice_of(payment.account)
        few = statements()
        for _ in range(3):
            refunded(payment, 100)
        assert statements() == few == 7
