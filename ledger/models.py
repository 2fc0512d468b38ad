"""What happened: append-only entries. The rules are the database's; `migrations/*.sql` hold its triggers and keys."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from accounts.ids import new_id
from accounts.models import Account


class Book(models.TextChoices):
    """A side of an entry."""

    RECEIVABLE = "receivable"
    REVENUE = "revenue"
    CASH = "cash"
    CREDITS = "credits"
    BAD_DEBT = "bad_debt"


class EntryType(models.TextChoices):
    CHARGE = "charge"
    PAYMENT = "payment"
    REFUND = "refund"
    CREDIT = "credit"
    WRITE_OFF = "write_off"
    REVERSAL = "reversal"


BOOKS_BY_TYPE: dict[EntryType, tuple[Book, Book]] = {
    EntryType.CHARGE: (Book.RECEIVABLE, Book.REVENUE),
    EntryType.PAYMENT: (Book.CASH, Book.RECEIVABLE),
    EntryType.REFUND: (Book.RECEIVABLE, Book.CASH),
    EntryType.CREDIT: (Book.CREDITS, Book.RECEIVABLE),
    EntryType.WRITE_OFF: (Book.BAD_DEBT, Book.RECEIVABLE),
}
"""Debit and credit of each type; a reversal has those of the entry it reverses, swapped."""

_BOOKS_ARE_THOSE_OF_THE_TYPE = Q(
    # Never cash: only another movement of money undoes one.
    Q(type=EntryType.REVERSAL, reverses__isnull=False)
    & ~Q(debit=Book.CASH)
    & ~Q(credit=Book.CASH)
    & ~Q(debit=F("credit"))
)
for _type, (_debit, _credit) in BOOKS_BY_TYPE.items():
    _BOOKS_ARE_THOSE_OF_THE_TYPE |= Q(type=_type, debit=_debit, credit=_credit, reverses__isnull=True)


class Entry(models.Model):
    """One whole double entry: `amount_minor` moves from the credit book to the debit book.

    `payment_id` names the payment of payments and refunds (a foreign key in the database, added by payments).
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="entries")
    type = models.CharField(max_length=9, choices=EntryType.choices)
    debit = models.CharField(max_length=10, choices=Book.choices)
    credit = models.CharField(max_length=10, choices=Book.choices)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    effective_on = models.DateField()
    period_start = models.DateField(null=True)
    period_end = models.DateField(null=True)
    payment_id = models.UUIDField(null=True)
    description = models.CharField(max_length=500)
    idempotency_key = models.CharField(max_length=300)
    reverses = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="reversed_by")
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)

    class Meta:
        verbose_name_plural = "entries"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["idempotency_key"], name="entry_idempotency_key_once"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="entry_amount_positive"),
            models.CheckConstraint(condition=_BOOKS_ARE_THOSE_OF_THE_TYPE, name="entry_books_match_type"),
            models.CheckConstraint(
                # A CHECK lets NULL pass, so that both are there must be said.
                condition=Q(period_start__isnull=True, period_end__isnull=True)
                | Q(period_start__isnull=False, period_end__isnull=False, period_end__gt=F("period_start")),
                name="entry_period_has_both_ends",
            ),
            models.CheckConstraint(
                condition=Q(type__in=[EntryType.PAYMENT, EntryType.REFUND], payment_id__isnull=False)
                | Q(~Q(type__in=[EntryType.PAYMENT, EntryType.REFUND]), payment_id__isnull=True),
                name="entry_payment_named",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # ledger/balances.py: an account's balance. api/v1/ledger.py: its entries, newest first.
            models.Index(fields=["account", "-id"], name="entry_by_account"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.id}"
