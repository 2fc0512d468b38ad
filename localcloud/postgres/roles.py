"""The cluster's two roles and the product's database. Terraform makes the same ones in production."""

from contextlib import closing
from pathlib import Path

import psycopg2

OWNER_ROLE = "billing_owner"
"""Migrates, and makes the test database."""
APPLICATION_ROLE = "billing_app"
"""What everything else runs as; migrations grant it what it may do."""
DATABASE = "billing"

_MISSING = {
    f"CREATE ROLE {OWNER_ROLE} LOGIN CREATEDB": f"SELECT FROM pg_roles WHERE rolname = '{OWNER_ROLE}'",
    f"CREATE ROLE {APPLICATION_ROLE} LOGIN": f"SELECT FROM pg_roles WHERE rolname = '{APPLICATION_ROLE}'",
    f"CREATE DATABASE {DATABASE} OWNER {OWNER_ROLE}": f"SELECT FROM pg_database WHERE datname = '{DATABASE}'",
}


def ensure_roles(*, socket_folder: Path) -> None:
    """Makes the roles and the database that aren't there yet."""
    with closing(psycopg2.connect(host=str(socket_folder), user="postgres", dbname="postgres")) as connection:
        connection.autocommit = True  # CREATE DATABASE refuses to run in a transaction
        with connection.cursor() as cursor:
            for create, present in _MISSING.items():
                cursor.execute(present)
                if cursor.fetchone() is None:
                    cursor.execute(create)


def database_url(*, socket_folder: Path, role: str) -> str:
    """A URL that Django's settings, psql and psycopg all read."""
    return f"postgresql://{role}@/{DATABASE}?host={socket_folder}"
