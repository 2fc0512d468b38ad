"""The bill that the soak compares with, against figures that were worked out by hand (`docs/invoices.md`)."""

import datetime
from fractions import Fraction
from typing import Any

from accounts.billing_calendar import Interval, IntervalUnit
from tests.soak.expected_bills import Bill, Discount, Rate

JAN_1 = datetime.date(2026, 1, 1)
VAT = Rate(Fraction(21), inclusive=False)


def a_bill(price: int, **given: Any) -> Bill:
    known: dict[str, Any] = {"anchor": JAN_1, "rate": None, "discount": None, "today": JAN_1}
    return Bill(interval=Interval(count=1, unit=IntervalUnit.MONTH), price=price, **known | given)


def invoiced(bill: Bill) -> list[tuple[int, int]]:
    return [(invoice.total, invoice.tax) for invoice in bill.invoices]


class TestBill:
    def test_has_seats_that_come_and_go_within_a_month(self) -> None:
        bill = a_bill(3100, rate=VAT)
        bill.day_begins(JAN_1)
        bill.day_begins(datetime.date(2026, 1, 16))
        bill.change_price(6200, with_next_invoice=False)
        bill.day_begins(datetime.date(2026, 1, 21))
        bill.change_price(3100, with_next_invoice=False)
        assert invoiced(bill) == [(3751, 651), (1936, 336)]
        assert bill.credit_notes == [(datetime.date(2026, 1, 21), 1331, 231)]

    def test_has_a_deduction_that_stops_at_zero(self) -> None:
        bill = a_bill(2000)
        bill.add_item("setup", 5000)
        bill.add_item("deduction", -10_000)
        bill.day_begins(JAN_1)
        assert [line.amount for line in bill.invoices[0].lines] == [2000, 5000, -7000]
        bill.day_begins(datetime.date(2026, 2, 1))
        assert [line.amount for line in bill.invoices[1].lines] == [2000, -2000]
        assert [item.left for item in bill.waiting] == [-1000]

    def test_has_a_discount_before_the_tax(self) -> None:
        bill = a_bill(10_000, rate=VAT, discount=Discount(JAN_1, Fraction(20), 0, 1))
        bill.day_begins(JAN_1)
        bill.day_begins(datetime.date(2026, 2, 1))
        assert invoiced(bill) == [(9680, 1680), (12_100, 2100)]

    def test_gives_an_invoice_of_two_tax_rates_back_whole(self) -> None:
        """Of 28 days for three at the old rate, -84.00 and -7.46 of tax, and for four at the new one, 112.00 and 23.52;
        all that is given back, 44.06, with 16.06 of tax; and the rest of the invoice before at its own rate.
        """
        bill = a_bill(9300, rate=Rate(Fraction("8.875"), inclusive=False))
        bill.day_begins(JAN_1)
        bill.change_rate(VAT)
        for day, price in ((4, 12_400), (7, 3100)):
            bill.day_begins(datetime.date(2026, 1, day))
            bill.change_price(price, with_next_invoice=False)
        assert invoiced(bill) == [(10_125, 825), (4406, 1606)]
        jan_7 = datetime.date(2026, 1, 7)
        assert bill.credit_notes == [(jan_7, 4406, 1606), (jan_7, 4669, 380)]

    def test_gives_back_with_the_last_of_an_invoice_what_a_deduction_paid(self) -> None:
        """31.00 less 12.00, with 3.99 of tax. Of 30.00 for the days left, 19.00 is left to give back: both lines go."""
        bill = a_bill(3100, rate=VAT)
        bill.add_item("deduction", -1200)
        bill.day_begins(JAN_1)
        bill.day_begins(datetime.date(2026, 1, 2))
        bill.change_price(0, with_next_invoice=False)
        assert invoiced(bill) == [(2299, 399)]
        assert bill.credit_notes == [(datetime.date(2026, 1, 2), 2299, 399)]
        assert [line.rest for line in bill.invoices[0].lines] == [0, 0]

    def test_gives_the_rest_of_a_month_back_when_the_billing_day_moves(self) -> None:
        bill = a_bill(3100)
        bill.day_begins(JAN_1)
        bill.move_billing_day(datetime.date(2026, 1, 20))
        bill.day_begins(datetime.date(2026, 1, 20), billing_day_moves=True)
        assert (invoiced(bill), bill.credit_notes) == (
            [(3100, 0), (3100, 0)],
            [(datetime.date(2026, 1, 20), 1200, 0)],
        )

    def test_ends_with_what_waits_or_without_it(self) -> None:
        for collect, last, given_up in ((True, [(1630, 0)], 0), (False, [], 30)):
            bill = a_bill(3100)
            bill.day_begins(JAN_1)
            bill.day_begins(datetime.date(2026, 1, 16))
            bill.change_price(6200, with_next_invoice=True)
            assert [item.left for item in bill.waiting] == [-1600, 3200]
            bill.add_item("fee", 30)
            bill.close(balance=-30, collect=collect)
            assert invoiced(bill) == [(3100, 0), *last]
            assert (bill.waiting, bill.given_up) == ([], given_up)
