from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("backoffice", "0001_staff")]
    operations = [
        migrations.AlterModelOptions(
            name="user",
            options={
                "permissions": [
                    ("close_account", "Can close an account"),
                    ("reopen_account", "Can reopen an account"),
                    ("grant_credit", "Can grant an account credit"),
                    ("reverse_entry", "Can reverse a ledger entry"),
                    ("release_parked", "Can let a parked period be charged"),
                    ("skip_parked", "Can skip a parked period"),
                ],
                "verbose_name": "user",
                "verbose_name_plural": "users",
            },
        ),
    ]
