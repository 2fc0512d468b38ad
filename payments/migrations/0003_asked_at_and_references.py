"""When the gateway was first asked; money taken once is booked once; refunds name their gateway."""

from typing import ClassVar

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies: ClassVar = [("payments", "0002_entries_name_payments")]

    operations: ClassVar = [
        migrations.AddField(model_name="payment", name="asked_at", field=models.DateTimeField(null=True)),
        migrations.AddField(model_name="refund", name="asked_at", field=models.DateTimeField(null=True)),
        migrations.AddField(
            model_name="refund",
            name="gateway",
            # No refund could be made before this, so no row gets the default.
            field=models.CharField(max_length=50, default=""),
            preserve_default=False,
        ),
        # Payments that may have been asked for before this was kept: taken to be, since they were submitted.
        migrations.RunSQL(
            "UPDATE payments_payment SET asked_at = submitted_at WHERE gateway <> 'outside'", migrations.RunSQL.noop
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
