"""Payments by API: reading them, and collecting an invoice at once."""

import datetime
import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts.models import Account
from api.models import IdempotentAnswer
from invoices.credits import grant_credit
from payments.gateways.port import Declined
from payments.messages import dispatch
from payments.models import Payment
from tests.builders import NOW, TODAY, QueueInHand, ScriptedGateway, an_account, billed, delivered, sent_again
from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import rolled_back
from tests.support.platform_days import PlatformDays
from tests.support.unchanged import nothing_moves


@rolled_back
class TestReadPayments:
    def test_shows_one_that_succeeded(self, api: ApiClient) -> None:
        account = an_account()
        billed(as_of=TODAY)
        (payment,) = api.get(f"/v1/accounts/{account.id}/payments").json()["results"]
        (invoice,) = api.get(f"/v1/accounts/{account.id}/invoices").json()["results"]
        assert payment == {
            "id": payment["id"],
            "account": str(account.id),
            "invoice": invoice["id"],
            "cause": "invoice",
            "amount_minor": 1999,
            "excess_minor": 0,
            "refunded_minor": 0,
            "currency": "USD",
            "status": "SUCCEEDED",
            "decline_code": None,
            "needs_review": False,
            "review_reason": None,
            "resolution": None,
            "resolved_by": None,
            "gateway": "logging",
            "gateway_reference": f"taken-{payment['id']}",
            "submitted_at": "2026-01-01T06:00:00Z",
            "completed_at": "2026-01-01T06:00:00Z",
            "created_by": "system:billing",
        }
        assert api.get(f"/v1/payments/{payment['id']}").json() == payment
        assert api.get("/v1/payments").json()["results"] == [payment]

    def test_shows_why_one_was_declined(self, api: ApiClient) -> None:
        account = an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(Declined(code="insufficient_funds")))
        (payment,) = api.get(f"/v1/accounts/{account.id}/payments").json()["results"]
        assert (payment["status"], payment["decline_code"]) == ("DECLINED", "insufficient_funds")

    def test_shows_why_one_needs_review(self, api: ApiClient) -> None:
        account = an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(Declined(code="invalid_request")))
        (payment,) = api.get(f"/v1/accounts/{account.id}/payments").json()["results"]
        assert (payment["needs_review"], payment["review_reason"]) == (True, "the gateway rejects the request")

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
                api.get(f"/v1/accounts/{account.id}/payments").json()
                api.get("/v1/payments").json()
            counts.append(len(queries))
        assert counts == [11, 11]  # of each the key and the limits' three; the account, the page; the page

    def test_finds_no_unknown_id(self, api: ApiClient) -> None:
        problem_of(api.get(f"/v1/payments/{uuid.uuid4()}"), status=404, slug="unknown-payment")
        problem_of(api.get(f"/v1/accounts/{uuid.uuid4()}/payments"), status=404, slug="unknown-account")


def declined(account: Account) -> str:
    """The address of the account's first invoice, which was declined."""
    billed(as_of=TODAY, gateway=ScriptedGateway(Declined(code="insufficient_funds")))
    return f"/v1/invoices/{account.invoices.get().id}"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> QueueInHand:
    """The queue that the API sends to."""
    queue = QueueInHand()
    monkeypatch.setattr(dispatch, "configured_queue", lambda: queue)
    return queue


@rolled_back
class TestPayInvoice:
    def test_submits_a_payment_for_what_is_outstanding_and_it_is_collected_at_once(
        self, api: ApiClient, sent: QueueInHand, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        account = an_account()
        invoice = declined(account)
        grant_credit(account_id=account.id, amount_minor=500, reason="sorry", author="test", today=TODAY, now=NOW)
        with django_capture_on_commit_callbacks(execute=True):
            response = api.post(f"{invoice}/pay", once="1")
        assert response.status_code == 202
        payment = response.json()
        assert (payment["status"], payment["amount_minor"], payment["cause"]) == ("SUBMITTED", 1499, "request")
        assert payment["created_by"] == f"key:tests:{api.key.prefix}"
        assert invoice == f"/v1/invoices/{payment['invoice']}"
        assert api.get(invoice).json()["payment_in_flight"] is True
        assert sent.payments == [uuid.UUID(payment["id"])]
        assert delivered(bodies=sent.take()) == []
        assert api.get(f"/v1/payments/{payment['id']}").json()["status"] == "SUCCEEDED"
        found = api.get(f"/v1/accounts/{account.id}").json()
        assert (found["status"], found["balance_minor"]) == ("ACTIVE", 0)

    def test_never_counts_as_a_step_of_dunning(self, days: PlatformDays) -> None:
        days.scripted(*[Declined(code="card_declined")] * 3)
        account_id = days.opened()
        days.sweep()
        for _ in range(2):
            days.post(f"/v1/invoices/{days.invoice(account_id)['id']}/pay")
        assert [day for _, day in days.asked] == ["2026-01-01"] * 3
        account = days.account(account_id)
        assert (account["status"], account["dunning_on"]) == ("PAST_DUE", "2026-01-02")

    def test_collects_what_a_closed_account_and_one_that_is_sent_invoices_owe(self, days: PlatformDays) -> None:
        days.scripted(Declined(code="card_declined"))
        closed = days.opened()
        days.sweep()
        days.post(f"/v1/accounts/{closed}/close", {"reason": "The customer left."})
        sent_invoices = days.opened(collection_method="send_invoice")
        days.sweep()
        for account_id in (closed, sent_invoices):
            days.post(f"/v1/invoices/{days.invoice(account_id)['id']}/pay")
            assert days.invoice(account_id)["status"] == "PAID"
        assert days.account(closed)["inactive_reason"] == "closed"

    def test_is_for_the_gateway_that_is_set_and_needs_no_key_of_it(
        self, api: ApiClient, sent: QueueInHand, settings: Any
    ) -> None:
        """The function that the internet reaches has none."""
        invoice = declined(an_account())
        settings.PAYMENT_GATEWAY, settings.STRIPE_API_KEY = "payments.gateways.stripe.gateway.StripeGateway", ""
        response = api.post(f"{invoice}/pay", once="1")
        assert (response.status_code, response.json()["gateway"]) == (202, "stripe")

    def test_sent_again_with_its_key_submits_no_other(self, api: ApiClient, sent: QueueInHand) -> None:
        invoice = declined(an_account())
        answer = api.post(f"{invoice}/pay", once="1")
        again = api.post(f"{invoice}/pay", once="1")
        assert (again.json(), again["Idempotent-Replayed"]) == (answer.json(), "true")
        assert Payment.objects.count() == 2

    def test_succeeds_when_the_queue_is_unreachable(
        self, api: ApiClient, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        invoice = declined(an_account())
        with django_capture_on_commit_callbacks(execute=True):
            assert api.post(f"{invoice}/pay", once="1").status_code == 202
        queue = QueueInHand()
        assert sent_again(queue=queue, now=NOW + datetime.timedelta(minutes=16)) == 1
        assert delivered(bodies=queue.take()) == []
        assert sorted(Payment.objects.values_list("status", flat=True)) == ["DECLINED", "SUCCEEDED"]

    def test_is_refused_while_one_is_in_flight(self, api: ApiClient) -> None:
        invoice = declined(an_account())
        api.post(f"{invoice}/pay", once="1")
        with nothing_moves():
            problem_of(api.post(f"{invoice}/pay", once="2"), status=409, slug="payment-in-flight")
        assert Payment.objects.count() == 2

    def test_is_refused_where_nothing_is_to_be_collected(self, api: ApiClient) -> None:
        account = an_account()
        invoice = declined(account)
        number = api.get(invoice).json()["number"]
        grant_credit(account_id=account.id, amount_minor=1999, reason="sorry", author="test", today=TODAY, now=NOW)
        with nothing_moves(but=IdempotentAnswer):
            problem = problem_of(api.post(f"{invoice}/pay", once="1"), status=409, slug="unable-to-collect")
        assert problem["detail"] == f"The invoice {number} is PAID: nothing of it is outstanding."
        assert Payment.objects.count() == 1

    def test_needs_a_key_that_makes_it_once(self, api: ApiClient) -> None:
        invoice = declined(an_account())
        with nothing_moves():
            problem_of(api.post(f"{invoice}/pay"), status=400, slug="idempotency-key-missing")

    def test_takes_no_fields(self, api: ApiClient) -> None:
        invoice = declined(an_account())
        with nothing_moves():
            response = api.post(f"{invoice}/pay", {"amount_minor": 1}, once="1")
            problem = problem_of(response, status=400, slug="invalid-request")
        assert list(problem["errors"]) == ["amount_minor"]

    def test_finds_no_unknown_invoice(self, api: ApiClient) -> None:
        with nothing_moves():
            problem_of(api.post(f"/v1/invoices/{uuid.uuid4()}/pay", once="1"), status=404, slug="unknown-invoice")
