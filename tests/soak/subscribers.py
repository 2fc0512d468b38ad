"""What subscribers ask for while the months pass, and what is agreed with them: items, other terms, another billing
day, discounts, tax rates, trials, closing and reopening; on days drawn at random.

What was done is written down for `tests/soak/expected_bills.py`, which says what they must have been billed.
"""

import datetime
import random
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db import transaction
from django.db.models import Q

from accounts.account_opening import NewAccount
from accounts.errors import Conflict, Invalid
from accounts.models import Account, Plan, TaxRate
from accounts.tax_rates import create_tax_rate
from invoices.models import PENDING, Item
from payments.account_updates import update_account
from rebilling.models import WAITING, Rebilling
from subscriptions.agreed_terms import TermsChanges
from subscriptions.discounts import NewDiscount, give_discount
from subscriptions.item_removals import remove_item
from subscriptions.items import NewItem, add_item
from subscriptions.lifecycle import close_account, reopen_account
from subscriptions.sign_up import sign_up
from subscriptions.terms_changes import change_terms
from subscriptions.trials import move_trial_end
from tests.builders import a_plan, at
from tests.soak.clock import Clock
from tests.soak.expected_bills import Bill, Discount, Rate
from tests.support.signatures import undated

ARRIVE_WITHIN_DAYS = 30
DAYS_APART = 3
"""Of the days on which something is done about subscribers: more days on which money moves would only take longer."""
SHARE_A_DAY = 0.6
"""Of the subscribers, those that something is done about on such a day."""
MAX_QUANTITY = 4
FEES = [30, 490, 2500]
"""The first is too small to collect."""
DEDUCTIONS = [-120, -990, -6000]
"""The last takes more than one invoice."""
ITEM = "Item"
ADDED_BY_PEOPLE = Q(description=ITEM)
"""The other items are the product's: those of changes of terms, and deductions of what a period that ended had left."""
MAX_DAYS_AHEAD = 9
"""Less than a period: the day is in the running one or in the next, and of the latter not the end."""
REOPENED_SHARE = 0.3
"""Of the times that something is done about a closed account."""

ACTS = (
    *("sign_up", "add_item", "deduct", "remove_item", "bill_item", "change_quantity", "change_with_the_next_invoice"),
    *("move_billing_day", "change_discount", "change_tax", "end_trial", "close", "reopen"),
)
"""All of it is done in half a year, by any seed."""

Agreed = Callable[[Bill], None]
"""Has a bill take down what was agreed."""


@dataclass
class Subscribers:
    """`bills` are as they were at sign-up; `done` is what was done since, by account and day, in order."""

    clock: Clock
    choices: random.Random
    number: int
    bills: dict[uuid.UUID, Bill] = field(default_factory=dict)
    done: dict[uuid.UUID, dict[datetime.date, list[Agreed]]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.first_day = self.clock.today
        self.plans = [
            a_plan(unit_amount_minor=1999),
            a_plan(unit_amount_minor=733, currency="EUR", interval_unit="week", interval_count=2),
            a_plan(unit_amount_minor=1250, trial_days=40),
        ]
        self.rates: list[TaxRate | None] = [None]
        for percent, inclusive in (("21", False), ("8.875", False), ("19", True)):
            name = f"VAT {percent}"
            made = create_tax_rate(name=name, percent=Decimal(percent), inclusive=inclusive, now=at(self.first_day))
            self.rates.append(made)

    def work(self) -> None:
        """A day's work. What is refused moves nothing, and is counted apart. About an account whose period waits to be
        charged nothing is done.
        """
        is_busy = (self.clock.today - self.first_day).days % DAYS_APART == 0
        if is_busy:
            self._sign_up_who_comes_today()
        accounts = Account.objects.filter(id__in=self.bills).in_bulk()
        waiting = set(Rebilling.objects.filter(status__in=WAITING).values_list("account_id", flat=True))
        for account_id in self.bills:
            account = accounts[account_id]
            if account.status == "PAST_DUE":
                self._give_another_card(account)
            if is_busy and account_id not in waiting and self.choices.random() < SHARE_A_DAY:
                self._do(self._act_about(account), account)

    def _act_about(self, account: Account) -> Callable[[Account], Agreed | None]:
        if account.status == "INACTIVE":
            return self.reopen if self.choices.random() < REOPENED_SHARE else self.bill_item
        if account.trial_ends_on and account.trial_ends_on > self.clock.today:
            return self.choices.choice([*[self.end_trial] * 3, self.add_item, self.deduct, self.bill_item])
        acts = [
            *(self.add_item, self.add_item, self.deduct, self.deduct, self.bill_item),
            *(self.change_quantity, self.change_quantity, self.change_with_the_next_invoice),
            *(self.change_with_the_next_invoice, self.change_with_the_next_invoice),
            *(self.move_billing_day, self.change_discount, self.change_discount, self.change_tax, self.close),
        ]
        pending = Item.objects.filter(PENDING, account=account)
        if pending.filter(ADDED_BY_PEOPLE).exists():
            acts += [self.remove_item] * 3
        if pending.exclude(ADDED_BY_PEOPLE).exists():
            # What waits of a change is lost most easily when the account is closed.
            acts += [self.close] * 2
        return self.choices.choice(acts)

    def _do(self, act: Callable[[Account], Agreed | None], account: Account) -> None:
        try:
            with transaction.atomic():
                agreed = act(account)
        except (Conflict, Invalid):
            self.counts["refused"] += 1
            return
        if agreed:
            self.done[account.id][self.clock.today].append(agreed)
            self.counts[act.__name__] += 1

    @property
    def signed(self) -> dict[str, Any]:
        return {"reason": "asked for", "author": "test", "today": self.clock.today, "now": self.clock.now}

    # --- coming ---

    def _sign_up_who_comes_today(self) -> None:
        """Spread over the first days, each with another plan, tax rate and discount."""
        days = (self.clock.today - self.first_day).days + 1
        while len(self.bills) * ARRIVE_WITHIN_DAYS < self.number * min(days, ARRIVE_WITHIN_DAYS):
            place = len(self.bills)
            self._sign_up(self.plans[place % 3], self.rates[place % 4], place)

    def _sign_up(self, plan: Plan, rate: TaxRate | None, place: int) -> None:
        discount, expected = self._a_discount() if place % 2 else (None, None)
        new = NewAccount(
            name=f"Subscriber {place}",
            email="subscriber@example.com",
            plan=plan.code,
            tax_rate=rate.id if rate else None,
            payment_customer=f"cus_subscriber_{place}",
            payment_method=f"pm_subscriber_{place}",
        )
        given = NewDiscount(reason="a start", **discount) if discount else None
        signed: dict[str, Any] = {"author": "test", "today": self.clock.today, "now": self.clock.now}
        account = sign_up(new=new, discount=given, **signed).account
        self.bills[account.id] = Bill(
            interval=plan.interval,
            price=plan.unit_amount_minor,
            anchor=self.clock.today + datetime.timedelta(days=plan.trial_days),
            rate=_rate(rate),
            discount=expected,
            today=self.clock.today,
        )
        self.done[account.id] = defaultdict(list)
        self.counts["sign_up"] += 1

    # --- what they ask for ---

    def add_item(self, account: Account) -> Agreed:
        return self._add(account, self.choices.choice(FEES))

    def deduct(self, account: Account) -> Agreed:
        return self._add(account, self.choices.choice(DEDUCTIONS))

    def _add(self, account: Account, amount: int) -> Agreed:
        new = NewItem(description=ITEM, unit_amount_minor=amount)
        item = add_item(account_id=account.id, new=new, **self.signed).item
        return lambda bill: bill.add_item(item.id, amount)

    def bill_item(self, account: Account) -> Agreed:
        amount = self.choices.choice(FEES)
        new = NewItem(description=ITEM, unit_amount_minor=amount)
        add_item(account_id=account.id, new=new, billing="now", **self.signed)
        return lambda bill: bill.bill_item(amount)

    def remove_item(self, account: Account) -> Agreed:
        item = self.choices.choice(list(Item.objects.filter(PENDING, ADDED_BY_PEOPLE, account=account).order_by("id")))
        remove_item(account_id=account.id, item_id=item.id, **self.signed)
        return lambda bill: bill.remove_item(item.id)

    def change_quantity(self, account: Account) -> Agreed:
        return self._change(account, "invoice")

    def change_with_the_next_invoice(self, account: Account) -> Agreed:
        return self._change(account, "next_invoice")

    def _change(self, account: Account, proration: Any) -> Agreed:
        quantity = self.choices.randint(1, MAX_QUANTITY)
        changes = TermsChanges(quantity=quantity)
        after = change_terms(account_id=account.id, changes=changes, proration=proration, **self.signed).after
        price = quantity * after.unit_amount_minor
        return lambda bill: bill.change_price(price, with_next_invoice=proration == "next_invoice")

    def move_billing_day(self, account: Account) -> Agreed | None:
        """To a day within a period, the running one or the next."""
        day = self.clock.today + datetime.timedelta(days=self.choices.randint(1, MAX_DAYS_AHEAD))
        if day == account.rebilling_date:
            return None
        change_terms(account_id=account.id, changes=TermsChanges(anchor_date=day), effective=day, **self.signed)
        return lambda bill: bill.move_billing_day(day)

    def end_trial(self, account: Account) -> Agreed:
        """Now, or on another day."""
        day = self.clock.today + datetime.timedelta(days=self.choices.choice([0, 0, 3]))
        move_trial_end(account_id=account.id, ends_on=day, **self.signed)
        return lambda bill: bill.end_trial(day)

    def change_discount(self, account: Account) -> Agreed:
        discount, expected = self._a_discount()
        give_discount(account_id=account.id, **discount, **self.signed)
        return lambda bill: bill.give_discount(expected)

    def _a_discount(self) -> tuple[dict[str, Any], Discount]:
        """As it is given, and as the bill has it."""
        percent, amount = self.choices.choice([(Decimal("12.5"), None), (Decimal(40), None), (None, 150)])
        periods = self.choices.choice([1, 2, 3])
        expected = Discount(self.clock.today, None if percent is None else Fraction(percent), amount or 0, periods)
        return {"percent": percent, "amount_minor": amount, "periods": periods}, expected

    def change_tax(self, account: Account) -> Agreed:
        rate = self.choices.choice(self.rates)
        changes: Any = {"tax_rate": rate.id if rate else None}
        update_account(account_id=account.id, changes=changes, **undated(self.signed))
        return lambda bill: bill.change_rate(_rate(rate))

    def close(self, account: Account) -> Agreed:
        """Half of them without collecting what waits."""
        collect, balance = self.choices.random() < 0.5, account.credit_balance_minor
        close_account(account_id=account.id, collect=collect, **self.signed)
        return lambda bill: bill.close(balance=balance, collect=collect)

    def reopen(self, account: Account) -> Agreed:
        if reopen_account(account_id=account.id, **self.signed).new_period:
            self.counts["reopen_and_bill_at_once"] += 1
        return Bill.reopen

    def _give_another_card(self, account: Account) -> None:
        """A decline is over the next day, before the account would become INACTIVE for it: that is tested elsewhere."""
        changes: Any = {"payment_method": f"pm_{self.choices.randrange(10**6)}"}
        update_account(account_id=account.id, changes=changes, **undated(self.signed))


def _rate(rate: TaxRate | None) -> Rate | None:
    return Rate(Fraction(rate.percent), rate.inclusive) if rate else None
