from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("rebilling", "0004_series_of_retries")]

    operations = [
        migrations.AddField(
            model_name="rebilling",
            name="quantity",
            field=models.PositiveIntegerField(default=1),
            preserve_default=False,
        ),
    ]
