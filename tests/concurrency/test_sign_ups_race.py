"""Sign-ups at once with each other, with sweeps, and with the worker that a client waits for."""

import datetime
import threading
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from django.db import OperationalError, connection

from accounts.account_opening import NewAccount
from accounts.ids import new_id
from accounts.models import Account
from invoices.models import Invoice
from payments.messages import dispatch
from payments.models import Payment
from rebilling.models import Rebilling, Run
from subscriptions.sign_up import SignedUp, sign_up
from tests.builders import TODAY, QueueInHand, a_plan, at, delivered, swept
from tests.support.api_client import ApiClient
from tests.support.databases import committed
from tests.support.workers.threads import Gate, all_meet_before, threads, wrapped

NEW = NewAccount(name="Ada", email="ada@example.com", plan="pro")


@pytest.fixture(autouse=True)
def queue(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> QueueInHand:
    a_plan(code="pro")
    queue = QueueInHand()
    monkeypatch.setattr(dispatch, "configured_queue", lambda: queue)
    return queue


def signed_up(new: NewAccount = NEW, *, today: datetime.date = TODAY) -> SignedUp:
    return sign_up(new=new, author="test", today=today, now=at(today))


@committed
class TestSignUpsRace:
    def test_for_the_days_first_place_and_there_is_one_run(self, queue: QueueInHand) -> None:
        with all_meet_before("rebilling.on_demand_billing.lock_run_of_the_day", parties=6), threads() as start:
            racing = [start(signed_up) for _ in range(6)]
        assert all(race.result().invoice_id for race in racing)
        run = Run.objects.get()
        assert (run.kind, run.rebillings.filter(status="CHARGED").count()) == ("on_demand", 6)
        assert len(queue.payments) == Payment.objects.count() == 6

    def test_past_the_volume_check_and_no_more_than_it_allows_are_billed(self, settings: Any) -> None:
        settings.VOLUME_CHECK_FIRST_PERIODS = 3
        with all_meet_before("rebilling.on_demand_billing.lock_run_of_the_day", parties=6), threads() as start:
            racing = [start(signed_up) for _ in range(6)]
        billed = [race.result().invoice_id for race in racing]
        assert (len([id_ for id_ in billed if id_]), billed.count(None)) == (3, 3)
        assert sorted(Rebilling.objects.values_list("status", flat=True)) == ["CHARGED"] * 3 + ["DUE"]
        assert sorted(Run.objects.values_list("status", flat=True)) == ["HELD", "OPEN"]

    def test_with_one_reference_and_one_account_is_opened_and_billed(self, queue: QueueInHand) -> None:
        new = NewAccount(name="Ada", email="ada@example.com", plan="pro", external_reference="acme-1")
        with all_meet_before("subscriptions.sign_up.open_account", parties=4), threads() as start:
            racing = [start(partial(signed_up, new)) for _ in range(4)]
        refused = [race.exception() for race in racing if race.exception()]
        assert {getattr(error, "code", error) for error in refused} == {"external-reference-taken"}
        assert (len(refused), Account.objects.count(), Invoice.objects.count()) == (3, 1, 1)
        assert len(queue.payments) == 1

    def test_with_one_id_and_one_account_is_opened_and_billed(self, queue: QueueInHand) -> None:
        new = replace(NEW, id=new_id(), external_reference="acme-1")
        with all_meet_before("accounts.account_opening.draft_account", parties=4), threads() as start:
            racing = [start(partial(signed_up, new)) for _ in range(4)]
        refused = [race.exception() for race in racing if race.exception()]
        assert {getattr(error, "code", error) for error in refused} == {"account-opened-before"}
        assert (len(refused), Account.objects.get().id, Invoice.objects.count()) == (3, new.id, 1)
        assert len(queue.payments) == 1


@committed
class TestASignUpRacesASweep:
    @pytest.mark.parametrize(
        "held_at",
        [
            "rebilling.on_demand_billing.write_rows",
            "rebilling.invoice_periods.issue_invoices",
            "subscriptions.sign_up.send_payments_when_committed",
        ],
    )
    def test_that_runs_before_it_is_committed_and_the_day_is_billed_once(
        self, queue: QueueInHand, held_at: str
    ) -> None:
        gate = Gate()

        def hold(original: Any, *args: Any, **kwargs: Any) -> Any:
            gate.pass_through()
            return original(*args, **kwargs)

        with wrapped(held_at, hold), threads() as start:
            race = start(signed_up)
            gate.wait_for_somebody()
            assert swept(as_of=TODAY, queue=queue).rebillings.count() == 0
            gate.open()
        assert race.result().invoice_id
        self.assert_billed_once(queue)

    def test_on_every_side_and_the_day_is_billed_once(self, queue: QueueInHand) -> None:
        barrier = threading.Barrier(4)

        def run(operation: Any) -> None:
            barrier.wait()
            for _ in range(5):
                operation()

        with threads() as start:
            racing = [start(partial(run, partial(swept, as_of=TODAY, queue=queue))) for _ in range(2)]
            racing += [start(partial(run, signed_up)) for _ in range(2)]
        for race in racing:
            race.result()
        assert Account.objects.count() == 10
        self.assert_billed_once(queue, accounts=10)

    @staticmethod
    def assert_billed_once(queue: QueueInHand, accounts: int = 1) -> None:
        swept(as_of=TODAY, queue=queue)
        assert delivered(bodies=queue.take(), queue=queue) == []
        assert list(Rebilling.objects.values_list("status", "run__kind")) == [("CHARGED", "on_demand")] * accounts
        assert list(Invoice.objects.values_list("status", "total_minor")) == [("PAID", 1999)] * accounts
        assert Payment.objects.filter(status="SUCCEEDED").count() == accounts


@committed
class TestWaiting:
    BODY = {"name": "Ada", "email": "ada@example.com", "plan": "pro"}

    def test_learns_the_outcome_and_holds_no_connection_meanwhile(
        self, queue: QueueInHand, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        slept: list[tuple[float, bool]] = []

        def sleep(seconds: float) -> None:
            slept.append((seconds, connection.connection is None))
            if len(slept) == 3:
                with threads() as start:
                    today = Account.objects.get().opened_on
                    assert start(partial(delivered, bodies=queue.take(), today=today, queue=queue)).result() == []
                connection.close()

        monkeypatch.setattr("api.wait_parameter.time.sleep", sleep)
        response = ApiClient().send("POST", "/v1/accounts", body=self.BODY, once="one", query={"wait": "10"})
        answer = response.json()
        assert (answer["status"], answer["first_invoice"]["status"]) == ("ACTIVE", "PAID")
        assert answer["first_invoice"]["payment"]["status"] == "SUCCEEDED"
        assert response["Location"] == f"/v1/accounts/{answer['id']}"
        assert [connected for _, connected in slept] == [True] * 3
        assert [seconds for seconds, _ in slept] == [0.1, 0.2, 0.4]

    def test_ends_when_its_time_is_over(self, monkeypatch: pytest.MonkeyPatch) -> None:
        now = [1000.0]
        monkeypatch.setattr("api.wait_parameter.time.monotonic", lambda: now[0])
        monkeypatch.setattr("api.wait_parameter.time.sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
        answer = ApiClient().send("POST", "/v1/accounts", body=self.BODY, once="one", query={"wait": "2"}).json()
        assert (answer["status"], answer["first_invoice"]["payment"]["status"]) == ("PENDING", "SUBMITTED")
        assert now[0] == pytest.approx(1002.0)

    def test_that_the_database_ends_answers_with_what_was_committed(
        self, queue: QueueInHand, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*args: Any, **kwargs: Any) -> None:
            raise OperationalError("the server closed the connection")

        monkeypatch.setattr("api.v1.sign_ups._payment_of", fail, raising=True)
        monkeypatch.setattr("api.v1.sign_ups._first_invoice", lambda invoice_id: {"id": str(invoice_id)})
        response = ApiClient().send("POST", "/v1/accounts", body=self.BODY, once="one", query={"wait": "2"})
        assert (response.status_code, response.json()["status"]) == (201, "PENDING")
        assert (Account.objects.count(), len(queue.payments)) == (1, 1)
