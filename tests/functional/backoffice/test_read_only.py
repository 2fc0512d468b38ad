import pytest
from django.test import Client

from accounts.models import Account, AccountChange, Plan
from invoices.models import CreditNote, Invoice
from ledger.models import Entry
from payments.models import Payment, Refund
from rebilling.models import Rebilling, Run
from tests.functional.backoffice.conftest import Billed
from tests.support.databases import rolled_back
from tests.support.refunds import refunded

pytestmark = rolled_back

MODELS = [Plan, Account, AccountChange, Invoice, CreditNote, Entry, Payment, Refund, Run, Rebilling]


@pytest.fixture(params=["support", "operator", "superuser"])
def client(request: pytest.FixtureRequest) -> Client:
    client: Client = request.getfixturevalue(request.param)
    return client


@pytest.fixture(autouse=True)
def _refund(billed_account: Billed) -> None:
    refunded(billed_account.payment, 100)


def rows() -> dict[str, list[dict[str, object]]]:
    return {model.__name__: list(model._default_manager.order_by("pk").values()) for model in MODELS}


class TestNobody:
    """Superusers included. An account is opened by a form of its own."""

    @pytest.mark.parametrize("model", [model for model in MODELS if model is not Account])
    def test_adds(self, client: Client, billed_account: Billed, model: type[Entry]) -> None:
        before = rows()
        path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/add/"

        assert client.get(path).status_code == 403
        assert client.post(path, {"type": "credit", "name": "x", "amount_minor": "1"}).status_code == 403
        assert rows() == before

    @pytest.mark.parametrize("model", MODELS)
    def test_changes(self, client: Client, billed_account: Billed, model: type[Entry]) -> None:
        before = rows()
        row = model._default_manager.first()
        assert row is not None
        path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/{row.pk}/change/"

        content = client.get(path).content.decode()
        assert 'name="_save"' not in content
        assert "<textarea" not in content
        assert client.post(path, {"description": "nothing happened", "name": "x", "_save": "Save"}).status_code == 403
        assert rows() == before

    @pytest.mark.parametrize("model", MODELS)
    def test_deletes(self, client: Client, billed_account: Billed, model: type[Entry]) -> None:
        before = rows()
        row = model._default_manager.first()
        assert row is not None
        base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"

        assert client.get(f"{base}{row.pk}/delete/").status_code == 403
        assert client.post(f"{base}{row.pk}/delete/", {"post": "yes"}).status_code == 403
        bulk = {"action": "delete_selected", "_selected_action": [str(row.pk)], "post": "yes"}
        client.post(base, bulk)
        assert "delete_selected" not in client.get(base).content.decode()
        assert rows() == before
