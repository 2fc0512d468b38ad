"""Billing operators may release and cancel held runs."""

from typing import Any

from django.db import migrations

OPERATORS = "Billing operators"
ACTIONS = [
    ("release_run", "Can let a held run be charged"),
    ("cancel_run", "Can cancel a held run"),
]


def allow(apps: Any, schema_editor: Any) -> None:
    """Django makes permissions after the last migration has run, and takes those that are there already as its own."""
    database = schema_editor.connection.alias
    content_types = apps.get_model("contenttypes", "ContentType").objects.using(database)
    permissions = apps.get_model("auth", "Permission").objects.using(database)
    groups = apps.get_model("auth", "Group").objects.using(database)
    user, _ = content_types.get_or_create(app_label="backoffice", model="user")
    for codename, name in ACTIONS:
        found, _ = permissions.get_or_create(content_type=user, codename=codename, defaults={"name": name})
        groups.get_or_create(name=OPERATORS)[0].permissions.add(found)


def forbid(apps: Any, schema_editor: Any) -> None:
    database = schema_editor.connection.alias
    permissions = apps.get_model("auth", "Permission").objects.using(database)
    # Their groups' and people's hold on them goes with them.
    permissions.filter(
        content_type__app_label="backoffice", codename__in=[codename for codename, _ in ACTIONS]
    ).delete()


class Migration(migrations.Migration):
    dependencies = [("backoffice", "0003_groups"), ("rebilling", "0003_brake")]
    operations = [
        migrations.AlterModelOptions(
            name="user",
            options={
                "permissions": [
                    ("close_account", "Can close an account"),
                    ("reopen_account", "Can reopen an account"),
                    ("grant_credit", "Can grant an account credit"),
                    ("reverse_entry", "Can reverse a ledger entry"),
                    ("release_parked", "Can let a parked period be charged"),
                    ("skip_parked", "Can skip a parked period"),
                    ("release_run", "Can let a held run be charged"),
                    ("cancel_run", "Can cancel a held run"),
                ],
                "verbose_name": "user",
                "verbose_name_plural": "users",
            },
        ),
        migrations.RunPython(allow, forbid),
    ]
