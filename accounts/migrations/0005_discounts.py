from django.db import migrations

from accounts.sql_files import sql_files


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_as_money")]
    operations = [sql_files(__file__)]
