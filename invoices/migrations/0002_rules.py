from django.db import migrations

from accounts.sql_files import sql_files


class Migration(migrations.Migration):
    dependencies = [
        ("invoices", "0001_invoices_and_credit_notes"),
        ("ledger", "0002_append_only"),
        ("accounts", "0003_states"),
    ]
    operations = [sql_files(__file__)]
