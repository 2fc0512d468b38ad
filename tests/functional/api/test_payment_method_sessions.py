"""A customer gives a card in the client's front end: by API, through the Stripe adapter and the simulated provider."""

import datetime
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from api.models import IdempotentAnswer, Scope
from payments.gateways.sessions import SessionOpened
from payments.method_sessions import requests
from payments.models import PaymentMethodSession
from tests.builders import NOW, an_account, sent_again
from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import committed, rolled_back
from tests.support.method_sessions import completed_session, opened_session, requested_session, worked_on
from tests.support.platform_days import PlatformDays
from tests.support.stripe_bench import StripeBench, stripe_bench
from tests.support.unchanged import nothing_moves

WHY = {"reason": "The customer asked."}


@pytest.fixture
def bench(settings: Any) -> Iterator[StripeBench]:
    settings.PAYMENT_GATEWAY = "payments.gateways.stripe.gateway.StripeGateway"
    with stripe_bench() as bench:
        bench.clock.now = NOW
        yield bench


@pytest.fixture
def shop(days: PlatformDays, bench: StripeBench) -> PlatformDays:
    """The platform, which collects at the simulated provider."""
    days.gateway = bench.gateway
    return days


def path_of(account_id: str, session: Any = None) -> str:
    path = f"/v1/accounts/{account_id}/payment-method-session"
    return f"{path}/{session['id']}" if session else path


def begun(days: PlatformDays, account_id: str) -> Any:
    """A session that the worker has opened, as the client then gets it."""
    return days.get(path_of(account_id, days.post(path_of(account_id))))


def said_complete(days: PlatformDays, account_id: str, session: Any) -> Any:
    """What became of it, once the client said that it is complete."""
    days.post(f"{path_of(account_id, session)}/complete")
    return days.get(path_of(account_id, session))


@rolled_back
class TestACardIsGiven:
    def test_to_an_account_without_a_customer_which_pays_with_it(self, shop: PlatformDays, bench: StripeBench) -> None:
        account = shop.opened(payment_customer=None, payment_method=None)
        shop.sweep(shop.day)
        assert shop.account(account)["status"] == "PAST_DUE"
        session = begun(shop, account)
        assert session == {
            "id": session["id"],
            "account": account,
            "status": "OPEN",
            "failure_code": None,
            "client_secret": bench.provider.setup_intents.created[0]["client_secret"],
            "gateway": "stripe",
            "gateway_reference": bench.provider.setup_intents.created[0]["id"],
            "payment_customer": bench.provider.setup_intents.customers[0]["id"],
            "payment_method": None,
            "created_at": "2026-01-01T06:00:00Z",
            "expires_at": "2026-01-02T06:00:00Z",
            "completed_at": None,
            "created_by": session["created_by"],
        }
        bench.provider.confirm(client_secret=session["client_secret"], payment_method="pm_card")
        session = said_complete(shop, account, session)
        assert (session["status"], session["payment_method"]) == ("COMPLETED", "pm_card")
        assert (session["client_secret"], session["completed_at"]) == (None, "2026-01-01T06:00:00Z")
        state = shop.account(account)
        assert (state["status"], state["balance_minor"]) == ("ACTIVE", 0)
        assert (state["payment_customer"], state["payment_method"]) == (session["payment_customer"], "pm_card")
        (movement,) = bench.provider.records.taken
        assert (movement.amount, movement.customer) == (1999, session["payment_customer"])
        payments = shop.invoice(account)["payments"]
        assert [(payment["cause"], payment["status"]) for payment in payments] == [
            ("invoice", "DECLINED"),
            ("payment_method", "SUCCEEDED"),
        ]

    def test_after_a_stolen_one_and_can_be_used_again(self, shop: PlatformDays, bench: StripeBench) -> None:
        account = shop.opened(payment_method="pm_declined_stolen_card")
        shop.sweep(shop.day)
        assert shop.account(account)["payment_method_unusable"]
        session = begun(shop, account)
        assert session["payment_customer"] == "cus_1"
        assert bench.provider.setup_intents.customers == []
        bench.give(opened(session), "pm_refused")
        assert said_complete(shop, account, session)["status"] == "OPEN"
        bench.give(opened(session), "pm_card")
        assert said_complete(shop, account, session)["status"] == "COMPLETED"
        state = shop.account(account)
        assert (state["status"], state["payment_method_unusable"]) == ("ACTIVE", False)
        assert bench.provider.records.totals() == {"USD": 1999}

    def test_and_said_to_be_complete_twice_is_tried_once(self, shop: PlatformDays, bench: StripeBench) -> None:
        account = shop.opened(payment_method="pm_declined_insufficient_funds")
        shop.sweep(shop.day)
        session = begun(shop, account)
        bench.give(opened(session), "pm_declined_do_not_honor")
        first = said_complete(shop, account, session)
        with nothing_moves(but=IdempotentAnswer):
            assert said_complete(shop, account, session) == first
        assert bench.provider.records.calls["payment.create"] == 2
        assert bench.provider.records.calls["setup_intent.retrieve"] == 1

    def test_and_nobody_says_so_is_found_by_the_hourly_check(self, shop: PlatformDays, bench: StripeBench) -> None:
        account = shop.opened()
        session = begun(shop, account)
        bench.give(opened(session), "pm_card")
        assert sent_again(queue=shop.queue, now=NOW + datetime.timedelta(hours=1)) == 1
        shop.work()
        assert shop.get(path_of(account, session))["status"] == "COMPLETED"
        assert shop.account(account)["payment_method"] == "pm_card"

    def test_to_an_account_that_was_closed_meanwhile_which_keeps_what_it_had(
        self, shop: PlatformDays, bench: StripeBench
    ) -> None:
        account = shop.opened(payment_method="pm_declined_insufficient_funds")
        shop.sweep(shop.day)
        session = begun(shop, account)
        shop.post(f"/v1/accounts/{account}/close", WHY)
        bench.give(opened(session), "pm_card")
        session = said_complete(shop, account, session)
        assert (session["status"], session["failure_code"]) == ("FAILED", "account_closed")
        assert shop.account(account)["payment_method"] == "pm_declined_insufficient_funds"
        assert bench.provider.records.taken == []

    def test_too_late_and_is_not_taken(self, shop: PlatformDays, bench: StripeBench) -> None:
        account = shop.opened()
        session = begun(shop, account)
        shop.day += datetime.timedelta(days=1)
        assert sent_again(queue=shop.queue, now=NOW + datetime.timedelta(days=1)) == 1
        shop.work()
        ended = shop.get(path_of(account, session))
        assert (ended["status"], ended["client_secret"]) == ("EXPIRED", None)
        bench.give(opened(session), "pm_card")
        assert bench.provider.setup_intents.created[0]["status"] == "canceled"
        assert shop.account(account)["payment_method"] == "pm_card"


def opened(session: Any) -> SessionOpened:
    """As the front end has it."""
    return SessionOpened(
        reference=session["gateway_reference"],
        customer=session["payment_customer"],
        client_secret=session["client_secret"],
    )


@rolled_back
class TestAMethodIsGivenByPatch:
    def test_after_a_decline_and_is_tried_at_once(self, shop: PlatformDays, bench: StripeBench) -> None:
        account = shop.opened(payment_method="pm_declined_stolen_card")
        shop.sweep(shop.day)
        response = shop.send(f"/v1/accounts/{account}", {"payment_method": "pm_card"}, method="PATCH")
        assert (response.status_code, response.json()["payment_method_unusable"]) == (200, False)
        assert shop.account(account)["status"] == "ACTIVE"
        assert [payment["cause"] for payment in shop.invoice(account)["payments"]] == ["invoice", "payment_method"]
        assert bench.provider.records.totals() == {"USD": 1999}


@rolled_back
class TestOpenSession:
    def test_again_under_its_key_is_the_same_session_and_no_secret_is_stored(
        self, shop: PlatformDays, bench: StripeBench
    ) -> None:
        account = shop.opened()
        first = shop.api.post(path_of(account), once="one")
        session = PaymentMethodSession.objects.get()
        assert (first.status_code, first["Location"]) == (202, path_of(account, {"id": session.id}))
        assert worked_on(session, gateway=bench.gateway) == []
        again = shop.api.post(path_of(account), once="one")
        assert (again["Idempotent-Replayed"], again.json()) == ("true", first.json())
        done = shop.api.post(f"{path_of(account, {'id': session.id})}/complete", once="two")
        assert (done.status_code, done.json()["client_secret"]) == (202, None)
        assert session.client_secret
        assert not [row for row in IdempotentAnswer.objects.all() if session.client_secret in str(bytes(row.content))]
        assert (PaymentMethodSession.objects.count(), len(bench.provider.setup_intents.created)) == (1, 1)

    def test_of_a_closed_account_is_refused(self, days: PlatformDays) -> None:
        account = days.opened()
        days.post(f"/v1/accounts/{account}/close", WHY)
        with nothing_moves():
            problem_of(days.api.post(path_of(account)), status=409, slug="unable-to-open-session")

    def test_of_too_many_is_refused(self, api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(requests, "MAX_OPEN", 1)
        account = an_account()
        requested_session(account)
        with nothing_moves():
            problem_of(api.post(path_of(str(account.id)), once="1"), status=409, slug="too-many-open-sessions")

    def test_takes_no_fields(self, api: ApiClient) -> None:
        account = an_account()
        with nothing_moves():
            response = api.post(path_of(str(account.id)), {"payment_method": "pm_1"})
            assert list(problem_of(response, status=400, slug="invalid-request")["errors"]) == ["payment_method"]


@rolled_back
class TestSession:
    def test_of_another_account_is_not_found(self, api: ApiClient) -> None:
        session, account = {"id": opened_session(an_account()).id}, str(an_account().id)
        with nothing_moves():
            for response in (api.get(path_of(account, session)), api.post(f"{path_of(account, session)}/complete")):
                problem_of(response, status=404, slug="unknown-payment-method-session")
            for response in (api.get(path_of(str(uuid.uuid4()), session)), api.post(path_of(str(uuid.uuid4())))):
                problem_of(response, status=404, slug="unknown-account")

    def test_is_not_shown_to_who_may_only_read(self, db: None) -> None:
        """Its secret is as good as changing the account."""
        account = an_account()
        session = {"id": opened_session(account).id}
        reader = ApiClient(Scope.ACCOUNTS_READ, Scope.LEDGER_READ, Scope.RUNS_READ)
        problem_of(reader.get(path_of(str(account.id), session)), status=403, slug="missing-scope")

    @pytest.mark.parametrize("wait", ["11", "-1", "1.5", "x", "100", "", "\u0663"])
    def test_is_not_waited_for_longer_than_10_seconds(self, api: ApiClient, wait: str) -> None:
        account = an_account()
        session = {"id": opened_session(account).id}
        response = api.get(path_of(str(account.id), session), wait=wait)
        assert list(problem_of(response, status=400, slug="invalid-request")["errors"]) == ["wait"]


@committed
class TestWaiting:
    @pytest.fixture
    def looks(self, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
        """For each pause between two looks, whether the connection was let go."""
        looks: list[bool] = []
        sleep = time.sleep

        def pause(seconds: float) -> None:
            looks.append(connection.connection is None)
            if len(looks) == 3:
                worked_on(PaymentMethodSession.objects.earliest("id"))
            sleep(seconds)

        monkeypatch.setattr("api.wait_parameter.time.sleep", pause)
        return looks

    def test_answers_as_soon_as_the_secret_is_there_and_holds_no_connection(
        self, api_of_its_own: ApiClient, looks: list[bool]
    ) -> None:
        account = an_account()
        session = requested_session(account)
        shown = api_of_its_own.get(path_of(str(account.id), {"id": session.id}), wait="10").json()
        assert (shown["client_secret"] is not None, looks) == (True, [True] * 3)

    def test_answers_all_the_same_when_the_time_is_over(self, api_of_its_own: ApiClient, looks: list[bool]) -> None:
        account = an_account()
        completed_session(account)
        session = requested_session(account)
        shown = api_of_its_own.get(path_of(str(account.id), {"id": session.id}), wait="1").json()
        assert (shown["status"], shown["client_secret"], set(looks)) == ("OPEN", None, {True})

    def test_does_not_wait_for_what_is_over_or_without_being_asked_to(
        self, api_of_its_own: ApiClient, looks: list[bool]
    ) -> None:
        account = an_account()
        for session, wait in ((completed_session(account), {"wait": "10"}), (requested_session(account), {})):
            assert api_of_its_own.get(path_of(str(account.id), {"id": session.id}), **wait).status_code == 200
        assert looks == []

    @pytest.fixture
    def api_of_its_own(self, transactional_db: None) -> ApiClient:
        return ApiClient()
