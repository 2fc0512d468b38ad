from django.db import migrations, models

SKIPPED_BEFORE = ["account_inactive", "skipped_by_person"]
PARKED = ["too_many_periods", "not_the_next_period", "earlier_period_parked", "charge_refused"]


class Migration(migrations.Migration):
    dependencies = [("rebilling", "0002_grants")]
    operations = [
        migrations.AddField(model_name="run", name="passed_at", field=models.DateTimeField(null=True)),
        migrations.AddField(
            model_name="run", name="held_because", field=models.CharField(blank=True, default="", max_length=500)
        ),
        migrations.AddField(model_name="run", name="decided_at", field=models.DateTimeField(null=True)),
        migrations.AddField(
            model_name="run", name="decision", field=models.CharField(blank=True, default="", max_length=500)
        ),
        # Without a brake every run was let through. On the way down, a reason that isn't known there.
        migrations.RunSQL(
            "UPDATE rebilling_run SET passed_at = coalesce(swept_at, started_at) WHERE status IN ('OPEN', 'CERTIFIED')",
            "UPDATE rebilling_rebilling SET reason = 'skipped_by_person' WHERE reason = 'run_cancelled'",
        ),
        migrations.AddConstraint(
            model_name="run",
            constraint=models.CheckConstraint(
                condition=models.Q(status="OPEN")
                | models.Q(status__in=["HELD", "CANCELLED"], passed_at__isnull=True)
                | models.Q(status="CERTIFIED", passed_at__isnull=False),
                name="run_held_is_not_passed",
            ),
        ),
        migrations.RemoveConstraint(model_name="rebilling", name="rebilling_set_aside_with_a_reason"),
        migrations.AlterField(
            model_name="rebilling",
            name="reason",
            field=models.CharField(
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
        migrations.AddConstraint(
            model_name="rebilling",
            constraint=models.CheckConstraint(
                condition=models.Q(status="SKIPPED", reason__in=[*SKIPPED_BEFORE, "run_cancelled"])
                | models.Q(status="PARKED", reason__in=PARKED)
                | ~models.Q(status__in=["SKIPPED", "PARKED"]) & models.Q(reason=""),
                name="rebilling_set_aside_with_a_reason",
            ),
        ),
    ]
