"""Every app's migrations, undone to nothing and applied again: what they made is there as before."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import IntegrityError, connections
from django.db.migrations.loader import MigrationLoader
from django.db.models import CheckConstraint
from pytest_django import DjangoDbBlocker

from accounts.errors import violated_constraint
from tests.migrations.conftest import MakeDatabase
from tests.migrations.schema_snapshot import Snapshot, snapshot

ALIAS = "migrated"


@dataclass(frozen=True)
class Journey:
    """A database before its first migration, after all, after they were undone, and after all were applied again."""

    up: Snapshot
    down: Snapshot
    again: Snapshot


@pytest.fixture(scope="module")
def journey(make_database: MakeDatabase, django_db_blocker: DjangoDbBlocker) -> Iterator[Journey]:
    database = make_database("migrated")
    connections.databases[ALIAS] = connections.databases["owner"] | {"NAME": database}
    try:
        with django_db_blocker.unblock():
            call_command("migrate", database=ALIAS, verbosity=0)
            up = snapshot(ALIAS)
            for app in sorted(MigrationLoader(None).migrated_apps):
                call_command("migrate", app, "zero", database=ALIAS, verbosity=0)
            down = snapshot(ALIAS)
            call_command("migrate", database=ALIAS, verbosity=0)
            yield Journey(up=up, down=down, again=snapshot(ALIAS))
    finally:
        connections[ALIAS].close()
        del connections[ALIAS], connections.databases[ALIAS]


def constraints_of(found: Snapshot, table: str, kind: str) -> set[str]:
    """The names of a table's constraints of a kind, as its definition begins: CHECK, UNIQUE, FOREIGN KEY."""
    return {name for of, name, definition, _ in found["constraints"] if of == table and definition.startswith(kind)}


class TestMigrations:
    def test_undone_leave_nothing(self, journey: Journey) -> None:
        assert [table for table, _ in journey.down["tables"]] == ["django_migrations"]
        left = {name: rows for name, rows in journey.down.items() if name not in {"tables", "columns", "constraints"}}
        assert left.pop("indexes") == [
            (
                "django_migrations",
                "django_migrations_pkey",
                "CREATE UNIQUE INDEX django_migrations_pkey ON public.django_migrations USING btree (id)",
            )
        ]
        assert {name: rows for name, rows in left.items() if rows} == {}

    def test_applied_again_make_what_they_made_before(self, journey: Journey) -> None:
        for name, rows in journey.up.items():
            assert journey.again[name] == rows, name
        assert journey.again.keys() == journey.up.keys()

    def test_make_every_table_the_owners(self, journey: Journey) -> None:
        assert {owner for _, owner in journey.again["tables"]} == {connections["owner"].settings_dict["USER"]}


class TestTriggersAfterAll:
    def test_are_there_and_the_ledgers_always_on(self, journey: Journey) -> None:
        assert [trigger[:3] for trigger in journey.again["triggers"]] == [
            ("accounts_account", "accounts_account_moves", "O"),
            ("accounts_account", "accounts_account_starts", "O"),
            ("invoices_invoice", "invoices_invoice_moves", "O"),
            ("invoices_invoice", "invoices_invoice_starts", "O"),
            ("ledger_entry", "ledger_entry_mirrors", "A"),
            ("ledger_entry", "ledger_entry_no_change", "A"),
            ("ledger_entry", "ledger_entry_no_truncate", "A"),
            ("payments_payment", "payments_payment_moves", "O"),
            ("payments_payment", "payments_payment_starts", "O"),
            ("payments_paymentmethodsession", "payments_paymentmethodsession_moves", "O"),
            ("payments_paymentmethodsession", "payments_paymentmethodsession_starts", "O"),
            ("payments_refund", "payments_refund_fits", "O"),
            ("payments_refund", "payments_refund_moves", "O"),
            ("payments_refund", "payments_refund_starts", "O"),
            ("rebilling_rebilling", "rebilling_rebilling_ends_no_later", "O"),
            ("rebilling_rebilling", "rebilling_rebilling_moves", "O"),
            ("rebilling_rebilling", "rebilling_rebilling_overlaps_none", "O"),
            ("rebilling_rebilling", "rebilling_rebilling_starts", "O"),
            ("rebilling_run", "rebilling_run_moves", "O"),
            ("rebilling_run", "rebilling_run_starts", "O"),
            ("rebilling_run", "rebilling_run_stays_as_reconciled", "O"),
        ]

    def test_have_their_functions(self, journey: Journey) -> None:
        assert [name for name, *_ in journey.again["functions"]] == [
            "as_money",
            "ledger_entry_refuse_change",
            "ledger_entry_refuse_other_than_mirror",
            "payments_refund_refuse_excess",
            "rebilling_rebilling_refuse_longer",
            "rebilling_rebilling_refuse_overlap",
            "rebilling_run_refuse_change",
            "refuse_state",
        ]


class TestLedgerAfterAll:
    @pytest.mark.parametrize(
        "statement",
        ["UPDATE ledger_entry SET amount_minor = 1", "DELETE FROM ledger_entry", "TRUNCATE ledger_entry CASCADE"],
    )
    def test_refuses_its_owner(self, journey: Journey, statement: str) -> None:
        with pytest.raises(IntegrityError) as caught, connections[ALIAS].cursor() as cursor:
            cursor.execute(statement)
        assert violated_constraint(caught.value) == "ledger_entry_append_only"

    def test_has_its_checks(self, journey: Journey) -> None:
        assert constraints_of(journey.again, "ledger_entry", "CHECK") >= {
            "entry_amount_positive",
            "entry_books_match_type",
            "entry_names_its_invoice",
            "entry_names_its_line",
            "entry_names_its_payment",
            "entry_names_its_refund",
            "entry_period_has_both_ends",
        }

    def test_has_its_unique_keys(self, journey: Journey) -> None:
        assert constraints_of(journey.again, "ledger_entry", "UNIQUE") == {
            "entry_idempotency_key_once",
            "entry_of_a_payment_once",
            "entry_of_a_refund_once",
        }

    def test_has_its_foreign_keys(self, journey: Journey) -> None:
        assert {
            name for name in constraints_of(journey.again, "ledger_entry", "FOREIGN KEY") if name[:6] == "entry_"
        } == {
            "entry_as_its_payment",
            "entry_as_its_refund",
            "entry_in_its_accounts_currency",
            "entry_names_a_line",
            "entry_names_a_payment",
            "entry_names_a_refund",
            "entry_names_its_accounts_invoice",
        }

    def test_may_be_read_and_added_to_by_the_application(self, journey: Journey) -> None:
        application = connections["default"].settings_dict["USER"]
        granted = [grant[1:] for grant in journey.again["grants"] if grant[0] == "ledger_entry"]
        assert granted == [(application, "SELECT")]
        added = {grant[1] for grant in journey.again["column_grants"] if grant[0] == "ledger_entry"}
        assert {grant[3] for grant in journey.again["column_grants"] if grant[0] == "ledger_entry"} == {"INSERT"}
        assert (len(added), "created_at" in added) == (18, False)


class TestOtherTablesAfterAll:
    def test_charge_a_period_once(self, journey: Journey) -> None:
        indexes = {name: definition for _, name, definition in journey.again["indexes"]}
        assert indexes["rebilling_once"] == (
            "CREATE UNIQUE INDEX rebilling_once ON public.rebilling_rebilling USING btree (account_id, period_start)"
            " WHERE (NOT ((status)::text = ANY ((ARRAY['SKIPPED'::character varying, 'VOIDED'::character varying])::text[])))"
        )
        assert indexes["payment_one_in_flight_an_invoice"].startswith(
            "CREATE UNIQUE INDEX payment_one_in_flight_an_invoice ON public.payments_payment USING btree (invoice_id)"
        )

    @pytest.mark.parametrize("app", ["accounts", "ledger", "invoices", "payments", "rebilling"])
    def test_have_the_checks_of_their_models(self, journey: Journey, app: str) -> None:
        for model in apps.get_app_config(app).get_models():
            named = {each.name for each in model._meta.constraints if isinstance(each, CheckConstraint)}
            assert constraints_of(journey.again, model._meta.db_table, "CHECK") >= named

    def test_are_all_validated(self, journey: Journey) -> None:
        assert [name for _, name, _, validated in journey.again["constraints"] if not validated] == []

    def test_are_granted_by_default_only_to_be_read_and_written(self, journey: Journey) -> None:
        assert {(kind, privilege) for kind, _, privilege in journey.again["default_grants"]} == {
            *(("r", privilege) for privilege in ("SELECT", "INSERT", "UPDATE", "DELETE")),
            *(("S", privilege) for privilege in ("SELECT", "USAGE")),
        }
