"""`manage.py prepare_database`: the application's role, made by an owner that isn't a superuser, as on RDS."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.support.lambdas.environments import ROLE, Cloud, Environment, cloud, request_event
from tests.support.lambdas.password_server import DATABASE, OWNER, OWNER_PASSWORD
from tests.support.lambdas.secrets import Secret

ATTRIBUTES = "rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, rolcanlogin"
FITTING = (False, False, False, False, False, True)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with cloud(folder=tmp_path_factory.mktemp("cloud")) as made:
        yield made


@pytest.fixture(scope="module")
def migrate(made: Cloud) -> Iterator[Environment]:
    with made.environment("migrate") as environment:
        yield environment


def prepared(migrate: Environment) -> str:
    return str(migrate.answer({"manage": "prepare_database"})["output"])


def refused(migrate: Environment) -> str:
    answer = migrate.invoke({"manage": "prepare_database"})
    assert answer["error"] == "CommandError", answer
    return str(answer["message"])


def attributes(made: Cloud) -> list[tuple[Any, ...]]:
    return made.server.query(f"SELECT {ATTRIBUTES} FROM pg_roles WHERE rolname = '{ROLE}'")


class TestPrepareDatabase:
    def test_makes_the_role_that_may_log_in_and_no_more(self, made: Cloud, migrate: Environment) -> None:
        made.server.query(f"DROP ROLE IF EXISTS {ROLE}")
        assert prepared(migrate) == f"The role {ROLE} was made, with the password in its secret.\n"
        assert attributes(made) == [FITTING]
        assert made.server.accepts(username=ROLE, password=made.application.value()["password"])
        assert made.server.query(f"SELECT has_database_privilege('{ROLE}', '{DATABASE}', 'CONNECT')") == [(True,)]
        assert made.server.query(f"SELECT has_schema_privilege('{ROLE}', 'public', 'CREATE')") == [(False,)]

    def test_updates_the_role_that_is_there_as_often_as_it_runs(self, made: Cloud, migrate: Environment) -> None:
        prepared(migrate)
        made.server.query(f"ALTER ROLE {ROLE} NOLOGIN PASSWORD NULL")
        for _ in range(2):
            assert prepared(migrate) == f"The role {ROLE} was updated, with the password in its secret.\n"
            assert attributes(made) == [FITTING]
            assert made.server.accepts(username=ROLE, password=made.application.value()["password"])

    def test_mends_a_running_function_whose_role_and_secret_disagree(self, made: Cloud, migrate: Environment) -> None:
        prepared(migrate)
        migrate.answer({"manage": "migrate --noinput -v0"})
        with made.environment("api", CONN_MAX_AGE="0") as api:
            assert api.answer(request_event("/healthz"))["statusCode"] == 200
            made.server.query(f"ALTER ROLE {ROLE} PASSWORD 'set by hand'")
            assert api.answer(request_event("/healthz"))["statusCode"] == 503
            prepared(migrate)
            assert api.answer(request_event("/healthz"))["statusCode"] == 200

    @pytest.mark.parametrize("attribute", ["SUPERUSER", "CREATEROLE", "CREATEDB", "REPLICATION", "BYPASSRLS"])
    def test_refuses_a_role_that_could_get_round_the_ledgers_rules(
        self, made: Cloud, migrate: Environment, attribute: str
    ) -> None:
        prepared(migrate)
        made.server.query(f"ALTER ROLE {ROLE} PASSWORD 'untouched' {attribute}")
        assert refused(migrate) == (
            f"Nothing was changed: the role {ROLE} may do more than the application: name another."
        )
        assert made.server.accepts(username=ROLE, password="untouched")
        made.server.query(f"ALTER ROLE {ROLE} NO{attribute}")

    def test_refuses_a_role_that_may_act_as_the_owner(self, made: Cloud) -> None:
        made.server.query(f"CREATE ROLE billing_deputy; GRANT {OWNER} TO billing_deputy")
        deputy = Secret.made(made.client, {"username": "billing_deputy", "password": "deputy-of-the-tests"})
        variables = {"DATABASE_APPLICATION_SECRET_ARN": deputy.arn, "DATABASE_APPLICATION_ROLE": "billing_deputy"}
        with made.environment("migrate", **variables) as environment:
            assert "the role billing_deputy may do more than the application" in refused(environment)
        made.server.query("DROP ROLE billing_deputy")

    def test_refuses_a_secret_of_another_role_or_of_the_owner(self, made: Cloud) -> None:
        owners = Secret.made(made.client, {"username": OWNER, "password": "another"})
        with made.environment("migrate", DATABASE_APPLICATION_SECRET_ARN=owners.arn) as environment:
            assert refused(environment) == f"The secret names {OWNER}, and DATABASE_APPLICATION_ROLE is {ROLE}."
        both = {"DATABASE_APPLICATION_SECRET_ARN": owners.arn, "DATABASE_APPLICATION_ROLE": OWNER}
        with made.environment("migrate", **both) as environment:
            assert "is the owner itself: the application's secret must name another role" in refused(environment)
        assert made.server.accepts(username=OWNER, password=OWNER_PASSWORD)

    def test_refuses_in_a_line_where_its_own_secret_is_not_the_owners(self, made: Cloud, migrate: Environment) -> None:
        prepared(migrate)
        other = {"username": "billing_reader", "password": "reader-of-the-tests"}
        made.server.query("CREATE ROLE billing_reader LOGIN PASSWORD 'reader-of-the-tests'")
        with made.environment("migrate", DATABASE_SECRET_ARN=Secret.made(made.client, other).arn) as environment:
            answer = refused(environment)
        made.server.query("DROP ROLE billing_reader")
        assert answer.startswith("Nothing was changed, for the database refuses: permission denied")
        assert "\n" not in answer

    def test_refuses_in_a_line_without_the_owner(self, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delitem(settings.DATABASES, "owner")
        with pytest.raises(CommandError) as caught:
            call_command("prepare_database", stdout=io.StringIO())
        assert str(caught.value) == (
            "This needs the owner's role: run it in the migrating function, or set DATABASE_OWNER_URL."
        )

    def test_asks_for_the_secret(self, settings: Any) -> None:
        settings.DATABASE_APPLICATION_SECRET_ARN = ""
        with pytest.raises(CommandError, match=r"^Set DATABASE_APPLICATION_SECRET_ARN to the secret of the applicat"):
            call_command("prepare_database", stdout=io.StringIO())
