"""Which of an account's due periods its discount is taken off. How many have it is counted from their rows."""

import datetime
import uuid
from collections.abc import Collection
from typing import NamedTuple, Protocol

from django.db.models import Exists, F, OuterRef, Q

from accounts.models import Discount
from accounts.terms import TermsInForce
from invoices.discounts import discount_of
from invoices.models import InvoiceLine
from rebilling.models import Rebilling

_NEVER_BILLED = Q(status__in=[Rebilling.Status.SKIPPED, Rebilling.Status.VOIDED])
_NOT_CREDITED_WHOLE = InvoiceLine.objects.filter(
    kind=InvoiceLine.Kind.PERIOD, rebilling_id=OuterRef("id"), credited_minor__lt=F("total_minor")
)
_USING_A_DISCOUNT_UP = ~_NEVER_BILLED | Q(status=Rebilling.Status.VOIDED) & Exists(_NOT_CREDITED_WHOLE)
"""Those that came to nothing don't use their discount up. One that was cut off on its first day came to something, as
long as its refund is in flight or has failed.
"""


class Discounted(Protocol):
    """An account, as a row or locked."""

    @property
    def id(self) -> uuid.UUID: ...
    @property
    def discount_id(self) -> uuid.UUID | None: ...


class AccountDiscount(NamedTuple):
    """An account's discount, the ids of the periods that have used it up, and the first days of all that are found
    ahead.
    """

    discount: Discount
    having: set[uuid.UUID]
    found: set[datetime.date]

    def take_off(self, row: Rebilling) -> None:
        """Take it off the period's price, where it applies; the row isn't saved yet. A period that has a row keeps it,
        and a free one has nothing to take off.
        """
        discount, start = self.discount, row.period_start
        used_up = discount.periods is not None and len(self.having) >= discount.periods
        if start in self.found or start < discount.starts_on or used_up or not row.amount_minor:
            return
        if discount.until is not None and start >= discount.until:
            return
        row.discount_id = discount.id
        row.discount_minor = _taken_off(row.amount_minor, discount)
        row.amount_minor -= row.discount_minor
        self.having.add(row.id)


def net_price_minor(terms: TermsInForce, discount: Discount | None) -> int:
    """What a whole period costs by these terms, in minor units, with the discount that the period has."""
    return terms.price_minor - (_taken_off(terms.price_minor, discount) if discount else 0)


def _taken_off(price_minor: int, discount: Discount) -> int:
    return discount_of(price_minor=price_minor, percent=discount.percent, amount_minor=discount.amount_minor)


def discounts_of(accounts: Collection[Discounted]) -> dict[uuid.UUID, AccountDiscount]:
    """The discounts that the accounts have, by account, in two statements; in none where nobody has one."""
    ids = {account.discount_id for account in accounts if account.discount_id}
    if not ids:
        return {}
    discounts = {
        discount.account_id: AccountDiscount(discount, set(), set()) for discount in Discount.objects.filter(id__in=ids)
    }
    having = Q(discount_id__in=ids) & _USING_A_DISCOUNT_UP
    ahead = Q(period_start__gte=F("account__rebilling_date")) & ~_NEVER_BILLED
    rows = Rebilling.objects.filter(having | ahead, account_id__in=discounts)
    for id_, account_id, start, status, discount_id in rows.values_list(
        "id", "account_id", "period_start", "status", "discount_id"
    ):
        if status != Rebilling.Status.VOIDED:
            discounts[account_id].found.add(start)
        if discount_id == discounts[account_id].discount.id:
            discounts[account_id].having.add(id_)
    return discounts


def periods_having(discount_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, int]:
    """How many periods have used up each of the discounts; in one statement, and in none for no ids."""
    if not discount_ids:
        return {}
    found = Rebilling.objects.filter(_USING_A_DISCOUNT_UP, discount_id__in=discount_ids).order_by()
    counts = dict.fromkeys(discount_ids, 0)
    for discount_id in found.values_list("discount_id", flat=True):
        if discount_id is not None:
            counts[discount_id] += 1
    return counts
