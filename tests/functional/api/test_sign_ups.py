"""An account is billed at once when it is opened: what a client sees of it."""

import datetime
import json
from typing import Any

import pytest
from django.core.management import call_command

from accounts.models import Account
from api.models import IdempotentAnswer
from payments.authentications import end_authentications
from payments.gateways.port import Declined, Succeeded, Unknown
from payments.models import Authentication, Payment
from rebilling.models import Rebilling, Run
from rebilling.run_review import cancel_run, release_run
from tests.builders import a_plan, at, sent_again
from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import rolled_back
from tests.support.platform_days import PlatformDays
from tests.support.unchanged import nothing_moves

DAY = datetime.date(2026, 1, 1)
DECLINED = Declined("insufficient_funds")
WAITS = Unknown("waits for the customer", reference="pi_1", client_secret="pi_1_secret_1")
TWO_CHARGED = {
    "periods": [
        {
            "outcome": "CHARGED",
            "reason": "",
            "currency": "USD",
            "periods": 2,
            "amount_minor": 3998,
            "items_minor": 0,
        }
    ],
    "payments": {"succeeded": 2},
}
ADA = {"name": "Ada Lovelace", "email": "ada@example.com", "plan": "pro"}


def opened(days: PlatformDays, **fields: Any) -> Any:
    """The answer to a sign-up, on a plan of 19.99 a month. The worker has done by then what was sent."""
    days.go_to(days.day)
    if days.api.get("/v1/plans/pro").status_code == 404:
        a_plan(code="pro")
    return days.post("/v1/accounts", ADA | {"payment_customer": "cus_1", "payment_method": "pm_1"} | fields)


def released(run: Run, days: PlatformDays) -> None:
    """Released by a person; the worker has done what was sent then."""
    with days.committing():
        release_run(run_id=run.id, reason="real", author="ann", now=at(days.day), queue=days.queue)
    days.work()


def periods() -> list[tuple[datetime.date, str, str]]:
    return list(Rebilling.objects.order_by("id").values_list("period_start", "status", "run__kind"))


@rolled_back
class TestSignUp:
    def test_is_invoiced_and_collected_at_once_and_by_no_sweep_of_the_day(self, days: PlatformDays) -> None:
        answer = opened(days)
        first = answer["first_invoice"]
        assert (answer["status"], answer["not_billed"], first["status"]) == ("PENDING", None, "OPEN")
        assert (first["total_minor"], first["payment"]["status"]) == (1999, "SUBMITTED")
        invoice = days.invoice(answer["id"])
        assert (invoice["id"], invoice["status"], invoice["paid_minor"]) == (first["id"], "PAID", 1999)
        assert invoice["lines"][0]["description"] == "Pro, 1 Jan to 31 Jan 2026"
        assert days.statuses(answer["id"]) == ["PENDING", "ACTIVE"]
        days.sweep()
        assert (days.asked, periods()) == ([(1999, "2026-01-01")], [(DAY, "CHARGED", "on_demand")])
        days.sweep(datetime.date(2026, 2, 1))
        assert days.asked == [(1999, "2026-01-01"), (1999, "2026-02-01")]
        assert periods()[1:] == [(datetime.date(2026, 2, 1), "CHARGED", "sweep")]

    @pytest.mark.parametrize(
        ("fields", "why", "billed_on"),
        [
            ({"billing": "next_sweep"}, "next_sweep", "2026-01-01"),
            ({"anchor_date": "2025-12-01", "rebilling_date": "2025-12-01"}, "started_earlier", "2026-01-01"),
            ({"anchor_date": "2026-01-03"}, "starts_later", "2026-01-03"),
        ],
    )
    def test_that_is_left_to_a_sweep_says_why(self, days: PlatformDays, fields: Any, why: str, billed_on: str) -> None:
        answer = opened(days, **fields)
        assert (answer["first_invoice"], answer["not_billed"], periods(), days.asked) == (None, why, [], [])
        days.sweep(datetime.date.fromisoformat(billed_on))
        assert [day for _, day in days.asked] == [billed_on]
        assert not Run.objects.filter(kind="on_demand").exists()

    def test_on_a_trial_is_billed_when_that_ends(self, days: PlatformDays) -> None:
        a_plan(code="try", trial_days=14)
        answer = opened(days, plan="try")
        assert (answer["status"], answer["first_invoice"], answer["not_billed"]) == ("ACTIVE", None, "starts_later")

    def test_that_is_sent_invoices_gets_the_first_at_once(self, days: PlatformDays) -> None:
        answer = opened(days, collection_method="send_invoice", net_days=14)
        assert (answer["status"], answer["first_invoice"]["payment"]) == ("ACTIVE", None)
        invoice = days.invoice(answer["id"])
        assert (invoice["status"], invoice["due_on"], days.asked) == ("OPEN", "2026-01-15", [])

    def test_for_nothing_is_invoiced_over_nothing(self, days: PlatformDays) -> None:
        answer = opened(days, unit_amount_minor=0)
        assert (answer["status"], answer["first_invoice"]["status"], days.asked) == ("ACTIVE", "PAID", [])
        assert answer["first_invoice"]["payment"] is None

    def test_that_is_declined_is_dunned(self, days: PlatformDays) -> None:
        days.scripted(DECLINED)
        account_id = opened(days)["id"]
        assert days.statuses(account_id) == ["PENDING", "PAST_DUE"]
        assert days.account(account_id)["dunning_on"] == "2026-01-02"


@rolled_back
class TestSignUpWithADiscount:
    def test_has_it_on_its_first_invoice_and_for_so_many_periods(self, days: PlatformDays) -> None:
        discount = {"percent": "25", "periods": 2, "reason": "Spring offer"}
        answer = opened(days, discount=discount)
        assert answer["first_invoice"]["total_minor"] == 1499
        assert (answer["discount"]["percent"], answer["discount"]["periods_left"]) == ("25", 1)
        (line,) = days.invoice(answer["id"])["lines"]
        assert (line["discount_minor"], line["amount_minor"]) == (500, 1499)
        assert days.asked == [(1499, "2026-01-01")]
        given = days.get(f"/v1/accounts/{answer['id']}/history")["results"][-2]
        assert (given["reason"], given["after"]) == (
            *("Spring offer", {"discount": "25% off, for 2 periods from 1 Jan 2026"}),
        )
        for month, amount in ((2, 1499), (3, 1999)):
            days.sweep(datetime.date(2026, month, 1))
            assert days.asked[-1][0] == amount

    def test_of_all_of_it_is_paid_at_once(self, days: PlatformDays) -> None:
        answer = opened(days, discount={"percent": "100", "periods": 1, "reason": "Free trial"})
        assert (answer["status"], answer["first_invoice"]["status"], days.asked) == ("ACTIVE", "PAID", [])
        assert answer["first_invoice"]["payment"] is None

    def test_of_an_account_that_a_sweep_bills_is_on_that_invoice(self, days: PlatformDays) -> None:
        answer = opened(days, discount={"amount_minor": 500, "reason": "A charity"}, billing="next_sweep")
        days.sweep()
        assert days.asked == [(1499, "2026-01-01")]
        assert days.invoice(answer["id"])["total_minor"] == 1499

    def test_is_weighed_with_it(self, days: PlatformDays, settings: Any) -> None:
        settings.VOLUME_CHECK_FIRST_AMOUNTS = {"USD": 1499}
        assert opened(days, discount={"percent": "25", "reason": "Spring"})["not_billed"] is None
        assert opened(days, discount={"percent": "25", "reason": "Spring"})["not_billed"] == "run_held"

    @pytest.mark.parametrize(
        ("discount", "status", "field", "error"),
        [
            ({"percent": "101"}, 422, "discount.percent", "Must be from 0.001 to 100."),
            ({}, 422, "discount.percent", "Give either a percentage or an amount."),
            ({"amount_minor": 0}, 422, "discount.amount_minor", ""),
            ({"percent": "5", "until": "2026-01-01"}, 422, "discount.until", "Must be after today, 2026-01-01."),
            ({"percent": "5", "periods": 0}, 422, "discount.periods", ""),
            ({"percent": "five"}, 400, "discount.percent", ""),
            ({"percent": "5", "reason": None}, 400, "discount.reason", ""),
            ({"percent": "5", "colour": "red"}, 400, "discount.colour", "This call has no such field."),
        ],
    )
    def test_refuses_bad_values_and_opens_nothing(
        self, days: PlatformDays, discount: dict[str, Any], status: int, field: str, error: str
    ) -> None:
        a_plan(code="pro")
        body = ADA | {"external_reference": "acme-1", "discount": {"reason": "Spring"} | discount}
        with nothing_moves(but=IdempotentAnswer):
            response = days.send("/v1/accounts", body)
        slug = "unable-to-open-account" if status == 422 else "invalid-request"
        errors = problem_of(response, status=status, slug=slug)["errors"]
        assert list(errors) == [field]
        assert errors[field] == [error] if error else errors[field]


@rolled_back
class TestSignUpThatMustBePaid:
    def test_and_is_declined_is_credited_whole_and_closed(self, days: PlatformDays) -> None:
        days.scripted(DECLINED)
        answer = opened(days, on_decline="close", external_reference="acme-1")
        assert (answer["status"], answer["on_decline"]) == ("PENDING", "close")
        account, invoice = days.account(answer["id"]), days.invoice(answer["id"])
        assert (account["status"], account["inactive_reason"]) == ("INACTIVE", "closed")
        assert (account["dunning_on"], account["balance_minor"], account["credit_balance_minor"]) == (None, 0, 0)
        assert (invoice["status"], invoice["credited_minor"], invoice["outstanding_minor"]) == ("VOID", 1999, 0)
        (note,) = invoice["credit_notes"]
        assert note["reason"] == "The sign-up was not paid: declined (insufficient_funds)"
        assert periods() == [(DAY, "VOIDED", "on_demand")]
        assert days.books() == {"receivable": 0, "revenue": 0}
        change = days.get(f"/v1/accounts/{answer['id']}/history")["results"][0]
        assert (change["after"]["status"], change["reason"]) == ("INACTIVE", note["reason"])
        days.sweep_daily(until=datetime.date(2026, 2, 2))
        assert days.asked == [(1999, "2026-01-01")]
        # Its reference is free for another try.
        assert opened(days, on_decline="close", external_reference="acme-1")["first_invoice"]["status"] == "OPEN"

    def test_and_is_paid_is_like_any_other_from_then_on(self, days: PlatformDays) -> None:
        days.scripted(lambda request: Succeeded.of(request, reference="one"), DECLINED)
        account_id = opened(days, on_decline="close")["id"]
        account = days.account(account_id)
        assert (account["status"], account["on_decline"]) == ("ACTIVE", "dun")
        days.sweep(datetime.date(2026, 2, 1))
        assert days.account(account_id)["status"] == "PAST_DUE"

    def test_and_whose_outcome_is_unknown_waits_for_it(self, days: PlatformDays) -> None:
        days.scripted(Unknown("a time-out"))
        account_id = opened(days, on_decline="close")["id"]
        assert days.account(account_id)["status"] == "PENDING"
        # Not found, it is submitted again under its key, and taken.
        sent_again(queue=days.queue, now=at(days.day) + datetime.timedelta(hours=1))
        days.work()
        assert (days.account(account_id)["status"], days.invoice(account_id)["status"]) == ("ACTIVE", "PAID")
        assert days.asked == [(1999, "2026-01-01")] * 2

    def test_and_is_declined_by_a_look_up_is_closed(self, days: PlatformDays) -> None:
        days.scripted(Unknown("a time-out"))
        account_id = opened(days, on_decline="close")["id"]
        assert (days.account(account_id)["status"], days.invoice(account_id)["status"]) == ("PENDING", "OPEN")
        days.scripted(DECLINED)
        sent_again(queue=days.queue, now=at(days.day) + datetime.timedelta(hours=1))
        days.work()
        assert (days.account(account_id)["status"], days.invoice(account_id)["status"]) == ("INACTIVE", "VOID")

    def test_and_is_closed_meanwhile_collects_nothing_more(self, days: PlatformDays) -> None:
        days.scripted(Unknown("a time-out"))
        account_id = opened(days, on_decline="close")["id"]
        path = f"/v1/accounts/{account_id}"
        days.post(f"{path}/items", {"reason": "agreed", "description": "Setup", "unit_amount_minor": 500})
        days.post(f"{path}/close", {"reason": "they called"})
        days.scripted(DECLINED)
        sent_again(queue=days.queue, now=at(days.day) + datetime.timedelta(hours=1))
        days.work()
        days.sweep_daily(until=datetime.date(2026, 1, 4))
        assert (days.account(account_id)["status"], days.invoice(account_id)["status"]) == ("INACTIVE", "VOID")
        # The sign-up alone, which was looked up, and not found in the same second.
        assert days.asked == [(1999, "2026-01-01")]

    def test_that_is_left_to_the_sweep_is_closed_by_it(self, days: PlatformDays) -> None:
        days.scripted(DECLINED)
        account_id = opened(days, on_decline="close", billing="next_sweep")["id"]
        days.sweep(datetime.date(2026, 1, 2))
        assert (days.account(account_id)["status"], periods()) == ("INACTIVE", [(DAY, "VOIDED", "sweep")])

    def test_and_was_reopened_by_a_person_is_dunned(self, days: PlatformDays) -> None:
        days.scripted(DECLINED, DECLINED)
        account_id = opened(days, on_decline="close")["id"]
        reopened = days.post(f"/v1/accounts/{account_id}/reopen", {"reason": "they called"})
        assert (reopened["status"], reopened["on_decline"]) == ("PENDING", "dun")
        days.work()
        assert days.account(account_id)["status"] == "PAST_DUE"

    def test_needs_a_key_since_a_decline_frees_its_reference(self, days: PlatformDays) -> None:
        days.scripted(DECLINED)
        named = {"on_decline": "close", "external_reference": "acme-1"}
        opened(days, **named)
        body = ADA | {"payment_customer": "cus_1", "payment_method": "pm_1"} | named
        with nothing_moves():
            refused = days.api.post("/v1/accounts", body)
        assert problem_of(refused, status=400, slug="idempotency-key-missing")["detail"] == (
            'With on_decline "close", a decline frees the external_reference, and this request, sent twice, would open '
            "and charge a second account: it needs an Idempotency-Key header."
        )
        assert (Account.objects.count(), days.asked) == (1, [(1999, "2026-01-01")])

    @pytest.mark.parametrize("terms", [{"unit_amount_minor": 0}, {"collection_method": "send_invoice"}])
    def test_is_refused_where_nothing_is_collected(self, api: ApiClient, terms: Any) -> None:
        a_plan(code="pro")
        with nothing_moves(but=IdempotentAnswer):
            refused = api.post("/v1/accounts", ADA | {"on_decline": "close"} | terms, once="one")
        problem = problem_of(refused, status=422, slug="unable-to-open-account")
        assert problem["errors"] == {
            "on_decline": ["Nothing is collected at its start, so that nothing can be declined."]
        }


@rolled_back
class TestAuthentication:
    @staticmethod
    def again(days: PlatformDays, **query: Any) -> Any:
        """The first sign-up, repeated."""
        days.go_to(days.day)
        number = next(iter(IdempotentAnswer.objects.filter(path="/v1/accounts").values_list("idempotency_key")))[0]
        body = ADA | {"payment_customer": "cus_1", "payment_method": "pm_1", "on_decline": "close"}
        response = days.api.send("POST", "/v1/accounts", body=body, once=number, query=query)
        assert (response.status_code, response["Idempotent-Replayed"]) == (201, "true")
        return response.json()

    @pytest.fixture
    def account_id(self, days: PlatformDays, monkeypatch: pytest.MonkeyPatch) -> str:
        """Signed up; the bank wants the customer to authenticate the payment."""
        monkeypatch.setattr("api.wait_parameter.time.sleep", lambda seconds: days.work())
        days.scripted(WAITS)
        return str(opened(days, on_decline="close")["id"])

    def test_is_waited_for_with_the_gateways_secret(self, days: PlatformDays, account_id: str) -> None:
        assert days.account(account_id)["status"] == "PENDING"
        assert self.again(days)["first_invoice"]["payment"]["client_secret"] is None  # as it was answered first
        days.gateway.found = [WAITS]  # type: ignore[attr-defined]
        payment = self.again(days, wait="1")["first_invoice"]["payment"]
        assert (payment["status"], payment["client_secret"]) == ("UNKNOWN", "pi_1_secret_1")
        stored = b"".join(bytes(content) for content in IdempotentAnswer.objects.values_list("content", flat=True))
        assert b"pi_1_secret_1" not in stored

    def test_that_succeeds_is_learned_by_the_request_that_is_repeated(
        self, days: PlatformDays, account_id: str
    ) -> None:
        days.gateway.found = [lambda request: Succeeded.of(request, reference="pi_1")]  # type: ignore[attr-defined]
        answer = self.again(days, wait="5")
        assert (answer["status"], answer["on_decline"], answer["first_invoice"]["status"]) == ("ACTIVE", "dun", "PAID")
        assert answer["first_invoice"]["payment"] | {"id": ""} == {
            "id": "",
            "status": "SUCCEEDED",
            "decline_code": None,
            "client_secret": None,
        }
        assert not Authentication.objects.exists()

    def test_that_never_comes_closes_the_account_after_24_hours(self, days: PlatformDays, account_id: str) -> None:
        asked: list[bool] = []

        def look_up(request: Any) -> Any:
            asked.append(request.customer_may_act)
            return WAITS if request.customer_may_act else Declined("authentication_required")

        days.gateway.found = [look_up] * 3  # type: ignore[attr-defined]
        for hours in (1, 23, 24):
            sent_again(queue=days.queue, now=at(DAY) + datetime.timedelta(hours=hours))
            for body in days.queue.take():
                days.deliver_at(body, at(DAY) + datetime.timedelta(hours=hours))
            assert Authentication.objects.exists() == (hours < 24)
            assert days.account(account_id)["status"] == ("PENDING" if hours < 24 else "INACTIVE")
        assert asked == [True, True, False]
        assert days.invoice(account_id)["status"] == "VOID"

    def test_is_given_up_for_another_card_which_is_tried_at_once(self, days: PlatformDays, account_id: str) -> None:
        asked: list[tuple[bool, str]] = []

        def look_up(request: Any) -> Any:
            asked.append((request.customer_may_act, request.payment_method))
            return WAITS if request.customer_may_act else Declined("authentication_required")

        days.gateway.found = [look_up]  # type: ignore[attr-defined]
        days.send(f"/v1/accounts/{account_id}", {"payment_method": "pm_2"}, method="PATCH")
        assert asked == [(False, "pm_1")]
        assert [request.payment_method for request in days.gateway.requests] == ["pm_1", "pm_2"]  # type: ignore[attr-defined]
        assert (days.account(account_id)["status"], days.invoice(account_id)["status"]) == ("ACTIVE", "PAID")
        assert not Authentication.objects.exists()

    @pytest.mark.parametrize("change", [{"payment_method": None}, {"payment_method": "pm_1"}, {"name": "Bo"}])
    def test_goes_on_where_no_other_card_was_given(self, days: PlatformDays, account_id: str, change: Any) -> None:
        response = days.send(f"/v1/accounts/{account_id}", change, method="PATCH")
        assert response.status_code == 200
        assert (Payment.objects.get().status, Authentication.objects.get().client_secret) == (
            "UNKNOWN",
            "pi_1_secret_1",
        )

    def test_is_over_when_its_time_is_and_its_secret_forgotten(self, days: PlatformDays, account_id: str) -> None:
        last = at(DAY) + datetime.timedelta(hours=24)
        assert end_authentications(now=last - datetime.timedelta(seconds=1)) == 0
        assert end_authentications(now=last) == 1
        assert Payment.objects.get().status == "UNKNOWN"

    def test_leaves_no_secret_in_a_log(
        self, days: PlatformDays, account_id: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        days.gateway.found = [WAITS]  # type: ignore[attr-defined]
        with caplog.at_level("DEBUG"):
            self.again(days, wait="1")
        assert caplog.records
        assert "pi_1_secret_1" not in " ".join(str(vars(record)) for record in caplog.records)
        assert "secret" not in repr(WAITS)


@rolled_back
class TestVolumeCheck:
    def test_holds_a_sign_up_that_is_too_much_until_a_person_decides(self, days: PlatformDays, settings: Any) -> None:
        settings.VOLUME_CHECK_FIRST_PERIODS = 1
        assert opened(days)["not_billed"] is None
        held, left = opened(days), opened(days)
        for answer in (held, left):
            assert (answer["status"], answer["first_invoice"], answer["not_billed"]) == ("PENDING", None, "run_held")
        assert periods() == [(DAY, "CHARGED", "on_demand"), (DAY, "DUE", "on_demand")]
        run = Run.objects.get(status="HELD")
        assert run.held_because == "2 periods are due, more than 1 (the limit without history)"
        shown = days.get(f"/v1/runs/{run.id}")
        assert (shown["kind"], shown["due"]["periods"]) == ("on_demand", 1)
        # The sweep bills what has no row yet, and leaves what a person is to decide about.
        days.sweep()
        assert periods()[2:] == [(DAY, "CHARGED", "sweep")]
        assert len(days.asked) == 2
        released(run, days)
        assert [status for _, status, _ in periods()] == ["CHARGED"] * 3
        assert [days.account(answer["id"])["status"] for answer in (held, left)] == ["ACTIVE", "ACTIVE"]
        # With the released run in the history, more sign-ups are usual today.
        assert opened(days)["not_billed"] is None

    def test_leaves_a_cancelled_sign_up_to_the_next_sweep(self, days: PlatformDays, settings: Any) -> None:
        settings.VOLUME_CHECK_FIRST_PERIODS = 0
        settings.VOLUME_CHECK_FIRST_AMOUNTS = {"USD": 1998}
        opened(days)
        run = Run.objects.get(status="HELD")
        cancel_run(run_id=run.id, reason="a mistake", author="ann", now=at(DAY))
        assert periods() == [(DAY, "SKIPPED", "on_demand")]
        settings.VOLUME_CHECK_FIRST_AMOUNTS = {}
        days.sweep(datetime.date(2026, 1, 2))
        assert periods()[1:] == [(DAY, "CHARGED", "sweep")]

    def test_takes_no_step_of_dunning_with_its_release(self, days: PlatformDays, settings: Any) -> None:
        days.scripted(DECLINED)
        opened(days)
        days.go_to(datetime.date(2026, 1, 2))
        settings.VOLUME_CHECK_MULTIPLE, settings.VOLUME_CHECK_SMALL_RUN = 1, 0
        opened(days)
        opened(days)
        run = Run.objects.get(status="HELD")
        released(run, days)
        assert Rebilling.objects.filter(run=run, status="CHARGED").count() == 1
        assert Payment.objects.filter(cause="dunning").count() == 0


@rolled_back
class TestReconciliation:
    def test_of_a_days_sign_ups_ends_with_the_day(self, days: PlatformDays, capsys: Any) -> None:
        opened(days)
        sent_again(queue=days.queue, now=at(DAY) + datetime.timedelta(hours=2))
        run = Run.objects.get()
        assert (run.status, run.swept_at, run.passed_at) == ("OPEN", None, at(DAY))
        call_command("reconcile", str(run.id))
        assert capsys.readouterr().out.splitlines()[-1].strip() == "In progress: more may be billed on demand today."
        opened(days)
        days.go_to(datetime.date(2026, 1, 2))
        sent_again(queue=days.queue, now=at(days.day))
        run.refresh_from_db()
        assert (run.status, run.figures) == ("RECONCILED", TWO_CHARGED)
        shown = days.get(f"/v1/runs/{run.id}")
        assert (shown["charged"]["periods"], shown["payments"]["succeeded"], shown["status"]) == (2, 2, "RECONCILED")

    def test_of_one_that_comes_as_its_day_ends_is_made_anew(self, days: PlatformDays) -> None:
        opened(days)
        sent_again(queue=days.queue, now=at(DAY) + datetime.timedelta(days=1))
        assert Run.objects.get().status == "RECONCILED"
        opened(days)
        assert (Run.objects.get().status, len(periods())) == ("OPEN", 2)
        sent_again(queue=days.queue, now=at(DAY) + datetime.timedelta(days=1))
        assert Run.objects.get().figures == TWO_CHARGED


@rolled_back
class TestBadInput:
    @pytest.mark.parametrize(
        "wait", ["11", "-1", "1.5", "1.0", " 1", "01", "ten", "1e1", "\u0661", "true", "99999999999999999999"]
    )
    def test_waits_for_no_such_time(self, api: ApiClient, wait: str) -> None:
        a_plan(code="pro")
        with nothing_moves():
            refused = api.send("POST", "/v1/accounts", body=ADA, once="one", query={"wait": wait})
        problem = problem_of(refused, status=400, slug="invalid-request")
        assert problem["errors"] == {"wait": ["Must be a whole number of seconds from 0 to 10."]}

    @pytest.mark.parametrize("name", ["billing", "on_decline"])
    @pytest.mark.parametrize("value", ["never", "", None, 1, ["now"]])
    def test_opens_no_account_by_a_word_that_is_none(self, api: ApiClient, name: str, value: Any) -> None:
        a_plan(code="pro")
        with nothing_moves():
            refused = api.post("/v1/accounts", ADA | {name: value}, once="one")
        assert list(problem_of(refused, status=400, slug="invalid-request")["errors"]) == [name]

    def test_is_answered_as_before_when_it_is_repeated(self, api: ApiClient) -> None:
        a_plan(code="pro")
        refused = api.post("/v1/accounts", ADA | {"quantity": 0}, once="one")
        again = api.send("POST", "/v1/accounts", body=ADA | {"quantity": 0}, once="one", query={"wait": "10"})
        assert (again.status_code, json.loads(again.content)) == (422, refused.json())
        assert not Account.objects.exists()
