"""An invoice as PDF by API."""

import uuid

import pytest

from api.models import Scope
from papers import pdf
from tests.builders import TODAY, an_account, billed
from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import rolled_back
from tests.support.papers import pages_of, squeezed
from tests.support.unchanged import nothing_moves

pytestmark = rolled_back


def invoiced(name: str = "Acme") -> str:
    account = an_account(name=name)
    billed(as_of=TODAY)
    return f"/v1/invoices/{account.invoices.get().id}"


class TestInvoicePdf:
    def test_is_a_file_named_for_its_number(self, api: ApiClient) -> None:
        path = invoiced()
        number = api.get(path).json()["number"]
        with nothing_moves():
            response = api.send("GET", f"{path}/pdf", Accept="application/pdf")
        assert (response.status_code, response["Content-Type"]) == (200, "application/pdf")
        assert response["Content-Disposition"] == f'attachment; filename="invoice-{number.lower()}.pdf"'
        assert response.content == api.get(f"{path}/pdf", size="A4").content
        (text,) = pages_of(response.content)
        for written in ("Acme", number, "19.99 USD", "Left to pay"):
            assert squeezed(written) in squeezed(text)

    def test_of_another_size_is_asked_for(self, api: ApiClient) -> None:
        path = invoiced()
        assert api.get(f"{path}/pdf", size="Letter").content != api.get(f"{path}/pdf").content
        problem = problem_of(api.get(f"{path}/pdf", size="A5"), status=400, slug="invalid-request")
        assert problem["errors"] == {"size": ["Must be A4 or Letter."]}

    def test_of_another_script_is_refused(self, api: ApiClient) -> None:
        path = invoiced("株式会社")
        with nothing_moves():
            problem = problem_of(api.get(f"{path}/pdf"), status=409, slug="script-not-in-pdf")
        assert "CJK UNIFIED IDEOGRAPH" in problem["detail"]

    def test_without_the_extra_says_what_to_install(self, api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pdf, "LIBRARIES", ("no_such_library",))
        problem = problem_of(api.get(f"{invoiced()}/pdf"), status=404, slug="pdf-not-installed")
        assert "EXTRAS=pdf" in problem["detail"]

    def test_needs_an_invoice_and_the_scope(self, api: ApiClient) -> None:
        problem_of(api.get(f"/v1/invoices/{uuid.uuid4()}/pdf"), status=404, slug="unknown-invoice")
        other = ApiClient(Scope.ACCOUNTS_READ)
        problem_of(other.get(f"{invoiced()}/pdf"), status=403, slug="missing-scope")
