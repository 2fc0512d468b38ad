import django.db.models.deletion
import django.db.models.expressions
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
            name="Run",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.ids.new_id, editable=False, primary_key=True, serialize=False),
                ),
                ("as_of", models.DateField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("OPEN", "Open"),
                            ("HELD", "Held"),
                            ("CANCELLED", "Cancelled"),
                            ("RECONCILED", "Reconciled"),
                        ],
                        max_length=10,
                    ),
                ),
                ("started_at", models.DateTimeField()),
                ("swept_at", models.DateTimeField(null=True)),
                ("passed_at", models.DateTimeField(null=True)),
                ("held_because", models.CharField(blank=True, default="", max_length=500)),
                ("decided_at", models.DateTimeField(null=True)),
                ("decision", models.CharField(blank=True, default="", max_length=500)),
                ("reconciled_at", models.DateTimeField(null=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("reconciled_at__isnull", False), ("status", "RECONCILED")),
                            models.Q(
                                models.Q(("status", "RECONCILED"), _negated=True), ("reconciled_at__isnull", True)
                            ),
                            _connector="OR",
                        ),
                        name="run_reconciled_when_reconciled",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("status", "OPEN"),
                            models.Q(("passed_at__isnull", True), ("status__in", ["HELD", "CANCELLED"])),
                            models.Q(("passed_at__isnull", False), ("status", "RECONCILED")),
                            _connector="OR",
                        ),
                        name="run_held_is_not_passed",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Rebilling",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.ids.new_id, editable=False, primary_key=True, serialize=False),
                ),
                ("period_start", models.DateField()),
                ("period_end", models.DateField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("DUE", "Due"),
                            ("CHARGED", "Charged"),
                            ("PAID", "Paid"),
                            ("UNPAID", "Unpaid"),
                            ("WRITTEN_OFF", "Written Off"),
                            ("VOIDED", "Voided"),
                            ("SKIPPED", "Skipped"),
                            ("PARKED", "Parked"),
                        ],
                        max_length=11,
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("account_inactive", "Account Inactive"),
                            ("skipped_by_person", "By Person"),
                            ("run_cancelled", "Run Cancelled"),
                            ("too_many_periods", "Too Many Periods"),
                            ("not_the_next_period", "Not The Next Period"),
                            ("earlier_period_parked", "Earlier Period Parked"),
                            ("charge_refused", "Charge Refused"),
                        ],
                        default="",
                        max_length=30,
                    ),
                ),
                ("detail", models.CharField(blank=True, default="", max_length=500)),
                ("quantity", models.PositiveIntegerField()),
                ("amount_minor", models.BigIntegerField()),
                ("credit_minor", models.BigIntegerField(default=0)),
                ("paid_minor", models.BigIntegerField(default=0)),
                ("currency", models.CharField(max_length=3)),
                ("retry_on", models.DateField(null=True)),
                ("declined_on", models.DateField(null=True)),
                ("due_since", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="rebillings", to="accounts.account"
                    ),
                ),
                (
                    "charge",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="rebilling",
                        to="ledger.entry",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="rebillings", to="rebilling.run"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["run", "status"], name="rebilling_by_run"),
                    models.Index(
                        condition=models.Q(("status", "DUE")), fields=["account", "period_start"], name="rebilling_due"
                    ),
                    models.Index(
                        condition=models.Q(("status__in", ["CHARGED", "UNPAID"])),
                        fields=["account", "period_start"],
                        name="rebilling_open",
                    ),
                    models.Index(condition=models.Q(("status", "PARKED")), fields=["id"], name="rebilling_parked"),
                    models.Index(
                        condition=models.Q(("retry_on__isnull", False)),
                        fields=["retry_on", "id"],
                        name="rebilling_retry",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("status", "SKIPPED"), _negated=True),
                        fields=("account", "period_start"),
                        name="rebilling_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("period_end__gt", models.F("period_start"))),
                        name="rebilling_period_not_empty",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("amount_minor__gte", 0),
                            ("credit_minor__gte", 0),
                            ("paid_minor__gte", 0),
                            (
                                "amount_minor__gte",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("credit_minor"), "+", models.F("paid_minor")
                                ),
                            ),
                        ),
                        name="rebilling_not_collected_past_its_amount",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("status", "PAID"), _negated=True),
                            (
                                "amount_minor",
                                django.db.models.expressions.CombinedExpression(
                                    models.F("credit_minor"), "+", models.F("paid_minor")
                                ),
                            ),
                            _connector="OR",
                        ),
                        name="rebilling_paid_in_full",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("reason__in", ["account_inactive", "skipped_by_person", "run_cancelled"]),
                                ("status", "SKIPPED"),
                            ),
                            models.Q(
                                (
                                    "reason__in",
                                    [
                                        "too_many_periods",
                                        "not_the_next_period",
                                        "earlier_period_parked",
                                        "charge_refused",
                                    ],
                                ),
                                ("status", "PARKED"),
                            ),
                            models.Q(models.Q(("status__in", ["SKIPPED", "PARKED"]), _negated=True), ("reason", "")),
                            _connector="OR",
                        ),
                        name="rebilling_set_aside_with_a_reason",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("charge__isnull", True), ("status__in", ["DUE", "SKIPPED", "PARKED"])),
                            models.Q(
                                models.Q(("status__in", ["DUE", "SKIPPED", "PARKED"]), _negated=True),
                                models.Q(("charge__isnull", False), ("amount_minor", 0), _connector="OR"),
                            ),
                            _connector="OR",
                        ),
                        name="rebilling_charged_by_an_entry",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("retry_on__isnull", True), ("status", "UNPAID"), _connector="OR"),
                        name="rebilling_retried_while_unpaid",
                    ),
                ],
            },
        ),
    ]
