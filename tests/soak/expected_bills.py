"""What a customer must have been billed in all, from what was agreed and done on which day: in plain arithmetic, and by
none of the product's.

A customer's bill goes through each day, and through what was agreed on it. It adds up what one would write by hand:
invoices, credit notes, what waits for the next invoice, and what is given up when the account is closed.
"""

import datetime
import math
from bisect import bisect_right
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from accounts.billing_calendar import Interval
from tests.support.calendar_oracle import oracle_start

MIN_COLLECTED_MINOR = 50
"""Of USD and EUR alike: less is too small to collect."""

Prices = Sequence[tuple[datetime.date, int]]
"""What a whole period costs, net, and since when."""


class Rate(NamedTuple):
    """A tax rate in percent of the price without tax; prices contain the tax, or it is added to them."""

    percent: Fraction
    inclusive: bool

    def of(self, amount: int) -> Fraction:
        return amount * self.percent / (100 + self.percent if self.inclusive else 100)


@dataclass
class Discount:
    """A percentage, or else an amount, off the next `periods`, or off all."""

    since: datetime.date
    percent: Fraction | None
    amount: int
    periods: int | None

    def off(self, price: int) -> int:
        return min(price, self.amount) if self.percent is None else rounded(price * self.percent / 100)


@dataclass(eq=False)
class Line:
    """A line of an invoice, perhaps of a period; its tax is known once it is on one."""

    amount: int
    rate: Rate | None
    period: "Period | None" = None
    tax: int = 0
    credited: int = 0

    @property
    def total(self) -> int:
        return self.amount if self.rate is None or self.rate.inclusive else self.amount + self.tax

    @property
    def rest(self) -> int:
        """Below zero of a deduction."""
        return self.total - self.credited

    @property
    def left(self) -> int:
        return max(0, self.rest)

    def credit(self, amount: int) -> int:
        """Returns the tax in it: that of all that is credited by now, less that of what was before."""
        if not amount:
            return 0
        before = rounded(Fraction(self.tax * self.credited, self.total))
        self.credited += amount
        return rounded(Fraction(self.tax * self.credited, self.total)) - before


@dataclass(eq=False)
class Invoice:
    issued_on: datetime.date
    lines: list[Line]
    credited: int = 0

    @property
    def total(self) -> int:
        return sum(line.total for line in self.lines)

    @property
    def tax(self) -> int:
        return sum(line.tax for line in self.lines)

    def lines_of(self, period: "Period") -> list[Line]:
        return [line for line in self.lines if line.period is period]

    def left_of(self, period: "Period") -> int:
        """What may be credited of the period: a deduction may have paid for some of it."""
        return max(0, min(self.total - self.credited, sum(line.rest for line in self.lines_of(period))))


@dataclass(eq=False)
class Period:
    """`billed` is what was billed for it, less what was given back, without a tax that is added; `given_back` is what
    credit notes gave back for it, with its tax.
    """

    start: datetime.date
    end: datetime.date
    ended_on: datetime.date
    discount: Discount | None
    rate: Rate | None
    prices: Prices
    billed: int
    invoices: list[Invoice] = field(default_factory=list)
    given_back: int = 0

    def runs_on(self, day: datetime.date) -> bool:
        return self.start <= day < self.ended_on

    def cost(self, prices: Prices) -> int:
        """Each day at the price of its day."""
        days = [self.start + datetime.timedelta(days=number) for number in range((self.end - self.start).days)]
        each = [next(price for since, price in reversed(prices) if since <= day) for day in days]
        return rounded(Fraction(sum(each), len(days)))

    @property
    def uncredited(self) -> int:
        """Its lines may have less left, where they went along with the last that an invoice gave back."""
        return sum(line.total for invoice in self.invoices for line in invoice.lines_of(self)) - self.given_back

    @property
    def left(self) -> int:
        """What may still be credited of it."""
        return max(0, min(self.uncredited, sum(invoice.left_of(self) for invoice in self.invoices)))


@dataclass(eq=False)
class Item:
    """What waits for the next invoice. One of a change of terms belongs to a period, and has its tax rate; that rate
    has one, too, that deducts days of a period which ended.
    """

    name: Hashable
    left: int
    rate: Rate | None = None
    period: Period | None = None


def rounded(amount: Fraction) -> int:
    """To the nearest unit, a half away from zero."""
    nearest = math.floor(abs(amount) + Fraction(1, 2))
    return nearest if amount >= 0 else -nearest


def tax(lines: Sequence[Line]) -> None:
    """Each rate's tax is rounded once; a line has its own rounded down, and those that lose most by that one more."""
    for rate in {line.rate for line in lines if line.rate}:
        taxed = [line for line in lines if line.rate == rate]
        exact = [rate.of(line.amount) for line in taxed]
        for line, its_tax in zip(taxed, exact, strict=True):
            line.tax = math.floor(its_tax)
        missing = rounded(sum(exact, Fraction())) - sum(line.tax for line in taxed)
        loses_most = sorted(range(len(taxed)), key=lambda place: exact[place] - math.floor(exact[place]), reverse=True)
        for place in loses_most[:missing]:
            taxed[place].tax += 1


def total(lines: Sequence[Line]) -> int:
    """What they come to on one invoice, taxes included."""
    copies = [Line(line.amount, line.rate) for line in lines]
    tax(copies)
    return sum(line.total for line in copies)


@dataclass
class Bill:
    """One customer's. `price` is of a whole period, before the discount; the first one begins on the anchor."""

    interval: Interval
    price: int
    anchor: datetime.date
    rate: Rate | None
    discount: Discount | None
    today: datetime.date
    number: int = 0
    """Of the next period, counted from the anchor."""
    is_open: bool = True
    moves_on: datetime.date | None = None
    periods: list[Period] = field(default_factory=list)
    waiting: list[Item] = field(default_factory=list)
    invoices: list[Invoice] = field(default_factory=list)
    credit_notes: list[tuple[datetime.date, int, int]] = field(default_factory=list)
    """Each one's day, its amount, and the tax in it."""
    credit: int = 0
    """What is given back without a credit note."""
    given_up: int = 0

    # --- what happens by itself ---

    def day_begins(self, day: datetime.date, *, billing_day_moves: bool = False) -> None:
        """What is due is billed; before that the running period ends, as of the day on which the billing day was to
        move, be it late.
        """
        self.today = day
        if billing_day_moves:
            assert self.moves_on is not None
            self._reprice(None, on=self.moves_on)
            self._count_periods_from(self.moves_on)
        if self.is_open:
            self._bill_what_is_due()

    # --- what people do ---

    def add_item(self, name: Hashable, amount: int) -> None:
        self.waiting.append(Item(name, amount))

    def bill_item(self, amount: int) -> None:
        self._issue([Line(amount, self.rate)])

    def remove_item(self, name: Hashable) -> None:
        self.waiting = [item for item in self.waiting if item.name != name]

    def change_price(self, price: int, *, with_next_invoice: bool) -> None:
        self.price = price
        self._reprice(price, on=self.today, waits=with_next_invoice)

    def move_billing_day(self, day: datetime.date) -> None:
        self.moves_on = day

    def give_discount(self, discount: Discount) -> None:
        self.discount = discount

    def change_rate(self, rate: Rate | None) -> None:
        self.rate = rate

    def end_trial(self, day: datetime.date) -> None:
        self._count_periods_from(day)
        self._bill_what_is_due()

    def close(self, *, balance: int, collect: bool) -> None:
        """What waits is billed, or dropped. `balance` is the credit that the account had just before; below zero it is
        a debt that was too small to collect, billed along, or given up where all is too small or nothing is collected.
        """
        self.is_open, self.moves_on = False, None
        waiting, self.waiting = self.waiting, []
        if collect:
            lines = self._lines_of(waiting, [])
            owed = total(lines) - balance
            if lines or owed >= MIN_COLLECTED_MINOR:
                self._issue(lines)
                balance = 0 if owed >= MIN_COLLECTED_MINOR else -owed
        given_back = max(0, -sum(total([Line(item.left, item.rate)]) for item in waiting if item.period))
        self.credit += given_back
        self.given_up += max(0, -balance - given_back)

    def reopen(self) -> None:
        """A period that runs and is worth something goes on; otherwise another begins today."""
        self.is_open = True
        running = self._running(self.today)
        if running is None or not _is_worth_something(running):
            if running:
                running.ended_on = self.today
            self._count_periods_from(self.today)
            self._bill_what_is_due()

    # --- how that is reckoned ---

    def _count_periods_from(self, day: datetime.date) -> None:
        self.anchor, self.number, self.moves_on = day, 0, None

    def _bill_what_is_due(self) -> None:
        """On one invoice with what waits; nothing from the day on which the billing day is to move."""
        due = []
        start = oracle_start(self.anchor, self.interval, self.number)
        while start <= self.today and (self.moves_on is None or start < self.moves_on):
            self.number += 1
            end = oracle_start(self.anchor, self.interval, self.number)
            discount = self._discount_on(start)
            price = self.price - (discount.off(self.price) if discount else 0)
            due.append(Period(start, end, end, discount, self.rate, [(start, price)], price))
            start = end
        if due:
            lines = [Line(period.billed, period.rate, period) for period in due]
            self._issue([*lines, *self._lines_of(self.waiting, lines)])
            self.waiting = [item for item in self.waiting if item.left]
            self.periods += due

    def _discount_on(self, start: datetime.date) -> Discount | None:
        discount = self.discount
        if discount is None or start < discount.since or discount.periods == 0:
            return None
        if discount.periods is not None:
            discount.periods -= 1
        return discount

    def _lines_of(self, items: Sequence[Item], others: Sequence[Line]) -> list[Line]:
        """Of what waits. A deduction takes no more than all else on the invoice comes to, and its rest waits."""
        lines = [Line(item.left, item.rate if item.period or item.rate else self.rate, item.period) for item in items]
        all_else = [*others, *(line for line in lines if line.amount > 0)]
        for item, line in zip(items, lines, strict=True):
            if line.amount < 0:
                line.amount = -_deductible(-line.amount, line.rate, all_else)
                all_else.append(line)
            item.left -= line.amount
        return [line for line in lines if line.amount]

    def _issue(self, lines: list[Line]) -> None:
        tax(lines)
        invoice = Invoice(self.today, lines)
        self.invoices.append(invoice)
        for period in dict.fromkeys(line.period for line in lines if line.period):
            period.invoices.append(invoice)

    def _running(self, day: datetime.date) -> Period | None:
        return next((period for period in self.periods if period.runs_on(day)), None)

    def _reprice(self, price: int | None, *, on: datetime.date, waits: bool = False) -> None:
        """From that day on the running period costs another price; without one it ends. What its days cost now, less
        what they did, is to be paid, or given back, with what waited of it before, or waits.
        """
        period = self._running(on)
        if period is None:
            return
        net = 0 if price is None else price - (period.discount.off(price) if period.discount else 0)
        prices = [*period.prices, (on, net)]
        charge = rounded(Fraction(net * (period.end - on).days, (period.end - period.start).days))
        unused = period.billed + charge - period.cost(prices)
        charge, unused = charge + max(0, -unused), max(0, unused)
        rate = None if price is None else self.rate
        earlier = [Line(item.left, item.rate, period) for item in self.waiting if item.period is period]
        own, not_given_back, rate_then = (
            [Line(-unused, period.rate, period), Line(charge, rate, period)],
            0,
            period.rate,
        )
        waits = waits and total([*own, *earlier]) >= 0
        if not waits and period.left < period.uncredited:
            # A deduction paid for some of it: no more is given back than is charged, and left of its invoices.
            room = _net_within(period.left, period.rate) + sum(line.amount for line in earlier)
            not_given_back = unused - min(unused, max(0, charge + room))
            unused -= not_given_back
            own[0].amount = -unused
        own = [line for line in own if line.amount]
        if waits:
            self.waiting += [Item(None, line.amount, line.rate, period) for line in own]
        else:
            self.waiting = [item for item in self.waiting if item.period is not period]
            self._pay_or_give_back(period, [*own, *earlier])
        period.prices, period.rate, period.billed = prices, rate, period.billed + charge - unused
        if price is None:
            period.ended_on = on
            if not_given_back:
                self.waiting.append(Item(None, -not_given_back, rate_then))

    def _pay_or_give_back(self, period: Period, lines: list[Line]) -> None:
        to_pay = total(lines)
        tax(lines)
        if to_pay > 0 or (to_pay == 0 and sum(line.tax for line in lines) != 0):
            self._issue(lines)
            return
        to_give = min(-to_pay, period.left)
        for invoice in reversed(period.invoices):
            amount = min(to_give, invoice.left_of(period))
            if amount > 0:
                self.credit_notes.append((self.today, amount, _credit(invoice, period, amount)))
                period.given_back += amount
                to_give -= amount


def _is_worth_something(period: Period) -> bool:
    invoice = period.invoices[0]
    left = min(invoice.lines_of(period)[0].left, invoice.total - invoice.credited)
    return not invoice.credited or left >= MIN_COLLECTED_MINOR


def _deductible(maximum: int, rate: Rate | None, others: Sequence[Line]) -> int:
    """The largest deduction after which the lines come to no less than zero."""
    return bisect_right(range(1, maximum + 1), 0, key=lambda amount: -total([*others, Line(-amount, rate)]))


def _net_within(maximum: int, rate: Rate | None) -> int:
    """The largest amount that comes to no more with its tax."""
    return bisect_right(range(1, maximum + 1), maximum, key=lambda amount: total([Line(amount, rate)]))


def _credit(invoice: Invoice, period: Period, amount: int) -> int:
    """Credit the period's lines one after the other, or the rest of each of them, deductions included, where that is
    all that they have left, or the rest of each line where that is all that the invoice has; returns the tax in it.
    """
    invoice.credited += amount
    for lines in (invoice.lines, invoice.lines_of(period)):
        if amount == sum(line.rest for line in lines):
            return sum(line.credit(line.rest) for line in lines)
    taxes = 0
    for line in invoice.lines_of(period):
        share = min(amount, line.left)
        taxes += line.credit(share)
        amount -= share
    return taxes
