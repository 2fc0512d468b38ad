"""Two workers receive the same batch at once, each on its own connection."""

import datetime
from collections import Counter
from functools import partial

from django.conf import settings

from invoices.models import Invoice
from ledger.balances import book_totals
from ledger.models import Entry
from payments.models import Payment
from rebilling.models import Rebilling
from tests.builders import QueueInHand, ScriptedGateway, a_plan, an_account, at, delivered, swept
from tests.support.databases import committed
from tests.support.workers.threads import Gate, GatedGateway, all_meet_before, threads

DAY = datetime.date(2026, 3, 10)
ACCOUNTS = 12


def one_batch() -> list[str]:
    plan = a_plan(interval_unit="week", unit_amount_minor=1000)
    for _ in range(ACCOUNTS):
        an_account(plan=plan, today=DAY)
    queue = QueueInHand()
    swept(as_of=DAY, queue=queue)
    assert len(queue.bodies) == 1
    return queue.take()


def assert_charged_and_paid_once() -> None:
    assert Counter(Rebilling.objects.values_list("status", flat=True)) == {"CHARGED": ACCOUNTS}
    assert Counter(Invoice.objects.values_list("status", "paid_minor")) == {("PAID", 1000): ACCOUNTS}
    assert Counter(Entry.objects.values_list("type", "amount_minor")) == {
        ("charge", 1000): ACCOUNTS,
        ("payment", 1000): ACCOUNTS,
    }
    assert Counter(Payment.objects.values_list("status", flat=True)) == {"SUCCEEDED": ACCOUNTS}
    assert sum(book_totals()["USD"].values()) == 0


@committed
class TestTwoWorkersRace:
    def test_the_second_leaves_what_the_first_is_collecting_and_says_so(self) -> None:
        batch, gate = one_batch(), Gate()
        slow, second = GatedGateway(gate=gate), ScriptedGateway()
        with threads() as start:
            first = start(lambda: delivered(bodies=batch, today=DAY, gateway=slow))
            gate.wait_for_somebody()
            # The lease is held: the message failed, and the gateway was not called.
            assert delivered(bodies=batch, today=DAY, gateway=second) == ["0"]
            assert second.requests == []
            assert Counter(Rebilling.objects.values_list("status", flat=True)) == {"CHARGED": ACCOUNTS}
            gate.open()
            assert first.result() == []
        assert Counter(request.payment_id for request in slow.requests) == dict.fromkeys(
            Payment.objects.values_list("id", flat=True), 1
        )
        assert_charged_and_paid_once()
        # Delivered again, it finds nothing left to do.
        assert delivered(bodies=batch, today=DAY, gateway=second) == []
        assert second.requests == []
        assert_charged_and_paid_once()

    def test_both_charging_at_once_charge_once(self) -> None:
        batch, gateway = one_batch(), ScriptedGateway()
        with all_meet_before("rebilling.invoice_periods.lock_accounts", parties=2), threads() as start:
            both = [start(lambda: delivered(bodies=batch, today=DAY, gateway=gateway)) for _ in range(2)]
        # Which one finds the payments leased is open, and so is whether their outcome is recorded by then.
        assert sorted(result.result() for result in both) in ([[], []], [[], ["0"]])
        assert Counter(request.payment_id for request in gateway.requests) == dict.fromkeys(
            Payment.objects.values_list("id", flat=True), 1
        )
        assert_charged_and_paid_once()

    def test_both_taking_the_lease_at_once_call_the_gateway_once(self) -> None:
        batch, gate = one_batch(), Gate()
        gateway = GatedGateway(gate=gate)
        gate.open()
        with all_meet_before("rebilling.worker.take_lease", parties=2), threads() as start:
            both = [start(lambda: delivered(bodies=batch, today=DAY, gateway=gateway)) for _ in range(2)]
        assert sorted(result.result() for result in both) in ([[], []], [[], ["0"]], [["0"], ["0"]])
        assert Counter(Counter(request.payment_id for request in gateway.requests).values()) == {1: ACCOUNTS}
        assert delivered(bodies=batch, today=DAY, gateway=gateway) == []
        assert_charged_and_paid_once()

    def test_one_that_outlives_its_lease_is_overtaken_and_records_nothing(self) -> None:
        batch, gate = one_batch(), Gate()
        slow, second = GatedGateway(gate=gate), ScriptedGateway()
        over = at(DAY) + datetime.timedelta(seconds=settings.PAYMENT_LEASE_SECONDS)
        with threads() as start:
            first = start(lambda: delivered(bodies=batch, today=DAY, gateway=slow))
            gate.wait_for_somebody()
            before = over - datetime.timedelta(seconds=1)
            assert delivered(bodies=batch, today=DAY, gateway=second, now=before) == ["0"]
            assert delivered(bodies=batch, today=DAY, gateway=second, now=over) == []
            assert_charged_and_paid_once()
            gate.open()
            assert first.result() == []
        # Submitted twice, but under the same keys: a provider takes the money once.
        assert {request.payment_id for request in slow.requests} == {request.payment_id for request in second.requests}
        assert len(second.requests) == ACCOUNTS
        assert_charged_and_paid_once()

    def test_both_recording_at_once_record_once(self) -> None:
        batch, gates = one_batch(), [Gate(), Gate()]
        over = at(DAY) + datetime.timedelta(seconds=settings.PAYMENT_LEASE_SECONDS)
        with all_meet_before("payments.payment_outcomes.lock_accounts_of", parties=2), threads() as start:
            both = []
            for gate, now in zip(gates, (at(DAY), over), strict=True):
                gateway = GatedGateway(gate=gate)
                both.append(start(partial(delivered, bodies=batch, today=DAY, gateway=gateway, now=now)))
                gate.wait_for_somebody()
            for gate in gates:
                gate.open()
        assert [result.result() for result in both] == [[], []]
        assert_charged_and_paid_once()
