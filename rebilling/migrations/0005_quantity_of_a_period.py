from django.db import migrations, models

# What a period of before cost says how many units it was for, where its account's unit price divides it.
_QUANTITIES = """
    UPDATE rebilling_rebilling AS row SET quantity = row.amount_minor / account.unit_amount_minor
    FROM accounts_account AS account
    WHERE account.id = row.account_id AND account.unit_amount_minor > 0
        AND row.amount_minor >= account.unit_amount_minor AND row.amount_minor % account.unit_amount_minor = 0
"""


class Migration(migrations.Migration):
    dependencies = [("rebilling", "0004_series_of_retries")]

    operations = [
        migrations.AddField(
            model_name="rebilling",
            name="quantity",
            field=models.PositiveIntegerField(default=1),
            preserve_default=False,
        ),
        migrations.RunSQL(_QUANTITIES, migrations.RunSQL.noop),
    ]
