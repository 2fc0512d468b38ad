import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models

import accounts.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_plans_accounts_and_terms"),
    ]

    operations = [
        migrations.CreateModel(
            name="Invoice",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.ids.new_id, editable=False, primary_key=True, serialize=False),
                ),
                ("number", models.CharField(max_length=30)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("OPEN", "Open"),
                            ("PAID", "Paid"),
                            ("UNCOLLECTIBLE", "Uncollectible"),
                            ("VOID", "Void"),
                        ],
                        max_length=13,
                    ),
                ),
                ("currency", models.CharField(max_length=3)),
                ("issued_on", models.DateField()),
                ("due_on", models.DateField()),
                (
                    "collection_method",
                    models.CharField(
                        choices=[("automatic", "Automatic"), ("send_invoice", "Send Invoice")], max_length=12
                    ),
                ),
                ("seller", models.CharField(max_length=200)),
                ("customer_name", models.CharField(max_length=200)),
                ("customer_email", models.EmailField(max_length=254)),
                ("customer_address", models.CharField(blank=True, default="", max_length=700)),
                ("customer_country", models.CharField(blank=True, default="", max_length=2)),
                ("customer_tax_id", models.CharField(blank=True, default="", max_length=50)),
                ("customer_language", models.CharField(blank=True, default="", max_length=15)),
                ("total_minor", models.BigIntegerField()),
                ("tax_minor", models.BigIntegerField(default=0)),
                ("credited_minor", models.BigIntegerField(default=0)),
                ("credited_to_balance_minor", models.BigIntegerField(default=0)),
                ("credited_to_refund_minor", models.BigIntegerField(default=0)),
                ("balance_applied_minor", models.BigIntegerField(default=0)),
                ("paid_minor", models.BigIntegerField(default=0)),
                ("refunded_minor", models.BigIntegerField(default=0)),
                ("refunding_minor", models.BigIntegerField(default=0)),
                ("written_off_minor", models.BigIntegerField(default=0)),
                ("in_flight", models.BooleanField(default=False)),
                ("declined_on", models.DateField(null=True)),
                ("created_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="invoices",
                        to="accounts.account",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="CreditNote",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.ids.new_id, editable=False, primary_key=True, serialize=False),
                ),
                ("number", models.CharField(max_length=30)),
                ("currency", models.CharField(max_length=3)),
                ("issued_on", models.DateField()),
                ("amount_minor", models.BigIntegerField()),
                ("tax_minor", models.BigIntegerField(default=0)),
                ("from_outstanding_minor", models.BigIntegerField(default=0)),
                ("from_written_off_minor", models.BigIntegerField(default=0)),
                ("to_balance_minor", models.BigIntegerField(default=0)),
                ("to_refund_minor", models.BigIntegerField(default=0)),
                ("refund_id", models.UUIDField(null=True)),
                ("proration_id", models.UUIDField(null=True)),
                ("reason", models.CharField(max_length=500)),
                ("created_by", models.CharField(max_length=200)),
                ("created_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="credit_notes", to="accounts.account"
                    ),
                ),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="credit_notes", to="invoices.invoice"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="BalanceUse",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.ids.new_id, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("credit", "Credit"),
                            ("brought_forward", "Brought Forward"),
                            ("carried_forward", "Carried Forward"),
                        ],
                        max_length=15,
                    ),
                ),
                ("amount_minor", models.BigIntegerField()),
                ("used_on", models.DateField()),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="balance_uses", to="invoices.invoice"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="InvoiceLine",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.ids.new_id, editable=False, primary_key=True, serialize=False),
                ),
                ("position", models.PositiveSmallIntegerField()),
                (
                    "kind",
                    models.CharField(
                        choices=[("period", "Period"), ("proration", "Proration"), ("item", "Item")], max_length=9
                    ),
                ),
                ("description", models.CharField(max_length=500)),
                ("quantity", models.PositiveIntegerField()),
                ("unit_amount_minor", models.BigIntegerField()),
                ("discount_minor", models.BigIntegerField(default=0)),
                ("amount_minor", models.BigIntegerField()),
                ("tax_minor", models.BigIntegerField(default=0)),
                ("total_minor", models.BigIntegerField()),
                ("credited_minor", models.BigIntegerField(default=0)),
                ("period_start", models.DateField(null=True)),
                ("period_end", models.DateField(null=True)),
                ("rebilling_id", models.UUIDField(null=True)),
                (
                    "invoice",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lines",
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
            ],
        ),
        migrations.CreateModel(
            name="CreditNoteLine",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.ids.new_id, editable=False, primary_key=True, serialize=False),
                ),
                ("amount_minor", models.BigIntegerField()),
                ("tax_minor", models.BigIntegerField(default=0)),
                ("named_minor", models.BigIntegerField()),
                (
                    "credit_note",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="lines", to="invoices.creditnote"
                    ),
                ),
                (
                    "line",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credit_note_lines",
                        to="invoices.invoiceline",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Item",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.ids.new_id, editable=False, primary_key=True, serialize=False),
                ),
                ("description", models.CharField(max_length=500)),
                ("quantity", models.PositiveIntegerField()),
                ("unit_amount_minor", models.BigIntegerField()),
                ("amount_minor", models.BigIntegerField()),
                ("reason", models.CharField(max_length=500)),
                ("author", models.CharField(max_length=200)),
                ("created_at", models.DateTimeField()),
                ("proration_id", models.UUIDField(null=True)),
                ("prorated_id", models.UUIDField(null=True)),
                ("period_start", models.DateField(null=True)),
                ("period_end", models.DateField(null=True)),
                ("discount_minor", models.BigIntegerField(default=0)),
                ("rebilling_id", models.UUIDField(null=True)),
                ("invoiced_minor", models.BigIntegerField(default=0)),
                ("removed_at", models.DateTimeField(null=True)),
                ("removed_by", models.CharField(blank=True, default="", max_length=200)),
                ("removal_reason", models.CharField(blank=True, default="", max_length=500)),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="items",
                        to="accounts.account",
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
            ],
        ),
        migrations.AddField(
            model_name="invoiceline",
            name="item",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="lines",
                to="invoices.item",
            ),
        ),
        migrations.CreateModel(
            name="NumberSeries",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=11)),
                ("year", models.PositiveSmallIntegerField()),
                ("last", models.PositiveIntegerField()),
            ],
            options={
                "verbose_name_plural": "number series",
                "constraints": [models.UniqueConstraint(fields=("kind", "year"), name="number_series_once")],
            },
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(fields=["account", "-id"], name="invoice_by_account"),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(condition=models.Q(("status", "OPEN")), fields=["account", "id"], name="invoice_open"),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                condition=models.Q(("collection_method", "send_invoice"), ("status", "OPEN")),
                fields=["due_on", "id"],
                name="invoice_sent_and_open",
            ),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                condition=models.Q(("status", "PAID"), _negated=True),
                fields=["status", "-id"],
                name="invoice_by_status",
            ),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(fields=["issued_on", "-id"], name="invoice_by_date"),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.UniqueConstraint(fields=("number",), name="invoice_number_once"),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.UniqueConstraint(fields=("id", "account", "currency"), name="invoice_of_its_account"),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("credited_minor__gte", 0),
                    ("paid_minor__gte", 0),
                    ("total_minor__gte", 0),
                    ("refunded_minor__gte", 0),
                    ("refunding_minor__gte", 0),
                    ("written_off_minor__gte", 0),
                    ("credited_to_balance_minor__gte", 0),
                    ("credited_to_refund_minor__gte", 0),
                ),
                name="invoice_amounts_not_negative",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("status", "OPEN"),
                        (
                            "total_minor__gt",
                            django.db.models.expressions.CombinedExpression(
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.expressions.CombinedExpression(
                                        models.F("credited_minor"), "+", models.F("balance_applied_minor")
                                    ),
                                    "+",
                                    models.F("paid_minor"),
                                ),
                                "+",
                                models.F("written_off_minor"),
                            ),
                        ),
                    ),
                    models.Q(
                        ("status__in", ["PAID", "VOID"]),
                        (
                            "total_minor",
                            django.db.models.expressions.CombinedExpression(
                                django.db.models.expressions.CombinedExpression(
                                    models.F("credited_minor"), "+", models.F("balance_applied_minor")
                                ),
                                "+",
                                models.F("paid_minor"),
                            ),
                        ),
                        ("written_off_minor", 0),
                    ),
                    models.Q(
                        ("status", "UNCOLLECTIBLE"),
                        (
                            "total_minor",
                            django.db.models.expressions.CombinedExpression(
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.expressions.CombinedExpression(
                                        models.F("credited_minor"), "+", models.F("balance_applied_minor")
                                    ),
                                    "+",
                                    models.F("paid_minor"),
                                ),
                                "+",
                                models.F("written_off_minor"),
                            ),
                        ),
                        ("written_off_minor__gt", 0),
                    ),
                    _connector="OR",
                ),
                name="invoice_status_matches_amounts",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "total_minor__gte",
                        django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(
                                django.db.models.expressions.CombinedExpression(
                                    models.F("credited_minor"), "+", models.F("credited_to_balance_minor")
                                ),
                                "+",
                                models.F("credited_to_refund_minor"),
                            ),
                            "+",
                            models.F("refunding_minor"),
                        ),
                    )
                ),
                name="invoice_not_credited_past_its_total",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "paid_minor__gte",
                        django.db.models.expressions.CombinedExpression(
                            models.F("refunded_minor"), "+", models.F("refunding_minor")
                        ),
                    )
                ),
                name="invoice_not_refunded_past_what_was_paid",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(("due_on__gte", models.F("issued_on"))), name="invoice_due_once_issued"
            ),
        ),
        migrations.AddIndex(
            model_name="creditnote",
            index=models.Index(fields=["account", "-id"], name="credit_note_by_account"),
        ),
        migrations.AddIndex(
            model_name="creditnote",
            index=models.Index(
                condition=models.Q(("proration_id__isnull", False)),
                fields=["proration_id"],
                name="credit_note_by_proration",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditnote",
            constraint=models.UniqueConstraint(fields=("number",), name="credit_note_number_once"),
        ),
        migrations.AddConstraint(
            model_name="creditnote",
            constraint=models.UniqueConstraint(fields=("refund_id",), name="credit_note_of_a_refund_once"),
        ),
        migrations.AddConstraint(
            model_name="creditnote",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("from_outstanding_minor__gte", 0),
                    ("from_written_off_minor__gte", 0),
                    ("amount_minor__gt", 0),
                    ("to_balance_minor__gte", 0),
                    ("to_refund_minor__gte", 0),
                    (
                        "amount_minor",
                        django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(
                                django.db.models.expressions.CombinedExpression(
                                    models.F("from_outstanding_minor"), "+", models.F("from_written_off_minor")
                                ),
                                "+",
                                models.F("to_balance_minor"),
                            ),
                            "+",
                            models.F("to_refund_minor"),
                        ),
                    ),
                ),
                name="credit_note_is_the_sum_of_its_parts",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditnote",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("refund_id__isnull", True), ("to_refund_minor", 0)),
                    models.Q(("refund_id__isnull", False), ("to_refund_minor__gt", 0)),
                    _connector="OR",
                ),
                name="credit_note_names_its_refund",
            ),
        ),
        migrations.AddConstraint(
            model_name="balanceuse",
            constraint=models.CheckConstraint(condition=models.Q(("amount_minor__gt", 0)), name="balance_use_positive"),
        ),
        migrations.AddConstraint(
            model_name="creditnoteline",
            constraint=models.UniqueConstraint(fields=("credit_note", "line"), name="credit_note_line_once"),
        ),
        migrations.AddConstraint(
            model_name="creditnoteline",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_minor", 0), _negated=True), name="credit_note_line_not_zero"
            ),
        ),
        migrations.AddConstraint(
            model_name="creditnoteline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("tax_minor__gte", 0), ("tax_minor__lte", models.F("amount_minor"))),
                    models.Q(("tax_minor__gte", models.F("amount_minor")), ("tax_minor__lte", 0)),
                    _connector="OR",
                ),
                name="credit_note_line_has_its_tax",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditnoteline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("named_minor__gte", 0), ("named_minor__lte", models.F("amount_minor"))),
                    models.Q(("named_minor__gte", models.F("amount_minor")), ("named_minor__lte", 0)),
                    _connector="OR",
                ),
                name="credit_note_line_has_what_was_named",
            ),
        ),
        migrations.AddIndex(
            model_name="item",
            index=models.Index(fields=["account", "-id"], name="item_by_account"),
        ),
        migrations.AddIndex(
            model_name="item",
            index=models.Index(
                condition=models.Q(
                    ("removed_at__isnull", True), models.Q(("invoiced_minor", models.F("amount_minor")), _negated=True)
                ),
                fields=["account", "id"],
                name="item_pending",
            ),
        ),
        migrations.AddIndex(
            model_name="item",
            index=models.Index(
                condition=models.Q(("rebilling_id__isnull", False)), fields=["rebilling_id"], name="item_by_rebilling"
            ),
        ),
        migrations.AddIndex(
            model_name="item",
            index=models.Index(
                condition=models.Q(("proration_id__isnull", False)), fields=["proration_id"], name="item_by_proration"
            ),
        ),
        migrations.AddConstraint(
            model_name="item",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        (
                            "amount_minor",
                            django.db.models.expressions.CombinedExpression(
                                models.F("quantity"), "*", models.F("unit_amount_minor")
                            ),
                        ),
                        ("discount_minor", 0),
                    ),
                    ("proration_id__isnull", False),
                    _connector="OR",
                ),
                name="item_costs_what_its_units_do",
            ),
        ),
        migrations.AddConstraint(
            model_name="item",
            constraint=models.CheckConstraint(
                condition=models.Q(("discount_minor__gte", 0), ("quantity__gte", 1)), name="item_units_not_negative"
            ),
        ),
        migrations.AddConstraint(
            model_name="item",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("prorated_id__isnull", True),
                        ("proration_id__isnull", True),
                        ("period_end__isnull", True),
                        ("period_start__isnull", True),
                    ),
                    models.Q(
                        ("period_end__gt", models.F("period_start")),
                        ("prorated_id__isnull", False),
                        ("proration_id__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="item_of_a_change_names_its_period",
            ),
        ),
        migrations.AddConstraint(
            model_name="item",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("amount_minor__gt", 0), ("invoiced_minor__in", [0, models.F("amount_minor")])),
                    models.Q(
                        ("amount_minor__lt", 0),
                        ("invoiced_minor__gte", models.F("amount_minor")),
                        ("invoiced_minor__lte", 0),
                    ),
                    _connector="OR",
                ),
                name="item_invoiced_up_to_its_amount",
            ),
        ),
        migrations.AddConstraint(
            model_name="item",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("removal_reason", ""), ("removed_at__isnull", True), ("removed_by", "")),
                    models.Q(
                        ("removed_at__isnull", False),
                        models.Q(("removed_by", ""), _negated=True),
                        models.Q(("removal_reason", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="item_removed_for_a_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="item",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("rebilling_id__isnull", True),
                    models.Q(
                        ("removed_at__isnull", True),
                        models.Q(("invoiced_minor", models.F("amount_minor")), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="item_pending_of_a_period",
            ),
        ),
        migrations.AddIndex(
            model_name="invoiceline",
            index=models.Index(
                condition=models.Q(("rebilling_id__isnull", False)), fields=["rebilling_id"], name="line_by_rebilling"
            ),
        ),
        migrations.AddIndex(
            model_name="invoiceline",
            index=models.Index(condition=models.Q(("item__isnull", False)), fields=["item"], name="line_by_item"),
        ),
        migrations.AddConstraint(
            model_name="invoiceline",
            constraint=models.UniqueConstraint(fields=("invoice", "position"), name="invoice_line_position_once"),
        ),
        migrations.AddConstraint(
            model_name="invoiceline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("amount_minor__gte", 0), ("discount_minor__gte", 0), ("tax_minor__gte", 0)),
                    models.Q(
                        ("amount_minor__lt", 0),
                        ("discount_minor", 0),
                        ("kind__in", ["proration", "item"]),
                        ("tax_minor__lte", 0),
                    ),
                    _connector="OR",
                ),
                name="invoice_line_not_negative",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoiceline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("credited_minor__gte", 0), ("credited_minor__lte", models.F("total_minor"))),
                    models.Q(("credited_minor__gte", models.F("total_minor")), ("credited_minor__lte", 0)),
                    _connector="OR",
                ),
                name="invoice_line_not_credited_past_it",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoiceline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("tax_minor__lte", models.F("amount_minor")), ("total_minor", models.F("amount_minor"))),
                    models.Q(
                        ("amount_minor__lt", 0),
                        ("tax_minor__gte", models.F("amount_minor")),
                        ("total_minor", models.F("amount_minor")),
                    ),
                    (
                        "total_minor",
                        django.db.models.expressions.CombinedExpression(
                            models.F("amount_minor"), "+", models.F("tax_minor")
                        ),
                    ),
                    _connector="OR",
                ),
                name="invoice_line_total_has_its_tax",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoiceline",
            constraint=models.CheckConstraint(
                condition=models.Q(("tax_minor", 0), ("tax_rate__isnull", False), _connector="OR"),
                name="invoice_line_taxed_at_a_rate",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoiceline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("kind__in", ["period", "proration"]),
                        ("period_end__isnull", False),
                        ("period_start__isnull", False),
                        ("period_end__gt", models.F("period_start")),
                        ("rebilling_id__isnull", False),
                    ),
                    models.Q(("kind__in", ["period", "proration"]), _negated=True),
                    _connector="OR",
                ),
                name="invoice_line_of_a_period_names_it",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoiceline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("item__isnull", False), ("kind", "item")),
                    models.Q(("item__isnull", True), ("kind", "period")),
                    ("kind", "proration"),
                    _connector="OR",
                ),
                name="invoice_line_of_an_item_names_it",
            ),
        ),
    ]
