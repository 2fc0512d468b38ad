"""The database backend on a PostgreSQL that asks for passwords: how it connects, and what it does when refused."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.db import OperationalError
from pytest_django import DjangoDbBlocker

from billing_site.database.connections import configured_databases
from billing_site.database.postgresql.base import DatabaseWrapper
from billing_site.environment import Environment
from billing_site.secrets.store import client
from tests.support.lambdas.password_server import DATABASE, HOST, OWNER, OWNER_PASSWORD, PasswordServer, password_server
from tests.support.lambdas.secrets import Secret
from tests.support.lambdas.tls import a_certificate, tls_in_front_of
from tests.support.secrets_manager import forget, secrets_manager

Wrapper = Callable[..., DatabaseWrapper]


@pytest.fixture(scope="module")
def server() -> Iterator[PasswordServer]:
    with password_server() as made:
        yield made


@pytest.fixture(scope="module")
def manager() -> Iterator[Any]:
    with secrets_manager() as made:
        yield made


@pytest.fixture
def secret(manager: Any) -> Iterator[Secret]:
    forget()
    yield Secret.made(manager, {"username": OWNER, "password": OWNER_PASSWORD})
    forget()


@pytest.fixture
def wrapper(
    server: PasswordServer, secret: Secret, monkeypatch: pytest.MonkeyPatch, django_db_blocker: DjangoDbBlocker
) -> Iterator[Wrapper]:
    """A connection by the settings that a function has with these variables."""

    def made(duty: str = "api", **variables: str) -> DatabaseWrapper:
        variables = {
            "DATABASE_URL": "",
            "DATABASE_HOST": HOST,
            "DATABASE_PORT": str(server.port),
            "DATABASE_NAME": DATABASE,
            "DATABASE_SECRET_ARN": secret.arn,
            "DATABASE_SSLMODE": "disable",
        } | variables
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        settings = configured_databases(env=Environment(), duty=duty)["default"]
        defaults = {"USER": "", "PASSWORD": "", "TIME_ZONE": None, "ATOMIC_REQUESTS": False, "AUTOCOMMIT": True}
        return DatabaseWrapper(defaults | settings, alias="default")

    # It isn't the tests' own database that is connected to.
    with django_db_blocker.unblock():
        yield made


def shown(connection: DatabaseWrapper, name: str) -> str:
    with closing(connection), connection.cursor() as cursor:
        cursor.execute(f"SHOW {name}")
        return str(cursor.fetchone()[0])


def refusal(connection: DatabaseWrapper) -> str:
    with pytest.raises(OperationalError) as caught:
        connection.ensure_connection()
    return str(caught.value)


def counted_reads() -> Any:
    """Secrets Manager as it is, counting what is asked of it."""
    return mock.patch.object(client(), "get_secret_value", wraps=client().get_secret_value)


class TestConnection:
    @pytest.mark.parametrize(
        ("duty", "name", "value"),
        [
            ("api", "statement_timeout", "25s"),
            ("api", "application_name", "billing-api"),
            ("worker", "statement_timeout", "4min"),
            ("migrate", "statement_timeout", "0"),
            ("migrate", "lock_timeout", "10s"),
        ],
    )
    def test_has_the_limits_of_its_functions_duty(self, wrapper: Wrapper, duty: str, name: str, value: str) -> None:
        assert shown(wrapper(duty), name) == value

    def test_shows_its_password_to_nobody(self, wrapper: Wrapper) -> None:
        connection = wrapper()
        connection.ensure_connection()
        with closing(connection):
            assert OWNER_PASSWORD not in f"{vars(connection)} {connection.connection.dsn} {connection.settings_dict}"


class TestRefusedPassword:
    def test_is_read_again_once_and_what_is_taken_is_kept(self, wrapper: Wrapper, secret: Secret) -> None:
        secret.put({"username": OWNER, "password": "not yet"})
        assert "refuses every password of the secret" in refusal(wrapper())
        secret.put({"username": OWNER, "password": OWNER_PASSWORD})
        with counted_reads() as reads:
            for _ in range(3):
                assert shown(wrapper(), "application_name") == "billing-api"
        assert [call.kwargs["VersionStage"] for call in reads.call_args_list] == ["AWSCURRENT"]

    def test_that_stays_refused_tells_what_to_do_and_no_password(self, wrapper: Wrapper, secret: Secret) -> None:
        secret.put({"username": OWNER, "password": "hidden-and-wrong"})
        with counted_reads() as reads:
            message = refusal(wrapper())
        assert message == (
            f"the database refuses every password of the secret {secret.arn}: run `zappa manage <stage>_migrate "
            "prepare_database`, which gives the role the secret's"
        )
        stages = [call.kwargs["VersionStage"] for call in reads.call_args_list]
        assert stages == ["AWSCURRENT", "AWSCURRENT", "AWSPENDING", "AWSCURRENT"]

    @pytest.mark.parametrize(
        ("variables", "why"),
        [
            ({"DATABASE_PORT": "9"}, "Connection refused"),
            ({"DATABASE_NAME": "another"}, 'database "another" does not exist'),
            ({"DATABASE_SSLMODE": "require"}, "server does not support SSL, but SSL was required"),
        ],
    )
    def test_is_the_only_thing_for_which_the_secret_is_read_again(
        self, wrapper: Wrapper, variables: dict[str, str], why: str
    ) -> None:
        with counted_reads() as reads:
            assert why in refusal(wrapper(**variables))
        assert reads.call_count == 1

    def test_whose_secret_cannot_be_read_is_a_connection_that_cannot_be_had(
        self, wrapper: Wrapper, secret: Secret
    ) -> None:
        """So that who waits for the database, and /healthz, take it for one."""
        assert refusal(wrapper(DATABASE_SECRET_ARN=f"{secret.arn}x")).startswith(f"the secret {secret.arn}x can't be")
        secret.put("no JSON")
        assert refusal(wrapper()) == f"the secret {secret.arn} must be a JSON object"


class TestTls:
    def test_is_what_a_function_asks_for(self, server: PasswordServer, wrapper: Wrapper, tmp_path: Path) -> None:
        with tls_in_front_of(port=server.port, certificate=a_certificate(folder=tmp_path / "own")) as port:
            connection = wrapper(DATABASE_PORT=str(port), DATABASE_SSLMODE="")
            assert connection.settings_dict["OPTIONS"]["sslmode"] == "require"
            connection.ensure_connection()
            with closing(connection):
                assert connection.connection.info.ssl_in_use

    def test_verifies_the_server_by_the_authorities_that_it_is_given(
        self, server: PasswordServer, wrapper: Wrapper, tmp_path: Path
    ) -> None:
        own, other = (a_certificate(folder=tmp_path / name) for name in ("own", "other"))
        with tls_in_front_of(port=server.port, certificate=own) as port:
            variables = {"DATABASE_PORT": str(port), "DATABASE_SSLMODE": "", "DATABASE_HOST": "localhost"}
            trusted = wrapper(**variables, DATABASE_SSLROOTCERT=str(own.file))
            assert shown(trusted, "application_name") == "billing-api"
            message = refusal(wrapper(**variables, DATABASE_SSLROOTCERT=str(other.file)))
            assert "certificate verify failed" in message
            variables["DATABASE_HOST"] = HOST
            message = refusal(wrapper(**variables, DATABASE_SSLROOTCERT=str(own.file)))
            assert 'does not match host name "127.0.0.1"' in message

    def test_without_which_libpq_says_so_and_does_not_connect(self, wrapper: Wrapper) -> None:
        assert "SSL was required" in refusal(wrapper(DATABASE_SSLMODE=""))
