"""Reading payments by API."""

import uuid

from django.db import connection
from django.test.utils import CaptureQueriesContext

from payments.gateways import Declined
from tests.builders import TODAY, ScriptedGateway, an_account, billed
from tests.databases import rolled_back
from tests.functional.api.client import ApiClient, problem_of


@rolled_back
class TestReadPayments:
    def test_shows_one_that_succeeded(self, api: ApiClient) -> None:
        account = an_account()
        billed(as_of=TODAY)
        (payment,) = api.get(f"/v1/accounts/{account.id}/payments").json()["results"]
        (charge,) = api.get(f"/v1/accounts/{account.id}/ledger", type="charge").json()["results"]
        assert payment == {
            "id": payment["id"],
            "account": str(account.id),
            "charge": charge["id"],
            "amount_minor": 1999,
            "currency": "USD",
            "status": "SUCCEEDED",
            "decline_code": None,
            "needs_person": False,
            "gateway": "scripted",
            "gateway_reference": f"taken-{payment['id']}",
            "submitted_at": "2026-01-01T06:00:00Z",
            "settled_at": "2026-01-01T06:00:00Z",
        }
        assert api.get(f"/v1/payments/{payment['id']}").json() == payment

    def test_shows_why_one_was_declined(self, api: ApiClient) -> None:
        account = an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(Declined(code="insufficient_funds")))
        (payment,) = api.get(f"/v1/accounts/{account.id}/payments").json()["results"]
        assert (payment["status"], payment["decline_code"]) == ("DECLINED", "insufficient_funds")

    def test_shows_the_newest_first_and_no_other_accounts(self, api: ApiClient) -> None:
        account, other = an_account(), an_account()
        billed(as_of=TODAY)
        billed(as_of=TODAY.replace(month=2))
        payments = api.get(f"/v1/accounts/{account.id}/payments").json()["results"]
        assert [payment["account"] for payment in payments] == [str(account.id)] * 2
        assert [payment["submitted_at"][:10] for payment in payments] == ["2026-02-01", "2026-01-01"]
        assert other.payments.count() == 2

    def test_takes_as_many_statements_for_1_as_for_12(self, api: ApiClient) -> None:
        account = an_account()
        counts = []
        for month in (1, 12):
            billed(as_of=TODAY.replace(month=month))
            with CaptureQueriesContext(connection) as queries:
                assert len(api.get(f"/v1/accounts/{account.id}/payments").json()["results"]) == month
            counts.append(len(queries))
        assert counts == [3, 3]  # the key, the account, the page

    def test_knows_no_other(self, api: ApiClient) -> None:
        problem_of(api.get(f"/v1/payments/{uuid.uuid4()}"), status=404, slug="unknown-payment")
        problem_of(api.get(f"/v1/accounts/{uuid.uuid4()}/payments"), status=404, slug="unknown-account")
