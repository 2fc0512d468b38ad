"""The two groups of the staff, so that `migrate` alone builds them."""

from typing import Any

from django.db import migrations

SUPPORT = "Support"
OPERATORS = "Billing operators"

VIEWED = [
    ("accounts", "plan"),
    ("accounts", "account"),
    ("accounts", "statuschange"),
    ("ledger", "entry"),
    ("payments", "payment"),
    ("payments", "refund"),
    ("rebilling", "run"),
    ("rebilling", "rebilling"),
    ("api", "apikey"),
]
ACTIONS = [
    ("close_account", "Can close an account"),
    ("reopen_account", "Can reopen an account"),
    ("grant_credit", "Can grant an account credit"),
    ("reverse_entry", "Can reverse a ledger entry"),
    ("release_parked", "Can let a parked period be charged"),
    ("skip_parked", "Can skip a parked period"),
]


def make_groups(apps: Any, schema_editor: Any) -> None:
    """Django makes permissions after the last migration has run, and takes those that are there already as its own."""
    database = schema_editor.connection.alias
    content_types = apps.get_model("contenttypes", "ContentType").objects.using(database)
    permissions = apps.get_model("auth", "Permission").objects.using(database)
    groups = apps.get_model("auth", "Group").objects.using(database)

    def permission(app: str, model: str, codename: str, name: str) -> Any:
        content_type, _ = content_types.get_or_create(app_label=app, model=model)
        found, _ = permissions.get_or_create(content_type=content_type, codename=codename, defaults={"name": name})
        return found

    views = [
        permission(app, model, f"view_{model}", f"Can view {apps.get_model(app, model)._meta.verbose_name}")
        for app, model in VIEWED
    ]
    actions = [permission("backoffice", "user", codename, name) for codename, name in ACTIONS]
    groups.get_or_create(name=SUPPORT)[0].permissions.add(*views)
    groups.get_or_create(name=OPERATORS)[0].permissions.add(*views, *actions)


def remove_groups(apps: Any, schema_editor: Any) -> None:
    groups = apps.get_model("auth", "Group").objects.using(schema_editor.connection.alias)
    groups.filter(name__in=[SUPPORT, OPERATORS]).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("backoffice", "0002_actions_of_staff"),
        ("accounts", "0001_plans_and_accounts"),
        ("ledger", "0001_entries"),
        ("payments", "0001_payments_and_refunds"),
        ("rebilling", "0001_runs_and_rebillings"),
        ("api", "0001_keys_and_answers"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [migrations.RunPython(make_groups, remove_groups)]
