"""Requests sent again with the same Idempotency-Key."""

import datetime
import json
from typing import Any

import pytest
import time_machine

from accounts.errors import Conflict
from accounts.models import Account
from api.keys import revoke_api_key
from api.models import IdempotentAnswer, Scope
from invoices.credits import grant_credit
from ledger.models import Entry
from payments.gateways.port import Declined, Succeeded, Unknown
from payments.payment_outcomes import record_payment_outcomes
from payments.payment_requests import pay_invoice
from payments.refund_outcomes import record_refund_outcomes
from subscriptions.lifecycle import close_account
from tests.builders import NOW, TODAY, ScriptedGateway, a_plan, an_account, billed
from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import rolled_back
from tests.support.owing import owing
from tests.support.refunds import paid, refunded, requested
from tests.support.unchanged import nothing_moves

DECLINED, TAKEN = "declined", "taken"

SORRY = {"amount_minor": 500, "reason": "An hour of outage."}


@pytest.fixture
def credits(db: None) -> str:
    """The path of an account's credits."""
    return f"/v1/accounts/{an_account().id}/credits"


@rolled_back
class TestReplay:
    def test_gives_the_first_answer_byte_for_byte(self, api: ApiClient, credits: str) -> None:
        first = api.post(credits, SORRY, once="one")
        with nothing_moves():
            again = api.post(credits, SORRY, once="one")
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.content == first.content
        assert again["Content-Type"] == first["Content-Type"] == "application/json"
        assert again["Idempotent-Replayed"] == "true"
        assert "Idempotent-Replayed" not in first
        assert Entry.objects.count() == 1

    def test_gives_it_later_too_though_the_world_moved_on(self, api: ApiClient) -> None:
        a_plan(code="pro")
        body = {"name": "Ada", "email": "ada@example.com", "plan": "pro"}
        first = api.post("/v1/accounts", body, once="one")
        close_account(account_id=Account.objects.get().id, reason="left", author="test", today=TODAY, now=NOW)
        with time_machine.travel(NOW + datetime.timedelta(hours=24), tick=False), nothing_moves():
            assert api.post("/v1/accounts", body, once="one").content == first.content

    def test_goes_by_what_the_body_says_and_not_by_its_spelling(self, api: ApiClient, credits: str) -> None:
        api.send("POST", credits, raw=json.dumps(SORRY).encode(), once="one")
        other = json.dumps(dict(reversed(SORRY.items())), indent=4).encode()
        assert api.send("POST", credits, raw=other, once="one")["Idempotent-Replayed"] == "true"
        assert Entry.objects.count() == 1

    def test_holds_for_calls_that_need_no_key(self, api: ApiClient) -> None:
        account = an_account()
        first = api.post(f"/v1/accounts/{account.id}/close", {"reason": "left"}, once="one")
        again = api.post(f"/v1/accounts/{account.id}/close", {"reason": "left"}, once="one")
        assert (first.status_code, again.status_code) == (200, 200)
        without = api.post(f"/v1/accounts/{account.id}/close", {"reason": "left"})
        problem_of(without, status=409, slug="account-already-inactive")

    def test_holds_for_an_empty_body(self, api: ApiClient) -> None:
        a_plan(code="old")
        api.post("/v1/plans/old/retire", once="one")
        assert api.post("/v1/plans/old/retire", once="one")["Idempotent-Replayed"] == "true"

    def test_holds_for_what_the_domain_refused(self, api: ApiClient) -> None:
        account = an_account()
        path = f"/v1/accounts/{account.id}/reopen"
        refused = api.post(path, {"reason": "back"}, once="one")
        problem_of(refused, status=409, slug="account-not-inactive")
        close_account(account_id=account.id, reason="left", author="test", today=TODAY, now=NOW)
        with nothing_moves():
            again = api.post(path, {"reason": "back"}, once="one")
        problem_of(again, status=409, slug="account-not-inactive")
        assert again.content == refused.content
        assert again["Idempotent-Replayed"] == "true"
        assert api.post(path, {"reason": "back"}, once="two").status_code == 200

    def test_keeps_nothing_of_refused_work_but_the_answer(
        self, api: ApiClient, credits: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def half_done(**kwargs: Any) -> Any:
            an_account()
            raise Conflict("Too late.")

        monkeypatch.setattr("api.v1.credits.grant_credit", half_done)
        problem_of(api.post(credits, SORRY, once="one"), status=409, slug="conflict")
        assert (Account.objects.count(), IdempotentAnswer.objects.count()) == (1, 1)

    def test_holds_for_a_value_that_was_refused(self, api: ApiClient, credits: str) -> None:
        body = SORRY | {"amount_minor": 0}
        refused = api.post(credits, body, once="one")
        problem_of(refused, status=422, slug="unable-to-credit")
        again = api.post(credits, body, once="one")
        assert (again.content, again["Idempotent-Replayed"]) == (refused.content, "true")
        assert Entry.objects.count() == 0


@rolled_back
class TestKey:
    def test_is_refused_for_another_body(self, api: ApiClient, credits: str) -> None:
        api.post(credits, SORRY, once="one")
        with nothing_moves():
            response = api.post(credits, SORRY | {"amount_minor": 501}, once="one")
            problem_of(response, status=422, slug="idempotency-key-reused")
        assert "Idempotent-Replayed" not in response

    def test_belongs_to_its_path(self, api: ApiClient, credits: str) -> None:
        other = f"/v1/accounts/{an_account().id}/credits"
        for path in (credits, other):
            assert "Idempotent-Replayed" not in api.post(path, SORRY, once="one")
        assert Entry.objects.count() == 2

    def test_belongs_to_its_client(self, api: ApiClient, credits: str) -> None:
        for client in (api, ApiClient(Scope.LEDGER_WRITE, name="other")):
            assert client.post(credits, SORRY, once="one").status_code == 201
        assert Entry.objects.count() == 2

    @pytest.mark.parametrize("key", ["x" * 255, " inner space ", "!~", "a" * 8])
    def test_is_any_printable_text(self, api: ApiClient, credits: str, key: str) -> None:
        assert api.post(credits, SORRY, once=key).status_code == 201
        assert api.post(credits, SORRY, once=key)["Idempotent-Replayed"] == "true"

    @pytest.mark.parametrize("key", ["", "x" * 256, "tab\there", "nul\0", "caf\u00e9", "x" * 100_000])
    @pytest.mark.parametrize("path", ["credits", "close"])
    def test_is_refused_when_malformed(self, api: ApiClient, key: str, path: str) -> None:
        body = SORRY if path == "credits" else {"reason": "left"}
        account = an_account()
        with nothing_moves():
            response = api.post(f"/v1/accounts/{account.id}/{path}", body, once=key)
            problem_of(response, status=400, slug="idempotency-key-malformed")

    def test_is_not_used_up_by_a_malformed_body(self, api: ApiClient, credits: str) -> None:
        problem_of(api.post(credits, SORRY | {"note": 1}, once="one"), status=400, slug="invalid-request")
        assert IdempotentAnswer.objects.count() == 0
        assert api.post(credits, SORRY, once="one").status_code == 201

    def test_is_not_used_up_by_what_is_missing(self, api: ApiClient) -> None:
        problem_of(api.post("/v1/plans/new/retire", once="one"), status=404, slug="unknown-plan")
        a_plan(code="new")
        assert api.post("/v1/plans/new/retire", once="one").status_code == 200

    def test_is_not_used_up_by_a_bug(self, api: ApiClient, credits: str, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(**kwargs: Any) -> Any:
            an_account()
            raise RuntimeError

        with monkeypatch.context() as patch, nothing_moves():
            patch.setattr("api.v1.credits.grant_credit", broken)
            problem_of(api.post(credits, SORRY, once="one"), status=500, slug="internal-error")
        assert api.post(credits, SORRY, once="one").status_code == 201

    def test_is_not_used_up_by_a_key_without_the_scope(self, credits: str) -> None:
        client = ApiClient(Scope.LEDGER_READ)
        problem_of(client.post(credits, SORRY, once="one"), status=403, slug="missing-scope")
        assert IdempotentAnswer.objects.count() == 0

    def test_is_ignored_on_reads(self, api: ApiClient) -> None:
        for _ in range(2):
            assert "Idempotent-Replayed" not in api.send("GET", "/v1/plans", once="one")


@rolled_back
class TestKeyThatReplacesAnother:
    def test_knows_what_was_done_with_the_other(self, api: ApiClient, credits: str) -> None:
        first = api.post(credits, SORRY, once="one")
        new = api.replaced()
        revoke_api_key(prefix_or_id=api.key.prefix, now=NOW)
        with nothing_moves():
            again = new.post(credits, SORRY, once="one")
            problem_of(
                new.post(credits, SORRY | {"amount_minor": 501}, once="one"), status=422, slug="idempotency-key-reused"
            )
        assert (again.content, again["Idempotent-Replayed"]) == (first.content, "true")
        assert new.post(credits, SORRY, once="two").json()["created_by"] == f"key:tests:{new.key.prefix}"
        assert Entry.objects.count() == 2

    def test_works_beside_the_other(self, api: ApiClient, credits: str) -> None:
        new = api.replaced()
        first = new.post(credits, SORRY, once="one")
        assert api.post(credits, SORRY, once="one").content == first.content
        assert Entry.objects.count() == 1


@rolled_back
class TestATemporaryRefusal:
    """What waiting changes isn't kept as the answer: under the same key it is done once the outcome is known."""

    @pytest.fixture
    def unknown(self, db: None) -> Account:
        """An account whose one payment has an unknown outcome."""
        account = an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(Unknown(reason="timed out")))
        return account

    @pytest.mark.parametrize(
        ("path", "body", "slug", "outcome"),
        [
            ("/v1/invoices/{invoice}/write-off", {"reason": "gone"}, "payment-in-flight", DECLINED),
            ("/v1/invoices/{invoice}/credit-notes", {"reason": "a mistake"}, "payment-in-flight", DECLINED),
            ("/v1/invoices/{invoice}/pay", {}, "payment-in-flight", DECLINED),
            ("/v1/payments/{payment}/refunds", {"reason": "sorry", "amount_minor": 1}, "nothing-to-refund", TAKEN),
        ],
    )
    def test_is_not_kept(
        self, api: ApiClient, unknown: Account, path: str, body: dict[str, Any], slug: str, outcome: str
    ) -> None:
        payment = unknown.payments.get()
        names = {"account": unknown.id, "payment": payment.id, "invoice": payment.invoice_id}
        path = path.format(**names)
        with nothing_moves():
            refused = problem_of(api.post(path, body, once="one"), status=409, slug=slug)
            assert problem_of(api.post(path, body, once="one"), status=409, slug=slug) == refused
        taken = Succeeded(reference="ref", key=payment.id, amount_minor=payment.amount_minor, currency="USD")
        result = taken if outcome == TAKEN else Declined(code="card_declined")
        record_payment_outcomes(outcomes={payment.id: result}, today=TODAY, now=NOW)
        done = api.post(path, body, once="one")
        assert done.status_code in (201, 202), done.content
        with nothing_moves():
            assert api.post(path, body, once="one")["Idempotent-Replayed"] == "true"

    def test_of_a_refund_that_another_one_leaves_too_little_for_is_not_kept(self, api: ApiClient) -> None:
        payment = paid()
        first = requested(payment, 1500)
        path, body = f"/v1/payments/{payment.id}/refunds", {"amount_minor": 1000, "reason": "sorry"}
        with nothing_moves():
            problem_of(api.post(path, body, once="one"), status=409, slug="nothing-to-refund")
        record_refund_outcomes(outcomes={first.id: Declined(code="closed")}, today=TODAY, now=NOW)
        assert api.post(path, body, once="one").status_code == 202

    def test_of_a_write_off_while_another_payment_is_in_flight_is_not_kept(self, api: ApiClient) -> None:
        account = an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(Declined(code="card_declined")))
        invoice = account.invoices.get()
        again = pay_invoice(invoice_id=invoice.id, author="test", now=NOW)
        path, body = f"/v1/invoices/{invoice.id}/write-off", {"reason": "gone"}
        with nothing_moves():
            problem_of(api.post(path, body, once="one"), status=409, slug="payment-in-flight")
        record_payment_outcomes(outcomes={again.id: Declined(code="card_declined")}, today=TODAY, now=NOW)
        assert api.post(path, body, once="one").status_code == 201


@rolled_back
class TestLocation:
    def test_is_where_what_was_made_is_found_and_comes_again_with_a_replay(self, api: ApiClient) -> None:
        payment, disputed = paid(), paid()
        account_id = payment.account_id
        refund = refunded(payment, 1)
        credit = grant_credit(
            account_id=account_id, amount_minor=1, reason="sorry", author="test", today=TODAY, now=NOW
        )
        owed, other = (owing().invoices.get() for _ in range(2))
        account = {"name": "Ada", "email": "ada@example.com", "plan": "new"}
        plan = {"code": "new", "name": "New", "currency": "USD", "unit_amount_minor": 1}
        calls: list[tuple[str, Any]] = [
            ("/v1/plans", plan | {"interval_count": 1, "interval_unit": "month"}),
            ("/v1/accounts", account),
            (f"/v1/accounts/{account_id}/credits", SORRY),
            (f"/v1/accounts/{account_id}/payments", SORRY | {"reference": "SEPA 17"}),
            (f"/v1/payments/{payment.id}/refunds", {"amount_minor": 1, "reason": "sorry"}),
            (f"/v1/invoices/{payment.invoice_id}/credit-notes", {"amount_minor": 1, "reason": "a mistake"}),
            (f"/v1/refunds/{refund.id}/reversal", {"reason": "it came back"}),
            (f"/v1/payments/{disputed.id}/reversal", {"reason": "a dispute"}),
            (f"/v1/ledger/{credit.id}/reversals", {"reason": "a mistake"}),
            (f"/v1/invoices/{owed.id}/pay", {}),
            (f"/v1/invoices/{other.id}/write-off", {"reason": "gone"}),
        ]
        for path, body in calls:
            made = api.post(path, body, once="one")
            assert made.status_code in (201, 202), made.content
            shown = {name: value for name, value in made.json().items() if name not in ("first_invoice", "not_billed")}
            assert api.get(made["Location"]).json() == shown
            again = api.post(path, body, once="one")
            assert (again["Location"], again["Idempotent-Replayed"]) == (made["Location"], "true")


@rolled_back
class TestForgetting:
    def test_leaves_what_is_younger_than_two_days(self, api: ApiClient, credits: str) -> None:
        api.post(credits, SORRY, once="old")
        with time_machine.travel(NOW + datetime.timedelta(hours=48), tick=False):
            api.post(credits, SORRY, once="new")
            assert api.post(credits, SORRY, once="old")["Idempotent-Replayed"] == "true"

    def test_happens_as_new_answers_come(self, api: ApiClient, credits: str) -> None:
        api.post(credits, SORRY, once="old")
        with time_machine.travel(NOW + datetime.timedelta(hours=48, seconds=1), tick=False):
            api.post(credits, SORRY, once="new")
        assert list(IdempotentAnswer.objects.values_list("idempotency_key", flat=True)) == ["new"]
