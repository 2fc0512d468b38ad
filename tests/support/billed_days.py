"""What an account's days cost, found from its terms alone, and compared with what was billed for them."""

import datetime
from collections import defaultdict
from fractions import Fraction
from uuid import UUID

from accounts.models import Account, Terms
from invoices.models import CreditNoteLine, InvoiceLine
from rebilling.models import Rebilling

HALF = Fraction(1, 2)


def assert_each_day_is_billed_once(account: Account, *, since: datetime.date) -> None:
    """Periods follow one another from `since` to the rebilling date, and each was billed, less what was credited, at
    the day-weighted price of the terms in force on its days, right to half a minor unit. Without taxes.
    """
    account.refresh_from_db()
    net = _net_by_period(account)
    day = since
    for period in account.rebillings.exclude(status=Rebilling.Status.SKIPPED).order_by("period_start", "id"):
        assert period.period_start == day, f"{account.id}: a period starts on {period.period_start}, not on {day}"
        assert period.status in {"CHARGED", "VOIDED"}, f"{account.id}: {period.period_start} is {period.status}"
        length = (period.period_end - period.period_start).days
        days = (period.period_start + datetime.timedelta(days=n) for n in range((period.ended_on - day).days))
        price = Fraction(sum(price_on(account, each) for each in days), length)
        billed = net.pop(period.id)
        assert abs(price - billed) <= HALF, f"{account.id}: {period.period_start} costs {float(price)}, billed {billed}"
        day = period.ended_on
    assert not net, f"{account.id}: lines of no period"
    assert day == account.rebilling_date, f"{account.id}: billed to {day}, goes on at {account.rebilling_date}"


def price_on(account: Account, day: datetime.date) -> int:
    """What a whole period costs by the terms in force on that day."""
    terms = Terms.objects.filter(account=account, effective_from__lte=day, withdrawn_at=None)
    latest = terms.exclude(cuts_period=True, cut_at=None).order_by("-effective_from", "-id").first()
    assert latest is not None, f"{account.id}: no terms are in force on {day}"
    return latest.price_minor


def _net_by_period(account: Account) -> dict[UUID | None, int]:
    net: dict[UUID | None, int] = defaultdict(int)
    for line in InvoiceLine.objects.filter(invoice__account=account):
        net[line.rebilling_id] += line.amount_minor
    for credited in CreditNoteLine.objects.filter(line__invoice__account=account).select_related("line"):
        net[credited.line.rebilling_id] -= credited.amount_minor
    return net
