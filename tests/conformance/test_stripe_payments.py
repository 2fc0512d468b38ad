"""Stripe's states and errors, each produced by the simulated provider, and what we make of them (docs/stripe.md)."""

import datetime
import re
import socket
import time
import uuid
from dataclasses import replace
from typing import Any

import pytest

from localcloud.simulated_stripe.faults import Fault, Kind
from localcloud.simulated_stripe.wire import Call
from payments.gateways.port import (
    Declined,
    NotAttempted,
    NotFound,
    Succeeded,
    Unknown,
    contradiction,
    unkeepable,
)
from payments.gateways.stripe import gateway as stripe_gateway
from payments.gateways.stripe.gateway import StripeGateway
from tests.conformance.benches import SECONDS, SHORT_SECONDS
from tests.conformance.checks import collected
from tests.support.gateway_requests import a_payment
from tests.support.stripe_bench import StripeBench


def looked_up(bench: StripeBench, request: Any) -> Any:
    return bench.gateway.look_up(request, timeout_seconds=SECONDS)


def statuses(bench: StripeBench) -> list[str]:
    """Of all the provider's intents, newest first."""
    from stripe import StripeClient

    client = StripeClient(bench.provider.api_key, base_addresses={"api": bench.url})
    return [intent.status for intent in client.v1.payment_intents.list().data]


def authenticated(bench: StripeBench, intent: str, client_secret: str) -> int:
    """The customer does, in their browser; the status of the provider's answer."""
    call = Call(name="payment.confirm", id=intent, params={"client_secret": client_secret})
    answer, _ = bench.provider.answer(call, api_key=bench.provider.api_key)
    return answer.status


class TestFault:
    @pytest.mark.parametrize(
        ("kind", "answer", "taken", "found"),
        [
            (Kind.TIMEOUT_BEFORE, Unknown, [], NotFound),
            (Kind.TIMEOUT_AFTER, Unknown, [1999], Succeeded),
            (Kind.TIMEOUT_LATE, Unknown, [], NotFound),
            (Kind.RESET_BEFORE, Unknown, [], NotFound),
            (Kind.RESET_AFTER, Unknown, [1999], Succeeded),
            (Kind.ERROR_BEFORE, Unknown, [], NotFound),
            (Kind.ERROR_AFTER, Unknown, [1999], Succeeded),
            (Kind.ERROR_KEPT, Unknown, [], NotFound),
            (Kind.SLOW, Unknown, [1999], Succeeded),
            (Kind.DRIP, Unknown, [1999], Succeeded),
            (Kind.RATE_LIMIT, Succeeded, [1999], Succeeded),
            (Kind.WRONG_KEY, NotAttempted, [], NotFound),
            (Kind.GARBAGE, Unknown, [1999], Succeeded),
            (Kind.EMPTY_OBJECT, Unknown, [1999], Succeeded),
            (Kind.DECLINE, Declined, [], Declined),
            (Kind.REQUIRES_ACTION, Declined, [], Declined),
            (Kind.PROCESSING, Unknown, [], Unknown),
            (Kind.ANOTHER_AMOUNT, Succeeded, [2000], Succeeded),
            (Kind.ANOTHER_KEY, Succeeded, [1999], NotFound),
        ],
        ids=lambda given: str(given) if isinstance(given, Kind) else "",
    )
    def test_is_recognized(self, bench: StripeBench, kind: Kind, answer: type, taken: list[int], found: type) -> None:
        request = a_payment()
        bench.fail_next(kind)
        # Only these should run into the deadline; a busy machine may be slow with the others.
        waits = kind in {Kind.TIMEOUT_BEFORE, Kind.TIMEOUT_AFTER, Kind.TIMEOUT_LATE, Kind.SLOW, Kind.DRIP}
        answered = collected(bench, request, seconds=SHORT_SECONDS if waits else SECONDS)
        assert type(answered) is answer
        assert unkeepable(answered) == ""
        assert bench.taken(request) == taken
        assert type(looked_up(bench, request)) is found
        assert bench.taken(request) == taken

    def test_is_in_the_table_above_for_each_kind(self) -> None:
        (marker,) = TestFault.test_is_recognized.pytestmark  # type: ignore[attr-defined]
        assert [case[0] for case in marker.args[1]] == list(Kind)

    def test_another_amount_and_another_payment_contradict_the_request(self, bench: StripeBench) -> None:
        for kind, problem in ((Kind.ANOTHER_AMOUNT, "moved 20.00 USD"), (Kind.ANOTHER_KEY, "is another request")):
            request = a_payment()
            bench.fail_next(kind)
            answered = collected(bench, request)
            assert isinstance(answered, Succeeded)
            assert problem in contradiction(request, answered)


class TestDecline:
    @pytest.mark.parametrize(
        ("code", "hard"),
        [("insufficient_funds", False), ("expired_card", False), ("stolen_card", True), ("new_code", False)],
    )
    def test_is_canceled_so_that_its_money_can_never_move(self, bench: StripeBench, code: str, hard: bool) -> None:
        request = a_payment(payment_method=f"pm_declined_{code}")
        declined = Declined(code, hard=hard)
        assert [collected(bench, request), collected(bench, request)] == [declined, declined]
        assert looked_up(bench, request) == declined
        assert statuses(bench) == ["canceled"]
        assert bench.taken(request) == []

    def test_is_unknown_until_it_is_canceled(self, bench: StripeBench) -> None:
        request = a_payment(payment_method="pm_declined_insufficient_funds")
        bench.fail_next(Kind.ERROR_BEFORE, call="payment.cancel")
        answer = collected(bench, request)
        assert isinstance(answer, Unknown)
        assert (answer.needs_review, answer.reference[:3]) == (False, "pi_")
        assert "insufficient_funds, but" in answer.reason
        assert statuses(bench) == ["requires_payment_method"]
        assert looked_up(bench, request) == Declined("insufficient_funds")
        assert statuses(bench) == ["canceled"]

    def test_that_is_not_canceled_because_of_a_wrong_key_does_not_quote_it(self, bench: StripeBench) -> None:
        """As when the key is revoked between two requests of one call."""
        bench.fail_next(Kind.WRONG_KEY, call="payment.cancel")
        answer = collected(bench, a_payment(payment_method="pm_declined_insufficient_funds"))
        assert isinstance(answer, Unknown)
        assert answer.reason.endswith("is not yet canceled: Stripe refused the API key (401)")

    def test_for_a_customer_who_must_act_is_soft_and_canceled(self, bench: StripeBench) -> None:
        for request in (a_payment(payment_method="pm_declined_authentication_required"), a_payment()):
            bench.fail_next(Kind.REQUIRES_ACTION)
            assert collected(bench, request) == Declined("authentication_required")
        assert statuses(bench) == ["canceled", "canceled"]

    @pytest.mark.parametrize("how", ["pm_declined_authentication_required", "pm_card"])
    def test_for_a_customer_who_is_there_waits_with_the_client_secret(self, bench: StripeBench, how: str) -> None:
        if how == "pm_card":
            bench.fail_next(Kind.REQUIRES_ACTION)
        request = a_payment(payment_method=how, customer_may_act=True)
        first = collected(bench, request)
        assert isinstance(first, Unknown)
        assert first.client_secret.startswith(f"{first.reference}_secret_")
        assert not first.needs_review
        assert looked_up(bench, request) == first
        assert bench.taken(request) == []
        # The customer authenticates it in their browser.
        assert authenticated(bench, first.reference, first.client_secret) == 200
        assert looked_up(bench, request) == Succeeded.of(request, reference=first.reference)
        assert bench.taken(request) == [1999]

    def test_for_a_customer_who_did_not_act_in_time_is_canceled(self, bench: StripeBench) -> None:
        request = a_payment(payment_method="pm_declined_authentication_required", customer_may_act=True)
        first = collected(bench, request)
        assert isinstance(first, Unknown)
        assert looked_up(bench, replace(request, customer_may_act=False)) == Declined("authentication_required")
        assert statuses(bench) == ["canceled"]
        # Too late, the customer's browser is refused.
        assert authenticated(bench, first.reference, first.client_secret) == 400
        assert bench.taken(request) == []

    def test_for_a_customer_who_is_there_is_declined_for_any_other_reason(self, bench: StripeBench) -> None:
        request = a_payment(payment_method="pm_declined_insufficient_funds", customer_may_act=True)
        assert collected(bench, request) == Declined("insufficient_funds")
        assert statuses(bench) == ["canceled"]

    def test_is_confirmed_with_its_own_secret_only(self, bench: StripeBench) -> None:
        request = a_payment(payment_method="pm_declined_authentication_required", customer_may_act=True)
        first = collected(bench, request)
        assert isinstance(first, Unknown)
        assert authenticated(bench, first.reference, "pi_other") == 404
        assert bench.taken(request) == []

    @pytest.mark.parametrize("given", [{"customer": ""}, {"payment_method": ""}])
    def test_without_a_payment_method_makes_no_call(self, bench: StripeBench, given: dict[str, str]) -> None:
        assert collected(bench, a_payment(**given)) == Declined("no_payment_method")
        assert bench.provider.records.calls == {}

    @pytest.mark.parametrize("given", [{"customer": "cus_missing"}, {"payment_method": "pm_missing"}])
    def test_for_what_stripe_does_not_have_is_soft(self, bench: StripeBench, given: dict[str, str]) -> None:
        request = a_payment(**given)
        assert collected(bench, request) == Declined("resource_missing")
        assert bench.taken(request) == []


class TestAmount:
    @pytest.mark.parametrize(
        ("currency", "minor", "sent"),
        [
            ("JPY", 500, 500),
            ("KWD", 5120, 5120),
            ("UGX", 5, 500),
            ("ISK", 5, 500),
            ("HUF", 17545, 17545),
            ("TWD", 80045, 80045),
            ("MGA", 2000, 20),
            ("USD", 50, 50),
        ],
    )
    def test_is_converted_to_stripes_units_and_back(
        self, bench: StripeBench, currency: str, minor: int, sent: int
    ) -> None:
        request = a_payment(currency=currency, amount_minor=minor)
        answer = collected(bench, request)
        assert isinstance(answer, Succeeded)
        assert (answer.amount_minor, answer.currency) == (minor, currency)
        assert bench.provider.records.totals() == {currency: sent}
        assert contradiction(request, answer) == ""

    @pytest.mark.parametrize(("currency", "minor"), [("KWD", 5124), ("MGA", 2050), ("IQD", 1000), ("LYD", 1000)])
    def test_that_stripe_cannot_express_is_refused_without_a_call(
        self, bench: StripeBench, currency: str, minor: int
    ) -> None:
        request = a_payment(currency=currency, amount_minor=minor)
        assert collected(bench, request) == Declined("amount_not_expressible")
        assert bench.provider.records.calls == {}

    @pytest.mark.parametrize(("currency", "minor"), [("USD", 49), ("GBP", 29), ("JPY", 49), ("HUF", 17_499)])
    def test_below_stripes_minimum_is_declined_softly(self, bench: StripeBench, currency: str, minor: int) -> None:
        request = a_payment(currency=currency, amount_minor=minor)
        assert collected(bench, request) == Declined("amount_too_small")
        assert bench.provider.records.calls == {"payment.create": 1}
        assert bench.taken(request) == []

    def test_that_we_cannot_express_needs_review(self, bench: StripeBench) -> None:
        """One more unit of Stripe's is a hundredth of a krona, which has none."""
        request = a_payment(currency="ISK", amount_minor=5)
        bench.fail_next(Kind.ANOTHER_AMOUNT)
        answer = collected(bench, request)
        assert isinstance(answer, Unknown)
        assert (answer.needs_review, answer.reference[:3]) == (True, "pi_")


class TestProcessing:
    @pytest.mark.parametrize(
        ("code", "outcome", "taken"),
        [("", Succeeded, [1999]), ("insufficient_funds", Declined, [])],
    )
    def test_is_unknown_until_stripe_has_completed_it(
        self, bench: StripeBench, code: str, outcome: type, taken: list[int]
    ) -> None:
        request = a_payment()
        bench.fail_next(Kind.PROCESSING, code=code)
        first = collected(bench, request)
        assert isinstance(first, Unknown)
        named = a_payment(payment_id=request.payment_id, reference=first.reference)
        assert looked_up(bench, named) == first
        bench.clock.advance(hours=1)
        assert type(looked_up(bench, named)) is outcome
        assert bench.taken(request) == taken


class TestKey:
    def test_that_stripe_has_forgotten_would_take_the_money_twice_so_it_is_looked_up(self, bench: StripeBench) -> None:
        request = a_payment()
        first = collected(bench, request)
        bench.clock.advance(hours=23, minutes=59)
        assert collected(bench, request) == first
        assert bench.taken(request) == [1999]
        bench.clock.advance(minutes=1)
        assert looked_up(bench, request) == first
        assert bench.taken(request) == [1999]
        collected(bench, request)
        assert bench.taken(request) == [1999, 1999]
        twice = looked_up(bench, request)
        assert isinstance(twice, Unknown)
        assert twice.needs_review

    def test_that_came_before_with_another_request_gives_what_stripe_has(self, bench: StripeBench) -> None:
        """As when the payment method is changed between an answer that was lost and its redelivery."""
        request = a_payment()
        bench.fail_next(Kind.RESET_AFTER)
        collected(bench, request)
        changed = a_payment(payment_id=request.payment_id, payment_method="pm_another")
        answer = collected(bench, changed)
        assert isinstance(answer, Succeeded)
        assert contradiction(changed, answer) == ""
        assert bench.taken(request) == [1999]

    def test_that_came_before_and_left_nothing_needs_review(self, bench: StripeBench) -> None:
        request = a_payment()
        bench.fail_next(Kind.ERROR_KEPT)
        collected(bench, request)
        answer = collected(bench, a_payment(payment_id=request.payment_id, payment_method="pm_another"))
        assert isinstance(answer, Unknown)
        assert answer.needs_review
        assert bench.taken(request) == []

    def test_that_came_before_and_cannot_be_looked_up_now_is_looked_up_again(self, bench: StripeBench) -> None:
        request = a_payment()
        bench.fail_next(Kind.RESET_AFTER)
        collected(bench, request)
        bench.provider.faults.script(*[Fault(kind=Kind.RATE_LIMIT)] * 4, call="payment.list")
        changed = a_payment(payment_id=request.payment_id, payment_method="pm_another")
        answer = collected(bench, changed)
        assert isinstance(answer, Unknown)
        assert not answer.needs_review
        assert type(looked_up(bench, changed)) is Succeeded

    def test_that_is_another_payments_leaves_that_ones_intent_alone(self, bench: StripeBench) -> None:
        other = a_payment(payment_method="pm_declined_insufficient_funds")
        bench.fail_next(Kind.ERROR_BEFORE, call="payment.cancel")
        reference = getattr(collected(bench, other), "reference", "")
        answer = looked_up(bench, a_payment(reference=reference))
        assert isinstance(answer, Unknown)
        assert answer.needs_review
        assert statuses(bench) == ["requires_payment_method"]
        assert bench.provider.records.taken == []


class TestListing:
    def test_goes_through_every_page(self, bench: StripeBench) -> None:
        requests = [a_payment(customer="cus_busy") for _ in range(205)]
        for request in requests:
            collected(bench, request)
        calls = bench.provider.records.calls["payment.list"]
        assert type(looked_up(bench, requests[0])) is Succeeded
        assert looked_up(bench, a_payment(customer="cus_busy")) == NotFound()
        assert bench.provider.records.calls["payment.list"] - calls == 6

    def test_that_breaks_off_says_nothing(self, bench: StripeBench) -> None:
        for _ in range(101):
            collected(bench, a_payment(customer="cus_busy"))
        for kind in (Kind.EMPTY_OBJECT, Kind.GARBAGE, Kind.RESET_AFTER, Kind.ERROR_BEFORE):
            bench.provider.faults.script(None, Fault(kind=kind), call="payment.list")
            assert type(looked_up(bench, a_payment(customer="cus_busy"))) is Unknown

    def test_begins_a_little_before_the_payment_was_submitted(self, bench: StripeBench) -> None:
        request = a_payment()
        bench.clock.advance(minutes=-5)
        answer = collected(bench, request)
        assert looked_up(bench, request) == answer

    def test_without_a_customer_says_nothing(self, bench: StripeBench) -> None:
        assert type(looked_up(bench, a_payment(customer=""))) is Unknown
        assert bench.provider.records.calls == {}


class TestProvider:
    def test_that_refuses_connections_got_nothing(self) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            gateway = StripeGateway(api_key="sk_test_1", api_base=f"http://127.0.0.1:{unused.getsockname()[1]}")
            answer = gateway.submit(a_payment(), timeout_seconds=SECONDS)
        assert isinstance(answer, NotAttempted)
        assert "refused" in answer.reason

    def test_that_has_no_address_or_no_tls_got_nothing(self, bench: StripeBench) -> None:
        for base in ("http://stripe.invalid", bench.url.replace("http:", "https:")):
            gateway = StripeGateway(api_key="sk_test_1", api_base=base)
            assert type(gateway.submit(a_payment(), timeout_seconds=SECONDS)) is NotAttempted
        assert bench.provider.records.calls == {}

    def test_that_rejects_our_parameters_took_nothing_and_gives_no_outcome(
        self, bench: StripeBench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As after a change of the API's version: it would concern every payment, and be no customer's fault."""
        sent, request = stripe_gateway._payment_params(a_payment()), a_payment()
        monkeypatch.setattr(stripe_gateway, "_payment_params", lambda _: sent | {"off_the_cuff": True})
        answer = collected(bench, request)
        reason = "Stripe refused the request: Received unknown parameter: off_the_cuff"
        assert answer == NotAttempted(reason, this_request_only=True)
        monkeypatch.undo()
        assert looked_up(bench, request) == NotFound()
        assert type(collected(bench, request)) is Succeeded
        assert bench.taken(request) == [1999]

    def test_that_limits_every_request_executed_nothing(self, bench: StripeBench) -> None:
        request = a_payment()
        bench.provider.faults.script(*[Fault(kind=Kind.RATE_LIMIT)] * 4)
        assert type(collected(bench, request)) is NotAttempted
        assert bench.provider.records.calls["payment.create"] == 4
        assert bench.provider.records.keys == {str(request.key)}
        assert bench.taken(request) == []

    def test_that_limits_requests_is_not_waited_for_beyond_the_deadline(self, bench: StripeBench) -> None:
        bench.provider.faults.script(*[Fault(kind=Kind.RATE_LIMIT)] * 4)
        answer = collected(bench, a_payment(), seconds=SHORT_SECONDS)
        reason = "Stripe takes no more requests for now (429)"
        assert answer == NotAttempted(reason, retry_after=datetime.timedelta(seconds=1))
        assert 1 <= bench.provider.records.calls["payment.create"] <= 2

    def test_that_names_a_time_to_wait_is_called_again_after_it(self, bench: StripeBench) -> None:
        request, began = a_payment(), time.monotonic()
        bench.provider.faults.script(Fault(kind=Kind.RATE_LIMIT, seconds=1))
        assert type(collected(bench, request)) is Succeeded
        assert time.monotonic() - began >= 1
        assert bench.taken(request) == [1999]

    def test_that_names_no_time_at_all_is_called_again_after_the_usual_one(self, bench: StripeBench) -> None:
        request = a_payment()
        bench.provider.faults.script(*[Fault(kind=Kind.RATE_LIMIT, seconds=0)] * 2)
        assert type(collected(bench, request)) is Succeeded
        assert bench.provider.records.calls["payment.create"] == 3

    def test_is_called_once_a_turn_where_calls_are_made_at_a_rate(self, bench: StripeBench, settings: Any) -> None:
        """All workers wait then; but a later request of the call is sent again in it."""
        settings.PAYMENT_GATEWAY_CALLS_PER_SECOND = 20
        request = a_payment()
        bench.provider.faults.script(Fault(kind=Kind.RATE_LIMIT))
        answer = collected(bench, request)
        assert isinstance(answer, NotAttempted)
        assert answer.retry_after == datetime.timedelta(seconds=1)
        assert bench.provider.records.calls["payment.create"] == 1
        bench.provider.faults.script(Fault(kind=Kind.RATE_LIMIT), call="payment.cancel")
        declined = a_payment(payment_method="pm_declined_insufficient_funds")
        assert type(collected(bench, declined)) is Declined
        assert bench.provider.records.calls["payment.cancel"] == 2

    @pytest.mark.parametrize(("asked", "waits"), [(30, 30), (61, 60), (86_400, 60)])
    def test_that_names_a_time_beyond_the_deadline_has_others_wait(
        self, bench: StripeBench, asked: int, waits: int
    ) -> None:
        bench.provider.faults.script(Fault(kind=Kind.RATE_LIMIT, seconds=asked))
        answer = collected(bench, a_payment(), seconds=SHORT_SECONDS)
        assert isinstance(answer, NotAttempted)
        assert answer.retry_after == datetime.timedelta(seconds=waits)
        assert bench.provider.records.calls["payment.create"] == 1

    def test_gets_a_wrong_key_and_no_reason_quotes_it(self, bench: StripeBench) -> None:
        key = f"sk_test_{uuid.uuid4().hex}"
        answer = StripeGateway(api_key=key, api_base=bench.url).submit(a_payment(), timeout_seconds=SECONDS)
        assert isinstance(answer, NotAttempted)
        assert not re.search(f"{key[:12]}|{key[-4:]}", answer.reason)
        assert bench.provider.records.taken == []
