"""Refunds at Stripe, each answer produced by the simulated provider, and what we make of it (docs/stripe.md)."""

import pytest

from localcloud.simulated_stripe.faults import Kind
from payments.gateways.port import Declined, NotAttempted, NotFound, Succeeded, Unknown, contradiction
from tests.conformance.benches import SECONDS, SHORT_SECONDS
from tests.conformance.checks import a_paid_refund, collected, refunded
from tests.support.gateway_requests import a_payment, a_refund
from tests.support.stripe_bench import StripeBench


class TestFault:
    @pytest.mark.parametrize(
        ("kind", "answer", "sent_back", "found"),
        [
            (Kind.TIMEOUT_BEFORE, Unknown, [], NotFound),
            (Kind.TIMEOUT_AFTER, Unknown, [500], Succeeded),
            (Kind.TIMEOUT_LATE, Unknown, [], NotFound),
            (Kind.RESET_BEFORE, Unknown, [], NotFound),
            (Kind.RESET_AFTER, Unknown, [500], Succeeded),
            (Kind.ERROR_BEFORE, Unknown, [], NotFound),
            (Kind.ERROR_AFTER, Unknown, [500], Succeeded),
            (Kind.ERROR_KEPT, Unknown, [], NotFound),
            (Kind.SLOW, Unknown, [500], Succeeded),
            (Kind.DRIP, Unknown, [500], Succeeded),
            (Kind.RATE_LIMIT, Succeeded, [500], Succeeded),
            (Kind.WRONG_KEY, NotAttempted, [], NotFound),
            (Kind.GARBAGE, Unknown, [500], Succeeded),
            (Kind.EMPTY_OBJECT, Unknown, [500], Succeeded),
            (Kind.DECLINE, Declined, [], Declined),
            (Kind.REQUIRES_ACTION, Unknown, [], Unknown),
            (Kind.PROCESSING, Unknown, [], Unknown),
            (Kind.ANOTHER_AMOUNT, Succeeded, [501], Succeeded),
            (Kind.ANOTHER_KEY, Succeeded, [500], NotFound),
        ],
        ids=lambda given: str(given) if isinstance(given, Kind) else "",
    )
    def test_is_recognized(
        self, bench: StripeBench, kind: Kind, answer: type, sent_back: list[int], found: type
    ) -> None:
        request = a_paid_refund(bench)
        bench.fail_next(kind, call="refund.create")
        waits = kind in {Kind.TIMEOUT_BEFORE, Kind.TIMEOUT_AFTER, Kind.TIMEOUT_LATE, Kind.SLOW, Kind.DRIP}
        answered = refunded(bench, request, seconds=SHORT_SECONDS if waits else SECONDS)
        assert type(answered) is answer
        assert bench.sent_back(request) == sent_back
        assert type(bench.gateway.look_up(request, timeout_seconds=SECONDS)) is found
        if isinstance(answered, Succeeded):
            as_requested = kind == Kind.RATE_LIMIT
            assert (contradiction(request, answered) == "") is as_requested

    def test_is_in_the_table_above_for_each_kind(self) -> None:
        (marker,) = TestFault.test_is_recognized.pytestmark  # type: ignore[attr-defined]
        assert [case[0] for case in marker.args[1]] == list(Kind)


class TestRefund:
    def test_that_is_pending_is_known_once_stripe_has_completed_it(self, bench: StripeBench) -> None:
        for code, outcome in (("", Succeeded), ("lost_or_stolen_card", Declined)):
            request = a_paid_refund(bench)
            bench.fail_next(Kind.PROCESSING, call="refund.create", code=code)
            assert type(refunded(bench, request)) is Unknown
            bench.clock.advance(hours=1)
            assert type(bench.gateway.look_up(request, timeout_seconds=SECONDS)) is outcome
        assert len(bench.provider.records.sent_back) == 1

    def test_that_failed_says_why(self, bench: StripeBench) -> None:
        for code, hard in (("expired_or_canceled_card", True), ("declined", False)):
            request = a_paid_refund(bench)
            bench.fail_next(Kind.DECLINE, call="refund.create", code=code)
            assert refunded(bench, request) == Declined(code, hard=hard)
            assert bench.sent_back(request) == []

    def test_of_more_than_was_paid_is_refused(self, bench: StripeBench) -> None:
        payment = a_payment()
        paid = collected(bench, payment)
        assert isinstance(paid, Succeeded)
        whole = a_refund(payment, paid.reference, amount_minor=1999)
        assert refunded(bench, a_refund(payment, paid.reference, amount_minor=2000)) == Declined(
            "amount_too_large", hard=True
        )
        assert type(refunded(bench, whole)) is Succeeded
        assert refunded(bench, a_refund(payment, paid.reference, amount_minor=1)) == Declined(
            "charge_already_refunded", hard=True
        )
        assert bench.sent_back(whole) == [1999]
        assert bench.provider.records.totals() == {"USD": 0}

    def test_of_a_payment_that_stripe_does_not_have_is_refused(self, bench: StripeBench) -> None:
        assert refunded(bench, a_refund(a_payment(), "pi_missing")) == Declined("resource_missing", hard=True)
        assert refunded(bench, a_refund(a_payment(), "")) == Declined("no_payment_reference", hard=True)
        assert bench.provider.records.sent_back == []

    def test_in_a_currency_with_other_units_at_stripe_goes_and_comes_back(self, bench: StripeBench) -> None:
        payment = a_payment(currency="ISK", amount_minor=50)
        paid = collected(bench, payment)
        assert isinstance(paid, Succeeded)
        request = a_refund(payment, paid.reference, amount_minor=20)
        answer = refunded(bench, request)
        assert isinstance(answer, Succeeded)
        assert (answer.amount_minor, answer.currency, answer.key) == (20, "ISK", request.refund_id)
        assert bench.provider.records.totals() == {"ISK": 3000}
