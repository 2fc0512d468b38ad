"""Payments by API: reading them, and retrying a declined one."""

import datetime
import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts.models import Account
from payments.gateways.port import Declined
from payments.models import Payment
from rebilling.adjustments import grant_credit
from rebilling.messages import dispatch
from tests.builders import NOW, TODAY, QueueInHand, ScriptedGateway, an_account, billed, delivered, sent_again
from tests.support.api_client import ApiClient, nothing_moves, problem_of
from tests.support.databases import rolled_back


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
            "needs_review": False,
            "gateway": "scripted",
            "gateway_reference": f"taken-{payment['id']}",
            "submitted_at": "2026-01-01T06:00:00Z",
            "completed_at": "2026-01-01T06:00:00Z",
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

    def test_finds_no_unknown_id(self, api: ApiClient) -> None:
        problem_of(api.get(f"/v1/payments/{uuid.uuid4()}"), status=404, slug="unknown-payment")
        problem_of(api.get(f"/v1/accounts/{uuid.uuid4()}/payments"), status=404, slug="unknown-account")


def declined(account: Account) -> str:
    """The id of a payment of the account's first charge."""
    billed(as_of=TODAY, gateway=ScriptedGateway(Declined(code="insufficient_funds")))
    return str(account.payments.get().id)


@pytest.fixture(autouse=True)
def _scripted_gateway(settings: Any) -> None:
    settings.PAYMENT_GATEWAY = "tests.builders.ScriptedGateway"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> QueueInHand:
    """The queue that the API sends to."""
    queue = QueueInHand()
    monkeypatch.setattr(dispatch, "configured_queue", lambda: queue)
    return queue


@rolled_back
class TestRetryPayment:
    def test_submits_another_for_what_is_owed_and_it_is_collected_at_once(
        self, api: ApiClient, sent: QueueInHand, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        account = an_account()
        first = declined(account)
        grant_credit(account_id=account.id, amount_minor=500, reason="sorry", author="test", today=TODAY, now=NOW)
        with django_capture_on_commit_callbacks(execute=True):
            response = api.post(f"/v1/payments/{first}/retry", once="1")
        assert response.status_code == 202
        retry = response.json()
        assert (retry["status"], retry["amount_minor"]) == ("SUBMITTED", 1499)
        assert retry["charge"] == api.get(f"/v1/payments/{first}").json()["charge"]
        (message,) = sent.messages
        assert [str(id_) for id_ in message.payments] == [retry["id"]]
        assert delivered(bodies=sent.take()) == []
        assert api.get(f"/v1/payments/{retry['id']}").json()["status"] == "SUCCEEDED"
        found = api.get(f"/v1/accounts/{account.id}").json()
        assert (found["status"], found["balance_minor"]) == ("ACTIVE", 0)

    def test_is_for_the_gateway_that_is_set_and_needs_no_key_of_it(
        self, api: ApiClient, sent: QueueInHand, settings: Any
    ) -> None:
        """The function that the internet reaches has none."""
        first = declined(an_account())
        settings.PAYMENT_GATEWAY, settings.STRIPE_API_KEY = "payments.gateways.stripe.gateway.StripeGateway", ""
        response = api.post(f"/v1/payments/{first}/retry", once="1")
        assert (response.status_code, response.json()["gateway"]) == (202, "stripe")

    def test_sent_again_with_its_key_submits_no_other(self, api: ApiClient, sent: QueueInHand) -> None:
        first = declined(an_account())
        answer = api.post(f"/v1/payments/{first}/retry", once="1")
        again = api.post(f"/v1/payments/{first}/retry", once="1")
        assert (again.json(), again["Idempotent-Replayed"]) == (answer.json(), "true")
        assert Payment.objects.count() == 2

    def test_succeeds_when_the_queue_is_unreachable(
        self, api: ApiClient, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        first = declined(an_account())
        with django_capture_on_commit_callbacks(execute=True):
            assert api.post(f"/v1/payments/{first}/retry", once="1").status_code == 202
        queue = QueueInHand()
        assert sent_again(queue=queue, now=NOW + datetime.timedelta(minutes=16)) == 1
        assert delivered(bodies=queue.take()) == []
        assert sorted(Payment.objects.values_list("status", flat=True)) == ["DECLINED", "SUCCEEDED"]

    def test_is_refused_while_one_is_in_flight(self, api: ApiClient) -> None:
        first = declined(an_account())
        api.post(f"/v1/payments/{first}/retry", once="1")
        problem = problem_of(api.post(f"/v1/payments/{first}/retry", once="2"), status=409, slug="unable-to-retry")
        assert Payment.objects.count() == 2
        assert problem["detail"] == "The payment's charge is UNPAID: another payment of it is in flight."

    def test_is_refused_where_nothing_is_to_be_collected(self, api: ApiClient) -> None:
        account = an_account()
        first = declined(account)
        grant_credit(account_id=account.id, amount_minor=1999, reason="sorry", author="test", today=TODAY, now=NOW)
        paid = an_account()
        billed(as_of=TODAY)
        errors = [
            (first, "The payment's charge is PAID: nothing to collect."),
            (paid.payments.get().id, "The payment is SUCCEEDED, not DECLINED."),
        ]
        for number, (payment, why) in enumerate(errors):
            response = api.post(f"/v1/payments/{payment}/retry", once=str(number))
            assert problem_of(response, status=409, slug="unable-to-retry")["detail"] == why
        assert Payment.objects.count() == 2

    def test_needs_a_key_that_makes_it_once(self, api: ApiClient) -> None:
        first = declined(an_account())
        with nothing_moves():
            problem_of(api.post(f"/v1/payments/{first}/retry"), status=400, slug="idempotency-key-missing")

    def test_finds_no_unknown_payment(self, api: ApiClient) -> None:
        problem_of(api.post(f"/v1/payments/{uuid.uuid4()}/retry", once="1"), status=404, slug="unknown-payment")
