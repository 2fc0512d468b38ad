"""What staff do about payments that were declined, or need a person."""

from typing import Any

from django.db import migrations

OPERATORS = "Billing operators"
ACTIONS = [
    ("retry_payment", "Can try a declined payment's charge again"),
    ("resolve_payment", "Can settle a payment that needs a person"),
]


def grant(apps: Any, schema_editor: Any) -> None:
    """Django makes permissions after the last migration has run, and takes those that are there already as its own."""
    database = schema_editor.connection.alias
    user, _ = (
        apps.get_model("contenttypes", "ContentType")
        .objects.using(database)
        .get_or_create(app_label="backoffice", model="user")
    )
    permissions = apps.get_model("auth", "Permission").objects.using(database)
    granted = [
        permissions.get_or_create(content_type=user, codename=codename, defaults={"name": name})[0]
        for codename, name in ACTIONS
    ]
    # Renamed or removed by its superusers, the group is theirs.
    for group in apps.get_model("auth", "Group").objects.using(database).filter(name=OPERATORS):
        group.permissions.add(*granted)


def withdraw(apps: Any, schema_editor: Any) -> None:
    permissions = apps.get_model("auth", "Permission").objects.using(schema_editor.connection.alias)
    permissions.filter(
        content_type__app_label="backoffice", codename__in=[codename for codename, _ in ACTIONS]
    ).delete()


class Migration(migrations.Migration):
    dependencies = [("backoffice", "0005_payments_and_write_offs_by_staff")]
    operations = [
        migrations.AlterModelOptions(
            name="user",
            options={
                "permissions": [
                    ("close_account", "Can close an account"),
                    ("reopen_account", "Can reopen an account"),
                    ("grant_credit", "Can grant an account credit"),
                    ("receive_payment", "Can record a payment received outside the gateway"),
                    ("write_off", "Can write off unpaid charges"),
                    ("retry_payment", "Can try a declined payment's charge again"),
                    ("resolve_payment", "Can settle a payment that needs a person"),
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
        migrations.RunPython(grant, withdraw),
    ]
