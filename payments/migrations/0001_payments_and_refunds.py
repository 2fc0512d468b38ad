import django.db.models.deletion
from django.db import migrations, models

import accounts.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_plans_and_accounts"),
        ("ledger", "0001_entries"),
    ]

    operations = [
        migrations.CreateModel(
            name="Payment",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.ids.new_id, editable=False, primary_key=True, serialize=False),
                ),
                ("amount_minor", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("customer", models.CharField(blank=True, db_default="", default="", max_length=200)),
                ("payment_method", models.CharField(blank=True, db_default="", default="", max_length=200)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("SUBMITTED", "Submitted"),
                            ("SUCCEEDED", "Succeeded"),
                            ("DECLINED", "Declined"),
                            ("UNKNOWN", "Unknown"),
                        ],
                        max_length=9,
                    ),
                ),
                ("decline_code", models.CharField(blank=True, default="", max_length=100)),
                ("needs_review", models.BooleanField(default=False)),
                ("review_reason", models.CharField(blank=True, default="", max_length=500)),
                ("gateway", models.CharField(max_length=50)),
                ("gateway_reference", models.CharField(blank=True, default="", max_length=200)),
                ("first_called_at", models.DateTimeField(null=True)),
                ("leased_until", models.DateTimeField(null=True)),
                ("submitted_at", models.DateTimeField()),
                ("completed_at", models.DateTimeField(null=True)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="payments", to="accounts.account"
                    ),
                ),
                (
                    "charge",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payments",
                        to="ledger.entry",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Refund",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.ids.new_id, editable=False, primary_key=True, serialize=False),
                ),
                ("amount_minor", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("SUBMITTED", "Submitted"),
                            ("SUCCEEDED", "Succeeded"),
                            ("FAILED", "Failed"),
                            ("UNKNOWN", "Unknown"),
                        ],
                        max_length=9,
                    ),
                ),
                ("reason", models.CharField(max_length=500)),
                ("gateway", models.CharField(max_length=50)),
                ("failure_code", models.CharField(blank=True, default="", max_length=100)),
                ("needs_review", models.BooleanField(default=False)),
                ("review_reason", models.CharField(blank=True, default="", max_length=500)),
                ("gateway_reference", models.CharField(blank=True, default="", max_length=200)),
                ("first_called_at", models.DateTimeField(null=True)),
                ("leased_until", models.DateTimeField(null=True)),
                ("submitted_at", models.DateTimeField()),
                ("completed_at", models.DateTimeField(null=True)),
                ("created_by", models.CharField(max_length=200)),
                ("request_key", models.CharField(blank=True, default="", max_length=300)),
                (
                    "payment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="refunds", to="payments.payment"
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(fields=["account", "-id"], name="payment_by_account"),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                condition=models.Q(("status__in", ["SUBMITTED", "UNKNOWN"])), fields=["id"], name="payment_in_flight"
            ),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(condition=models.Q(("needs_review", True)), fields=["id"], name="payment_needs_review"),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_minor__gt", 0)), name="payment_amount_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status__in", ["SUBMITTED", "UNKNOWN"])),
                fields=("charge",),
                name="payment_one_in_flight_a_charge",
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("completed_at__isnull", True), ("status__in", ["SUBMITTED", "UNKNOWN"])),
                    models.Q(("completed_at__isnull", False), ("status__in", ["SUCCEEDED", "DECLINED"])),
                    _connector="OR",
                ),
                name="payment_completed_when_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status", "DECLINED"), models.Q(("decline_code", ""), _negated=True)),
                    models.Q(models.Q(("status", "DECLINED"), _negated=True), ("decline_code", "")),
                    _connector="OR",
                ),
                name="payment_decline_has_a_code",
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("charge__isnull", False),
                    models.Q(("gateway", "offline"), ("status", "SUCCEEDED")),
                    _connector="OR",
                ),
                name="payment_without_charge_is_offline",
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "SUCCEEDED"), models.Q(("gateway", "offline"), _negated=True)),
                fields=("gateway", "gateway_reference"),
                name="payment_reference_once",
            ),
        ),
        migrations.AddIndex(
            model_name="refund",
            index=models.Index(
                condition=models.Q(("status__in", ["SUBMITTED", "UNKNOWN"])), fields=["id"], name="refund_in_flight"
            ),
        ),
        migrations.AddIndex(
            model_name="refund",
            index=models.Index(condition=models.Q(("needs_review", True)), fields=["id"], name="refund_needs_review"),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_minor__gt", 0)), name="refund_amount_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("completed_at__isnull", True), ("status__in", ["SUBMITTED", "UNKNOWN"])),
                    models.Q(("completed_at__isnull", False), ("status__in", ["SUCCEEDED", "FAILED"])),
                    _connector="OR",
                ),
                name="refund_completed_when_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status", "FAILED"), models.Q(("failure_code", ""), _negated=True)),
                    models.Q(models.Q(("status", "FAILED"), _negated=True), ("failure_code", "")),
                    _connector="OR",
                ),
                name="refund_failure_has_a_code",
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.UniqueConstraint(
                condition=models.Q(("request_key", ""), _negated=True),
                fields=("request_key",),
                name="refund_requested_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "SUCCEEDED"), models.Q(("gateway", "offline"), _negated=True)),
                fields=("gateway", "gateway_reference"),
                name="refund_reference_once",
            ),
        ),
    ]
