"""Who is billed."""

import datetime
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from accounts.ids import new_id
from accounts.metadata import MetadataField
from accounts.models.tax_rate import TaxRate

DEFAULT_NET_DAYS = 30
MAX_NET_DAYS = 365


class Account(models.Model):
    """Who is billed; one account is one customer and its subscription.

    What it is billed is in its terms. `anchor_date` is the day from which its periods are counted, `rebilling_date` the
    first day of the first period not billed yet. Every period from `first_rebilling_date` on has a rebilling once it is
    due; the reconciliation checks that for what fell due after `billing_since`, the instant from which sweeps answer
    for this account. `opened_on` is the day on which it was opened, or last reopened: the days for which a sent invoice
    is unpaid don't count before it. `trial_ends_on` is the day on which its trial ends, or ended: its first period
    begins then.

    Pending changes: it is closed from `closes_on`, paused from `pauses_on`, and resumes on `resumes_on`. No period that
    starts on the day of a pending closing or pause, or later, is billed. Who asked for them, and why, is its history.

    `tax_rate` is its own, or None for the default of the settings. `discount` is the one that it has, in force or used
    up; the price of each period that is found due goes by it.

    The address, `country` (ISO 3166-1 alpha-2), tax id and language (RFC 5646) are the customer's, for invoices.

    `credit_balance_minor` is the customer's own money with us, in minor units; below zero, the next invoice brings it
    forward. `invoices_issued` and `credit_notes_issued` count up the numbers under `number_prefix`.

    Dunning: of its schedule `dunning_steps` were taken, and the next is due on `dunning_on`; None while nothing
    declined is open, or when the schedule is over. `payment_method_unusable`: a hard decline; no call is made with that
    method.

    `on_decline` is what follows when a payment of it is declined for good: dunning, or, until its first invoice is paid
    and where the sign-up asked for it, closing.
    """

    class Status(models.TextChoices):
        PENDING = "PENDING"
        ACTIVE = "ACTIVE"
        PAST_DUE = "PAST_DUE"
        INACTIVE = "INACTIVE"

    class InactiveReason(models.TextChoices):
        CLOSED = "closed"
        PAUSED = "paused"
        UNPAID = "unpaid"
        IMPORTED = "imported"

    class CollectionMethod(models.TextChoices):
        """Who sees to it that an invoice is paid: we, at the gateway, or the customer, who is sent it."""

        AUTOMATIC = "automatic"
        SEND_INVOICE = "send_invoice"

    class OnDecline(models.TextChoices):
        """What a decline leads to."""

        DUN = "dun"
        CLOSE = "close"
        """The sign-up must be paid: nothing more is collected, and the account is closed."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    status = models.CharField(max_length=8, choices=Status.choices)
    inactive_reason = models.CharField(max_length=8, choices=InactiveReason.choices, blank=True, default="")
    name = models.CharField(max_length=200)
    email = models.EmailField(max_length=254)
    address_line1 = models.CharField(max_length=200, blank=True, default="")
    address_line2 = models.CharField(max_length=200, blank=True, default="")
    postal_code = models.CharField(max_length=20, blank=True, default="")
    city = models.CharField(max_length=100, blank=True, default="")
    region = models.CharField(max_length=100, blank=True, default="")
    country = models.CharField(max_length=2, blank=True, default="")
    tax_id = models.CharField(max_length=50, blank=True, default="")
    language = models.CharField(max_length=15, blank=True, default="")
    currency = models.CharField(max_length=3)
    anchor_date = models.DateField()
    rebilling_date = models.DateField()
    first_rebilling_date = models.DateField()
    billing_since = models.DateTimeField()
    opened_on = models.DateField()
    trial_ends_on = models.DateField(null=True, blank=True)
    closes_on = models.DateField(null=True, blank=True)
    pauses_on = models.DateField(null=True, blank=True)
    resumes_on = models.DateField(null=True, blank=True)
    external_reference = models.CharField(max_length=200, null=True, blank=True)  # noqa: DJ001 (unique when given)
    collection_method = models.CharField(
        max_length=12, choices=CollectionMethod.choices, default=CollectionMethod.AUTOMATIC
    )
    net_days = models.PositiveSmallIntegerField(default=DEFAULT_NET_DAYS)
    # Without indexes, which every change of an account would write: nothing looks for the accounts of a rate.
    tax_rate = models.ForeignKey(
        TaxRate, on_delete=models.PROTECT, null=True, blank=True, related_name="accounts", db_index=False
    )
    discount = models.ForeignKey(
        "accounts.Discount", on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    payment_customer = models.CharField(max_length=200, blank=True, default="")
    payment_method = models.CharField(max_length=200, blank=True, default="")
    payment_method_unusable = models.BooleanField(default=False)
    on_decline = models.CharField(max_length=5, choices=OnDecline.choices, default=OnDecline.DUN)
    credit_balance_minor = models.BigIntegerField(default=0)
    number_prefix = models.CharField(max_length=12)
    invoices_issued = models.PositiveIntegerField(default=0)
    credit_notes_issued = models.PositiveIntegerField(default=0)
    dunning_steps = models.PositiveSmallIntegerField(default=0)
    dunning_on = models.DateField(null=True, blank=True)
    metadata = MetadataField(default=dict, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # Only open accounts are held to it: a reference that a customer left behind is free again.
            models.UniqueConstraint(
                fields=["external_reference"],
                condition=Q(external_reference__isnull=False) & ~Q(status="INACTIVE", inactive_reason="closed"),
                name="account_external_reference_once",
            ),
            models.UniqueConstraint(fields=["number_prefix"], name="account_number_prefix_once"),
            # What foreign keys of other tables refer to: their rows are in their account's currency.
            models.UniqueConstraint(fields=["id", "currency"], name="account_currency"),
            models.CheckConstraint(
                condition=Q(status__in=["PENDING", "ACTIVE", "PAST_DUE"], inactive_reason="")
                | Q(status="INACTIVE", inactive_reason__in=["closed", "paused", "unpaid", "imported"]),
                name="account_status_known",
            ),
            models.CheckConstraint(
                condition=Q(collection_method__in=["automatic", "send_invoice"]), name="account_collection_method_known"
            ),
            # From its first paid invoice on, an account is like any other.
            models.CheckConstraint(
                condition=Q(on_decline="dun") | Q(on_decline="close", status__in=["PENDING", "INACTIVE"]),
                name="account_closes_on_decline_until_paid",
            ),
            models.CheckConstraint(condition=Q(net_days__lte=MAX_NET_DAYS), name="account_net_days_bounded"),
            models.CheckConstraint(condition=Q(country__regex=r"^([A-Z]{2})?$"), name="account_country_is_a_code"),
            models.CheckConstraint(
                condition=Q(first_rebilling_date__gte=F("anchor_date")), name="account_billed_from_its_anchor"
            ),
            models.CheckConstraint(
                condition=Q(rebilling_date__gte=F("first_rebilling_date")),
                name="account_rebilling_date_not_before_first",
            ),
            # A pause has a beginning or is there, and ends after it; nothing is pending about a closed account.
            models.CheckConstraint(
                condition=Q(closes_on__isnull=True, pauses_on__isnull=True, resumes_on__isnull=True)
                | Q(inactive_reason="paused", pauses_on__isnull=True)
                | Q(inactive_reason__in=["", "unpaid"])
                & (Q(resumes_on__isnull=True) | Q(pauses_on__isnull=False, resumes_on__gt=F("pauses_on"))),
                name="account_pending_changes_fit",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # rebilling/sweep.py: the accounts whose rebilling date has come, in keyset order.
            models.Index(fields=["rebilling_date", "id"], condition=~Q(status="INACTIVE"), name="account_due"),
            # payments/dunning_steps.py: the accounts whose next step has come.
            models.Index(fields=["dunning_on", "id"], condition=Q(dunning_on__isnull=False), name="account_dunning"),
            # subscriptions/due_changes.py: the accounts that have a pending change.
            models.Index(
                fields=["id"],
                condition=Q(closes_on__isnull=False) | Q(pauses_on__isnull=False) | Q(resumes_on__isnull=False),
                name="account_pending",
            ),
            # api (accounts): those of a reference, an open one, and those that had it before.
            models.Index(
                fields=["external_reference", "id"],
                condition=Q(external_reference__isnull=False),
                name="account_by_reference",
            ),
            # api/v1/accounts.py: the accounts in a status, newest first; those of an e-mail address.
            models.Index(fields=["status", "id"], name="account_by_status"),
            models.Index(Lower("email"), "id", name="account_by_email"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.external_reference or self.id})"

    @property
    def billing_stops_on(self) -> datetime.date | None:
        """The day of a pending closing or pause: no period that starts then or later is billed."""
        return min(filter(None, (self.closes_on, self.pauses_on)), default=None)
