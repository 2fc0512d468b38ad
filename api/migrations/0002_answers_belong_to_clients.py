from django.db import migrations, models

import accounts.ids

# A key that there is has been a client of its own.
_CLIENTS_OF_KEYS = "UPDATE api_apikey SET client_id = id"
_CLIENTS_OF_ANSWERS = "UPDATE api_idempotentanswer SET client_id = api_key_id"
# Back again, answers can't be told to be any key's; without them, a request is done as if it were new.
_FORGET = "DELETE FROM api_idempotentanswer"


class Migration(migrations.Migration):
    dependencies = [("api", "0001_keys_and_answers")]

    operations = [
        migrations.AddField("apikey", "client_id", models.UUIDField(null=True)),
        migrations.RunSQL(_CLIENTS_OF_KEYS, migrations.RunSQL.noop),
        migrations.AlterField("apikey", "client_id", models.UUIDField(default=accounts.ids.new_id, editable=False)),
        migrations.AddField("idempotentanswer", "client_id", models.UUIDField(null=True)),
        migrations.RunSQL(_CLIENTS_OF_ANSWERS, _FORGET),
        migrations.AlterField("idempotentanswer", "client_id", models.UUIDField()),
        migrations.RemoveConstraint("idempotentanswer", "idempotent_answer_once"),
        migrations.RemoveField("idempotentanswer", "api_key"),
        migrations.AddConstraint(
            "idempotentanswer",
            models.UniqueConstraint(
                fields=["client_id", "method", "path", "idempotency_key"], name="idempotent_answer_once"
            ),
        ),
        migrations.AddField("idempotentanswer", "location", models.CharField(blank=True, default="", max_length=500)),
    ]
