from django.db import migrations

from accounts.sql_files import sql_files


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_entries"), ("accounts", "0002_grants")]
    operations = [sql_files(__file__)]
