"""When the gateway was first asked, and for whose money; one reference is one payment; refunds name their gateway."""

from typing import ClassVar

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies: ClassVar = [("payments", "0002_entries_name_payments")]

    operations: ClassVar = [
        migrations.AddField(model_name="payment", name="asked_at", field=models.DateTimeField(null=True)),
        migrations.AddField(
            model_name="payment",
            name="customer",
            field=models.CharField(max_length=200, blank=True, default="", db_default=""),
        ),
        migrations.AddField(
            model_name="payment",
            name="payment_method",
            field=models.CharField(max_length=200, blank=True, default="", db_default=""),
        ),
        migrations.AddField(model_name="refund", name="asked_at", field=models.DateTimeField(null=True)),
        migrations.AddField(
            model_name="refund",
            name="gateway",
            # No refund could be made before this, so no row gets the default.
            field=models.CharField(max_length=50, default=""),
            preserve_default=False,
        ),
        # Payments that may have been asked for before this was kept: taken to be, since they were submitted; and asked
        # for from the customers that their accounts have now.
        migrations.RunSQL(
            """
            UPDATE payments_payment AS payment SET asked_at = payment.submitted_at,
                customer = account.payment_customer, payment_method = account.payment_method
            FROM accounts_account AS account
            WHERE account.id = payment.account_id AND payment.gateway <> 'outside'
            """,
            migrations.RunSQL.noop,
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(fields=["id"], condition=Q(needs_person=True), name="payment_needs_person"),
        ),
        migrations.AddIndex(
            model_name="refund",
            index=models.Index(fields=["id"], condition=Q(needs_person=True), name="refund_needs_person"),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.UniqueConstraint(
                fields=["gateway", "gateway_reference"],
                condition=Q(status="SUCCEEDED") & ~Q(gateway="outside"),
                name="payment_reference_once",
            ),
        ),
    ]
