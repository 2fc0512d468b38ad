"""The two groups of the staff, so that `migrate` alone builds them."""

from typing import Any

from django.db import migrations

SUPPORT = "Support"
OPERATORS = "Billing operators"

VIEWED = [
    ("accounts", "plan"),
    ("accounts", "taxrate"),
    ("accounts", "account"),
    ("accounts", "terms"),
    ("accounts", "accountchange"),
    ("ledger", "entry"),
    ("invoices", "invoice"),
    ("invoices", "invoiceline"),
    ("invoices", "creditnote"),
    ("payments", "payment"),
    ("payments", "refund"),
    ("rebilling", "run"),
    ("rebilling", "rebilling"),
    ("api", "apikey"),
]
ACTIONS = [
    ("open_account", "Can open an account"),
    ("update_account", "Can change an account's data, and its trial's end"),
    ("change_account_terms", "Can change an account's terms, and withdraw them"),
    ("close_account", "Can close an account, and bill its debt"),
    ("reopen_account", "Can reopen an account"),
    ("pause_account", "Can pause and resume an account"),
    ("give_discount", "Can give an account a discount, and end it"),
    ("bill_item", "Can add items to an account, and remove them"),
    ("grant_credit", "Can grant an account credit"),
    ("record_offline_payment", "Can record an offline payment"),
    ("credit_invoice", "Can issue a credit note"),
    ("write_off", "Can write off an invoice"),
    ("pay_invoice", "Can collect an invoice now"),
    ("resolve_payment", "Can look up a payment, and record its outcome"),
    ("refund_payment", "Can refund a payment"),
    ("resolve_refund", "Can look up a refund, and record its outcome"),
    ("record_reversed_money", "Can record money taken back, and refunds returned"),
    ("reverse_entry", "Can reverse a credit or a write-off"),
    ("release_parked", "Can charge a parked period"),
    ("skip_parked", "Can skip a parked period"),
    ("release_run", "Can release a held run"),
    ("cancel_run", "Can cancel a held run, or a run's parked periods"),
]


def make_groups(apps: Any, schema_editor: Any) -> None:
    """Create the groups and their permissions. Django creates permissions only after the last migration."""
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
        ("backoffice", "0001_staff"),
        ("accounts", "0001_plans_accounts_and_terms"),
        ("invoices", "0001_invoices_and_credit_notes"),
        ("ledger", "0001_entries"),
        ("payments", "0001_payments_and_refunds"),
        ("rebilling", "0001_runs_and_rebillings"),
        ("api", "0001_keys_and_answers"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [migrations.RunPython(make_groups, remove_groups)]
