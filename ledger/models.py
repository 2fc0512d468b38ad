"""What happened: append-only entries. The rules are the database's; `migrations/*.sql` hold its triggers and keys."""

from typing import ClassVar

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q

from accounts.ids import new_id
from accounts.models import Account


class Book(models.TextChoices):
    """A side of an entry. `cash` is the money at the gateway, and what comes offline."""

    RECEIVABLE = "receivable"
    REVENUE = "revenue"
    TAX_PAYABLE = "tax_payable"
    CASH = "cash"
    CREDITS = "credits"
    BAD_DEBT = "bad_debt"
    OPENING = "opening"


class EntryType(models.TextChoices):
    CHARGE = "charge"
    TAX = "tax"
    DEDUCTION = "deduction"
    TAX_DEDUCTION = "tax_deduction"
    CREDIT_NOTE = "credit_note"
    TAX_CREDIT = "tax_credit"
    DEDUCTION_REVERSED = "deduction_reversed"
    TAX_DEDUCTION_REVERSED = "tax_deduction_reversed"
    PAYMENT = "payment"
    REFUND = "refund"
    CREDIT = "credit"
    WRITE_OFF = "write_off"
    RECOVERY = "recovery"
    PAYMENT_REVERSED = "payment_reversed"
    REFUND_REVERSED = "refund_reversed"
    OPENING_BALANCE = "opening_balance"
    REVERSAL = "reversal"


BOOKS_BY_TYPE: dict[EntryType, tuple[Book, Book]] = {
    EntryType.CHARGE: (Book.RECEIVABLE, Book.REVENUE),
    EntryType.TAX: (Book.RECEIVABLE, Book.TAX_PAYABLE),
    EntryType.DEDUCTION: (Book.REVENUE, Book.RECEIVABLE),
    EntryType.TAX_DEDUCTION: (Book.TAX_PAYABLE, Book.RECEIVABLE),
    EntryType.CREDIT_NOTE: (Book.REVENUE, Book.RECEIVABLE),
    EntryType.TAX_CREDIT: (Book.TAX_PAYABLE, Book.RECEIVABLE),
    EntryType.DEDUCTION_REVERSED: (Book.RECEIVABLE, Book.REVENUE),
    EntryType.TAX_DEDUCTION_REVERSED: (Book.RECEIVABLE, Book.TAX_PAYABLE),
    EntryType.PAYMENT: (Book.CASH, Book.RECEIVABLE),
    EntryType.REFUND: (Book.RECEIVABLE, Book.CASH),
    EntryType.CREDIT: (Book.CREDITS, Book.RECEIVABLE),
    EntryType.WRITE_OFF: (Book.BAD_DEBT, Book.RECEIVABLE),
    EntryType.RECOVERY: (Book.RECEIVABLE, Book.BAD_DEBT),
    EntryType.PAYMENT_REVERSED: (Book.RECEIVABLE, Book.CASH),
    EntryType.REFUND_REVERSED: (Book.CASH, Book.RECEIVABLE),
}
"""Debit and credit of each type with books of its own. An opening balance owes or is credit, and a reversal has the
books of the entry that it reverses, swapped."""

REVERSIBLE = (EntryType.CREDIT, EntryType.WRITE_OFF)
"""What a reversal may take back, once. Money that moved is corrected by moving money, an invoice by a credit note."""

_OPENING = Q(type=EntryType.OPENING_BALANCE, reverses__isnull=True) & (
    Q(debit=Book.OPENING, credit=Book.RECEIVABLE) | Q(debit=Book.RECEIVABLE, credit=Book.OPENING)
)
_REVERSAL = Q(type=EntryType.REVERSAL, reverses__isnull=False) & (
    Q(debit=Book.RECEIVABLE, credit=Book.CREDITS) | Q(debit=Book.RECEIVABLE, credit=Book.BAD_DEBT)
)
_BOOKS_ARE_THOSE_OF_THE_TYPE = _OPENING | _REVERSAL
for _type, (_debit, _credit) in BOOKS_BY_TYPE.items():
    _BOOKS_ARE_THOSE_OF_THE_TYPE |= Q(type=_type, debit=_debit, credit=_credit, reverses__isnull=True)

_OF_LINES = [EntryType.CHARGE, EntryType.TAX, EntryType.DEDUCTION, EntryType.TAX_DEDUCTION]
_OF_CREDIT_NOTES = [
    EntryType.CREDIT_NOTE,
    EntryType.TAX_CREDIT,
    EntryType.DEDUCTION_REVERSED,
    EntryType.TAX_DEDUCTION_REVERSED,
]
_INVOICED = [*_OF_LINES, *_OF_CREDIT_NOTES]
_OF_PAYMENTS = [EntryType.PAYMENT, EntryType.PAYMENT_REVERSED]
_OF_REFUNDS = [EntryType.REFUND, EntryType.REFUND_REVERSED]


class Entry(models.Model):
    """One whole double entry: `amount_minor` moves from the credit book to the debit book.

    It is effective on the billing day on which it is written. The invoice, its line, and the service period that it is
    for stand beside it, and so do the payment or the refund whose money it is (foreign keys in the database, added by
    the apps above). `created_at` is set by the database.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    # `entry_in_its_accounts_currency` is its foreign key, and `entry_by_account` its index.
    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="entries", db_index=False, db_constraint=False
    )
    type = models.CharField(max_length=22, choices=EntryType.choices)
    debit = models.CharField(max_length=11, choices=Book.choices)
    credit = models.CharField(max_length=11, choices=Book.choices)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    effective_on = models.DateField()
    period_start = models.DateField(null=True)
    period_end = models.DateField(null=True)
    invoice_id = models.UUIDField(null=True)
    line_id = models.UUIDField(null=True)
    payment_id = models.UUIDField(null=True)
    refund_id = models.UUIDField(null=True)
    description = models.CharField(max_length=500)
    idempotency_key = models.CharField(max_length=300)
    # `entry_reversed_once` is its index.
    reverses = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    created_at = models.DateTimeField(editable=False)
    created_by = models.CharField(max_length=200)

    class Meta:
        verbose_name_plural = "entries"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["idempotency_key"], name="entry_idempotency_key_once"),
            # Nearly all entries reverse none, and are not in its index.
            models.UniqueConstraint(
                fields=["reverses"], condition=Q(reverses__isnull=False), name="entry_reversed_once"
            ),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="entry_amount_positive"),
            models.CheckConstraint(condition=_BOOKS_ARE_THOSE_OF_THE_TYPE, name="entry_books_match_type"),
            models.CheckConstraint(
                # A CHECK lets NULL pass, so that both are there must be said.
                condition=Q(period_start__isnull=True, period_end__isnull=True)
                | Q(period_start__isnull=False, period_end__isnull=False, period_end__gt=F("period_start")),
                name="entry_period_has_both_ends",
            ),
            models.CheckConstraint(
                condition=~Q(type__in=_INVOICED) | Q(invoice_id__isnull=False), name="entry_names_its_invoice"
            ),
            models.CheckConstraint(
                condition=Q(type__in=_OF_LINES, line_id__isnull=False)
                | ~Q(type__in=_OF_LINES) & Q(line_id__isnull=True),
                name="entry_names_its_line",
            ),
            models.CheckConstraint(
                condition=Q(type__in=_OF_PAYMENTS, payment_id__isnull=False)
                | ~Q(type__in=_OF_PAYMENTS) & Q(payment_id__isnull=True),
                name="entry_names_its_payment",
            ),
            models.CheckConstraint(
                condition=Q(type__in=_OF_REFUNDS, refund_id__isnull=False)
                | ~Q(type__in=_OF_REFUNDS) & Q(refund_id__isnull=True),
                name="entry_names_its_refund",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # ledger/balances.py: an account's balance. api/v1/ledger.py: its entries, newest first.
            models.Index(fields=["account", "-id"], name="entry_by_account"),
            # subscriptions/invoice_story.py: the entries of an invoice.
            models.Index(fields=["invoice_id"], condition=Q(invoice_id__isnull=False), name="entry_by_invoice"),
            # rebilling/books.py: what was written since. Rows lie in the order of time, so a few bytes
            # do.
            BrinIndex(fields=["created_at"], name="entry_by_time", autosummarize=True),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.id}"
