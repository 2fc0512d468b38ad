import django.db.models.deletion
from django.db import migrations, models

import accounts.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_plans_accounts_and_terms"),
        ("invoices", "0001_invoices_and_credit_notes"),
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
                ("needs_review", models.BooleanField(default=False)),
                ("review_reason", models.CharField(blank=True, default="", max_length=500)),
                ("resolution", models.CharField(blank=True, default="", max_length=500)),
                ("resolved_by", models.CharField(blank=True, default="", max_length=200)),
                ("gateway", models.CharField(max_length=50)),
                ("gateway_reference", models.CharField(blank=True, default="", max_length=200)),
                ("first_called_at", models.DateTimeField(null=True)),
                ("leased_until", models.DateTimeField(null=True)),
                ("submitted_at", models.DateTimeField()),
                ("completed_at", models.DateTimeField(null=True)),
                ("created_by", models.CharField(max_length=200)),
                (
                    "cause",
                    models.CharField(
                        choices=[
                            ("invoice", "Invoice"),
                            ("dunning", "Dunning"),
                            ("request", "Request"),
                            ("payment_method", "Payment Method"),
                            ("offline", "Offline"),
                        ],
                        max_length=14,
                    ),
                ),
                ("customer", models.CharField(blank=True, default="", max_length=200)),
                ("payment_method", models.CharField(blank=True, default="", max_length=200)),
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
                ("excess_minor", models.BigIntegerField(default=0)),
                ("refunded_minor", models.BigIntegerField(default=0)),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="%(class)ss",
                        to="accounts.account",
                    ),
                ),
                (
                    "invoice",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payments",
                        to="invoices.invoice",
                    ),
                ),
                (
                    "late_for",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="booked_late_by",
                        to="payments.payment",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="GatewayRate",
            fields=[
                ("gateway", models.CharField(max_length=50, primary_key=True, serialize=False)),
                ("free_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Authentication",
            fields=[
                (
                    "payment",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        serialize=False,
                        to="payments.payment",
                    ),
                ),
                ("client_secret", models.CharField(blank=True, default="", max_length=200)),
                ("until", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="PaymentMethodSession",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.ids.new_id, editable=False, primary_key=True, serialize=False),
                ),
                ("gateway", models.CharField(max_length=50)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("OPEN", "Open"),
                            ("COMPLETED", "Completed"),
                            ("EXPIRED", "Expired"),
                            ("FAILED", "Failed"),
                        ],
                        default="OPEN",
                        max_length=9,
                    ),
                ),
                ("failure_code", models.CharField(blank=True, default="", max_length=100)),
                ("gateway_reference", models.CharField(blank=True, default="", max_length=200)),
                ("client_secret", models.CharField(blank=True, default="", max_length=300)),
                ("customer", models.CharField(blank=True, default="", max_length=200)),
                ("payment_method", models.CharField(blank=True, default="", max_length=200)),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("look_up_requested_at", models.DateTimeField(null=True)),
                ("completed_at", models.DateTimeField(null=True)),
                ("created_by", models.CharField(max_length=200)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payment_method_sessions",
                        to="accounts.account",
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
                ("needs_review", models.BooleanField(default=False)),
                ("review_reason", models.CharField(blank=True, default="", max_length=500)),
                ("resolution", models.CharField(blank=True, default="", max_length=500)),
                ("resolved_by", models.CharField(blank=True, default="", max_length=200)),
                ("gateway", models.CharField(max_length=50)),
                ("gateway_reference", models.CharField(blank=True, default="", max_length=200)),
                ("first_called_at", models.DateTimeField(null=True)),
                ("leased_until", models.DateTimeField(null=True)),
                ("submitted_at", models.DateTimeField()),
                ("completed_at", models.DateTimeField(null=True)),
                ("created_by", models.CharField(max_length=200)),
                ("source", models.CharField(choices=[("payment", "Payment"), ("balance", "Balance")], max_length=7)),
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
                ("failure_code", models.CharField(blank=True, default="", max_length=100)),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="%(class)ss",
                        to="accounts.account",
                    ),
                ),
                (
                    "late_for",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="booked_late_by",
                        to="payments.refund",
                    ),
                ),
                (
                    "line",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="invoices.invoiceline",
                    ),
                ),
                (
                    "payment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="refunds", to="payments.payment"
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(fields=["account", "-id"], name="payment_by_account"),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                condition=models.Q(("status", "SUCCEEDED"), _negated=True),
                fields=["status", "-id"],
                name="payment_by_status",
            ),
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
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(fields=["invoice", "-id"], name="payment_by_invoice"),
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
                condition=models.Q(("status", "SUCCEEDED"), models.Q(("gateway", "offline"), _negated=True)),
                fields=("gateway", "gateway_reference"),
                name="payment_reference_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.UniqueConstraint(
                condition=models.Q(("late_for__isnull", False)), fields=("late_for",), name="payment_booked_late_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.UniqueConstraint(
                fields=("id", "account", "currency", "amount_minor"), name="payment_as_its_entry_has_it"
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(("excess_minor__gte", 0), ("excess_minor__lte", models.F("amount_minor"))),
                name="payment_excess_within_it",
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(("refunded_minor__gte", 0), ("refunded_minor__lte", models.F("amount_minor"))),
                name="payment_not_refunded_past_it",
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status__in", ["SUBMITTED", "UNKNOWN"])),
                fields=("invoice",),
                name="payment_one_in_flight_an_invoice",
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
                    models.Q(("cause", "offline"), ("gateway", "offline"), ("status", "SUCCEEDED")),
                    models.Q(
                        models.Q(("gateway", "offline"), _negated=True),
                        models.Q(("cause", "offline"), _negated=True),
                        ("invoice__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="payment_names_an_invoice_or_is_offline",
            ),
        ),
        migrations.AddIndex(
            model_name="paymentmethodsession",
            index=models.Index(fields=["account", "-id"], name="method_session_by_account"),
        ),
        migrations.AddIndex(
            model_name="paymentmethodsession",
            index=models.Index(condition=models.Q(("status", "OPEN")), fields=["id"], name="method_session_open"),
        ),
        migrations.AddConstraint(
            model_name="paymentmethodsession",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("completed_at__isnull", True), ("status", "OPEN")),
                    models.Q(models.Q(("status", "OPEN"), _negated=True), ("completed_at__isnull", False)),
                    _connector="OR",
                ),
                name="method_session_completed_when_over",
            ),
        ),
        migrations.AddConstraint(
            model_name="paymentmethodsession",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status", "FAILED"), models.Q(("failure_code", ""), _negated=True)),
                    models.Q(models.Q(("status", "FAILED"), _negated=True), ("failure_code", "")),
                    _connector="OR",
                ),
                name="method_session_failure_has_a_code",
            ),
        ),
        migrations.AddConstraint(
            model_name="paymentmethodsession",
            constraint=models.CheckConstraint(
                condition=models.Q(("status", "OPEN"), ("client_secret", ""), _connector="OR"),
                name="method_session_keeps_no_secret",
            ),
        ),
        migrations.AddConstraint(
            model_name="paymentmethodsession",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status", "COMPLETED"), _negated=True),
                    models.Q(
                        models.Q(("customer", ""), _negated=True), models.Q(("payment_method", ""), _negated=True)
                    ),
                    _connector="OR",
                ),
                name="method_session_completed_with_a_method",
            ),
        ),
        migrations.AddConstraint(
            model_name="paymentmethodsession",
            constraint=models.UniqueConstraint(
                condition=models.Q(("gateway_reference", ""), _negated=True),
                fields=("gateway", "gateway_reference"),
                name="method_session_reference_once",
            ),
        ),
        migrations.AddIndex(
            model_name="refund",
            index=models.Index(fields=["account", "-id"], name="refund_by_account"),
        ),
        migrations.AddIndex(
            model_name="refund",
            index=models.Index(
                condition=models.Q(("status", "SUCCEEDED"), _negated=True),
                fields=["status", "-id"],
                name="refund_by_status",
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
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "SUCCEEDED"), models.Q(("gateway", "offline"), _negated=True)),
                fields=("gateway", "gateway_reference"),
                name="refund_reference_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.UniqueConstraint(
                condition=models.Q(("late_for__isnull", False)), fields=("late_for",), name="refund_booked_late_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.UniqueConstraint(
                fields=("id", "account", "currency", "amount_minor"), name="refund_as_its_entry_has_it"
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
    ]
