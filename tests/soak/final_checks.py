"""What must hold at the end: the ledger and the provider's own records agree."""

import datetime
import itertools
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from accounts.models import Account
from ledger.balances import book_totals
from ledger.models import Entry
from payments.models import Payment, Refund
from rebilling.models import Rebilling, Run
from rebilling.reconciliation.summary import reconciliations_of
from tests.unit.accounts.calendar_oracle import oracle_starts

if TYPE_CHECKING:
    from localcloud.simulated_stripe.records import Records


def assert_each_period_was_charged_once(*, last_day: datetime.date) -> None:
    """By an independent calendar: every period up to the last day; for an account that became INACTIVE, up to then.

    Which may become INACTIVE, and when, is checked in `tests/soak/retry_checks.py`.
    """
    by_account: dict[object, list[datetime.date | None]] = defaultdict(list)
    charges = Entry.objects.filter(type="charge").order_by("account_id", "period_start")
    for account_id, start in charges.values_list("account_id", "period_start"):
        by_account[account_id].append(start)
    for account in Account.objects.select_related("plan"):
        starts = oracle_starts(account.anchor_date, account.plan.interval)
        due = list(itertools.takewhile(lambda day: day <= last_day, starts))
        charged = by_account[account.id]
        if account.status == "INACTIVE":
            assert account.inactive_reason == "unpaid"
            due = due[: len(charged)]
        assert charged == due
    assert Entry.objects.filter(type="charge").count() == Rebilling.objects.exclude(charge=None).count()
    assert not Rebilling.objects.filter(status__in=["DUE", "PARKED", "CHARGED"]).exists()


def assert_nobody_paid_twice(records: "Records") -> None:
    """At most one successful collection a charge, and each under the payment's own key."""
    charge_of = dict(Payment.objects.values_list("id", "charge_id"))
    by_payment = Counter(movement.owner for movement in records.taken)
    assert max(by_payment.values()) == 1
    by_charge = Counter(charge_of[payment] for payment in charge_of for _ in range(by_payment[str(payment)]))
    assert max(by_charge.values()) == 1
    assert sum(by_charge.values()) == len(records.taken)
    # No key but the ids of payments and refunds ever reached the provider.
    refunds = Refund.objects.values_list("id", flat=True)
    assert records.keys <= {str(id_) for id_ in [*charge_of, *refunds]}


def assert_the_books_are_the_providers(records: "Records") -> None:
    """To the cent, in total and payment by payment."""
    totals = book_totals()
    assert {currency: books["cash"] for currency, books in totals.items()} == records.totals()
    assert [sum(books.values()) for books in totals.values()] == [0] * len(totals)
    succeeded = Payment.objects.filter(status="SUCCEEDED").values_list("id", "amount_minor", "gateway_reference")
    assert {(str(id_), amount, reference) for id_, amount, reference in succeeded} == {
        (movement.owner, movement.amount, movement.reference) for movement in records.taken
    }
    sent_back = Refund.objects.filter(status="SUCCEEDED").values_list("id", "amount_minor", "gateway_reference")
    assert sorted((str(id_), amount, reference) for id_, amount, reference in sent_back) == sorted(
        (movement.owner, movement.amount, movement.reference) for movement in records.sent_back
    )
    posted = dict(Entry.objects.filter(type="payment").values_list("payment_id", "amount_minor"))
    assert posted == {id_: amount for id_, amount, _ in succeeded}


def assert_every_outcome_is_known(*, now: datetime.datetime) -> None:
    late = Payment.objects.filter(status="UNKNOWN", submitted_at__lte=now - datetime.timedelta(days=5))
    assert not late.filter(needs_review=False).exists()
    assert not Payment.objects.filter(status__in=Payment.IN_FLIGHT).exists()
    assert not Refund.objects.filter(status__in=Refund.IN_FLIGHT).exists()
    for reconciliation in reconciliations_of(runs=list(Run.objects.order_by("id")), now=now):
        assert (reconciliation.status, reconciliation.unexplained.periods) == ("RECONCILED", 0)
