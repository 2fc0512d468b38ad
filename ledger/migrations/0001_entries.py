import django.db.models.deletion
from django.db import migrations, models

import accounts.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_plans_and_accounts"),
    ]

    operations = [
        migrations.CreateModel(
            name="Entry",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.ids.new_id, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "type",
                    models.CharField(
                        choices=[
                            ("charge", "Charge"),
                            ("payment", "Payment"),
                            ("refund", "Refund"),
                            ("credit", "Credit"),
                            ("write_off", "Write Off"),
                            ("reversal", "Reversal"),
                        ],
                        max_length=9,
                    ),
                ),
                (
                    "debit",
                    models.CharField(
                        choices=[
                            ("receivable", "Receivable"),
                            ("revenue", "Revenue"),
                            ("cash", "Cash"),
                            ("credits", "Credits"),
                            ("bad_debt", "Bad Debt"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "credit",
                    models.CharField(
                        choices=[
                            ("receivable", "Receivable"),
                            ("revenue", "Revenue"),
                            ("cash", "Cash"),
                            ("credits", "Credits"),
                            ("bad_debt", "Bad Debt"),
                        ],
                        max_length=10,
                    ),
                ),
                ("amount_minor", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("effective_on", models.DateField()),
                ("period_start", models.DateField(null=True)),
                ("period_end", models.DateField(null=True)),
                ("payment_id", models.UUIDField(null=True)),
                ("description", models.CharField(max_length=500)),
                ("idempotency_key", models.CharField(max_length=300)),
                ("created_at", models.DateTimeField()),
                ("created_by", models.CharField(max_length=200)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="entries", to="accounts.account"
                    ),
                ),
                (
                    "reverses",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reversed_by",
                        to="ledger.entry",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "entries",
                "indexes": [models.Index(fields=["account", "-id"], name="entry_by_account")],
                "constraints": [
                    models.UniqueConstraint(fields=("idempotency_key",), name="entry_idempotency_key_once"),
                    models.CheckConstraint(condition=models.Q(("amount_minor__gt", 0)), name="entry_amount_positive"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("reverses__isnull", False),
                                ("type", "reversal"),
                                models.Q(("debit", "cash"), _negated=True),
                                models.Q(("credit", "cash"), _negated=True),
                                models.Q(("debit", models.F("credit")), _negated=True),
                            ),
                            models.Q(
                                ("credit", "revenue"),
                                ("debit", "receivable"),
                                ("reverses__isnull", True),
                                ("type", "charge"),
                            ),
                            models.Q(
                                ("credit", "receivable"),
                                ("debit", "cash"),
                                ("reverses__isnull", True),
                                ("type", "payment"),
                            ),
                            models.Q(
                                ("credit", "cash"),
                                ("debit", "receivable"),
                                ("reverses__isnull", True),
                                ("type", "refund"),
                            ),
                            models.Q(
                                ("credit", "receivable"),
                                ("debit", "credits"),
                                ("reverses__isnull", True),
                                ("type", "credit"),
                            ),
                            models.Q(
                                ("credit", "receivable"),
                                ("debit", "bad_debt"),
                                ("reverses__isnull", True),
                                ("type", "write_off"),
                            ),
                            _connector="OR",
                        ),
                        name="entry_books_match_type",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("period_end__isnull", True), ("period_start__isnull", True)),
                            models.Q(
                                ("period_end__gt", models.F("period_start")),
                                ("period_end__isnull", False),
                                ("period_start__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="entry_period_has_both_ends",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("payment_id__isnull", False), ("type__in", ["payment", "refund"])),
                            models.Q(
                                models.Q(("type__in", ["payment", "refund"]), _negated=True),
                                ("payment_id__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="entry_payment_named",
                    ),
                ],
            },
        ),
    ]
