from invoices.models import Invoice
from invoices.write_offs import write_off_invoice
from papers.invoice_paper import invoice_paper
from tests.builders import NOW, TODAY, a_plan, an_account, billed
from tests.support.databases import rolled_back
from tests.support.items import added
from tests.support.owing import owing, received
from tests.support.refunds import paid, refunded

pytestmark = rolled_back


def movements(invoice: Invoice) -> list[tuple[str, ...]]:
    """What is under "Credits and payments", without the day, which is today's."""
    tables = {section.title: section.rows for section in invoice_paper(invoice.id).sections}
    rows = tables.get("Credits and payments", ())
    assert {day for day, *_ in rows} <= {"1 Jan 2026"}
    return [tuple(rest) for _, *rest in rows]


class TestInvoicePaper:
    def test_says_what_was_paid_and_refunded(self) -> None:
        payment = paid()
        refunded(payment, 500)
        assert payment.invoice is not None
        note = payment.invoice.credit_notes.get()
        assert sorted(movements(payment.invoice)) == [
            (f"Credit note {note.number} (5.00 USD of it as credit or refund)", "-5.00 USD"),
            (f"Paid through {payment.gateway}", "-19.99 USD"),
            ("Refunded", "5.00 USD"),
        ]
        assert invoice_paper(payment.invoice.id).totals == (
            ("Total", "19.99 USD"),
            ("Paid", "-19.99 USD"),
            ("Left to pay", "0.00 USD"),
        )

    def test_says_what_was_written_off_and_recovered(self) -> None:
        account = owing()
        invoice = account.invoices.get()
        write_off_invoice(invoice_id=invoice.id, reason="gone", author="test", today=TODAY, now=NOW)
        received(account, 999, invoice_id=invoice.id)
        assert movements(invoice) == [
            ("Written off", "-19.99 USD"),
            ("Paid offline (SEPA 17)", "-9.99 USD"),
            ("Recovered of what was written off", "9.99 USD"),
        ]
        assert invoice_paper(invoice.id).totals == (
            ("Total", "19.99 USD"),
            ("Paid", "-9.99 USD"),
            ("Written off", "-10.00 USD"),
            ("Left to pay", "0.00 USD"),
        )

    def test_shows_deductions_and_currencies_without_cents(self) -> None:
        account = an_account(plan=a_plan(currency="JPY", unit_amount_minor=5000))
        added(account, -1200, description="Unused days")
        billed(as_of=TODAY)
        paper = invoice_paper(account.invoices.get().id)
        assert [row[-1] for row in paper.sections[0].rows] == ["5,000 JPY", "-1,200 JPY"]
        assert paper.totals[0] == ("Total", "3,800 JPY")
