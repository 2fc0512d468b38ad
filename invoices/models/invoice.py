"""What a customer owes: an invoice and its lines."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from accounts.ids import new_id
from accounts.models import Account, TaxRate
from invoices.models.item import Item

_CREDITED = F("credited_minor") + F("credited_to_balance_minor") + F("credited_to_refund_minor")
_COVERED = F("credited_minor") + F("balance_applied_minor") + F("paid_minor")
OUTSTANDING = F("total_minor") - _COVERED - F("written_off_minor")
"""What is still to be paid of an invoice, for queries; `Invoice.outstanding_minor` is the same of a row."""


class Invoice(models.Model):
    """What one account owes for the periods of one batch, or for one item. All amounts are minor units of `currency`.

    `total_minor` is the sum of the lines' totals, and `tax_minor` the tax in it.

    outstanding = total - credited - balance_applied - paid - written_off, never below zero.

    `credited_minor` counts what credit notes took off what was outstanding or written off; `credited_to_balance_minor`
    and `credited_to_refund_minor` are their other parts. `balance_applied_minor` came from the account's credit
    balance; below zero it is a debt that was brought forward. `refunded_minor` was sent back of what was paid, and
    `refunding_minor` is reserved for refunds that are in flight.

    The collection method and the due date are frozen on issue, and so are the seller's name and the customer's contact
    data; `customer_address` is one line, without the country.
    `in_flight` marks that a payment of it is at the gateway. `declined_on` is the day of its first decline; it is
    dunned while that is set and something is outstanding.
    """

    class Status(models.TextChoices):
        OPEN = "OPEN"
        PAID = "PAID"
        UNCOLLECTIBLE = "UNCOLLECTIBLE"
        VOID = "VOID"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    # `invoice_in_its_accounts_currency` is its foreign key, and `invoice_by_account` its index.
    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="invoices", db_index=False, db_constraint=False
    )
    number = models.CharField(max_length=30)
    status = models.CharField(max_length=13, choices=Status.choices)
    currency = models.CharField(max_length=3)
    issued_on = models.DateField()
    due_on = models.DateField()
    collection_method = models.CharField(max_length=12, choices=Account.CollectionMethod.choices)
    seller = models.CharField(max_length=200)
    customer_name = models.CharField(max_length=200)
    customer_email = models.EmailField(max_length=254)
    customer_address = models.CharField(max_length=700, blank=True, default="")
    customer_country = models.CharField(max_length=2, blank=True, default="")
    customer_tax_id = models.CharField(max_length=50, blank=True, default="")
    customer_language = models.CharField(max_length=15, blank=True, default="")
    total_minor = models.BigIntegerField()
    tax_minor = models.BigIntegerField(default=0)
    credited_minor = models.BigIntegerField(default=0)
    credited_to_balance_minor = models.BigIntegerField(default=0)
    credited_to_refund_minor = models.BigIntegerField(default=0)
    balance_applied_minor = models.BigIntegerField(default=0)
    paid_minor = models.BigIntegerField(default=0)
    refunded_minor = models.BigIntegerField(default=0)
    refunding_minor = models.BigIntegerField(default=0)
    written_off_minor = models.BigIntegerField(default=0)
    in_flight = models.BooleanField(default=False)
    declined_on = models.DateField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["number"], name="invoice_number_once"),
            # What foreign keys of lines, payments and entries refer to.
            models.UniqueConstraint(fields=["id", "account", "currency"], name="invoice_of_its_account"),
            models.CheckConstraint(
                condition=Q(total_minor__gte=0, credited_minor__gte=0, paid_minor__gte=0)
                & Q(refunded_minor__gte=0, refunding_minor__gte=0, written_off_minor__gte=0)
                & Q(credited_to_balance_minor__gte=0, credited_to_refund_minor__gte=0),
                name="invoice_amounts_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(status="OPEN", total_minor__gt=_COVERED + F("written_off_minor"))
                | Q(status__in=["PAID", "VOID"], written_off_minor=0, total_minor=_COVERED)
                | Q(status="UNCOLLECTIBLE", written_off_minor__gt=0, total_minor=_COVERED + F("written_off_minor")),
                name="invoice_status_matches_amounts",
            ),
            models.CheckConstraint(
                condition=Q(total_minor__gte=_CREDITED + F("refunding_minor")),
                name="invoice_not_credited_past_its_total",
            ),
            models.CheckConstraint(
                condition=Q(paid_minor__gte=F("refunded_minor") + F("refunding_minor")),
                name="invoice_not_refunded_past_what_was_paid",
            ),
            models.CheckConstraint(condition=Q(due_on__gte=F("issued_on")), name="invoice_due_once_issued"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # api/v1/invoices.py: an account's invoices, newest first.
            models.Index(fields=["account", "-id"], name="invoice_by_account"),
            # invoices/locked_invoices.py: what an account still owes, oldest first.
            models.Index(fields=["account", "id"], condition=Q(status="OPEN"), name="invoice_open"),
            # invoices/past_due_invoices.py: invoices that were sent, and whose day to be paid has passed.
            models.Index(
                fields=["due_on", "id"],
                condition=Q(status="OPEN", collection_method="send_invoice"),
                name="invoice_sent_and_open",
            ),
            # api/v1/invoices.py: by status, newest first. Nearly all are PAID, and found without an index.
            models.Index(fields=["status", "-id"], condition=~Q(status="PAID"), name="invoice_by_status"),
            # api/v1/invoices.py: by date, newest first.
            models.Index(fields=["issued_on", "-id"], name="invoice_by_date"),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def outstanding_minor(self) -> int:
        """What is still to be paid, in minor units."""
        covered = self.credited_minor + self.balance_applied_minor + self.paid_minor + self.written_off_minor
        return self.total_minor - covered


class InvoiceLine(models.Model):
    """One amount on an invoice, and what it is for. Amounts are minor units; `amount_minor` is after the discount.

    `tax_minor` is the tax at `tax_rate`: a part of the amount where the rate is inclusive, and otherwise added to it.
    `total_minor` is what the line comes to with its tax.

    A line for a billing period, or for a change within it, names its rebilling (a foreign key in the database, added by
    rebilling), and one for an item the item. Below zero it is a deduction, which lowers the invoice's total;
    `credited_minor` of it is below zero, too.
    """

    class Kind(models.TextChoices):
        PERIOD = "period"
        PRORATION = "proration"
        ITEM = "item"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    # `invoice_line_position_once` is its index.
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="lines", db_index=False)
    position = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=9, choices=Kind.choices)
    description = models.CharField(max_length=500)
    quantity = models.PositiveIntegerField()
    unit_amount_minor = models.BigIntegerField()
    discount_minor = models.BigIntegerField(default=0)
    amount_minor = models.BigIntegerField()
    tax_rate = models.ForeignKey(TaxRate, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    tax_minor = models.BigIntegerField(default=0)
    total_minor = models.BigIntegerField()
    credited_minor = models.BigIntegerField(default=0)
    period_start = models.DateField(null=True)
    period_end = models.DateField(null=True)
    rebilling_id = models.UUIDField(null=True)
    item = models.ForeignKey(Item, on_delete=models.PROTECT, null=True, related_name="lines", db_index=False)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["invoice", "position"], name="invoice_line_position_once"),
            models.CheckConstraint(
                condition=Q(discount_minor__gte=0, amount_minor__gte=0, tax_minor__gte=0)
                | Q(kind__in=["proration", "item"], discount_minor=0, amount_minor__lt=0, tax_minor__lte=0),
                name="invoice_line_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(credited_minor__gte=0, credited_minor__lte=F("total_minor"))
                | Q(credited_minor__lte=0, credited_minor__gte=F("total_minor")),
                name="invoice_line_not_credited_past_it",
            ),
            models.CheckConstraint(
                condition=Q(total_minor=F("amount_minor"), tax_minor__lte=F("amount_minor"))
                | Q(total_minor=F("amount_minor"), amount_minor__lt=0, tax_minor__gte=F("amount_minor"))
                | Q(total_minor=F("amount_minor") + F("tax_minor")),
                name="invoice_line_total_has_its_tax",
            ),
            models.CheckConstraint(
                condition=Q(tax_minor=0) | Q(tax_rate__isnull=False), name="invoice_line_taxed_at_a_rate"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["period", "proration"], period_start__isnull=False, period_end__isnull=False)
                & Q(rebilling_id__isnull=False, period_end__gt=F("period_start"))
                | ~Q(kind__in=["period", "proration"]),
                name="invoice_line_of_a_period_names_it",
            ),
            models.CheckConstraint(
                condition=Q(kind="item", item__isnull=False)
                | Q(kind="period", item__isnull=True)
                | Q(kind="proration"),
                name="invoice_line_of_an_item_names_it",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # invoices/resumption.py: the lines of periods that run; rebilling/books.py: the line of each period.
            models.Index(fields=["rebilling_id"], condition=Q(rebilling_id__isnull=False), name="line_by_rebilling"),
            # rebilling/books.py: the lines of each item.
            models.Index(fields=["item"], condition=Q(item__isnull=False), name="line_by_item"),
        ]

    def __str__(self) -> str:
        return self.description
