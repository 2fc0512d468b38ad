"""Sessions at Stripe, each answer produced by the simulated provider, and what we make of it (docs/stripe.md)."""

import json
import urllib.error
import urllib.request
import uuid
from typing import Any

import pytest

from localcloud.simulated_stripe.faults import Kind
from localcloud.simulated_stripe.server import CONTROL
from payments.gateways.sessions import (
    SessionCompleted,
    SessionFailed,
    SessionOpened,
    SessionPending,
    SessionUnanswered,
)
from payments.gateways.stripe.gateway import StripeGateway
from tests.conformance.benches import SECONDS, SHORT_SECONDS
from tests.conformance.session_checks import a_session, once_opened, opened
from tests.support.stripe_bench import StripeBench


def intents(bench: StripeBench) -> list[dict[str, Any]]:
    return bench.provider.setup_intents.created


def looked_up(bench: StripeBench, request: Any) -> Any:
    return bench.gateway.look_up_session(request, timeout_seconds=SECONDS)


class TestOpening:
    def test_asks_for_off_session_use_and_names_ours(self, bench: StripeBench) -> None:
        request, answer = once_opened(bench)
        (intent,) = intents(bench)
        (customer,) = bench.provider.setup_intents.customers
        ours = {"session": str(request.session_id), "account": str(request.account_id)}
        assert (intent["id"], intent["client_secret"]) == (answer.reference, answer.client_secret)
        assert (intent["customer"], intent["usage"], intent["metadata"]) == (customer["id"], "off_session", ours)
        assert customer["metadata"] == {"account": str(request.account_id)}
        assert answer.customer == customer["id"]

    def test_for_a_customer_that_is_there_makes_no_other(self, bench: StripeBench) -> None:
        _, answer = once_opened(bench, customer="cus_ada")
        assert (answer.customer, bench.provider.setup_intents.customers) == ("cus_ada", [])

    def test_for_a_customer_that_is_missing_fails(self, bench: StripeBench) -> None:
        assert opened(bench, a_session(customer="cus_missing")) == SessionFailed("resource_missing")
        assert intents(bench) == []

    def test_under_a_key_that_came_with_another_customer_fails(self, bench: StripeBench) -> None:
        request, _ = once_opened(bench)
        other = a_session(session_id=request.session_id, account_id=request.account_id, customer="cus_another")
        assert opened(bench, other) == SessionFailed("invalid_request")
        assert len(intents(bench)) == 1

    @pytest.mark.parametrize(
        ("kind", "made"),
        [
            (Kind.TIMEOUT_BEFORE, 0),
            (Kind.TIMEOUT_AFTER, 1),
            (Kind.RESET_BEFORE, 0),
            (Kind.RESET_AFTER, 1),
            (Kind.ERROR_BEFORE, 0),
            (Kind.ERROR_AFTER, 1),
            (Kind.ERROR_KEPT, 0),
            (Kind.WRONG_KEY, 0),
            (Kind.GARBAGE, 1),
            (Kind.EMPTY_OBJECT, 1),
        ],
    )
    def test_that_has_no_answer_is_not_over(self, bench: StripeBench, kind: Kind, made: int) -> None:
        bench.fail_next(kind, call="setup_intent.create")
        waits = kind in {Kind.TIMEOUT_BEFORE, Kind.TIMEOUT_AFTER}
        answer = opened(bench, a_session(customer="cus_1"), seconds=SHORT_SECONDS if waits else SECONDS)
        assert isinstance(answer, SessionUnanswered)
        assert len(intents(bench)) == made

    def test_meets_a_rate_limit_and_is_tried_again(self, bench: StripeBench) -> None:
        bench.fail_next(Kind.RATE_LIMIT, call="setup_intent.create")
        assert isinstance(opened(bench, a_session()), SessionOpened)
        assert len(intents(bench)) == 1

    def test_with_a_wrong_key_quotes_it_in_no_reason(self, bench: StripeBench) -> None:
        key = f"sk_test_{uuid.uuid4().hex}"
        answer = StripeGateway(api_key=key, api_base=bench.url).open_session(a_session(), timeout_seconds=SECONDS)
        assert answer == SessionUnanswered("Stripe refused the API key (401)")


class TestLookingUp:
    def test_of_a_card_that_was_declined_waits_for_another(self, bench: StripeBench) -> None:
        request, answer = once_opened(bench)
        bench.give(answer, "pm_refused")
        assert intents(bench)[0]["last_setup_error"]["code"] == "card_declined"
        assert looked_up(bench, request) == SessionPending()
        bench.give(answer, "pm_good")
        assert looked_up(bench, request) == SessionCompleted(customer=answer.customer, payment_method="pm_good")

    def test_of_what_stripe_does_not_have_fails(self, bench: StripeBench) -> None:
        assert looked_up(bench, a_session(reference="seti_missing")) == SessionFailed("resource_missing")

    def test_of_another_sessions_intent_says_nothing_and_ends_nothing(self, bench: StripeBench) -> None:
        _, answer = once_opened(bench)
        foreign = a_session(reference=answer.reference)
        expected = SessionUnanswered(f"Stripe answered with {answer.reference}, which is another session's")
        assert looked_up(bench, foreign) == expected

    @pytest.mark.parametrize("kind", [Kind.RESET_BEFORE, Kind.ERROR_BEFORE, Kind.GARBAGE, Kind.EMPTY_OBJECT])
    @pytest.mark.parametrize("call", ["retrieve", "cancel"])
    def test_and_ending_without_an_answer_says_nothing(self, bench: StripeBench, kind: Kind, call: str) -> None:
        request, _ = once_opened(bench)
        bench.fail_next(kind, call=f"setup_intent.{call}")
        ask = bench.gateway.look_up_session if call == "retrieve" else bench.gateway.end_session
        assert isinstance(ask(request, timeout_seconds=SECONDS), SessionUnanswered)


class TestFrontEnd:
    """A person at the simulated provider, as a customer's browser would be one at Stripe."""

    def give(self, bench: StripeBench, secret: str, method: str) -> tuple[int, Any]:
        body = json.dumps({"client_secret": secret, "payment_method": method}).encode()
        try:
            with urllib.request.urlopen(f"{bench.url}{CONTROL}confirm", body, timeout=SECONDS) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def test_gives_a_card_with_the_client_secret(self, bench: StripeBench) -> None:
        request, answer = once_opened(bench)
        status, intent = self.give(bench, answer.client_secret, "pm_card")
        assert (status, intent["status"], intent["payment_method"]) == (200, "succeeded", "pm_card")
        assert isinstance(looked_up(bench, request), SessionCompleted)
        assert self.give(bench, answer.client_secret, "pm_other")[0] == 400

    @pytest.mark.parametrize(
        ("secret", "method", "status"), [("wrong", "pm_card", 404), ("", "pm_missing", 400), ("", "pm_refused", 402)]
    )
    def test_is_refused(self, bench: StripeBench, secret: str, method: str, status: int) -> None:
        request, answer = once_opened(bench)
        assert self.give(bench, secret or answer.client_secret, method)[0] == status
        assert looked_up(bench, request) == SessionPending()
