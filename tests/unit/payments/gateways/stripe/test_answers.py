"""The tables by which Stripe's states, errors and codes become our answers."""

import re
import uuid
from typing import Any

import pytest
import stripe

from payments.gateways.port import Answer, Declined, NotAttempted, Succeeded, Unknown, unkeepable
from payments.gateways.stripe.answers import (
    StripeRecord,
    UnreadableAnswer,
    outcome_of_intent,
    outcome_of_refund,
    page_of,
    read_intent,
)
from payments.gateways.stripe.call import API_VERSION, StripeCall
from payments.gateways.stripe.declines import CANT_CHANGE, DONT_TRY_AGAIN, NEVER_RETRIED, declined
from payments.gateways.stripe.errors import refused_payment, refused_refund
from payments.gateways.stripe.transport import NotAnswered, NotSent
from tests.support.gateway_requests import a_payment, a_refund
from tests.support.project_files import ROOT

KEY = uuid.UUID("0194c5a8-0000-7000-8000-000000000001")
INTENT: dict[str, Any] = {
    "id": "pi_1",
    "status": "succeeded",
    "amount_received": 1999,
    "currency": "usd",
    "metadata": {"payment": str(KEY)},
    "last_payment_error": None,
}


def a_record(status: str, **given: Any) -> StripeRecord:
    usual: dict[str, Any] = {"id": "pi_1", "owner": str(KEY), "amount": 1999, "currency": "USD"}
    return StripeRecord(status=status, **(usual | given))


class TestIntent:
    @pytest.mark.parametrize(
        ("status", "answer"),
        [
            ("succeeded", Succeeded(reference="pi_1", key=KEY, amount_minor=1999, currency="USD")),
            ("canceled", Declined("canceled")),
            ("processing", Unknown("pi_1 is processing", reference="pi_1")),
            ("requires_capture", Unknown("pi_1 is authorized and was not captured", True, "pi_1")),
            ("a_new_status", Unknown("pi_1 is a_new_status", reference="pi_1")),
            # These must be canceled: they could still take the money.
            ("requires_payment_method", None),
            ("requires_confirmation", None),
            ("requires_action", None),
        ],
    )
    def test_is_mapped_by_its_status(self, status: str, answer: Answer | None) -> None:
        assert outcome_of_intent(a_record(status)) == answer

    def test_that_was_canceled_after_a_decline_gives_its_code(self) -> None:
        assert outcome_of_intent(a_record("canceled", code="stolen_card")) == Declined("stolen_card", hard=True)
        by_advice = a_record("canceled", code="do_not_honor", advice="do_not_try_again")
        assert outcome_of_intent(by_advice) == Declined("do_not_honor", hard=True)

    def test_that_succeeded_without_our_id_needs_review(self) -> None:
        for owner in ("", "order 7"):
            answer = outcome_of_intent(a_record("succeeded", owner=owner))
            assert isinstance(answer, Unknown)
            assert (answer.needs_review, answer.reference) == (True, "pi_1")

    @pytest.mark.parametrize(
        "wrong",
        [
            {"id": None},
            {"id": ""},
            {"status": 5},
            {"amount_received": "1999"},
            {"amount_received": True},
            {"amount_received": None},
            {"currency": None},
            {"metadata": None},
            {"metadata": []},
        ],
        ids=repr,
    )
    def test_that_lacks_something_is_unreadable(self, wrong: dict[str, Any]) -> None:
        assert read_intent(INTENT).amount == 1999
        with pytest.raises(UnreadableAnswer):
            read_intent(INTENT | wrong)


class TestRefund:
    @pytest.mark.parametrize(
        ("status", "code", "answer"),
        [
            ("failed", "lost_or_stolen_card", Declined("lost_or_stolen_card", hard=True)),
            ("failed", "", Declined("failed")),
            ("canceled", "", Declined("canceled")),
            ("pending", "", Unknown("pi_1 is pending", reference="pi_1")),
            ("requires_action", "", Unknown("pi_1 is requires_action", reference="pi_1")),
        ],
    )
    def test_is_mapped_by_its_status(self, status: str, code: str, answer: Answer) -> None:
        assert outcome_of_refund(a_record(status, code=code)) == answer

    def test_of_another_request_says_nothing_about_ours(self) -> None:
        request = a_refund(a_payment(), "pi_1")
        call = StripeCall(api_key="sk_test_1", api_base="http://127.0.0.1:9", timeout_seconds=1)
        answer = call.refund_answer(request, a_record("failed", owner=str(KEY)))
        assert isinstance(answer, Unknown)
        assert answer.needs_review
        assert call.refund_answer(request, a_record("failed", owner=str(request.key))) == Declined("failed")


class TestList:
    @pytest.mark.parametrize(
        "page",
        [
            {},
            {"object": "list", "data": []},
            {"object": "list", "data": None, "has_more": False},
            {"object": "list", "data": [1], "has_more": False},
            {"object": "list", "data": [], "has_more": True},
            {"object": "charge", "data": [], "has_more": False},
        ],
        ids=repr,
    )
    def test_that_is_none_is_never_read_as_empty(self, page: dict[str, Any]) -> None:
        assert page_of({"object": "list", "data": [], "has_more": False}) == ([], False)
        with pytest.raises(UnreadableAnswer):
            page_of(page)


class TestCode:
    def test_is_hard_where_the_same_card_can_only_fail_again(self) -> None:
        assert (len(NEVER_RETRIED), len(CANT_CHANGE)) == (8, 4)
        assert [code for code in NEVER_RETRIED | CANT_CHANGE if not declined(code=code).hard] == []

    def test_that_is_hard_is_on_the_page(self) -> None:
        page = (ROOT / "docs/stripe.md").read_text()
        hard = page[page.index("## Hard and soft") : page.index("All others are soft")]
        assert set(re.findall(r"`([a-z_]+)`", hard)) == {*NEVER_RETRIED, *CANT_CHANGE, DONT_TRY_AGAIN}

    @pytest.mark.parametrize(
        "code",
        ["insufficient_funds", "do_not_honor", "generic_decline", "expired_card", "authentication_required", "new"],
    )
    def test_is_soft_otherwise(self, code: str) -> None:
        assert declined(code=code) == Declined(code, hard=False)


def error(kind: type[stripe.StripeError], status: int, message: str = "So it is", **object_: Any) -> stripe.StripeError:
    body = {"error": {"message": message, **object_}}
    if issubclass(kind, stripe.InvalidRequestError | stripe.CardError):
        make: Any = kind
        made: stripe.StripeError = make(
            message, object_.get("param"), object_.get("code"), http_status=status, json_body=body
        )
        return made
    return kind(message, http_status=status, json_body=body)


REJECTED = NotAttempted("Stripe refused the request: So it is", this_request_only=True)


def lost(kind: Any) -> stripe.StripeError:
    made: stripe.StripeError = kind("So it is")
    return made


class TestVersion:
    def test_is_the_one_that_the_library_was_made_for(self) -> None:
        """Its types are those of one version. When this fails, check what changed before changing ours."""
        assert stripe.api_version == API_VERSION


class TestError:
    @pytest.mark.parametrize(
        ("raised", "answer"),
        [
            (lost(NotSent), NotAttempted),
            (lost(NotAnswered), Unknown),
            (error(stripe.AuthenticationError, 401), NotAttempted),
            (error(stripe.PermissionError, 403), NotAttempted),
            (error(stripe.RateLimitError, 429), NotAttempted),
            (error(stripe.RateLimitError, 429, code="lock_timeout"), Unknown),
            (error(stripe.APIError, 409, code="idempotency_key_in_use"), Unknown),
            (error(stripe.APIError, 500), Unknown),
            (error(stripe.APIError, 503), Unknown),
            (stripe.APIError("no JSON", "<html>", 502, None), Unknown),
            # A decline always names its intent, which is then canceled; without one, it is looked up.
            (error(stripe.CardError, 402, code="card_declined"), Unknown),
        ],
        ids=repr,
    )
    def test_of_no_one_request_means_the_same_for_payments_and_refunds(
        self, raised: stripe.StripeError, answer: type
    ) -> None:
        assert type(refused_payment(raised)) is answer
        assert not getattr(refused_payment(raised), "this_request_only", False)
        assert unkeepable(refused_payment(raised)) == ""
        if not isinstance(raised, stripe.CardError):
            assert refused_refund(raised) == refused_payment(raised)

    @pytest.mark.parametrize(
        ("object_", "answer"),
        [
            ({"code": "resource_missing", "param": "payment_method"}, Declined("resource_missing")),
            ({"param": "payment_method"}, Declined("invalid_payment_method")),
            ({"param": "currency"}, Declined("invalid_currency")),
            ({"code": "amount_too_small"}, Declined("amount_too_small")),
            ({"code": "parameter_unknown", "param": "confirm"}, REJECTED),
            ({}, REJECTED),
        ],
        ids=repr,
    )
    def test_of_a_payment_that_was_refused_is_never_hard_and_no_outcome_where_our_requests_are_wrong(
        self, object_: dict[str, str], answer: Answer
    ) -> None:
        assert refused_payment(error(stripe.InvalidRequestError, 400, **object_)) == answer

    @pytest.mark.parametrize("key", ["sk_live_51Abc", "rk_test_****************wxyz"])
    def test_of_a_payment_does_not_quote_the_key(self, key: str) -> None:
        raised = error(stripe.InvalidRequestError, 400, f"The version of {key} is not one of ours")
        reason = "Stripe refused the request: The version of (an API key) is not one of ours"
        assert refused_payment(raised) == NotAttempted(reason, this_request_only=True)

    @pytest.mark.parametrize(
        ("object_", "answer"),
        [
            ({"code": "charge_disputed"}, Declined("charge_disputed", hard=True)),
            ({"code": "insufficient_funds"}, Declined("insufficient_funds")),
            ({}, Unknown("Stripe refused the request: So it is", True)),
        ],
        ids=repr,
    )
    def test_of_a_refund_that_was_refused(self, object_: dict[str, str], answer: Answer) -> None:
        assert refused_refund(error(stripe.InvalidRequestError, 400, **object_)) == answer

    def test_of_a_key_of_another_mode_concerns_one_object_and_is_no_decline(self) -> None:
        message = "No such customer: 'cus_1'; a similar object exists in live mode, but a test mode key was used."
        raised = error(stripe.InvalidRequestError, 400, message, code="resource_missing", param="customer")
        reason = "the API key and the {} are not of one mode (test, live)"
        assert refused_payment(raised) == NotAttempted(reason.format("customer"), this_request_only=True)
        assert refused_refund(raised) == NotAttempted(reason.format("payment"), this_request_only=True)

    def test_is_given_in_a_short_line(self) -> None:
        answer = refused_payment(error(stripe.APIError, 500, "word\n" * 1000))
        assert isinstance(answer, Unknown)
        assert (len(answer.reason), "\n" in answer.reason) == (300, False)
