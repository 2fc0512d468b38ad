"""The upcoming invoice is the invoice that is then issued, field by field, whatever the account is like by then; and
looking at it moves nothing.
"""

import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.account_changes import AccountChanges
from accounts.errors import Conflict, Invalid
from accounts.models import Account
from accounts.tax_rates import create_tax_rate
from invoices.credits import grant_credit, reverse_entry
from invoices.models import Invoice
from invoices.whole_invoices import WholeInvoice
from payments.account_updates import update_account
from payments.gateways.port import Declined, Unknown
from subscriptions.agreed_terms import TermsChanges
from subscriptions.discounts import give_discount
from subscriptions.lifecycle import close_account
from subscriptions.pauses import pause_account
from subscriptions.terms_changes import change_terms
from tests.builders import (
    TODAY,
    QueueInHand,
    ScriptedGateway,
    a_plan,
    an_account,
    at,
    billed,
    delivered,
    swept,
)
from tests.support.databases import rolled_back
from tests.support.lifecycle import DAY, JAN_10, JAN_20, paid_account
from tests.support.upcoming import contents, previewed, signed

FEB_1, MAR_1 = datetime.date(2026, 2, 1), datetime.date(2026, 3, 1)

pytestmark = rolled_back


def invoices(account: Account) -> list[Invoice]:
    return list(account.invoices.order_by("id"))


def next_of(account: Account, *, on: datetime.date, until: datetime.date) -> dict[str, Any]:
    """What is issued next: a sweep and the worker each day, and no outcome of what is collected."""
    before, queue = len(invoices(account)), QueueInHand()
    while on <= until:
        swept(as_of=on, queue=queue)
        while bodies := queue.take():
            unknown = ScriptedGateway(*[Unknown("a time-out")] * 10)
            assert delivered(bodies=bodies, today=on, gateway=unknown, queue=queue) == []
        if len(invoices(account)) > before:
            newest = invoices(account)[-1]
            return contents(newest, newest.lines.order_by("position"), newest.balance_uses.order_by("id"))
        on += DAY
    raise AssertionError("nothing was issued")


def shows_what_is_billed(account: Account, *, on: datetime.date) -> WholeInvoice:
    """What is previewed on this day; it is what is billed next."""
    shown = previewed(account, on=on)
    assert isinstance(shown, WholeInvoice)
    day = shown.invoice.issued_on
    assert contents(shown.invoice, shown.lines, shown.balance_uses) == next_of(account, on=on, until=day)
    assert day >= on
    return shown


def indebted(amount_minor: int, **given: Any) -> Account:
    """Goodwill that January used, taken back."""
    account = an_account(**given)
    credit = grant_credit(account_id=account.id, amount_minor=amount_minor, **signed())
    billed(as_of=TODAY)
    reverse_entry(entry_id=credit.id, **signed())
    return account


def credited(amount_minor: int, **given: Any) -> Account:
    account = paid_account(**given)
    grant_credit(account_id=account.id, amount_minor=amount_minor, **signed())
    return account


def discounted(given: dict[str, Any], **account: Any) -> Account:
    made = an_account(**account)
    give_discount(account_id=made.id, **given, **signed())
    billed(as_of=TODAY)
    return made


def taxed(percent: str, *, inclusive: bool = False, **given: Any) -> Account:
    rate = create_tax_rate(name="VAT", percent=Decimal(percent), inclusive=inclusive, now=at(TODAY))
    return paid_account(tax_rate=rate.id, **given)


def on_trial(**given: Any) -> Account:
    return an_account(plan=a_plan(trial_days=14, **given))


def with_terms_of_its_first_period() -> Account:
    account = on_trial()
    to = TermsChanges(quantity=3)
    change_terms(account_id=account.id, changes=to, effective=TODAY + 14 * DAY, **signed())
    return account


def with_pending_terms(**to: Any) -> Account:
    account = paid_account()
    if to.get("plan"):
        a_plan(code=to["plan"], unit_amount_minor=700, interval_unit="week")
    change_terms(account_id=account.id, changes=TermsChanges(**to), effective="period_end", **signed(JAN_10))
    return account


def with_a_billing_day_that_moves(**to: Any) -> Account:
    account = paid_account()
    change_terms(
        account_id=account.id, changes=TermsChanges(anchor_date=JAN_20, **to), effective=JAN_20, **signed(JAN_10)
    )
    return account


def changed_within_its_period() -> Account:
    account = paid_account()
    change_terms(account_id=account.id, changes=TermsChanges(quantity=2), **signed(JAN_10))
    return account


def paused(*, at_: str = "period_end", until: datetime.date, **given: Any) -> Account:
    account = paid_account(**given)
    pause_account(account_id=account.id, at=at_, until=until, **signed())
    return account


def paused_and_closed_later() -> Account:
    account = paused(until=datetime.date(2026, 2, 10))
    close_account(account_id=account.id, at=datetime.date(2026, 4, 1), **signed())
    return account


def closed(when: Any, account: Account) -> Account:
    close_account(account_id=account.id, at=when, **signed())
    return account


def found_due_before_its_discount() -> Account:
    account = an_account()
    swept(as_of=TODAY, queue=QueueInHand())
    give_discount(account_id=account.id, percent=Decimal(50), **signed())
    return account


KINDS: dict[str, Callable[[], Account]] = {
    "a month": paid_account,
    "three days": lambda: paid_account(plan=a_plan(interval_unit="day", interval_count=3)),
    "nothing": lambda: paid_account(unit_amount_minor=0),
    "an anchor at the month's end": lambda: an_account(anchor_date=datetime.date(2026, 1, 31)),
    "many units": lambda: paid_account(quantity=7, unit_amount_minor=333),
    "a sent invoice": lambda: paid_account(collection_method="send_invoice", net_days=14),
    "a percentage off": lambda: discounted({"percent": Decimal("12.5")}),
    "an amount off, for two periods": lambda: discounted({"amount_minor": 250, "periods": 2}),
    "a discount that is used up": lambda: discounted({"percent": Decimal(50), "periods": 1}),
    "a discount that is over": lambda: discounted({"percent": Decimal(50), "until": JAN_20}),
    "all of it off": lambda: discounted({"percent": Decimal(100)}),
    "a tax that is added": lambda: taxed("8.875"),
    "a tax within": lambda: taxed("19", inclusive=True, quantity=3),
    "a trial": on_trial,
    "a trial that is taxed": lambda: on_trial(unit_amount_minor=333),
    "terms of its first period": with_terms_of_its_first_period,
    "pending seats": lambda: with_pending_terms(quantity=4),
    "a pending plan of another interval": lambda: with_pending_terms(plan="weekly"),
    "a change within its period": changed_within_its_period,
    "a billing day that moves": with_a_billing_day_that_moves,
    "a billing day that moves, and more seats": lambda: with_a_billing_day_that_moves(quantity=3),
    "a pause that begins and ends": lambda: paused(until=datetime.date(2026, 2, 10)),
    "a pause within what is paid": lambda: paused(at_="now", until=JAN_20),
    "a pause beyond what is paid": lambda: paused(at_="now", until=datetime.date(2026, 2, 10)),
    "a pause, and an end": paused_and_closed_later,
    "an end after another period": lambda: closed(datetime.date(2026, 2, 15), paid_account()),
    "a last invoice": lambda: closed("period_end", indebted(600)),
    "a credit for some of it": lambda: credited(500),
    "a credit that leaves too little to collect": lambda: credited(1980),
    "a credit for more than it": lambda: credited(5000),
    "a debt": lambda: indebted(600),
    "a small rest that is carried": lambda: paid_account(unit_amount_minor=30),
    "a debt of a sent invoice": lambda: indebted(600, collection_method="send_invoice"),
    "periods found due already": found_due_before_its_discount,
}


class TestUpcomingInvoice:
    @pytest.mark.parametrize("kind", KINDS)
    def test_is_what_is_billed(self, kind: str) -> None:
        account = KINDS[kind]()
        shown = shows_what_is_billed(account, on=TODAY if account.rebilling_date <= TODAY else JAN_10)
        assert shown.lines or kind == "a last invoice"

    def test_of_a_month_is_of_its_first_day(self) -> None:
        account = indebted(600)
        shown = shows_what_is_billed(account, on=JAN_10)
        (line,) = shown.lines
        assert (shown.invoice.issued_on, shown.invoice.due_on, line.amount_minor) == (FEB_1, FEB_1, 1999)
        assert (shown.invoice.balance_applied_minor, shown.invoice.outstanding_minor) == (-600, 2599)

    def test_has_all_periods_that_are_due(self) -> None:
        start = datetime.date(2025, 10, 31)
        account = an_account(anchor_date=start, rebilling_date=start)
        shown = shows_what_is_billed(account, on=TODAY)
        assert [str(line.period_start) for line in shown.lines] == ["2025-10-31", "2025-11-30", "2025-12-31"]
        assert (shown.invoice.issued_on, shown.invoice.total_minor) == (TODAY, 3 * 1999)

    def test_goes_by_the_end_of_a_pause(self) -> None:
        shown = shows_what_is_billed(paused(until=datetime.date(2026, 2, 10)), on=JAN_10)
        assert [str(line.period_start) for line in shown.lines] == ["2026-02-10"]

    def test_of_an_account_that_is_to_be_closed_is_its_last(self) -> None:
        shown = shows_what_is_billed(closed("period_end", indebted(600)), on=JAN_10)
        assert (shown.invoice.issued_on, shown.invoice.total_minor, list(shown.lines)) == (FEB_1, 0, [])
        assert shown.invoice.outstanding_minor == 600

    def test_of_a_day_that_was_missed_is_of_the_period_before_the_cut(self) -> None:
        account = paid_account()
        day = datetime.date(2026, 2, 10)
        to = TermsChanges(anchor_date=day)
        change_terms(account_id=account.id, changes=to, effective=day, **signed(JAN_10))
        # Nothing ran from 1 to 11 February.
        shown = shows_what_is_billed(account, on=datetime.date(2026, 2, 12))
        assert [str(line.period_start) for line in shown.lines] == ["2026-02-01"]

    def test_counts_as_declined_where_the_method_can_not_be_used(self) -> None:
        account = an_account()
        with override_settings(DUNNING_DAYS=[365]):
            billed(as_of=TODAY, gateway=ScriptedGateway(Declined("stolen_card", hard=True)))
            assert shows_what_is_billed(account, on=JAN_10).invoice.declined_on == FEB_1

    def test_goes_by_the_accounts_next_tax_and_collection(self) -> None:
        account = taxed("21")
        other = create_tax_rate(name="VAT", percent=Decimal(9), now=at(TODAY))
        changes = AccountChanges(tax_rate=other.id, collection_method="send_invoice", net_days=10)
        update_account(account_id=account.id, changes=changes, reason="moved", author="test", now=at(JAN_10))
        shown = shows_what_is_billed(account, on=JAN_10)
        assert (shown.invoice.tax_minor, shown.invoice.due_on) == (180, FEB_1 + 10 * DAY)

    @override_settings(DEFAULT_TAX=("VAT", Decimal(10), False), INVOICE_NUMBERING="company")
    def test_goes_by_the_settings(self) -> None:
        # The rate is there from the first sweep on.
        assert shows_what_is_billed(paid_account(), on=JAN_10).invoice.tax_minor == 200


STARTS = st.sampled_from([datetime.date(2026, 1, 1), datetime.date(2026, 1, 31), datetime.date(2024, 2, 29)])
INTERVALS = st.sampled_from([("day", 1), ("week", 2), ("month", 1), ("month", 3), ("year", 1)])
PRICES = st.sampled_from([0, 1, 33, 1000, 1999, 99_999])
VAT = [(Decimal("8.875"), False), (Decimal(19), True)]
DISCOUNTS: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [{}, {"percent": Decimal("12.5")}, {"percent": Decimal(100), "periods": 1}, {"amount_minor": 150}]
)
CHANGES: dict[str, Callable[..., object]] = {
    "": lambda **_: None,
    "pause": lambda until, **given: pause_account(until=until, **given),
    "pause now": lambda until, **given: pause_account(at="now", until=until, **given),
    "close": lambda until, **given: close_account(at=until, **given),
    "terms": lambda until, **given: change_terms(changes=TermsChanges(quantity=3), effective="period_end", **given),
}


def play(
    start: datetime.date,
    interval: tuple[str, int],
    price: int,
    account: dict[str, Any],
    discount: dict[str, Any],
    credit: int,
    changes: list[str],
    late: int,
) -> None:
    """Billed once; then something is agreed; looked at so many thousandths of a period later, and billed."""
    unit, count = interval
    plan = a_plan(unit_amount_minor=price, interval_unit=unit, interval_count=count)
    if account["tax_rate"] is not None:
        percent, inclusive = VAT[account["tax_rate"]]
        rate = create_tax_rate(name="VAT", percent=percent, inclusive=inclusive, now=at(start))
        account = account | {"tax_rate": rate.id}
    made = an_account(plan=plan, today=start, **account)
    if discount:
        give_discount(account_id=made.id, **discount, **signed(start))
    billed(as_of=start)
    made.refresh_from_db()
    length = made.rebilling_date - start
    if credit:
        grant_credit(account_id=made.id, amount_minor=credit, **signed(start))
    for change in changes:
        until = start + 2 * length + 3 * DAY
        try:
            CHANGES[change](until=until, account_id=made.id, **signed(start))
        except (Conflict, Invalid):
            continue  # As terms of a day on which it is closed.
    on = start + length * late // 1000
    shown = previewed(made, on=on)
    if not isinstance(shown, WholeInvoice):
        return
    day = shown.invoice.issued_on
    # Nothing comes of the days between, but for what is pending.
    for between in sorted({start + length, day - DAY}):
        if on <= between < day:
            before = made.invoices.count()
            billed(as_of=between)
            assert made.invoices.count() == before
    assert contents(shown.invoice, shown.lines, shown.balance_uses) == next_of(made, on=day, until=day)


@settings(
    max_examples=50,
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    start=STARTS,
    interval=INTERVALS,
    price=PRICES,
    account=st.fixed_dictionaries(
        {
            "quantity": st.integers(1, 3),
            "tax_rate": st.sampled_from([None, 0, 1]),
            "collection_method": st.sampled_from(["automatic", "send_invoice"]),
        }
    ),
    discount=DISCOUNTS,
    credit=st.sampled_from([0, 20, 500, 10_000]),
    changes=st.lists(st.sampled_from(list(CHANGES)), max_size=2),
    late=st.sampled_from([0, 1, 500, 999, 1000, 1600, 2500]),
)
def test_it_is_what_is_billed_whatever_was_agreed(**given: Any) -> None:
    # A sent invoice stays unpaid.
    with override_settings(UNPAID_DAYS=10_000), transaction.atomic():
        play(**given)
        transaction.set_rollback(True)
