"""Billed periods: what an account's running period was billed for so far, and what is left of it to credit."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Sum

from accounts.errors import Conflict
from accounts.locked_accounts import LockedAccount
from accounts.models import TaxRate
from accounts.phrases import period_in_words
from invoices.credit_note_shares import RefundInFlight, left_of
from invoices.items import PendingItem, items_of_changes
from invoices.locked_invoices import LockedInvoice, invoices_by_id
from invoices.models import CreditNoteLine, InvoiceLine
from invoices.proration import Segment
from invoices.taxes import Rate, amount_within, rate_of
from invoices.write_offs import check_not_in_flight
from rebilling.models import WAITING, Proration, Rebilling
from rebilling.period_rows import units_in_words


class PeriodNotCharged(Conflict):
    """The running period is due, and not charged yet."""

    code = "period-not-charged"
    passing = True


class PeriodGivenBack(Conflict):
    """The running period was credited whole."""

    code = "period-given-back"


@dataclass(frozen=True, slots=True)
class BilledPeriod:
    """A running period that was charged: by which changes, with which of its account's invoices, newest first.

    `described`, `quantity` and `unit_amount_minor` are what it is billed for at present: "Pro x 2"; `tax_rate` is that
    of what was billed last. `waiting` are the items of its changes that wait for the next invoice, and count as billed.
    `given_back_minor` is what credit notes gave back for it, but for those of its changes. Nothing about its invoices
    is in flight.
    """

    rebilling: Rebilling
    changes: Sequence[Proration]
    described: str
    quantity: int
    unit_amount_minor: int
    tax_rate: TaxRate | None
    invoices: Sequence[tuple[LockedInvoice, Sequence[InvoiceLine]]]
    waiting: Sequence[PendingItem]
    given_back_minor: int

    @property
    def segments(self) -> list[Segment]:
        """The prices that it was billed at, and since when."""
        return [
            Segment(self.rebilling.period_start, self.rebilling.amount_minor),
            *(Segment(change.changed_on, change.price_after_minor) for change in self.changes),
        ]

    @property
    def price_minor(self) -> int:
        """What a whole period costs after its discount, as it is billed at present."""
        return self.segments[-1].price_minor

    @property
    def rate(self) -> Rate | None:
        """How the tax of what was billed last is reckoned."""
        return rate_of(self.tax_rate) if self.tax_rate else None

    @property
    def was_changed(self) -> bool:
        """Whether its price was changed within it."""
        return bool(self.changes)

    @property
    def waiting_minor(self) -> int:
        """What waits for the next invoice comes to, with the taxes of the changes; below zero, it gives back."""
        totals = {change.id: (change.charge_total_minor, -change.credit_total_minor) for change in self.changes}
        return sum(totals[item.proration_id][item.amount_minor < 0] for item in self.waiting if item.proration_id)

    @property
    def lines_left_minor(self) -> int:
        """What was invoiced for it, taxes included, less what was given back for it: more than its lines have left,
        where they went along with the last credit note of an invoice.
        """
        invoiced = sum(line.total_minor for _, lines in self.invoices for line in lines)
        noted = sum(change.net_minor for change in self.changes if not change.waits and change.invoice_id is None)
        return invoiced + noted - self.given_back_minor

    @property
    def to_credit_minor(self) -> int:
        """How much of that credit notes may still take: less than all, where a deduction of something else, on the same
        invoice, has paid for some of it.
        """
        left = sum(_left(invoice, lines) for invoice, lines in self.invoices)
        return max(0, min(self.lines_left_minor, left))

    @property
    def billed_minor(self) -> int:
        """What was billed of its price, without a tax that is added, less what changes gave back; what waits counts."""
        return self.rebilling.amount_minor + sum(change.charge_minor - change.credit_minor for change in self.changes)

    @property
    def creditable_minor(self) -> int:
        """What unused days may give back of that: all, or, once a person has credited some of it, what is left of it,
        with what waits.
        """
        if self.given_back_minor:
            return amount_within(max(0, self.lines_left_minor + self.waiting_minor), self.rate)
        return self.billed_minor

    def shares(self, amount_minor: int) -> list[tuple[LockedInvoice, Mapping[InvoiceLine, int]]]:
        """What to credit of which of its lines above zero, to credit this amount, at most `to_credit_minor`; the newest
        invoice first.
        """
        found: list[tuple[LockedInvoice, Mapping[InvoiceLine, int]]] = []
        for invoice, lines in self.invoices:
            of_invoice, room = {}, min(amount_minor, _left(invoice, lines))
            amount_minor -= room
            for line in lines:
                if share := min(room, left_of(line)):
                    of_invoice[line], room = share, room - share
            if of_invoice:
                found.append((invoice, of_invoice))
        return found


def _left(invoice: LockedInvoice, lines: Sequence[InvoiceLine]) -> int:
    """What credit notes of the invoice may take for these lines of it."""
    return max(0, min(invoice.amounts.left_to_credit, _rest_of(lines)))


def _rest_of(lines: Sequence[InvoiceLine]) -> int:
    return sum(line.total_minor - line.credited_minor for line in lines)


def running_period(account: LockedAccount, *, today: datetime.date) -> BilledPeriod | None:
    """The account's period that runs today, as it was billed; None where none was found due for today: on a trial,
    before the first period, or on the first day of one.

    Raises `PeriodNotCharged`, `PeriodGivenBack`, `PaymentInFlight` and `RefundInFlight`.
    """
    rows = Rebilling.objects.filter(account_id=account.id)
    if account.rebilling_date <= today:
        if account.rebilling_date == today and not rows.filter(status__in=WAITING).exists():
            return None
        raise PeriodNotCharged("The running period is due, and not charged yet: wait until it is.")
    running = rows.filter(period_start__lte=today, ended_on__gt=today)
    charged = running.filter(status=Rebilling.Status.CHARGED).first()
    if charged is not None:
        return billed_period(account, charged)
    if running.filter(status=Rebilling.Status.VOIDED).exists():
        raise PeriodGivenBack("The running period was credited whole: change the terms from the next one on.")
    return None


def billed_period(account: LockedAccount, rebilling: Rebilling) -> BilledPeriod:
    """A CHARGED period of the account, as it was billed. Raises `PaymentInFlight` and `RefundInFlight`."""
    prorations = list(rebilling.prorations.select_related("terms__plan", "tax_rate").order_by("id"))
    lines = list(InvoiceLine.objects.filter(rebilling_id=rebilling.id).order_by("position"))
    invoices = invoices_by_id(accounts=[account], ids={line.invoice_id for line in lines})
    for invoice in invoices.values():
        check_not_in_flight(invoice)
        if invoice.amounts.refunding:
            raise RefundInFlight(f"A refund of the invoice {invoice.number} is in flight: wait for its outcome.")
    newest_first = sorted(invoices.values(), key=lambda invoice: invoice.id, reverse=True)
    latest: Proration | Rebilling = prorations[-1] if prorations else rebilling
    terms = latest.terms if isinstance(latest, Proration) else latest
    return BilledPeriod(
        rebilling=rebilling,
        changes=prorations,
        described=_described(latest),
        quantity=terms.quantity,
        unit_amount_minor=terms.unit_amount_minor,
        tax_rate=latest.tax_rate,
        invoices=[(invoice, [line for line in lines if line.invoice_id == invoice.id]) for invoice in newest_first],
        waiting=items_of_changes([change.id for change in prorations if change.waits]),
        given_back_minor=_given_back(lines),
    )


def _given_back(lines: Sequence[InvoiceLine]) -> int:
    """What credit notes were to take off these lines of a period, but for those of changes of terms; in one statement,
    and in none where nothing was credited. What went along, when the rest of an invoice was credited, isn't given back.
    """
    if not any(line.credited_minor for line in lines):
        return 0
    credits = CreditNoteLine.objects.filter(line__in=lines, credit_note__proration_id=None)
    amount: int | None = credits.aggregate(amount=Sum("named_minor"))["amount"]
    return amount or 0


def _described(latest: Proration | Rebilling) -> str:
    """What it is billed for, without the days."""
    if isinstance(latest, Proration):
        return units_in_words(plan_name=latest.terms.plan.name, quantity=latest.terms.quantity)
    days = period_in_words(start=latest.period_start, end=latest.period_end)
    return latest.description.removesuffix(f", {days}")
