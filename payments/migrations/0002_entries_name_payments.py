from django.db import migrations

from accounts.sql_files import sql_files


class Migration(migrations.Migration):
    dependencies = [("payments", "0001_payments_and_refunds"), ("ledger", "0002_append_only")]
    operations = [sql_files(__file__)]
