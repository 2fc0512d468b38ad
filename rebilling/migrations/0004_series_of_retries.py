from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("rebilling", "0003_brake")]
    operations = [
        migrations.AddField(model_name="rebilling", name="declined_on", field=models.DateField(null=True)),
        # What was left unpaid before there were retries is tried by the next sweep.
        migrations.RunSQL(
            "UPDATE rebilling_rebilling SET retry_on = period_start WHERE status = 'UNPAID' AND retry_on IS NULL",
            migrations.RunSQL.noop,
        ),
    ]
