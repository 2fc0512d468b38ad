"""What must hold at the end: the ledger and the provider's own records agree."""

import datetime
import itertools
from collections import Counter, defaultdict
from collections.abc import Collection
from typing import TYPE_CHECKING

from accounts.models import Account
from accounts.terms import terms_of
from invoices.models import InvoiceLine
from ledger.balances import book_totals
from ledger.models import Entry
from payments.models import OFFLINE, Payment, Refund
from rebilling.models import Rebilling, Run
from rebilling.reconciliation.summary import reconciliations_of
from tests.support.calendar_oracle import oracle_starts
from tests.support.soundness import Soundness

if TYPE_CHECKING:
    from localcloud.simulated_stripe.records import Records


def assert_each_period_was_charged_once(accounts: Collection[Account], *, last_day: datetime.date) -> None:
    """By an independent calendar: every period up to the last day; for an account that became INACTIVE, up to then.

    Which may become INACTIVE, and when, is checked in `tests/soak/dunning_checks.py`.
    """
    by_account: dict[object, list[datetime.date | None]] = defaultdict(list)
    charges = Entry.objects.filter(type="charge").order_by("account_id", "period_start")
    for account_id, start in charges.values_list("account_id", "period_start"):
        by_account[account_id].append(start)
    terms = terms_of([account.id for account in accounts])
    for account in accounts:
        starts = oracle_starts(account.anchor_date, terms[account.id].in_force(last_day).interval)
        due = list(itertools.takewhile(lambda day: day <= last_day, starts))
        charged = by_account[account.id]
        if account.status == "INACTIVE":
            assert account.inactive_reason == "unpaid"
            due = due[: len(charged)]
        assert charged == due


def assert_all_is_sound() -> None:
    """What holds at every moment of any platform, with the accounts that people worked on."""
    Soundness().check()
    charged = Rebilling.objects.filter(status__in=["CHARGED", "VOIDED"]).count()
    periods = InvoiceLine.objects.filter(kind="period").values("id")
    assert Entry.objects.filter(type="charge", line_id__in=periods).count() == charged
    assert not Rebilling.objects.filter(status__in=["DUE", "PARKED"]).exists()


def assert_nobody_paid_twice(records: "Records") -> None:
    """Each collection under the payment's own key, once; and of an invoice no more than it asks for, but where money
    came from elsewhere meanwhile, or was taken back.
    """
    invoice_of = dict(Payment.objects.exclude(gateway=OFFLINE).values_list("id", "invoice_id"))
    by_payment = Counter(movement.owner for movement in records.taken)
    assert max(by_payment.values()) == 1
    assert sum(by_payment[str(payment)] for payment in invoice_of) == len(records.taken)
    explained = {
        *Payment.objects.filter(gateway=OFFLINE).values_list("account_id", flat=True),
        *Entry.objects.filter(type="payment_reversed").values_list("account_id", flat=True),
    }
    assert not Payment.objects.filter(excess_minor__gt=0).exclude(account_id__in=explained).exists()
    # No key but the ids of payments and refunds ever reached the provider.
    refunds = Refund.objects.values_list("id", flat=True)
    assert records.keys <= {str(id_) for id_ in [*invoice_of, *refunds]}


def assert_the_books_are_the_providers(records: "Records") -> None:
    """To the cent, in total and payment by payment, with what moved without a gateway."""
    totals = book_totals()
    expected = Counter(records.totals())
    for payment in Payment.objects.filter(gateway=OFFLINE):
        expected[payment.currency] += payment.amount_minor
    for refund in Refund.objects.filter(gateway=OFFLINE):
        expected[refund.currency] -= refund.amount_minor
    for entry in Entry.objects.filter(type="payment_reversed"):
        expected[entry.currency] -= entry.amount_minor
    assert {currency: books["cash"] for currency, books in totals.items()} == dict(expected)
    assert [sum(books.values()) for books in totals.values()] == [0] * len(totals)
    succeeded = Payment.objects.filter(status="SUCCEEDED").exclude(gateway=OFFLINE)
    assert {
        (str(id_), amount, reference)
        for id_, amount, reference in succeeded.values_list("id", "amount_minor", "gateway_reference")
    } == {(movement.owner, movement.amount, movement.reference) for movement in records.taken}
    sent_back = Refund.objects.filter(status="SUCCEEDED").exclude(gateway=OFFLINE)
    assert sorted(
        (str(id_), amount, reference)
        for id_, amount, reference in sent_back.values_list("id", "amount_minor", "gateway_reference")
    ) == sorted((movement.owner, movement.amount, movement.reference) for movement in records.sent_back)


def assert_every_outcome_is_known(*, now: datetime.datetime) -> None:
    late = Payment.objects.filter(status="UNKNOWN", submitted_at__lte=now - datetime.timedelta(days=5))
    assert not late.filter(needs_review=False).exists()
    assert not Payment.objects.filter(status__in=Payment.IN_FLIGHT).exists()
    assert not Refund.objects.filter(status__in=Refund.IN_FLIGHT).exists()
    for reconciliation in reconciliations_of(runs=list(Run.objects.order_by("id")), now=now):
        assert (reconciliation.status, reconciliation.unexplained.periods) == ("RECONCILED", 0)
