from django.db import migrations

import accounts.metadata


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_grants")]

    operations = [
        migrations.AlterField(
            model_name="account",
            name="metadata",
            field=accounts.metadata.MetadataField(blank=True, default=dict),
        ),
    ]
