"""A batch in which the database refuses an account's rows: that account is found and parked, the rest is charged."""

import datetime
from typing import Any

import pytest
from django.db import DataError, OperationalError

from invoices.issuance import issue_invoices
from invoices.models import Invoice
from ledger.models import Entry
from payments.models import Payment
from rebilling import invoice_periods as charging
from rebilling.models import Rebilling
from rebilling.reconciliation.summary import reconciliation_of
from tests.builders import NOW, TODAY, QueueInHand, an_account, billed, delivered, statuses_of, swept
from tests.support.batches import daily, deactivate, in_the_way
from tests.support.databases import rolled_back
from tests.support.owing import rows

DAY = datetime.timedelta(days=1)

pytestmark = rolled_back


class TestABatchWithABadRow:
    def test_parks_the_bad_account_with_its_reason_and_charges_the_rest(self) -> None:
        accounts = [an_account() for _ in range(9)]
        bad = accounts[5]
        queue = QueueInHand()
        run = swept(as_of=TODAY, queue=queue)
        in_the_way(bad.rebillings.get())
        assert delivered(bodies=queue.take()) == []
        for account in accounts:
            assert statuses_of(account) == [(TODAY, "PARKED" if account == bad else "CHARGED")]
        parked = Rebilling.objects.get(status="PARKED")
        assert (parked.reason, parked.detail) == ("charge_refused", "IntegrityError: entry_idempotency_key_once")
        bad.refresh_from_db()
        assert (bad.rebilling_date, bad.status, bad.invoices_issued) == (TODAY, "PENDING", 0)
        assert not Invoice.objects.filter(account=bad).exists()
        found = reconciliation_of(run=run, now=NOW)
        assert (found.due.periods, found.charged.periods, found.parked.periods) == (9, 8, 1)
        assert found.parked.reasons == {"charge_refused": 1}
        assert Entry.objects.filter(type="charge").count() == Invoice.objects.filter(status="PAID").count() == 8

    @pytest.mark.parametrize("bad", [0, 1, 3])
    def test_charges_an_accounts_periods_together_or_not_at_all(self, bad: int) -> None:
        account, queue = daily(), QueueInHand()
        swept(as_of=TODAY + 3 * DAY, queue=queue)
        in_the_way(account.rebillings.order_by("period_start")[bad])
        assert delivered(bodies=queue.take(), today=TODAY + 3 * DAY) == []
        reasons = list(Rebilling.objects.order_by("period_start").values_list("status", "reason"))
        assert reasons == [("PARKED", "charge_refused"), *[("PARKED", "earlier_period_parked")] * 3]
        account.refresh_from_db()
        assert (account.rebilling_date, account.invoices_issued) == (TODAY, 0)
        assert (Invoice.objects.count(), Payment.objects.count(), Entry.objects.count()) == (0, 0, 1)

    def test_parks_a_later_period_of_another_batch_behind_a_parked_one(self) -> None:
        account = daily()
        early, late = QueueInHand(), QueueInHand()
        swept(as_of=TODAY, queue=early)
        in_the_way(account.rebillings.get())
        swept(as_of=TODAY + DAY, queue=late)
        assert delivered(bodies=early.take() + late.take(), today=TODAY + DAY) == []
        reasons = list(Rebilling.objects.order_by("period_start").values_list("status", "reason"))
        assert reasons == [("PARKED", "charge_refused"), ("PARKED", "earlier_period_parked")]
        assert Entry.objects.filter(type="charge").count() == 0

    def test_charges_all_when_the_fault_is_gone_at_the_second_try(self, monkeypatch: pytest.MonkeyPatch) -> None:
        accounts = [daily(), daily()]
        faults = iter([True])

        def once(**arguments: Any) -> Any:
            if next(faults, False):
                raise DataError("a passing fault")
            return issue_invoices(**arguments)

        monkeypatch.setattr(charging, "issue_invoices", once)
        billed(as_of=TODAY + DAY)
        for account in accounts:
            assert statuses_of(account) == [(TODAY, "CHARGED"), (TODAY + DAY, "CHARGED")]
            assert rows(account) == [("PAID", 0, 200)]

    def test_a_bug_fails_the_message_and_parks_nobody(self, monkeypatch: pytest.MonkeyPatch) -> None:
        accounts = [an_account() for _ in range(3)]
        queue = QueueInHand()
        swept(as_of=TODAY, queue=queue)
        monkeypatch.setattr(charging, "issue_invoices", lambda **_: None.gone)  # type: ignore[attr-defined]
        assert delivered(bodies=queue.bodies) == ["0"]
        assert [statuses_of(account) for account in accounts] == [[(TODAY, "DUE")]] * 3

    def test_a_lost_connection_fails_the_message_and_parks_nobody(self, monkeypatch: pytest.MonkeyPatch) -> None:
        account = an_account()
        queue = QueueInHand()
        swept(as_of=TODAY, queue=queue)
        with monkeypatch.context() as patch:
            patch.setattr(charging, "issue_invoices", lambda **_: (_ for _ in ()).throw(OperationalError("gone")))
            assert delivered(bodies=queue.bodies) == ["0"]
        assert statuses_of(account) == [(TODAY, "DUE")]
        assert delivered(bodies=queue.take()) == []
        assert statuses_of(account) == [(TODAY, "CHARGED")]

    def test_a_fault_beside_its_invoice_fails_the_message(self, monkeypatch: pytest.MonkeyPatch) -> None:
        account, queue = an_account(), QueueInHand()
        swept(as_of=TODAY, queue=queue)
        deactivate(account)
        monkeypatch.setattr(charging, "skip", lambda **_: (_ for _ in ()).throw(DataError("not of the invoice")))
        assert delivered(bodies=queue.bodies) == ["0"]
        assert statuses_of(account) == [(TODAY, "DUE")]
