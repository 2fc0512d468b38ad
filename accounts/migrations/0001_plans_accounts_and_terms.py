import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.comparison
import django.db.models.functions.text
import django.db.models.lookups
from django.db import migrations, models

import accounts.ids
import accounts.metadata


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Account",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.ids.new_id, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("PENDING", "Pending"),
                            ("ACTIVE", "Active"),
                            ("PAST_DUE", "Past Due"),
                            ("INACTIVE", "Inactive"),
                        ],
                        max_length=8,
                    ),
                ),
                (
                    "inactive_reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("closed", "Closed"),
                            ("paused", "Paused"),
                            ("unpaid", "Unpaid"),
                            ("imported", "Imported"),
                        ],
                        default="",
                        max_length=8,
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                ("email", models.EmailField(max_length=254)),
                ("address_line1", models.CharField(blank=True, default="", max_length=200)),
                ("address_line2", models.CharField(blank=True, default="", max_length=200)),
                ("postal_code", models.CharField(blank=True, default="", max_length=20)),
                ("city", models.CharField(blank=True, default="", max_length=100)),
                ("region", models.CharField(blank=True, default="", max_length=100)),
                ("country", models.CharField(blank=True, default="", max_length=2)),
                ("tax_id", models.CharField(blank=True, default="", max_length=50)),
                ("language", models.CharField(blank=True, default="", max_length=15)),
                ("currency", models.CharField(max_length=3)),
                ("anchor_date", models.DateField()),
                ("rebilling_date", models.DateField()),
                ("first_rebilling_date", models.DateField()),
                ("billing_since", models.DateTimeField()),
                ("opened_on", models.DateField()),
                ("trial_ends_on", models.DateField(blank=True, null=True)),
                ("closes_on", models.DateField(blank=True, null=True)),
                ("pauses_on", models.DateField(blank=True, null=True)),
                ("resumes_on", models.DateField(blank=True, null=True)),
                ("external_reference", models.CharField(blank=True, max_length=200, null=True)),
                (
                    "collection_method",
                    models.CharField(
                        choices=[("automatic", "Automatic"), ("send_invoice", "Send Invoice")],
                        default="automatic",
                        max_length=12,
                    ),
                ),
                ("net_days", models.PositiveSmallIntegerField(default=30)),
                ("payment_customer", models.CharField(blank=True, default="", max_length=200)),
                ("payment_method", models.CharField(blank=True, default="", max_length=200)),
                ("payment_method_unusable", models.BooleanField(default=False)),
                (
                    "on_decline",
                    models.CharField(choices=[("dun", "Dun"), ("close", "Close")], default="dun", max_length=5),
                ),
                ("credit_balance_minor", models.BigIntegerField(default=0)),
                ("number_prefix", models.CharField(max_length=12)),
                ("invoices_issued", models.PositiveIntegerField(default=0)),
                ("credit_notes_issued", models.PositiveIntegerField(default=0)),
                ("dunning_steps", models.PositiveSmallIntegerField(default=0)),
                ("dunning_on", models.DateField(blank=True, null=True)),
                ("metadata", accounts.metadata.MetadataField(blank=True, default=dict)),
                ("created_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Discount",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.ids.new_id, editable=False, primary_key=True, serialize=False),
                ),
                ("percent", models.DecimalField(decimal_places=3, max_digits=6, null=True)),
                ("amount_minor", models.BigIntegerField(null=True)),
                ("periods", models.PositiveSmallIntegerField(null=True)),
                ("starts_on", models.DateField()),
                ("until", models.DateField(null=True)),
                ("reason", models.CharField(max_length=500)),
                ("author", models.CharField(max_length=200)),
                ("created_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="discounts", to="accounts.account"
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="account",
            name="discount",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="accounts.discount",
            ),
        ),
        migrations.CreateModel(
            name="Plan",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.ids.new_id, editable=False, primary_key=True, serialize=False),
                ),
                ("code", models.CharField(max_length=64)),
                ("name", models.CharField(max_length=200)),
                ("currency", models.CharField(max_length=3)),
                ("unit_amount_minor", models.BigIntegerField()),
                ("interval_count", models.PositiveSmallIntegerField()),
                (
                    "interval_unit",
                    models.CharField(
                        choices=[("day", "Day"), ("week", "Week"), ("month", "Month"), ("year", "Year")], max_length=5
                    ),
                ),
                ("trial_days", models.PositiveSmallIntegerField(default=0)),
                ("retired", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("code",), name="plan_code_once"),
                    models.CheckConstraint(
                        condition=models.Q(("code__regex", "^[a-z0-9][a-z0-9_-]*$")), name="plan_code_is_a_slug"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("currency__regex", "^[A-Z]{3}$")), name="plan_currency_is_iso"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("unit_amount_minor__gte", 0)), name="plan_amount_not_negative"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("interval_count__gte", 1), ("interval_count__lte", 366)),
                        name="plan_interval_bounded",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("interval_unit__in", ["day", "week", "month", "year"])),
                        name="plan_interval_unit_known",
                    ),
                    models.CheckConstraint(condition=models.Q(("trial_days__lte", 730)), name="plan_trial_bounded"),
                ],
            },
        ),
        migrations.CreateModel(
            name="TaxRate",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.ids.new_id, editable=False, primary_key=True, serialize=False),
                ),
                ("name", models.CharField(max_length=100)),
                ("percent", models.DecimalField(decimal_places=3, max_digits=6)),
                ("inclusive", models.BooleanField(default=False)),
                ("exemption_reason", models.CharField(blank=True, default="", max_length=200)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("name", "percent", "inclusive", "exemption_reason"), name="tax_rate_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("percent__gte", 0), ("percent__lte", 100)), name="tax_rate_bounded"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("exemption_reason", ""), ("percent__gt", 0)),
                            models.Q(("percent", 0), models.Q(("exemption_reason", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="tax_rate_of_zero_says_why",
                    ),
                ],
            },
        ),
        migrations.AddField(
            model_name="account",
            name="tax_rate",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="accounts",
                to="accounts.taxrate",
            ),
        ),
        migrations.CreateModel(
            name="Terms",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.ids.new_id, editable=False, primary_key=True, serialize=False),
                ),
                ("effective_from", models.DateField()),
                ("quantity", models.PositiveIntegerField()),
                ("unit_amount_minor", models.BigIntegerField()),
                ("anchor_date", models.DateField()),
                ("reason", models.CharField(max_length=500)),
                ("author", models.CharField(max_length=200)),
                ("created_at", models.DateTimeField()),
                ("withdrawn_at", models.DateTimeField(null=True)),
                ("cuts_period", models.BooleanField(default=False)),
                ("cut_at", models.DateTimeField(null=True)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="terms", to="accounts.account"
                    ),
                ),
                (
                    "plan",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="terms", to="accounts.plan"
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "terms",
            },
        ),
        migrations.CreateModel(
            name="AccountChange",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.ids.new_id, editable=False, primary_key=True, serialize=False),
                ),
                ("reason", models.CharField(max_length=500)),
                ("author", models.CharField(max_length=200)),
                ("changed_at", models.DateTimeField()),
                ("before", models.JSONField()),
                ("after", models.JSONField()),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="changes",
                        to="accounts.account",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "history",
                "indexes": [models.Index(fields=["account", "-id"], name="account_change_by_account")],
            },
        ),
        migrations.AddConstraint(
            model_name="discount",
            constraint=models.UniqueConstraint(fields=("id", "account"), name="discount_of_its_account"),
        ),
        migrations.AddConstraint(
            model_name="discount",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("amount_minor__isnull", True),
                        ("percent__gt", 0),
                        ("percent__isnull", False),
                        ("percent__lte", 100),
                    ),
                    models.Q(("amount_minor__gt", 0), ("amount_minor__isnull", False), ("percent__isnull", True)),
                    _connector="OR",
                ),
                name="discount_percent_or_amount",
            ),
        ),
        migrations.AddConstraint(
            model_name="discount",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("periods__isnull", True),
                    models.Q(("periods__gte", 1), ("periods__lte", 366), ("until__isnull", True)),
                    _connector="OR",
                ),
                name="discount_periods_or_until",
            ),
        ),
        migrations.AddConstraint(
            model_name="discount",
            constraint=models.CheckConstraint(
                condition=models.Q(("until__isnull", True), ("until__gt", models.F("starts_on")), _connector="OR"),
                name="discount_ends_after_its_start",
            ),
        ),
        migrations.AddIndex(
            model_name="account",
            index=models.Index(
                condition=models.Q(("status", "INACTIVE"), _negated=True),
                fields=["rebilling_date", "id"],
                name="account_due",
            ),
        ),
        migrations.AddIndex(
            model_name="account",
            index=models.Index(
                condition=models.Q(("dunning_on__isnull", False)), fields=["dunning_on", "id"], name="account_dunning"
            ),
        ),
        migrations.AddIndex(
            model_name="account",
            index=models.Index(
                condition=models.Q(
                    ("closes_on__isnull", False),
                    ("pauses_on__isnull", False),
                    ("resumes_on__isnull", False),
                    _connector="OR",
                ),
                fields=["id"],
                name="account_pending",
            ),
        ),
        migrations.AddIndex(
            model_name="account",
            index=models.Index(
                condition=models.Q(("external_reference__isnull", False)),
                fields=["external_reference", "id"],
                name="account_by_reference",
            ),
        ),
        migrations.AddIndex(
            model_name="account",
            index=models.Index(fields=["status", "id"], name="account_by_status"),
        ),
        migrations.AddIndex(
            model_name="account",
            index=models.Index(django.db.models.functions.text.Lower("email"), models.F("id"), name="account_by_email"),
        ),
        migrations.AddConstraint(
            model_name="account",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("external_reference__isnull", False),
                    models.Q(("inactive_reason", "closed"), ("status", "INACTIVE"), _negated=True),
                ),
                fields=("external_reference",),
                name="account_external_reference_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="account",
            constraint=models.UniqueConstraint(fields=("number_prefix",), name="account_number_prefix_once"),
        ),
        migrations.AddConstraint(
            model_name="account",
            constraint=models.UniqueConstraint(fields=("id", "currency"), name="account_currency"),
        ),
        migrations.AddConstraint(
            model_name="account",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("inactive_reason", ""), ("status__in", ["PENDING", "ACTIVE", "PAST_DUE"])),
                    models.Q(
                        ("inactive_reason__in", ["closed", "paused", "unpaid", "imported"]), ("status", "INACTIVE")
                    ),
                    _connector="OR",
                ),
                name="account_status_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="account",
            constraint=models.CheckConstraint(
                condition=models.Q(("collection_method__in", ["automatic", "send_invoice"])),
                name="account_collection_method_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="account",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("on_decline", "dun"),
                    models.Q(("on_decline", "close"), ("status__in", ["PENDING", "INACTIVE"])),
                    _connector="OR",
                ),
                name="account_closes_on_decline_until_paid",
            ),
        ),
        migrations.AddConstraint(
            model_name="account",
            constraint=models.CheckConstraint(
                condition=models.Q(("net_days__lte", 365)), name="account_net_days_bounded"
            ),
        ),
        migrations.AddConstraint(
            model_name="account",
            constraint=models.CheckConstraint(
                condition=models.Q(("country__regex", "^([A-Z]{2})?$")), name="account_country_is_a_code"
            ),
        ),
        migrations.AddConstraint(
            model_name="account",
            constraint=models.CheckConstraint(
                condition=models.Q(("first_rebilling_date__gte", models.F("anchor_date"))),
                name="account_billed_from_its_anchor",
            ),
        ),
        migrations.AddConstraint(
            model_name="account",
            constraint=models.CheckConstraint(
                condition=models.Q(("rebilling_date__gte", models.F("first_rebilling_date"))),
                name="account_rebilling_date_not_before_first",
            ),
        ),
        migrations.AddConstraint(
            model_name="account",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("closes_on__isnull", True), ("pauses_on__isnull", True), ("resumes_on__isnull", True)),
                    models.Q(("inactive_reason", "paused"), ("pauses_on__isnull", True)),
                    models.Q(
                        ("inactive_reason__in", ["", "unpaid"]),
                        models.Q(
                            ("resumes_on__isnull", True),
                            models.Q(("pauses_on__isnull", False), ("resumes_on__gt", models.F("pauses_on"))),
                            _connector="OR",
                        ),
                    ),
                    _connector="OR",
                ),
                name="account_pending_changes_fit",
            ),
        ),
        migrations.AddIndex(
            model_name="terms",
            index=models.Index(fields=["account", "-effective_from", "-id"], name="terms_by_account"),
        ),
        migrations.AddIndex(
            model_name="terms",
            index=models.Index(fields=["plan", "account"], name="terms_by_plan"),
        ),
        migrations.AddIndex(
            model_name="terms",
            index=models.Index(
                condition=models.Q(("cut_at__isnull", True), ("cuts_period", True), ("withdrawn_at__isnull", True)),
                fields=["effective_from"],
                name="terms_to_cut",
            ),
        ),
        migrations.AddConstraint(
            model_name="terms",
            constraint=models.CheckConstraint(condition=models.Q(("quantity__gte", 1)), name="terms_quantity_positive"),
        ),
        migrations.AddConstraint(
            model_name="terms",
            constraint=models.CheckConstraint(
                condition=models.Q(("unit_amount_minor__gte", 0)), name="terms_amount_not_negative"
            ),
        ),
        migrations.AddConstraint(
            model_name="terms",
            constraint=models.CheckConstraint(
                condition=django.db.models.lookups.LessThanOrEqual(
                    django.db.models.expressions.CombinedExpression(
                        django.db.models.functions.comparison.Cast(
                            "quantity", models.DecimalField(decimal_places=0, max_digits=40)
                        ),
                        "*",
                        django.db.models.functions.comparison.Cast(
                            "unit_amount_minor", models.DecimalField(decimal_places=0, max_digits=40)
                        ),
                    ),
                    django.db.models.functions.comparison.Cast(
                        models.Value(9223372036854775807), models.DecimalField(decimal_places=0, max_digits=40)
                    ),
                ),
                name="terms_price_fits_64_bits",
            ),
        ),
        migrations.AddConstraint(
            model_name="terms",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("cut_at__isnull", True), ("cuts_period", False)),
                    models.Q(
                        ("anchor_date", models.F("effective_from")),
                        ("cuts_period", True),
                        models.Q(("cut_at__isnull", True), ("withdrawn_at__isnull", True), _connector="OR"),
                    ),
                    _connector="OR",
                ),
                name="terms_cut_where_periods_begin",
            ),
        ),
    ]
