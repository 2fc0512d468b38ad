from django.db import migrations

from accounts.sql_files import sql_files


class Migration(migrations.Migration):
    dependencies = [("rebilling", "0001_runs_and_rebillings"), ("payments", "0002_rules")]
    operations = [sql_files(__file__)]
