"""The page of an invoice, and the staff's actions on it: collect, offline payment, credit note, write-off."""

import datetime
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoCaptureOnCommitCallbacks

from invoices.credits import grant_credit
from invoices.models import CreditNote, Invoice
from ledger.models import Entry, EntryType
from payments.messages import dispatch
from payments.models import Payment
from tests.builders import NOW, TODAY, QueueInHand, a_plan, an_account, billed, delivered
from tests.functional.backoffice.action_requests import logged, messages_of, path_of, state, submission_of
from tests.functional.backoffice.conftest import Billed, Owing, page
from tests.support.databases import rolled_back
from tests.support.owing import FEB_1, invoices_of, received, rows, state_of
from tests.support.refunds import refunded

pytestmark = rolled_back

ACTIONS = ["collect", "payment", "credit-note", "write-off"]
ISSUED = ["The credit note was issued."]
REQUIRED = "This field is required."
NO_AMOUNT = "Enter an amount in USD with digits and a decimal point, like 20.50."
NOT_CHOSEN = "Leave it empty, or choose above what it belongs to."
LIMITS = "Must be from 0.01 USD to 999,999.99 USD (the setting MAX_MOVEMENT_MINOR)."
WRITTEN_OFF = ["The invoice was written off."]


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch, settings: Any) -> QueueInHand:
    """The queue that the admin sends to."""
    queue = QueueInHand()
    monkeypatch.setattr(dispatch, "configured_queue", lambda: queue)
    return queue


def shown(client: Client, invoice: Invoice) -> str:
    return page(client, f"invoices/invoice/{invoice.id}/change/")


def offered(client: Client, invoice: Invoice) -> list[str]:
    content = shown(client, invoice)
    return [name for name in ACTIONS if path_of(invoice, name) in content]


def crediting(client: Client, invoice: Invoice, **said: str) -> dict[str, str]:
    return {"reason": "outage", "submission": submission_of(client, invoice, "credit-note")} | said


class TestPage:
    def test_shows_lines_payments_credit_notes_and_entries(self, support: Client, billed_account: Billed) -> None:
        refund = refunded(billed_account.payment, 100_000)
        note = CreditNote.objects.get()
        content = shown(support, billed_account.invoice)
        assert "<td>1</td><td>Gold, 1 Jan to 31 Jan 2026</td>" in content
        amounts = ("1,999.00", "0.00", "1,999.00", "0.00", "1,999.00", "1,000.00")
        assert "<td>1</td>" + "".join(f"<td>{amount} USD</td>" for amount in amounts) in content
        for row in (
            billed_account.account,
            billed_account.rebilling,
            billed_account.payment,
            billed_account.charge,
            note,
            refund,
        ):
            assert path_of(row, "change") in content, row

    def test_shows_each_use_of_the_credit_balance(self, support: Client) -> None:
        account = an_account()
        grant_credit(
            account_id=account.id, amount_minor=1980, reason="sorry", author="staff:anna", today=TODAY, now=NOW
        )
        for day in (TODAY, FEB_1):
            billed(as_of=day)
        january, february = (shown(support, invoice) for invoice in invoices_of(account))
        assert "<td>2026-01-01</td><td>credit paid so much</td><td>19.80 USD</td>" in january
        assert "<td>2026-01-01</td><td>too small to collect, goes to the next invoice</td><td>0.19 USD</td>" in january
        assert "<td>2026-02-01</td><td>owed from before, collected with this invoice</td><td>0.19 USD</td>" in february

    def test_says_in_words_what_happened(self, support: Client, billed_account: Billed) -> None:
        content = shown(support, billed_account.invoice)
        assert "<li>Issued on 1 Jan 2026 for 1,999.00 USD, to be collected at once.</li>" in content
        assert "<li>1,999.00 USD was collected on 1 Jan 2026 through logging.</li>" in content
        assert "<li>It is paid.</li>" in content

    def test_is_found_where_nothing_collects_it(self, support: Client, owing: Owing) -> None:
        def listed() -> list[bool]:
            content = page(support, "invoices/invoice/?uncollected=true")
            return [path_of(invoice, "change") in content for invoice in (owing.january, owing.february)]

        assert listed() == [False, False]
        Invoice.objects.filter(id=owing.february.id).update(declined_on=None)
        assert listed() == [False, True]

    def test_shows_amounts_as_money_alone(self, support: Client, owing: Owing) -> None:
        received(owing.account, 500, invoice_id=owing.january.id)
        content = shown(support, owing.january)
        for amount in ("19.99 USD", "5.00 USD", "14.99 USD"):
            assert f'<div class="readonly">{amount}</div>' in content
        assert not [minor for minor in ("1999", "1499", "500") if f">{minor}<" in content]

    def test_of_a_credit_note_shows_what_it_credits(self, operator: Client, billed_account: Billed) -> None:
        said = crediting(operator, billed_account.invoice, what="amount", amount="5.00")
        operator.post(path_of(billed_account.invoice, "credit-note"), said)
        note = CreditNote.objects.get()
        content = page(operator, f"invoices/creditnote/{note.id}/change/")
        assert "<td>1</td><td>Gold, 1 Jan to 31 Jan 2026</td><td>5.00 USD</td>" in content
        assert path_of(billed_account.invoice, "change") in content
        assert "outage" in content


class TestButtons:
    def test_depend_on_the_invoice_and_the_person(
        self, operator: Client, support: Client, owing: Owing, billed_account: Billed
    ) -> None:
        for invoice, names in ((owing.january, ACTIONS), (billed_account.invoice, ["credit-note"])):
            assert offered(operator, invoice) == names
            assert offered(support, invoice) == []
        operator.post(path_of(owing.january, "write-off"), {"reason": "insolvent"})
        assert offered(operator, owing.january) == ["payment", "credit-note"]
        said = crediting(operator, owing.february, what="all")
        assert messages_of(operator, path_of(owing.february, "credit-note"), said) == ISSUED
        assert offered(operator, owing.february) == []

    def test_are_fewer_while_a_payment_is_in_flight(self, operator: Client, owing: Owing) -> None:
        operator.post(path_of(owing.january, "collect"), {"reason": "new card"})
        assert offered(operator, owing.january) == ["payment"]


class TestCollect:
    def test_submits_a_payment_and_sends_it(
        self,
        operator: Client,
        owing: Owing,
        sent: QueueInHand,
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:
        received(owing.account, 500, invoice_id=owing.january.id)
        with django_capture_on_commit_callbacks(execute=True):
            messages = messages_of(operator, path_of(owing.january, "collect"), {"reason": "new card"})
        assert messages == ["A payment was submitted. Its outcome will be known in a moment."]
        assert logged() == [("olga", str(owing.january.id), "Collect now: new card")]
        payment = Payment.objects.get(status="SUBMITTED")
        assert (payment.amount_minor, payment.cause, payment.created_by) == (1499, "request", "staff:olga")
        assert sent.payments == [payment.id]
        assert delivered(bodies=sent.take()) == []
        assert rows(owing.account)[0] == ("PAID", 0, 1999)

    def test_is_for_the_gateway_that_is_set_and_needs_no_key_of_it(
        self, operator: Client, owing: Owing, settings: Any
    ) -> None:
        settings.PAYMENT_GATEWAY, settings.STRIPE_API_KEY = "payments.gateways.stripe.gateway.StripeGateway", ""
        operator.post(path_of(owing.january, "collect"), {"reason": "new card"})
        assert Payment.objects.get(status="SUBMITTED").gateway == "stripe"

    def test_of_what_is_in_flight_or_paid_is_refused(
        self, operator: Client, owing: Owing, billed_account: Billed
    ) -> None:
        operator.post(path_of(owing.january, "collect"), {"reason": "new card"})
        before = state()
        assert messages_of(operator, path_of(owing.january, "collect"), {"reason": "again"}) == [
            f"A payment of the invoice {owing.january.number} is at the gateway: wait until its outcome is known."
        ]
        assert messages_of(operator, path_of(billed_account.invoice, "collect"), {"reason": "again"}) == [
            f"The invoice {billed_account.invoice.number} is PAID: nothing of it is outstanding."
        ]
        assert state() == before


class TestRecordOfflinePayment:
    def test_is_for_this_invoice(self, operator: Client, owing: Owing) -> None:
        path = path_of(owing.february, "payment")
        submission = submission_of(operator, owing.february, "payment")
        said = {"reason": "by transfer", "reference": "SEPA 17", "amount": "9,99", "submission": submission}
        assert messages_of(operator, path, said) == ["The payment was recorded."]
        payment = Payment.objects.get(gateway="offline")
        assert (payment.invoice_id, payment.amount_minor, str(payment.id)) == (owing.february.id, 999, submission)
        assert rows(owing.account) == [("OPEN", 0, 0), ("OPEN", 0, 999)]
        before = state()
        assert messages_of(operator, path, said) == ["This payment was recorded before."]
        again = said | {"submission": submission_of(operator, owing.february, "payment")}
        (message,) = messages_of(operator, path, again)
        assert message.startswith("9.99 USD with the reference 'SEPA 17' was recorded before")
        assert state() == before

    def test_for_a_void_one_is_refused(self, operator: Client, owing: Owing) -> None:
        operator.post(path_of(owing.february, "credit-note"), crediting(operator, owing.february, what="all"))
        submission = submission_of(operator, owing.february, "payment")
        said = {"reason": "by transfer", "reference": "SEPA 17", "amount": "9.99", "submission": submission}
        before = state()
        (message,) = messages_of(operator, path_of(owing.february, "payment"), said)
        assert message == (
            f"No payment was recorded. The invoice {owing.february.number} is VOID: record the money without an "
            "invoice, as credit."
        )
        assert state() == before


class TestCreditNote:
    def test_of_all_that_is_left_voids_an_unpaid_invoice(self, operator: Client, owing: Owing) -> None:
        form = operator.get(path_of(owing.january, "credit-note")).content.decode()
        assert "All that is left: 19.99 USD" in form
        assert "1 Jan to 31 Jan 2026: 19.99 USD is left." in form
        said = crediting(operator, owing.january, what="all")

        assert messages_of(operator, path_of(owing.january, "credit-note"), said) == ISSUED

        note = CreditNote.objects.get()
        assert (note.amount_minor, note.reason, note.created_by) == (1999, "outage", "staff:olga")
        assert str(note.id) == said["submission"]
        assert rows(owing.account) == [("VOID", 0, 0), ("OPEN", 0, 0)]
        assert owing.account.rebillings.get(period_start=TODAY).status == "VOIDED"
        assert logged() == [("olga", str(owing.january.id), "Issue a credit note: outage")]

    def test_of_an_amount_after_it_was_paid_becomes_credit(self, operator: Client, billed_account: Billed) -> None:
        said = crediting(operator, billed_account.invoice, what="amount", amount="5,00")
        assert messages_of(operator, path_of(billed_account.invoice, "credit-note"), said) == ISSUED
        assert state_of(billed_account.account) == ("ACTIVE", 0, 500)
        billed_account.invoice.refresh_from_db()
        assert (billed_account.invoice.status, billed_account.invoice.credited_to_balance_minor) == ("PAID", 500)

    def test_of_lines(self, operator: Client) -> None:
        start = datetime.date(2025, 11, 1)
        account = an_account(plan=a_plan(code="three"), anchor_date=start, rebilling_date=start)
        billed(as_of=TODAY)
        invoice = account.invoices.get()
        said = crediting(operator, invoice, what="lines", line_1="1.00", line_3="19.99")
        assert messages_of(operator, path_of(invoice, "credit-note"), said) == ISSUED
        assert list(invoice.lines.order_by("position").values_list("credited_minor", flat=True)) == [100, 0, 1999]
        assert state_of(account) == ("ACTIVE", 0, 2099)

    def test_the_same_form_sent_twice_credits_once(self, operator: Client, billed_account: Billed) -> None:
        said = crediting(operator, billed_account.invoice, what="amount", amount="5.00")
        path = path_of(billed_account.invoice, "credit-note")
        operator.post(path, said)
        before = state()
        assert messages_of(operator, path, said) == ["This credit note was issued before."]
        assert state() == before

    @pytest.mark.parametrize(
        ("said", "errors"),
        [
            ({}, {"what": REQUIRED}),
            ({"what": "some"}, {"what": "Select a valid choice. some is not one of the available choices."}),
            ({"what": "amount"}, {"amount": "Enter the amount."}),
            ({"what": "amount", "amount": "x"}, {"amount": NO_AMOUNT}),
            (
                {"what": "amount", "amount": "20.00"},
                {"amount": "Of the invoice {number}, 19.99 USD is left to credit."},
            ),
            ({"what": "lines"}, {"what": "Enter an amount at one line at least."}),
            ({"what": "lines", "line_1": "0"}, {"line_1": LIMITS}),
            ({"what": "lines", "line_1": "20.00"}, {"line_1": "Line 1: from 0.01 USD to 19.99 USD."}),
            ({"what": "all", "amount": "5.00"}, {"amount": NOT_CHOSEN}),
            ({"what": "amount", "amount": "5.00", "line_1": "5.00"}, {"line_1": NOT_CHOSEN}),
            ({"what": "all", "reason": " "}, {"reason": REQUIRED}),
            ({"what": "all", "submission": ""}, {"submission": "This form is incomplete. Open it again."}),
        ],
    )
    def test_with_invalid_input_is_refused_at_its_field(
        self, operator: Client, owing: Owing, said: dict[str, str], errors: dict[str, str]
    ) -> None:
        form = crediting(operator, owing.january, **said)
        before = state()
        response = operator.post(path_of(owing.january, "credit-note"), form)
        line = owing.january.lines.get()
        assert response.context["form"].errors == {
            name: [message.format(number=owing.january.number, line=line.id)] for name, message in errors.items()
        }
        assert state() == before

    def test_of_nothing_that_is_left_is_refused(self, operator: Client, owing: Owing) -> None:
        operator.post(path_of(owing.january, "credit-note"), crediting(operator, owing.january, what="all"))
        before = state()
        response = operator.post(
            path_of(owing.january, "credit-note"), crediting(operator, owing.january, what="all", reason="again")
        )
        assert response.context["form"].errors == {"what": ["Nothing is left of the invoice to credit."]}
        assert state() == before

    def test_while_a_payment_is_in_flight_is_refused(self, operator: Client, owing: Owing) -> None:
        operator.post(path_of(owing.january, "collect"), {"reason": "new card"})
        before = state()
        (message,) = messages_of(
            operator, path_of(owing.january, "credit-note"), crediting(operator, owing.january, what="all")
        )
        assert message == (
            f"A payment of the invoice {owing.january.number} is at the gateway: wait until its outcome is known."
        )
        assert state() == before


class TestWriteOff:
    def test_gives_up_what_is_outstanding(self, operator: Client, owing: Owing) -> None:
        received(owing.account, 500, invoice_id=owing.january.id)

        assert messages_of(operator, path_of(owing.january, "write-off"), {"reason": "insolvent"}) == WRITTEN_OFF

        (entry,) = Entry.objects.filter(type=EntryType.WRITE_OFF)
        assert (entry.amount_minor, entry.invoice_id) == (1499, owing.january.id)
        assert (entry.description, entry.created_by) == ("insolvent", "staff:olga")
        assert rows(owing.account) == [("UNCOLLECTIBLE", 0, 500), ("OPEN", 0, 0)]
        assert logged() == [("olga", str(owing.january.id), "Write off: insolvent")]
        assert path_of(entry, "change") in shown(operator, owing.january)

    def test_of_everything_makes_the_account_active(self, operator: Client, owing: Owing) -> None:
        for invoice in (owing.january, owing.february):
            operator.post(path_of(invoice, "write-off"), {"reason": "insolvent"})
        assert state_of(owing.account) == ("ACTIVE", 0, 0)

    def test_of_what_is_paid_or_written_off_is_refused(
        self, operator: Client, owing: Owing, billed_account: Billed
    ) -> None:
        operator.post(path_of(owing.january, "write-off"), {"reason": "insolvent"})
        before = state()
        for invoice, status in ((owing.january, "UNCOLLECTIBLE"), (billed_account.invoice, "PAID")):
            assert messages_of(operator, path_of(invoice, "write-off"), {"reason": "again"}) == [
                f"The invoice {invoice.number} is {status}: there is nothing to write off."
            ]
        assert state() == before

    def test_of_an_invoice_whose_payment_is_in_flight_is_refused(self, operator: Client, owing: Owing) -> None:
        operator.post(path_of(owing.january, "collect"), {"reason": "new card"})
        before = state()
        (message,) = messages_of(operator, path_of(owing.january, "write-off"), {"reason": "insolvent"})
        assert message == (
            f"A payment of the invoice {owing.january.number} is at the gateway: wait until its outcome is known."
        )
        assert state() == before
