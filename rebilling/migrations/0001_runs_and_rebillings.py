import django.db.models.deletion
import django.db.models.expressions
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
            name="GapSuspect",
            fields=[
                (
                    "account",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="accounts.account",
                    ),
                ),
                ("found_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="BooksCheck",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.ids.new_id, editable=False, primary_key=True, serialize=False),
                ),
                ("started_at", models.DateTimeField()),
                ("watermark", models.DateTimeField()),
                ("whole", models.BooleanField()),
                ("discrepancies", models.PositiveIntegerField()),
            ],
            options={
                "indexes": [models.Index(fields=["-started_at"], name="books_check_by_time")],
            },
        ),
        migrations.CreateModel(
            name="Run",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.ids.new_id, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("sweep", "Sweep"), ("on_demand", "On Demand")], default="sweep", max_length=9
                    ),
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
                ("gaps_searched_at", models.DateTimeField(null=True)),
                ("reconciled_at", models.DateTimeField(null=True)),
                ("figures", models.JSONField(null=True)),
                ("usual", models.JSONField(null=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("figures__isnull", False), ("reconciled_at__isnull", False), ("status", "RECONCILED")
                            ),
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
                    models.UniqueConstraint(
                        condition=models.Q(("held_because", ""), ("kind", "on_demand")),
                        fields=("as_of",),
                        name="run_on_demand_once_a_day",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("kind", "on_demand"), ("status", "HELD")),
                        fields=("as_of",),
                        name="run_on_demand_held_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "sweep"), ("usual__isnull", True)),
                            models.Q(("kind", "on_demand"), ("usual__isnull", False)),
                            _connector="OR",
                        ),
                        name="run_on_demand_knows_the_usual",
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
                ("ended_on", models.DateField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("DUE", "Due"),
                            ("CHARGED", "Charged"),
                            ("VOIDED", "Voided"),
                            ("SKIPPED", "Skipped"),
                            ("PARKED", "Parked"),
                        ],
                        max_length=7,
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
                ("description", models.CharField(max_length=500)),
                ("quantity", models.PositiveIntegerField()),
                ("unit_amount_minor", models.BigIntegerField()),
                ("discount_minor", models.BigIntegerField(default=0)),
                ("amount_minor", models.BigIntegerField()),
                ("items_minor", models.BigIntegerField(null=True)),
                ("currency", models.CharField(max_length=3)),
                ("due_since", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="rebillings", to="accounts.account"
                    ),
                ),
                (
                    "discount",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.discount",
                    ),
                ),
                (
                    "invoice",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="rebillings",
                        to="invoices.invoice",
                    ),
                ),
                (
                    "tax_rate",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.taxrate",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="rebillings",
                        to="rebilling.run",
                    ),
                ),
            ],
            options={
                "verbose_name": "billing period",
            },
        ),
        migrations.CreateModel(
            name="Proration",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.ids.new_id, editable=False, primary_key=True, serialize=False),
                ),
                ("changed_on", models.DateField()),
                ("price_before_minor", models.BigIntegerField()),
                ("price_after_minor", models.BigIntegerField()),
                ("credit_minor", models.BigIntegerField()),
                ("charge_minor", models.BigIntegerField()),
                ("credit_total_minor", models.BigIntegerField()),
                ("charge_total_minor", models.BigIntegerField()),
                ("waits", models.BooleanField(default=False)),
                ("taken_along_minor", models.BigIntegerField(default=0)),
                (
                    "invoice",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="prorations",
                        to="invoices.invoice",
                    ),
                ),
                (
                    "tax_rate",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.taxrate",
                    ),
                ),
                (
                    "terms",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="proration", to="accounts.terms"
                    ),
                ),
                (
                    "rebilling",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="prorations", to="rebilling.rebilling"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("credit_minor__gte", 0),
                            ("price_after_minor__gte", 0),
                            ("price_before_minor__gte", 0),
                            ("charge_minor__gte", 0),
                            ("charge_total_minor__gte", 0),
                            ("credit_total_minor__gte", 0),
                        ),
                        name="proration_amounts_not_negative",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("invoice__isnull", True), ("taken_along_minor", 0), ("waits", True)),
                            models.Q(
                                (
                                    "charge_total_minor__gte",
                                    django.db.models.expressions.CombinedExpression(
                                        models.F("credit_total_minor"), "-", models.F("taken_along_minor")
                                    ),
                                ),
                                ("invoice__isnull", False),
                                ("waits", False),
                            ),
                            models.Q(
                                (
                                    "charge_total_minor__lte",
                                    django.db.models.expressions.CombinedExpression(
                                        models.F("credit_total_minor"), "-", models.F("taken_along_minor")
                                    ),
                                ),
                                ("invoice__isnull", True),
                                ("waits", False),
                            ),
                            _connector="OR",
                        ),
                        name="proration_names_its_invoice",
                    ),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="rebilling",
            index=models.Index(fields=["run", "status"], name="rebilling_by_run"),
        ),
        migrations.AddIndex(
            model_name="rebilling",
            index=models.Index(
                condition=models.Q(("status", "DUE")), fields=["account", "period_start"], name="rebilling_due"
            ),
        ),
        migrations.AddIndex(
            model_name="rebilling",
            index=models.Index(
                condition=models.Q(("discount__isnull", False)), fields=["discount"], name="rebilling_by_discount"
            ),
        ),
        migrations.AddIndex(
            model_name="rebilling",
            index=models.Index(condition=models.Q(("status", "PARKED")), fields=["id"], name="rebilling_parked"),
        ),
        migrations.AddConstraint(
            model_name="rebilling",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status__in", ["SKIPPED", "VOIDED"]), _negated=True),
                fields=("account", "period_start"),
                name="rebilling_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="rebilling",
            constraint=models.CheckConstraint(
                condition=models.Q(("period_end__gt", models.F("period_start"))), name="rebilling_period_not_empty"
            ),
        ),
        migrations.AddConstraint(
            model_name="rebilling",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("ended_on__gte", models.F("period_start")), ("ended_on__lte", models.F("period_end"))
                ),
                name="rebilling_ends_within_its_period",
            ),
        ),
        migrations.AddConstraint(
            model_name="rebilling",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_minor__gte", 0), ("quantity__gte", 1), ("unit_amount_minor__gte", 0)),
                name="rebilling_amounts_not_negative",
            ),
        ),
        migrations.AddConstraint(
            model_name="rebilling",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "amount_minor",
                        django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(
                                models.F("quantity"), "*", models.F("unit_amount_minor")
                            ),
                            "-",
                            models.F("discount_minor"),
                        ),
                    )
                ),
                name="rebilling_costs_what_its_units_do",
            ),
        ),
        migrations.AddConstraint(
            model_name="rebilling",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("discount_minor", 0),
                    models.Q(("discount__isnull", False), ("discount_minor__gt", 0)),
                    _connector="OR",
                ),
                name="rebilling_discounted_by_a_discount",
            ),
        ),
        migrations.AddConstraint(
            model_name="rebilling",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("reason__in", ["account_inactive", "skipped_by_person", "run_cancelled"]),
                        ("status", "SKIPPED"),
                    ),
                    models.Q(
                        (
                            "reason__in",
                            ["too_many_periods", "not_the_next_period", "earlier_period_parked", "charge_refused"],
                        ),
                        ("status", "PARKED"),
                    ),
                    models.Q(models.Q(("status__in", ["SKIPPED", "PARKED"]), _negated=True), ("reason", "")),
                    _connector="OR",
                ),
                name="rebilling_not_charged_for_a_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="rebilling",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("invoice__isnull", False), ("status__in", ["CHARGED", "VOIDED"])),
                    models.Q(models.Q(("status__in", ["CHARGED", "VOIDED"]), _negated=True), ("invoice__isnull", True)),
                    _connector="OR",
                ),
                name="rebilling_charged_by_an_invoice",
            ),
        ),
    ]
