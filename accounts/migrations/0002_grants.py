from django.db import migrations

from accounts.sql_files import sql_files


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_plans_accounts_and_terms")]
    operations = [sql_files(__file__)]
