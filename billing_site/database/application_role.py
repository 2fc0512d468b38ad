"""The role that the application connects as. It belongs to the cluster, so no migration makes it."""

from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql
from psycopg2.extensions import connection as connection_type
from psycopg2.extensions import encrypt_password

from billing_site.database.credentials import Credentials

TOO_MUCH = ("rolsuper", "rolcreaterole", "rolcreatedb", "rolreplication", "rolbypassrls")
"""With any of these the role could bypass what migrations forbid it, above all the ledger's rules."""

_GRANTS = (
    "GRANT CONNECT ON DATABASE {database} TO {role}",
    "GRANT USAGE ON SCHEMA public TO {role}",
    # Only the owner makes tables; up to PostgreSQL 14 everybody could.
    "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
)


class UnfitRole(Exception):
    """The application can't use this role; the text says why."""


def prepare_role(*, owner: BaseDatabaseWrapper, credentials: Credentials) -> bool:
    """Creates the login role, or updates its password, and grants what it needs before the migrations grant the rest.
    Returns whether it was created. Call it in a transaction. Raises `UnfitRole` and Django's database errors.
    """
    with owner.cursor() as cursor:
        cursor.execute("SELECT current_user")
        (own_name,) = cursor.fetchone()
        if credentials.username == own_name:
            raise UnfitRole(f"{own_name} is the owner itself: the application's secret must name another role")
        columns = ", ".join(TOO_MUCH)
        # The columns are ours.
        query = f"SELECT {columns}, pg_has_role(rolname, current_user, 'MEMBER') FROM pg_roles WHERE rolname = %s"  # noqa: S608
        cursor.execute(query, [credentials.username])
        found = cursor.fetchone()
        if found is not None and any(found):
            raise UnfitRole(f"the role {credentials.username} may do more than the application: name another")
        names = {"role": sql.Identifier(credentials.username), "database": sql.Identifier(owner.settings_dict["NAME"])}
        if found is None:
            cursor.execute(sql.SQL("CREATE ROLE {role} LOGIN").format(**names))
        else:
            cursor.execute(sql.SQL("ALTER ROLE {role} LOGIN").format(**names))
        for grant in _GRANTS:
            cursor.execute(sql.SQL(grant).format(**names))
        set_password(connection=owner.connection, credentials=credentials)
    return found is None


def set_password(*, connection: connection_type, credentials: Credentials) -> None:
    """Gives the role the password, as a SCRAM verifier: a server may log the statements that it is sent."""
    verifier = encrypt_password(credentials.password, credentials.username, scope=connection, algorithm="scram-sha-256")
    statement = sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(credentials.username), sql.Literal(verifier))
    with connection.cursor() as cursor:
        cursor.execute(statement)
