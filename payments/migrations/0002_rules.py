from django.db import migrations

from accounts.sql_files import sql_files


class Migration(migrations.Migration):
    dependencies = [("payments", "0001_payments_and_refunds"), ("invoices", "0002_rules")]
    operations = [sql_files(__file__)]
