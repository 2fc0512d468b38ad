import django.contrib.postgres.indexes
import django.db.models.deletion
from django.db import migrations, models

import accounts.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_plans_accounts_and_terms"),
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
                            ("tax", "Tax"),
                            ("deduction", "Deduction"),
                            ("tax_deduction", "Tax Deduction"),
                            ("credit_note", "Credit Note"),
                            ("tax_credit", "Tax Credit"),
                            ("deduction_reversed", "Deduction Reversed"),
                            ("tax_deduction_reversed", "Tax Deduction Reversed"),
                            ("payment", "Payment"),
                            ("refund", "Refund"),
                            ("credit", "Credit"),
                            ("write_off", "Write Off"),
                            ("recovery", "Recovery"),
                            ("payment_reversed", "Payment Reversed"),
                            ("refund_reversed", "Refund Reversed"),
                            ("opening_balance", "Opening Balance"),
                            ("reversal", "Reversal"),
                        ],
                        max_length=22,
                    ),
                ),
                (
                    "debit",
                    models.CharField(
                        choices=[
                            ("receivable", "Receivable"),
                            ("revenue", "Revenue"),
                            ("tax_payable", "Tax Payable"),
                            ("cash", "Cash"),
                            ("credits", "Credits"),
                            ("bad_debt", "Bad Debt"),
                            ("opening", "Opening"),
                        ],
                        max_length=11,
                    ),
                ),
                (
                    "credit",
                    models.CharField(
                        choices=[
                            ("receivable", "Receivable"),
                            ("revenue", "Revenue"),
                            ("tax_payable", "Tax Payable"),
                            ("cash", "Cash"),
                            ("credits", "Credits"),
                            ("bad_debt", "Bad Debt"),
                            ("opening", "Opening"),
                        ],
                        max_length=11,
                    ),
                ),
                ("amount_minor", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("effective_on", models.DateField()),
                ("period_start", models.DateField(null=True)),
                ("period_end", models.DateField(null=True)),
                ("invoice_id", models.UUIDField(null=True)),
                ("line_id", models.UUIDField(null=True)),
                ("payment_id", models.UUIDField(null=True)),
                ("refund_id", models.UUIDField(null=True)),
                ("description", models.CharField(max_length=500)),
                ("idempotency_key", models.CharField(max_length=300)),
                ("created_at", models.DateTimeField(editable=False)),
                ("created_by", models.CharField(max_length=200)),
                (
                    "account",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="entries",
                        to="accounts.account",
                    ),
                ),
                (
                    "reverses",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="ledger.entry",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "entries",
                "indexes": [
                    models.Index(fields=["account", "-id"], name="entry_by_account"),
                    models.Index(
                        condition=models.Q(("invoice_id__isnull", False)),
                        fields=["invoice_id"],
                        name="entry_by_invoice",
                    ),
                    django.contrib.postgres.indexes.BrinIndex(
                        autosummarize=True, fields=["created_at"], name="entry_by_time"
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("idempotency_key",), name="entry_idempotency_key_once"),
                    models.UniqueConstraint(
                        condition=models.Q(("reverses__isnull", False)),
                        fields=("reverses",),
                        name="entry_reversed_once",
                    ),
                    models.CheckConstraint(condition=models.Q(("amount_minor__gt", 0)), name="entry_amount_positive"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("reverses__isnull", True),
                                ("type", "opening_balance"),
                                models.Q(
                                    models.Q(("credit", "receivable"), ("debit", "opening")),
                                    models.Q(("credit", "opening"), ("debit", "receivable")),
                                    _connector="OR",
                                ),
                            ),
                            models.Q(
                                ("reverses__isnull", False),
                                ("type", "reversal"),
                                models.Q(
                                    models.Q(("credit", "credits"), ("debit", "receivable")),
                                    models.Q(("credit", "bad_debt"), ("debit", "receivable")),
                                    _connector="OR",
                                ),
                            ),
                            models.Q(
                                ("credit", "revenue"),
                                ("debit", "receivable"),
                                ("reverses__isnull", True),
                                ("type", "charge"),
                            ),
                            models.Q(
                                ("credit", "tax_payable"),
                                ("debit", "receivable"),
                                ("reverses__isnull", True),
                                ("type", "tax"),
                            ),
                            models.Q(
                                ("credit", "receivable"),
                                ("debit", "revenue"),
                                ("reverses__isnull", True),
                                ("type", "deduction"),
                            ),
                            models.Q(
                                ("credit", "receivable"),
                                ("debit", "tax_payable"),
                                ("reverses__isnull", True),
                                ("type", "tax_deduction"),
                            ),
                            models.Q(
                                ("credit", "receivable"),
                                ("debit", "revenue"),
                                ("reverses__isnull", True),
                                ("type", "credit_note"),
                            ),
                            models.Q(
                                ("credit", "receivable"),
                                ("debit", "tax_payable"),
                                ("reverses__isnull", True),
                                ("type", "tax_credit"),
                            ),
                            models.Q(
                                ("credit", "revenue"),
                                ("debit", "receivable"),
                                ("reverses__isnull", True),
                                ("type", "deduction_reversed"),
                            ),
                            models.Q(
                                ("credit", "tax_payable"),
                                ("debit", "receivable"),
                                ("reverses__isnull", True),
                                ("type", "tax_deduction_reversed"),
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
                            models.Q(
                                ("credit", "bad_debt"),
                                ("debit", "receivable"),
                                ("reverses__isnull", True),
                                ("type", "recovery"),
                            ),
                            models.Q(
                                ("credit", "cash"),
                                ("debit", "receivable"),
                                ("reverses__isnull", True),
                                ("type", "payment_reversed"),
                            ),
                            models.Q(
                                ("credit", "receivable"),
                                ("debit", "cash"),
                                ("reverses__isnull", True),
                                ("type", "refund_reversed"),
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
                            models.Q(
                                (
                                    "type__in",
                                    [
                                        "charge",
                                        "tax",
                                        "deduction",
                                        "tax_deduction",
                                        "credit_note",
                                        "tax_credit",
                                        "deduction_reversed",
                                        "tax_deduction_reversed",
                                    ],
                                ),
                                _negated=True,
                            ),
                            ("invoice_id__isnull", False),
                            _connector="OR",
                        ),
                        name="entry_names_its_invoice",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("line_id__isnull", False),
                                ("type__in", ["charge", "tax", "deduction", "tax_deduction"]),
                            ),
                            models.Q(
                                models.Q(("type__in", ["charge", "tax", "deduction", "tax_deduction"]), _negated=True),
                                ("line_id__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="entry_names_its_line",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("payment_id__isnull", False), ("type__in", ["payment", "payment_reversed"])),
                            models.Q(
                                models.Q(("type__in", ["payment", "payment_reversed"]), _negated=True),
                                ("payment_id__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="entry_names_its_payment",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("refund_id__isnull", False), ("type__in", ["refund", "refund_reversed"])),
                            models.Q(
                                models.Q(("type__in", ["refund", "refund_reversed"]), _negated=True),
                                ("refund_id__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="entry_names_its_refund",
                    ),
                ],
            },
        ),
    ]
