"""Databases of their own for migrations, made by the owner's role, so that the tests' database is left alone."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from urllib.parse import urlsplit

import psycopg2
import pytest
from django.db import connections
from psycopg2 import sql
from psycopg2.errors import InsufficientPrivilege
from pytest_django import DjangoDbBlocker

from tests.support.workers.waiting import wait_until

MakeDatabase = Callable[[str], str]


def url_of(*, database: str, role: str) -> str:
    """The address of a database of this server: `DATABASE_URL`'s role, or that of `DATABASE_OWNER_URL`."""
    address = os.environ["DATABASE_OWNER_URL" if role == "owner" else "DATABASE_URL"]
    return urlsplit(address)._replace(path=f"/{database}").geturl()


@pytest.fixture(scope="module")
def make_database(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[MakeDatabase]:
    """Makes an empty database, named after the tests' own so that two runs don't meet; drops it when all is done."""
    made: list[str] = []
    with django_db_blocker.unblock():
        parameters = connections["owner"].get_connection_params()

    def execute(statement: str, database: str) -> None:
        with closing(psycopg2.connect(**parameters)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql.SQL(statement).format(sql.Identifier(database)))

    def drop(statement: str, database: str) -> None:
        """By force ends whoever is connected, and is refused while PostgreSQL's own cleaning is, which soon leaves."""

        def dropped() -> bool:
            try:
                execute(statement, database)
            except InsufficientPrivilege:
                return False
            return True

        wait_until(dropped, pause=0.2)

    def make(suffix: str) -> str:
        database = f"{parameters['dbname']}_{suffix}"
        # Left over from a run that was killed.
        drop("DROP DATABASE IF EXISTS {} WITH (FORCE)", database)
        execute("CREATE DATABASE {}", database)
        made.append(database)
        return database

    yield make
    for database in made:
        drop("DROP DATABASE {} WITH (FORCE)", database)
