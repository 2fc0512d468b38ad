import django.contrib.postgres.fields
from django.db import migrations, models

import accounts.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="RequestCount",
            fields=[
                ("subject", models.CharField(max_length=100, primary_key=True, serialize=False)),
                ("window_start", models.DateTimeField()),
                ("requests", models.PositiveIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="ApiKey",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.ids.new_id, editable=False, primary_key=True, serialize=False),
                ),
                ("client_id", models.UUIDField(default=accounts.ids.new_id, editable=False)),
                ("name", models.CharField(max_length=100)),
                ("prefix", models.CharField(max_length=12)),
                ("key_hash", models.BinaryField(max_length=32)),
                (
                    "scopes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("accounts:read", "Accounts Read"),
                                ("accounts:write", "Accounts Write"),
                                ("ledger:read", "Ledger Read"),
                                ("ledger:write", "Ledger Write"),
                                ("runs:read", "Runs Read"),
                            ],
                            max_length=20,
                        ),
                        size=None,
                    ),
                ),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("key_hash",), name="api_key_hash_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "scopes__contained_by",
                                ["accounts:read", "accounts:write", "ledger:read", "ledger:write", "runs:read"],
                            )
                        ),
                        name="api_key_scopes_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="IdempotentAnswer",
            fields=[
                (
                    "id",
                    models.UUIDField(default=accounts.ids.new_id, editable=False, primary_key=True, serialize=False),
                ),
                ("client_id", models.UUIDField()),
                ("method", models.CharField(max_length=6)),
                ("path", models.CharField(max_length=500)),
                ("idempotency_key", models.CharField(max_length=255)),
                ("body_hash", models.BinaryField(max_length=32)),
                ("status_code", models.PositiveSmallIntegerField()),
                ("content_type", models.CharField(max_length=100)),
                ("content", models.BinaryField()),
                ("location", models.CharField(blank=True, default="", max_length=500)),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "indexes": [models.Index(fields=["created_at"], name="idempotent_answer_by_age")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("client_id", "method", "path", "idempotency_key"), name="idempotent_answer_once"
                    )
                ],
            },
        ),
    ]
