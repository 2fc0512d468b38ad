"""Invoices, credit notes and statements on paper: the page to print, and the PDF of the same text."""

import html
import re
import uuid
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client, override_settings

from accounts.tax_rates import create_tax_rate
from invoices.credit_notes import issue_credit_note
from invoices.credits import grant_credit
from invoices.models import CreditNote, Invoice
from papers import pdf
from papers.credit_note_paper import credit_note_paper
from papers.invoice_paper import invoice_paper
from papers.paper import Paper
from papers.statement_paper import statement_paper
from tests.builders import NOW, TODAY, a_plan, an_account, billed
from tests.functional.backoffice.conftest import Billed, page
from tests.support.databases import rolled_back
from tests.support.owing import received
from tests.support.papers import pages_of, squeezed
from tests.support.unchanged import nothing_moves

pytestmark = rolled_back

COMPANY: dict[str, Any] = {
    "SELLER_NAME": "Example Ltd",
    "COMPANY_ADDRESS": ["1 Main Street", "10115 Berlin"],
    "COMPANY_TAX_NUMBER": "DE123",
    "COMPANY_FOOTER": "Bank: DE00 1234",
}
WHY: dict[str, Any] = {"reason": "Outage", "author": "test", "today": TODAY, "now": NOW}


def text_of(page: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", " ", page.split("<main>")[1]))


def same_on_both(client: Client, path: str, paper: Paper) -> str:
    """The page's text, after a look at it and at the PDF: both have everything that the paper has."""
    with nothing_moves():
        shown = text_of(page(client, f"{path}/paper/"))
        response = client.get(f"/admin/{path}/pdf/")
    assert (response.status_code, response["Content-Type"]) == (200, "application/pdf")
    drawn = squeezed("".join(pages_of(response.content)))
    for written in paper.texts:
        assert squeezed(written) in squeezed(shown), written
        assert squeezed(written) in drawn, written
    return shown


@pytest.fixture
def invoice(db: None) -> Invoice:
    """20.00 with a quarter off and 21% tax, 18.15: 5.00 credited first, 4.00 paid offline, 1.15 credited since."""
    rate = create_tax_rate(name="VAT", percent=Decimal(21), now=NOW)
    with override_settings(**COMPANY):
        account = an_account(
            plan=a_plan(code="gold", unit_amount_minor=1000),
            quantity=2,
            tax_rate=rate.id,
            name="Acme <b>Ltd</b> & Sons",
            address_line1="5 Side Street",
            country="DE",
            tax_id="DE999",
            language="de-AT",
            collection_method="send_invoice",
        )
        grant_credit(account_id=account.id, amount_minor=500, **WHY)
        billed(as_of=TODAY)
    invoice = account.invoices.get()
    received(account, 400, invoice_id=invoice.id)
    issue_credit_note(invoice_id=invoice.id, amount_minor=115, **WHY)
    return Invoice.objects.get(id=invoice.id)


class TestInvoice:
    @override_settings(**COMPANY)
    def test_has_the_same_text_on_the_page_and_in_the_pdf(self, support: Client, invoice: Invoice) -> None:
        shown = same_on_both(support, f"invoices/invoice/{invoice.id}", invoice_paper(invoice.id))
        cells = " ".join(shown.split())
        note = CreditNote.objects.get()
        assert cells == (
            f"Example Ltd 1 Main Street 10115 Berlin Tax number DE123 Invoice {invoice.number} "
            f"Acme <b>Ltd</b> & Sons 5 Side Street DE Tax id DE999 {invoice.customer_email} "
            f"Number {invoice.number} Issued 1 Jan 2026 Due 31 Jan 2026 Period 1 Jan to 31 Jan 2026 Status Open "
            "Description Quantity Unit price Discount Amount "
            "Gold x 2, 1 Jan to 31 Jan 2026 2 10.00 USD 20.00 USD "
            "Taxes Tax Of Amount VAT 21% 20.00 USD 4.20 USD "
            "Credits and payments Day What Amount "
            "1 Jan 2026 From your credit -5.00 USD 1 Jan 2026 Paid offline (SEPA 17) -4.00 USD "
            f"1 Jan 2026 Credit note {note.number} -1.15 USD "
            "Total without tax 20.00 USD Tax 4.20 USD Total 24.20 USD "
            "Credited -1.15 USD Credit balance -5.00 USD Paid -4.00 USD Left to pay 14.05 USD Bank: DE00 1234"
        )

    def test_keeps_what_was_frozen(self, support: Client, invoice: Invoice) -> None:
        type(invoice.account).objects.filter(id=invoice.account_id).update(name="Another")
        with override_settings(SELLER_NAME="Another company"):
            shown = page(support, f"invoices/invoice/{invoice.id}/paper/")
        assert "Another" not in shown
        assert "Acme &lt;b&gt;Ltd&lt;/b&gt; &amp; Sons" in shown
        assert '<div class="customer" lang="de-AT">' in shown

    def test_page_has_nothing_inline_and_the_size_that_is_asked_for(self, support: Client, invoice: Invoice) -> None:
        path = f"invoices/invoice/{invoice.id}/paper/"
        shown = page(support, path)
        assert "<style" not in shown
        assert "style=" not in shown
        assert "<script" not in shown
        assert '<body class="a4">' in shown
        assert '<body class="letter">' in page(support, f"{path}?size=Letter")
        with override_settings(COMPANY_PAPER_SIZE="Letter"):
            assert '<body class="letter">' in page(support, path)
            assert '<body class="a4">' in page(support, f"{path}?size=A4")

    def test_is_reached_from_its_page(self, support: Client, invoice: Invoice) -> None:
        shown = page(support, f"invoices/invoice/{invoice.id}/change/")
        for part in ("paper", "pdf"):
            assert f'href="/admin/invoices/invoice/{invoice.id}/{part}/"' in shown

    def test_without_the_extra_has_no_pdf_and_says_why(
        self, support: Client, invoice: Invoice, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pdf, "LIBRARIES", ("no_such_library",))
        assert "/pdf/" not in page(support, f"invoices/invoice/{invoice.id}/change/")
        assert "/pdf/" not in page(support, f"invoices/invoice/{invoice.id}/paper/")
        with nothing_moves():
            response = support.get(f"/admin/invoices/invoice/{invoice.id}/pdf/", follow=True)
        assert "This installation makes no PDF" in response.content.decode()

    def test_of_another_script_is_on_the_page_alone(self, support: Client) -> None:
        account = an_account(name="株式会社 🎉")
        billed(as_of=TODAY)
        path = f"invoices/invoice/{account.invoices.get().id}"
        assert "株式会社 🎉" in page(support, f"{path}/paper/")
        response = support.get(f"/admin/{path}/pdf/", follow=True)
        assert "Print the page in the admin instead" in response.content.decode()

    @pytest.mark.parametrize("part", ["paper", "pdf"])
    def test_is_for_those_who_may_see_it(self, newcomer: Client, support: Client, invoice: Invoice, part: str) -> None:
        assert newcomer.get(f"/admin/invoices/invoice/{invoice.id}/{part}/").status_code == 403
        assert support.get(f"/admin/invoices/invoice/{uuid.uuid4()}/{part}/").status_code == 404


class TestCreditNote:
    @override_settings(**COMPANY)
    def test_has_the_same_text_on_the_page_and_in_the_pdf(self, support: Client, invoice: Invoice) -> None:
        note = CreditNote.objects.get()
        shown = same_on_both(support, f"invoices/creditnote/{note.id}", credit_note_paper(note.id))
        assert " ".join(shown.split()).endswith(
            f"Number {note.number} Issued 1 Jan 2026 Of invoice {invoice.number}, 1 Jan 2026 "
            "Description Credited Gold x 2, 1 Jan to 31 Jan 2026 1.15 USD "
            "Taxes Tax Of Amount VAT 21% 0.95 USD 0.20 USD "
            "Off what was left to pay 1.15 USD Credited in all 1.15 USD Bank: DE00 1234"
        )


class TestStatement:
    @override_settings(**COMPANY)
    def test_has_what_was_owed_and_what_happened(self, support: Client, invoice: Invoice) -> None:
        account, query = invoice.account, "?since=2026-01-01&until=2026-01-31"
        path = f"accounts/account/{account.id}/statement"
        with nothing_moves():
            shown = page(support, f"{path}/{query}")
            response = support.get(f"/admin/{path}/pdf/{query}")
        paper = statement_paper(account_id=account.id, since=TODAY, until=TODAY.replace(day=31))
        drawn = squeezed("".join(pages_of(response.content)))
        assert [written for written in paper.texts if squeezed(written) not in drawn] == []
        assert " ".join(text_of(shown).split()).endswith(
            "From 1 Jan 2026 To 31 Jan 2026 Currency USD Day What Amount Balance "
            "1 Jan 2026 Credit -5.00 USD -5.00 USD "
            f"1 Jan 2026 Invoice {invoice.number} 24.20 USD 19.20 USD "
            f"1 Jan 2026 Payment, invoice {invoice.number} -4.00 USD 15.20 USD "
            f"1 Jan 2026 Credit note, invoice {invoice.number} -1.15 USD 14.05 USD "
            "Balance before 0.00 USD Credit -5.00 USD Invoice 24.20 USD Payment -4.00 USD Credit note -1.15 USD "
            "Balance at the end 14.05 USD Bank: DE00 1234"
        )
        assert f"/admin/{path}/pdf/?since=2026-01-01" in shown

    def test_of_later_days_begins_with_what_was_owed(self, support: Client, invoice: Invoice) -> None:
        path = f"accounts/account/{invoice.account_id}/statement/?since=2026-02-01&until=2026-02-28"
        assert " ".join(text_of(page(support, path)).split()).endswith(
            "Currency USD Balance before 14.05 USD Balance at the end 14.05 USD"
        )

    def test_asks_for_its_days(self, support: Client, billed_account: Billed) -> None:
        path = f"accounts/account/{billed_account.account.id}"
        assert f'href="/admin/{path}/statement/"' in page(support, f"{path}/change/")
        with time_machine.travel(NOW, tick=False):
            shown = page(support, f"{path}/statement/")
        assert 'value="2025-12-01"' in shown
        assert 'value="2025-12-31"' in shown

    @pytest.mark.parametrize(
        ("query", "says"),
        [
            ("since=2026-02-01&until=2026-01-01", "The statement ends before it begins."),
            ("since=x&until=2026-01-01", "Enter a valid date."),
            ("since=0001-01-01&until=2026-01-01", "0001-01-01 is not between"),
            ("since=2026-01-01", "This field is required."),
        ],
    )
    def test_of_days_that_cannot_be_is_refused(
        self, support: Client, billed_account: Billed, query: str, says: str
    ) -> None:
        for part in ("statement/", "statement/pdf/"):
            with nothing_moves():
                shown = page(support, f"accounts/account/{billed_account.account.id}/{part}?{query}")
            assert says in shown

    def test_is_for_those_who_may_see_the_account(
        self, newcomer: Client, support: Client, billed_account: Billed
    ) -> None:
        assert newcomer.get(f"/admin/accounts/account/{billed_account.account.id}/statement/").status_code == 403
        assert support.get(f"/admin/accounts/account/{uuid.uuid4()}/statement/").status_code == 404
