"""What credit notes take off lines and deductions of several tax rates: in parts never more than is left, in the end
each of them whole.
"""

import datetime
import itertools
import uuid
from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from invoices.amounts import Amounts
from invoices.credit_note_shares import left_of, line_credits, shares_of
from invoices.locked_invoices import LockedInvoice
from invoices.models import InvoiceLine
from invoices.taxes import Rate, taxed_lines

RATES = {
    uuid.UUID(int=1): Rate(21_000, is_inclusive=False),
    uuid.UUID(int=2): Rate(10_000, is_inclusive=True),
    uuid.UUID(int=3): Rate(8875, is_inclusive=False),
    uuid.UUID(int=4): Rate(0, is_inclusive=False),
}

amounts = st.integers(1, 20) | st.integers(1, 10**9)
rate_ids = st.sampled_from([None, *RATES])
charged = st.lists(st.tuples(amounts, rate_ids), min_size=1, max_size=5)
deducted = st.lists(st.tuples(amounts.map(lambda amount: -amount), rate_ids), max_size=4)
parts = st.lists(st.tuples(st.fractions(0, 1), st.booleans()), max_size=4)


def invoice_of(lines: list[tuple[int, uuid.UUID | None]]) -> tuple[LockedInvoice, list[InvoiceLine]]:
    """An invoice that was issued over these amounts and rates; pure."""
    taxed = taxed_lines(lines=lines, rates=RATES)
    issued = [
        InvoiceLine(position=position, amount_minor=amount, tax_rate_id=rate_id, tax_minor=tax, total_minor=total)
        for position, ((amount, rate_id), (tax, total)) in enumerate(zip(lines, taxed, strict=True), start=1)
    ]
    day = datetime.date(2026, 1, 1)
    total = sum(line.total_minor for line in issued)
    invoice = LockedInvoice(
        uuid.UUID(int=9), uuid.UUID(int=8), "A-1", "USD", day, "automatic", False, None, Amounts(total)
    )
    return invoice, issued


class Credited:
    """Credits an invoice, and adds up what is given back: by line, and by rate without tax and tax."""

    def __init__(self, invoice: LockedInvoice, lines: list[InvoiceLine]) -> None:
        self.invoice, self.lines = invoice, lines
        self.taxes: Counter[int] = Counter()

    def credit(self, **given: Any) -> int:
        shares = shares_of(self.invoice, self.lines, **{"amount_minor": None} | given)
        credits = line_credits(shares, self.lines)
        for line, (amount, tax) in credits.items():
            line.credited_minor += amount
            self.taxes[line.position] += tax
        given_back = sum(amount for amount, _ in credits.values())
        self.invoice.change(credited_to_balance=given_back)
        return given_back

    def by_rate(self) -> dict[uuid.UUID | None, tuple[int, int]]:
        found: dict[uuid.UUID | None, tuple[int, int]] = {}
        for line in self.lines:
            net, tax = found.get(line.tax_rate_id, (0, 0))
            of_line = self.taxes[line.position]
            found[line.tax_rate_id] = net + line.credited_minor - of_line, tax + of_line
        return found

    def check_each_line(self) -> None:
        """Of none more is given back than was billed, with its sign."""
        for line in self.lines:
            for back, billed in (
                (line.credited_minor, line.total_minor),
                (self.taxes[line.position], line.tax_minor),
                (line.credited_minor - self.taxes[line.position], line.total_minor - line.tax_minor),
            ):
                assert min(0, billed) <= back <= max(0, billed)


def billed_by_rate(lines: list[InvoiceLine]) -> dict[uuid.UUID | None, tuple[int, int]]:
    found: dict[uuid.UUID | None, tuple[int, int]] = {}
    for line in lines:
        net, tax = found.get(line.tax_rate_id, (0, 0))
        found[line.tax_rate_id] = net + line.total_minor - line.tax_minor, tax + line.tax_minor
    return found


class TestShares:
    @settings(max_examples=400)
    @given(above=charged, below=deducted, parts=parts, order=st.randoms(use_true_random=False))
    def test_in_parts_are_never_more_than_is_left_and_in_the_end_the_whole(
        self, above: list[Any], below: list[Any], parts: list[Any], order: Any
    ) -> None:
        lines = [*above, *below]
        order.shuffle(lines)
        invoice, issued = invoice_of(lines)
        while invoice.amounts.total < 0:
            # No invoice is below zero: a deduction is left out.
            lines.remove(min(lines, key=lambda line: line[0]))
            invoice, issued = invoice_of(lines)
        credited = Credited(invoice, issued)
        given_back = 0
        for part, is_of_a_line in parts:
            left = invoice.amounts.left_to_credit
            if is_of_a_line:
                line = max(issued, key=left_of)
                amount = int(part * min(left, left_of(line)))
                given: dict[str, Any] = {"named": {line.id: amount}}
            else:
                amount = int(part * left)
                given = {"amount_minor": amount}
            if amount:
                assert credited.credit(**given) == amount
                given_back += amount
                credited.check_each_line()
        if invoice.amounts.left_to_credit:
            given_back += credited.credit()
        assert given_back == invoice.amounts.total == invoice.amounts.credit_notes
        credited.check_each_line()
        if given_back:
            assert credited.by_rate() == billed_by_rate(issued)

    @settings(max_examples=200)
    @given(above=charged, below=deducted, part=st.fractions(0, 1))
    def test_of_an_amount_are_in_proportion_also_of_deductions(
        self, above: list[Any], below: list[Any], part: Any
    ) -> None:
        invoice, issued = invoice_of([*above, *below])
        total = invoice.amounts.total
        amount = int(part * total)
        if total <= 0 or not amount:
            return
        credited = Credited(invoice, issued)
        credited.credit(amount_minor=amount)
        for line in issued:
            assert abs(line.credited_minor * total - line.total_minor * amount) < total
        for (net, tax), (billed_net, billed_tax) in zip(
            credited.by_rate().values(), billed_by_rate(issued).values(), strict=True
        ):
            # Each line is rounded by itself: its amount by less than one, its tax by less than one and a half.
            assert abs(tax * total - billed_tax * amount) < 2 * len(issued) * total
            assert abs(net * total - billed_net * amount) < 3 * len(issued) * total

    def test_of_half_an_invoice_are_half_of_its_deduction_and_half_of_each_tax(self) -> None:
        added, included = list(RATES)[:2]
        invoice, issued = invoice_of([(10_000, added), (-1100, included)])
        assert [(line.total_minor, line.tax_minor) for line in issued] == [(12_100, 2100), (-1100, -100)]
        credited = Credited(invoice, issued)
        assert credited.credit(amount_minor=5500) == 5500
        assert [line.credited_minor for line in issued] == [6050, -550]
        assert credited.by_rate() == {added: (5000, 1050), included: (-500, -50)}

    def test_of_one_line_leave_deductions_to_the_last_credit_note(self) -> None:
        added, included = list(RATES)[:2]
        invoice, issued = invoice_of([(10_000, added), (-1100, included)])
        first, _ = issued
        credited = Credited(invoice, issued)
        credited.credit(named={first.id: 10_999})
        assert [line.credited_minor for line in issued] == [10_999, 0]
        # 11.01 of the line, 1.91 of it tax, less the deduction with its tax.
        assert credited.credit(named={first.id: 1}) == 1
        assert [line.credited_minor for line in issued] == [12_100, -1100]
        assert credited.by_rate() == {added: (10_000, 2100), included: (-1000, -100)}

    def test_of_a_refund_take_its_line_first(self) -> None:
        invoice, issued = invoice_of([(5000, None), (10_000, None), (-1000, None)])
        second = issued[1]
        credited = Credited(invoice, issued)
        credited.credit(amount_minor=10_400, first=second.id)
        # 4.00 more than the line: of the 40.00 that the others come to.
        assert [line.credited_minor for line in issued] == [500, 10_000, -100]
        assert list(itertools.accumulate(line.credited_minor for line in issued))[-1] == 10_400
