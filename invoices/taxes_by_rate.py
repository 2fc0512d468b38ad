"""The taxes of an invoice, added up by rate, as people and tax returns want them. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

from accounts.currencies import display
from accounts.models import TaxRate
from invoices.models import InvoiceLine


class RateTotal(NamedTuple):
    """What an invoice has at one rate, in minor units: the lines without tax, and their tax."""

    rate: TaxRate
    net_minor: int
    tax_minor: int

    def in_words(self, currency: str) -> str:
        """As an invoice says it: "VAT 21% of 100.00 USD: 21.00 USD"."""
        net, tax = (display(amount_minor=amount, currency=currency) for amount in (self.net_minor, self.tax_minor))
        if self.rate.exemption_reason:
            return f"{self.rate} of {net}: {tax} ({self.rate.exemption_reason})"
        return f"{self.rate} of {net}: {tax}, included" if self.rate.inclusive else f"{self.rate} of {net}: {tax}"


def taxes_by_rate(lines: Iterable[InvoiceLine]) -> list[RateTotal]:
    """What an invoice's lines have at each rate, in the order of the lines; each line comes with its rate."""
    totals: dict[TaxRate, RateTotal] = {}
    for line in lines:
        if line.tax_rate is not None:
            before = totals.get(line.tax_rate, RateTotal(line.tax_rate, 0, 0))
            net, tax = before.net_minor + line.total_minor - line.tax_minor, before.tax_minor + line.tax_minor
            totals[line.tax_rate] = RateTotal(line.tax_rate, net, tax)
    return list(totals.values())
