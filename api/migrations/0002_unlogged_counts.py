from django.db import migrations

from accounts.sql_files import sql_files


class Migration(migrations.Migration):
    dependencies = [("api", "0001_keys_and_answers")]
    operations = [sql_files(__file__)]
